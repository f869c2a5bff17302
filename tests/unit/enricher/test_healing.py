from datetime import timedelta

import pytest

from services.enricher.cache.pending import DueTracks
from services.enricher.cache.table import TrackCache, TrackCacheError
from services.enricher.domain.entry import Entry
from services.enricher.healing import Healer, Healing, HealRequest
from services.enricher.lookup import Lookup
from services.enricher.sources.source import Answer, RequestRejectedError, SourceOffError
from shared.errors import FeatureSourceError
from shared.models import EnrichedBatch, TrackFeatures
from shared.queues import Queue
from tests.unit.enricher.conftest import TABLE
from tests.unit.enricher.examples import START, some_features, uri, uris
from tests.unit.enricher.fake_source import Source, all_known, failing, none_known

WHAT_IS_DUE = HealRequest()
LATER = START + timedelta(minutes=10)
DUE = Entry(retry_at=START)


class Loader:
    """Receives the messages of the queue."""

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
    """Return the healer of a container that has just started."""

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
def save(new_container):
    """Write entries as an enricher does."""
    return lambda entries: new_container().write(entries)


@pytest.fixture
def recall(new_container):
    return lambda *tracks: new_container().read(tracks, START)


def test_due_tracks_are_asked_for_and_published(new_healer, save, recall, loader):
    save({uri("Boats"): DUE})

    healing = new_healer(Source()).heal(WHAT_IS_DUE, LATER)

    (batch,) = loader.batches
    assert healing == Healing(asked=1, learned=1)
    assert (batch.listener, batch.source, batch.plays) == (None, None, ())
    assert [(f.track_uri, f.energy) for f in batch.features] == [(uri("Boats"), 0.5)]
    assert recall(uri("Boats")) == {uri("Boats"): Entry(some_features("Boats"))}


def test_a_healed_track_is_not_due_any_more(new_healer, save):
    save({uri("Boats"): DUE})
    source = Source()
    new_healer(source).heal(WHAT_IS_DUE, LATER)

    healing = new_healer(source).heal(WHAT_IS_DUE, LATER)

    assert healing == Healing()
    assert len(source.asked) == 1


def test_each_chunk_of_forty_is_published_before_the_next(new_healer, save, loader):
    save(dict.fromkeys(uris(100), DUE))
    published = []

    def answer(tracks):
        published.append(len(loader.tracks))
        return all_known(tracks)

    new_healer(Source(answer)).heal(WHAT_IS_DUE, LATER)

    assert published == [0, 40, 80]
    assert set(loader.tracks) == set(uris(100))


def test_healing_batches_share_an_origin_and_are_numbered(new_healer, save, loader):
    save(dict.fromkeys(uris(80), DUE))

    new_healer(Source()).heal(WHAT_IS_DUE, LATER)

    origin = "healing/2026-11-23T08:00:00.000Z"
    assert [(batch.origin, batch.number) for batch in loader.batches] == [(origin, 0), (origin, 1)]


def test_a_missing_track_gets_a_longer_delay(new_healer, save, recall, loader):
    save({uri("new"): Entry(misses=1, retry_at=START)})

    healing = new_healer(Source(none_known)).heal(WHAT_IS_DUE, LATER)

    assert healing == Healing(asked=1, missed=1)
    assert recall(uri("new")) == {uri("new"): Entry(None, 2, START + timedelta(days=7))}
    assert loader.batches == []


@pytest.mark.parametrize(("retry_after_s", "wait_s"), [(None, 900), (60, 60)])
def test_a_failing_source_ends_the_healing_after_one_call(
    new_healer, save, dynamodb, retry_after_s, wait_s
):
    save(dict.fromkeys(uris(200), DUE))
    source = Source(failing(FeatureSourceError("500", retry_after_s)))

    healing = new_healer(source).heal(WHAT_IS_DUE, LATER)

    until = START + timedelta(seconds=wait_s)
    assert healing == Healing(asked=40, postponed=40, remaining=160, blocked_until=until)
    assert DueTracks(dynamodb, TABLE).read(until - timedelta(seconds=1), 999)[1] == 160
    assert len(source.asked) == 1


