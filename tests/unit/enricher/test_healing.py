from datetime import timedelta
from types import SimpleNamespace

import pytest

from services.enricher.cache.pending import DueTracks
from services.enricher.cache.table import TrackCache
from services.enricher.domain.entry import Entry
from services.enricher.domain.join import healing_batch
from services.enricher.healing import Healer, Healing, HealRequest, NotRememberedError
from services.enricher.lookup import Lookup
from services.enricher.sources.source import Answer, RequestRefusedError, SourceOffError
from shared.errors import FeatureSourceError
from shared.models import EnrichedBatch, TrackFeatures
from shared.queues import Queue
from tests.unit.enricher.conftest import TABLE
from tests.unit.enricher.examples import START, known_features, uri, uris
from tests.unit.enricher.test_lookup import Source, all_known, failing, none_known

WHAT_IS_DUE = HealRequest()
LATER = START + timedelta(minutes=10)
DUE = Entry(retry_at=START)


class Loader:
    """The far end of the queue."""

    def __init__(self):
        self.batches = []

    def send_message(self, QueueUrl, MessageBody):
        self.batches.append(EnrichedBatch.model_validate_json(MessageBody))

    @property
    def tracks(self):
        return [features.track_uri for batch in self.batches for features in batch.features]


@pytest.fixture
def loader():
    return Loader()


@pytest.fixture
def new_healer(dynamodb, clock, loader):
    """Make the healer of a container that has just started."""

    def make(*sources, most=2_000, table=TABLE, now=clock):
        return Healer(
            lookup=Lookup(
                TrackCache(dynamodb, table, size=0),
                {str(number): source for number, source in enumerate(sources)},
                now,
            ),
            due=DueTracks(dynamodb, TABLE),
            queue=Queue(loader, "enriched-plays"),
            now=now,
            most=most,
        )

    return make


@pytest.fixture
def remember(new_container):
    """Write entries as an enricher did before."""
    return lambda entries: new_container().write(entries)


@pytest.fixture
def recall(new_container):
    return lambda *tracks: new_container().read(tracks, START).entries


def test_what_is_due_is_asked_for_and_goes_to_the_loader(new_healer, remember, recall, loader):
    remember({uri("Boats"): DUE})

    healing = new_healer(Source()).heal(WHAT_IS_DUE, LATER)

    (batch,) = loader.batches
    assert healing == Healing(asked=1, learned=1)
    assert (batch.listener, batch.source, batch.plays) == (None, None, ())
    assert [(f.track_uri, f.energy) for f in batch.features] == [(uri("Boats"), 0.5)]
    assert recall(uri("Boats")) == {uri("Boats"): Entry(known_features("Boats"))}


def test_what_is_learnt_is_known_to_the_next_enricher_and_healing(new_healer, remember):
    remember({uri("Boats"): DUE})
    source = Source()
    new_healer(source).heal(WHAT_IS_DUE, LATER)

    healing = new_healer(source).heal(WHAT_IS_DUE, LATER)

    assert healing == Healing()
    assert len(source.asked) == 1


def test_forty_tracks_are_asked_for_at_a_time_and_published_before_the_next(
    new_healer, remember, loader
):
    remember(dict.fromkeys(uris(100), DUE))
    published = []

    def answer(tracks):
        published.append(len(loader.tracks))
        return all_known(tracks)

    new_healer(Source(answer)).heal(WHAT_IS_DUE, LATER)

    assert published == [0, 40, 80]
    assert set(loader.tracks) == set(uris(100))


def test_the_batches_of_a_healing_have_an_origin_of_their_own_and_count(
    new_healer, remember, loader
):
    remember(dict.fromkeys(uris(80), DUE))

    new_healer(Source()).heal(WHAT_IS_DUE, LATER)

    origin = "healing/2026-11-23T08:00:00.000Z"
    assert [(batch.origin, batch.number) for batch in loader.batches] == [(origin, 0), (origin, 1)]


def test_a_missing_track_waits_longer_and_nothing_is_published(
    new_healer, remember, recall, loader
):
    remember({uri("new"): Entry(misses=1, retry_at=START)})

    healing = new_healer(Source(none_known)).heal(WHAT_IS_DUE, LATER)

    assert healing == Healing(asked=1, missed=1)
    assert recall(uri("new")) == {uri("new"): Entry(None, 2, START + timedelta(days=7))}
    assert loader.batches == []


@pytest.mark.parametrize(("retry_after_s", "wait_s"), [(None, 900), (60, 60)])
def test_a_healing_stops_at_a_failing_source_and_rewrites_one_call_of_tracks(
    new_healer, remember, dynamodb, retry_after_s, wait_s
):
    remember(dict.fromkeys(uris(200), DUE))
    source = Source(failing(FeatureSourceError("500", retry_after_s)))

    healing = new_healer(source).heal(WHAT_IS_DUE, LATER)

    until = START + timedelta(seconds=wait_s)
    assert healing == Healing(asked=40, postponed=40, remaining=160, blocked_until=until)
    assert DueTracks(dynamodb, TABLE).read(until - timedelta(seconds=1), 999)[1] == 160
    assert len(source.asked) == 1


def test_a_source_that_asks_for_no_wait_is_left_alone_for_the_rest_of_a_healing(
    new_healer, remember, clock
):
    remember(dict.fromkeys(uris(80), DUE))

    def ticking():
        clock.move(milliseconds=1)
        return clock()

    source = Source(failing(FeatureSourceError("429", 0)))
    new_healer(source, now=ticking).heal(WHAT_IS_DUE, LATER)

    assert len(source.asked) == 1


def test_a_block_is_told_of_though_nothing_else_is_due(new_healer, remember):
    remember({uri("Boats"): DUE})

    healing = new_healer(Source(failing(FeatureSourceError("429", 60)))).heal(WHAT_IS_DUE, LATER)

    until = START + timedelta(minutes=1)
    assert healing == Healing(asked=1, postponed=1, blocked_until=until)


def test_what_failed_goes_behind_what_was_not_come_to(new_healer, remember, clock):
    remember(dict.fromkeys(uris(80), DUE))
    source = Source(failing(FeatureSourceError("500")))
    new_healer(source).heal(WHAT_IS_DUE, LATER)
    source.answer = all_known
    clock.move(hours=1)

    new_healer(source).heal(WHAT_IS_DUE, clock.time + timedelta(minutes=1))

    assert [set(asked) for asked in source.asked[1:]] == [
        set(uris(80)) - set(source.asked[0]),
        set(source.asked[0]),
    ]


def test_a_source_that_is_to_be_left_alone_is_not_asked_by_the_next_healing(
    new_healer, remember, clock
):
    remember(dict.fromkeys(uris(80), DUE))
    source = Source(failing(FeatureSourceError("429", 3_600)))
    healer = new_healer(source)
    healer.heal(WHAT_IS_DUE, LATER)
    clock.move(minutes=59)

    healing = healer.heal(WHAT_IS_DUE, clock.time + timedelta(minutes=1))

    assert healing == Healing(remaining=40, blocked_until=START + timedelta(hours=1))
    assert len(source.asked) == 1


def test_a_blocked_source_is_no_matter_while_nothing_is_due(new_healer, remember):
    remember({uri("Boats"): DUE})
    healer = new_healer(Source(failing(FeatureSourceError("429", 3_600))))
    healer.heal(WHAT_IS_DUE, LATER)

    assert healer.heal(WHAT_IS_DUE, LATER) == Healing()


def test_the_other_source_heals_while_one_fails(new_healer, remember, loader):
    remember(dict.fromkeys(uris(80), DUE))
    broken, sound = Source(failing(FeatureSourceError("500"))), Source()

    healing = new_healer(broken, sound).heal(WHAT_IS_DUE, LATER)

    assert healing == Healing(asked=80, learned=80)
    assert (len(broken.asked), len(sound.asked)) == (1, 2)
    assert set(loader.tracks) == set(uris(80))


def test_a_refused_request_stops_no_healing(new_healer, remember):
    remember(dict.fromkeys(uris(80), DUE))
    source = Source(failing(RequestRefusedError("400")))

    healing = new_healer(source).heal(WHAT_IS_DUE, LATER)

    assert healing == Healing(asked=80, postponed=80)


def test_without_sources_everything_stays_due(new_healer, remember):
    remember(dict.fromkeys(uris(3), DUE))

    assert new_healer().heal(WHAT_IS_DUE, LATER) == Healing(remaining=3)


def test_when_every_source_is_off_everything_stays_due(new_healer, remember):
    remember(dict.fromkeys(uris(80), DUE))
    source = Source(failing(SourceOffError("no secret")))

    healing = new_healer(source).heal(WHAT_IS_DUE, LATER)

    assert healing == Healing(asked=40, remaining=40)
    assert len(source.asked) == 1


def test_tracks_that_wait_for_a_source_to_be_on_cost_one_question_an_hour(
    new_healer, remember, dynamodb, clock
):
    remember(dict.fromkeys(uris(80), DUE))
    source = Source(failing(SourceOffError("no secret")))

    for _ in range(24):
        new_healer(source).heal(WHAT_IS_DUE, clock.time + timedelta(minutes=10))
        clock.move(hours=1)

    assert len(source.asked) == 24
    assert DueTracks(dynamodb, TABLE).read(START, 999)[1] == 80