def test_a_failed_source_without_a_delay_is_not_called_again(new_healer, save, clock):
    save(dict.fromkeys(uris(80), DUE))

    def ticking():
        clock.move(milliseconds=1)
        return clock()

    source = Source(failing(FeatureSourceError("429", 0)))
    new_healer(source, now=ticking).heal(WHAT_IS_DUE, LATER)

    assert len(source.asked) == 1


def test_a_block_is_reported_though_nothing_else_is_due(new_healer, save):
    save({uri("Boats"): DUE})

    healing = new_healer(Source(failing(FeatureSourceError("429", 60)))).heal(WHAT_IS_DUE, LATER)

    until = START + timedelta(minutes=1)
    assert healing == Healing(asked=1, postponed=1, blocked_until=until)


def test_failed_tracks_come_after_those_not_reached(new_healer, save, clock):
    save(dict.fromkeys(uris(80), DUE))
    source = Source(failing(FeatureSourceError("500")))
    new_healer(source).heal(WHAT_IS_DUE, LATER)
    source.answer = all_known
    clock.move(hours=1)

    new_healer(source).heal(WHAT_IS_DUE, clock.time + timedelta(minutes=1))

    assert [set(asked) for asked in source.asked[1:]] == [
        set(uris(80)) - set(source.asked[0]),
        set(source.asked[0]),
    ]


def test_the_next_healing_does_not_call_a_blocked_source(new_healer, save, clock):
    save(dict.fromkeys(uris(80), DUE))
    source = Source(failing(FeatureSourceError("429", 3_600)))
    healer = new_healer(source)
    healer.heal(WHAT_IS_DUE, LATER)
    clock.move(minutes=59)

    healing = healer.heal(WHAT_IS_DUE, clock.time + timedelta(minutes=1))

    assert healing == Healing(remaining=40, blocked_until=START + timedelta(hours=1))
    assert len(source.asked) == 1


def test_a_blocked_source_is_not_reported_while_nothing_is_due(new_healer, save):
    save({uri("Boats"): DUE})
    healer = new_healer(Source(failing(FeatureSourceError("429", 3_600))))
    healer.heal(WHAT_IS_DUE, LATER)

    assert healer.heal(WHAT_IS_DUE, LATER) == Healing()


def test_the_second_source_heals_while_the_first_fails(new_healer, save, loader):
    save(dict.fromkeys(uris(80), DUE))
    broken, sound = Source(failing(FeatureSourceError("500"))), Source()

    healing = new_healer(broken, sound).heal(WHAT_IS_DUE, LATER)

    assert healing == Healing(asked=80, learned=80)
    assert (len(broken.asked), len(sound.asked)) == (1, 2)
    assert set(loader.tracks) == set(uris(80))


def test_a_rejected_request_does_not_stop_the_healing(new_healer, save):
    save(dict.fromkeys(uris(80), DUE))
    source = Source(failing(RequestRejectedError("400")))

    healing = new_healer(source).heal(WHAT_IS_DUE, LATER)

    assert healing == Healing(asked=80, postponed=80)


def test_without_sources_everything_stays_due(new_healer, save):
    save(dict.fromkeys(uris(3), DUE))

    assert new_healer().heal(WHAT_IS_DUE, LATER) == Healing(remaining=3)


def test_when_every_source_is_off_everything_stays_due(new_healer, save):
    save(dict.fromkeys(uris(80), DUE))
    source = Source(failing(SourceOffError("no secret")))

    healing = new_healer(source).heal(WHAT_IS_DUE, LATER)

    assert healing == Healing(asked=40, remaining=40)
    assert len(source.asked) == 1


def test_a_source_that_is_off_is_called_once_an_hour(new_healer, save, dynamodb, clock):
    save(dict.fromkeys(uris(80), DUE))
    source = Source(failing(SourceOffError("no secret")))

    for _ in range(24):
        new_healer(source).heal(WHAT_IS_DUE, clock.time + timedelta(minutes=10))
        clock.move(hours=1)

    assert len(source.asked) == 24
    assert DueTracks(dynamodb, TABLE).read(START, 999)[1] == 80


def test_a_healing_ends_at_its_time_limit(new_healer, save, clock):
    save(dict.fromkeys(uris(120), DUE))

    def slow(tracks):
        clock.move(minutes=6)
        return all_known(tracks)

    healing = new_healer(Source(slow)).heal(WHAT_IS_DUE, LATER)

    assert healing == Healing(asked=80, learned=80, remaining=40)


@pytest.mark.parametrize(("most", "asked"), [(None, 80), (40, 40), (500, 80)], ids=str)
def test_a_healing_asks_for_at_most_its_number_of_tracks(new_healer, save, most, asked):
    save(dict.fromkeys(uris(100), DUE))

    healing = new_healer(Source(), most=80).heal(HealRequest(most=most), LATER)

    assert healing == Healing(asked=asked, learned=asked, remaining=100 - asked)


def test_named_tracks_are_asked_for_once_whatever_is_known(new_healer, save, loader):
    save({uri("known"): Entry(some_features("known", energy=0.1)), uri("other"): DUE})
    save({uri("waiting"): Entry(misses=3, retry_at=START + timedelta(days=30))})
    source = Source()
    named = [uri("known"), uri("waiting"), uri("never"), uri("known")]

    healing = new_healer(source).heal(HealRequest(tracks=named), LATER)

    assert healing == Healing(asked=3, learned=3)
    assert source.asked == [named[:3]]
    assert [f.energy for batch in loader.batches for f in batch.features] == [0.5] * 3


def test_the_first_of_many_named_tracks_are_asked_for(new_healer):
    source = Source()

    healing = new_healer(source, most=40).heal(HealRequest(tracks=uris(50)), LATER)

    assert healing == Healing(asked=40, learned=40, remaining=10)
    assert source.asked == [uris(40)]


@pytest.mark.parametrize("answer", [none_known, failing(FeatureSourceError("500"))])
def test_a_named_known_track_is_published_again(new_healer, save, recall, loader, answer):
    settled = {uri("Boats"): Entry(some_features("Boats"))}
    save(settled)

    new_healer(Source(answer)).heal(HealRequest(tracks=[uri("Boats")]), LATER)

    assert recall(uri("Boats")) == settled
    assert loader.tracks == [uri("Boats")]


def test_features_that_cannot_be_published_are_not_saved(new_healer, save, recall, loader):
    save({uri("Boats"): DUE})

    def away(**_):
        raise ConnectionError("queue is away")

    loader.send_message = away

    with pytest.raises(ConnectionError):
        new_healer(Source()).heal(WHAT_IS_DUE, LATER)

    assert recall(uri("Boats")) == {uri("Boats"): DUE}


def test_an_unreadable_cache_ends_the_healing_before_any_call(new_healer, save):
    save(dict.fromkeys(uris(80), DUE))
    source = Source()

    with pytest.raises(TrackCacheError):
        new_healer(source, table="missing-table").heal(WHAT_IS_DUE, LATER)

    assert source.asked == []


def test_an_unwritable_cache_ends_the_healing_after_its_first_chunk(
    new_healer, save, loader, dynamodb, monkeypatch
):
    save(dict.fromkeys(uris(80), DUE))
    source = Source()
    monkeypatch.setattr(
        dynamodb, "batch_write_item", lambda RequestItems: {"UnprocessedItems": RequestItems}
    )

    with pytest.raises(TrackCacheError):
        new_healer(source).heal(WHAT_IS_DUE, LATER)

    assert len(source.asked) == 1
    assert len(loader.tracks) == 40


def test_two_healings_at_once_write_the_same(new_healer, save, recall, loader):
    save({uri("a"): DUE, uri("b"): Entry(misses=1, retry_at=START)})
    answer = Answer({uri("a"): all_known([uri("a")]).features[uri("a")]}, frozenset([uri("b")]))
    second = new_healer(Source(lambda _: answer))
    source = Source()

    def meanwhile(_):
        second.heal(WHAT_IS_DUE, LATER)
        return answer

    source.answer = meanwhile
    new_healer(source).heal(WHAT_IS_DUE, LATER)

    assert recall(uri("a"), uri("b")) == {
        uri("a"): Entry(some_features("a")),
        uri("b"): Entry(None, 2, START + timedelta(days=7)),
    }
    assert loader.tracks == [uri("a"), uri("a")]


def test_the_features_of_one_call_take_at_most_40_kb():
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
    batch = EnrichedBatch(
        origin="healing/2026-11-23T08:00:00.000Z", number=999, features=[features] * 40
    )

    assert len(batch.model_dump_json(exclude_none=True).encode()) < 40_000