def test_a_healing_ends_with_its_time_and_the_rest_stays_due(new_healer, remember, clock):
    remember(dict.fromkeys(uris(120), DUE))

    def slow(tracks):
        clock.move(minutes=6)
        return all_known(tracks)

    healing = new_healer(Source(slow)).heal(WHAT_IS_DUE, LATER)

    assert healing == Healing(asked=80, learned=80, remaining=40)


@pytest.mark.parametrize(("most", "asked"), [(None, 80), (40, 40), (500, 80)], ids=str)
def test_a_healing_asks_for_no_more_than_its_pace_allows(new_healer, remember, most, asked):
    remember(dict.fromkeys(uris(100), DUE))

    healing = new_healer(Source(), most=80).heal(HealRequest(most=most), LATER)

    assert healing == Healing(asked=asked, learned=asked, remaining=100 - asked)


def test_tracks_that_are_named_are_asked_for_once_known_or_not_due_or_not(
    new_healer, remember, loader
):
    remember({uri("known"): Entry(known_features("known", energy=0.1)), uri("other"): DUE})
    remember({uri("waiting"): Entry(misses=3, retry_at=START + timedelta(days=30))})
    source = Source()
    named = [uri("known"), uri("waiting"), uri("never"), uri("known")]

    healing = new_healer(source).heal(HealRequest(tracks=named), LATER)

    assert healing == Healing(asked=3, learned=3)
    assert source.asked == [named[:3]]
    assert [f.energy for batch in loader.batches for f in batch.features] == [0.5] * 3


def test_of_many_named_tracks_the_first_are_asked_for(new_healer):
    source = Source()

    healing = new_healer(source, most=40).heal(HealRequest(tracks=uris(50)), LATER)

    assert healing == Healing(asked=40, learned=40, remaining=10)
    assert source.asked == [uris(40)]


@pytest.mark.parametrize("answer", [none_known, failing(FeatureSourceError("500"))])
def test_a_known_track_that_is_named_stays_known_and_is_published_again(
    new_healer, remember, recall, loader, answer
):
    settled = {uri("Boats"): Entry(known_features("Boats"))}
    remember(settled)

    new_healer(Source(answer)).heal(HealRequest(tracks=[uri("Boats")]), LATER)

    assert recall(uri("Boats")) == settled
    assert loader.tracks == [uri("Boats")]


def test_what_cannot_be_published_is_not_remembered(new_healer, remember, recall, loader):
    remember({uri("Boats"): DUE})

    def away(**_):
        raise ConnectionError("queue is away")

    loader.send_message = away

    with pytest.raises(ConnectionError):
        new_healer(Source()).heal(WHAT_IS_DUE, LATER)

    assert recall(uri("Boats")) == {uri("Boats"): DUE}


def test_a_cache_that_takes_nothing_ends_the_healing_loudly(new_healer, remember, loader):
    remember(dict.fromkeys(uris(80), DUE))
    source = Source()

    with pytest.raises(NotRememberedError, match="track cache"):
        new_healer(source, table="no such table").heal(WHAT_IS_DUE, LATER)

    assert len(source.asked) == 1
    assert len(loader.tracks) == 40


def test_two_healings_at_once_write_down_the_same(new_healer, remember, recall, loader):
    remember({uri("a"): DUE, uri("b"): Entry(misses=1, retry_at=START)})
    answer = Answer({uri("a"): all_known([uri("a")]).features[uri("a")]}, frozenset([uri("b")]))
    second = new_healer(Source(lambda _: answer))
    source = Source()

    def meanwhile(_):
        second.heal(WHAT_IS_DUE, LATER)
        return answer

    source.answer = meanwhile
    new_healer(source).heal(WHAT_IS_DUE, LATER)

    assert recall(uri("a"), uri("b")) == {
        uri("a"): Entry(known_features("a")),
        uri("b"): Entry(None, 2, START + timedelta(days=7)),
    }
    assert loader.tracks == [uri("a"), uri("a")]


def test_the_features_of_one_call_fit_into_the_smallest_message():
    longest = 0.12345678901234567
    ratios = ("danceability", "energy", "speechiness", "acousticness")
    more = dict.fromkeys((*ratios, "instrumentalness", "liveness", "valence"), longest)
    instant = START + timedelta(microseconds=1)
    features = TrackFeatures(
        track_uri=uri("x" * 64),
        **more,
        key=-1,
        loudness=-1e300 / 3,
        mode=1,
        tempo=1e300 / 3,
        duration_ms=2**31 - 1,
        time_signature=100,
        popularity=100,
        popularity_source="reccobeats",
        popularity_fetched_at=instant,
        source="reccobeats",
        fetched_at=instant,
    )
    known = SimpleNamespace(text=features.model_dump_json())

    batch = healing_batch("healing/2026-11-23T08:00:00.000Z", 999, [known] * 40)

    assert len(batch.encode()) < 40_000
