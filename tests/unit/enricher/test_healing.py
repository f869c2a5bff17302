from datetime import timedelta

import pytest

from services.enricher.cache.pending import DueTracks
from services.enricher.cache.table import TrackCache, TrackCacheError
from services.enricher.domain.entry import Entry
from services.enricher.healing import Healer, Healing, HealRequest
from services.enricher.lookup import Lookup
from services.enricher.sources.source import RequestRejectedError, SourceOffError
from shared.errors import FeatureSourceError
from shared.queues import Queue
from tests.unit.enricher.examples import START, TABLE, some_features, uri, uris
from tests.unit.enricher.fake_source import Source, all_known, failing, known_except, none_known

WHAT_IS_DUE = HealRequest()
LATER = START + timedelta(minutes=10)
BOATS = uri("Boats")
DUE = Entry(retry_at=START)
KNOWN = Entry(some_features("Boats"))
OFF = failing(SourceOffError("no secret"))
DOWN = failing(FeatureSourceError("500"))
REJECTED = failing(RequestRejectedError("400"))


def limited(seconds):
    """Fail with a 429 that ends after some seconds."""
    return failing(FeatureSourceError("429", seconds))


@pytest.fixture
def new_healer(dynamodb, clock, loader):
    """Return the healer of a container that has just started."""

    def make(*sources, table=TABLE, now=clock):
        return Healer(
            lookup=Lookup(
                TrackCache(dynamodb, table, size=0),
                {str(number): source for number, source in enumerate(sources)},
                now,
            ),
            due=DueTracks(dynamodb, TABLE),
            queue=Queue(loader, "enriched-plays"),
            now=now,
            most=2_000,
        )

    return make


@pytest.fixture
def save(new_container):
    """Write entries as an enricher does."""
    return lambda entries: new_container().write(entries)


@pytest.fixture
def recall(new_container):
    return lambda *tracks: new_container().read(tracks, START)


@pytest.fixture
def number_of_due_tracks(dynamodb):
    return lambda at: DueTracks(dynamodb, TABLE).read(at, 999)[1]


IN_A_MINUTE = START + timedelta(minutes=1)


@pytest.mark.parametrize(
    ("answer", "healing", "entry", "published"),
    [
        pytest.param(all_known, Healing(asked=1, learned=1), KNOWN, [BOATS], id="known"),
        pytest.param(
            none_known,
            Healing(asked=1, missed=1),
            Entry(misses=1, retry_at=START + timedelta(days=1)),
            [],
            id="missing",
        ),
        pytest.param(
            limited(60),
            Healing(asked=1, postponed=1, blocked_until=IN_A_MINUTE),
            Entry(retry_at=IN_A_MINUTE),
            [],
            id="rate-limited",
        ),
        pytest.param(
            REJECTED,
            Healing(asked=1, postponed=1),
            Entry(retry_at=START + timedelta(minutes=15)),
            [],
            id="rejected",
        ),
    ],
)
def test_a_due_track_is_published_if_its_features_are_found(
    new_healer, save, recall, loader, *, answer, healing, entry, published
):
    save({BOATS: DUE})
    healer = new_healer(Source(answer))

    assert healer.heal(WHAT_IS_DUE, LATER) == healing
    assert recall(BOATS) == {BOATS: entry}
    assert loader.tracks == published
    assert healer.heal(WHAT_IS_DUE, LATER) == Healing()


def test_each_40_healed_tracks_are_published_before_the_next_40(new_healer, save, loader):
    save(dict.fromkeys(uris(100), DUE))
    published = []

    def answer(tracks):
        published.append(len(loader.tracks))
        return all_known(tracks)

    new_healer(Source(answer)).heal(WHAT_IS_DUE, LATER)

    origin = "healing/2026-11-23T08:00:00.000Z"
    assert published == [0, 40, 80]
    assert [(b.origin, b.number) for b in loader.batches] == [(origin, n) for n in range(3)]
    assert {(b.listener, b.source, b.plays) for b in loader.batches} == {(None, None, ())}
    assert set(loader.tracks) == set(uris(100))


@pytest.mark.parametrize(("retry_after_s", "wait_s"), [(None, 900), (60, 60)])
def test_a_failing_source_ends_the_heal_run_after_one_call(
    new_healer, save, number_of_due_tracks, retry_after_s, wait_s
):
    save(dict.fromkeys(uris(200), DUE))
    source = Source(limited(retry_after_s))

    healing = new_healer(source).heal(WHAT_IS_DUE, LATER)

    until = START + timedelta(seconds=wait_s)
    assert healing == Healing(asked=40, postponed=40, remaining=160, blocked_until=until)
    assert number_of_due_tracks(until - timedelta(seconds=1)) == 160
    assert len(source.asked) == 1


def test_a_rate_limited_source_is_not_called_again_in_a_heal_run(new_healer, save, clock):
    save(dict.fromkeys(uris(80), DUE))

    def ticking():
        clock.move(milliseconds=1)
        return clock()

    source = Source(limited(0))
    new_healer(source, now=ticking).heal(WHAT_IS_DUE, LATER)

    assert len(source.asked) == 1


def test_the_next_heal_run_does_not_call_a_rate_limited_source(new_healer, save, clock):
    save(dict.fromkeys(uris(80), DUE))
    source = Source(limited(3_600))
    healer = new_healer(source)
    healer.heal(WHAT_IS_DUE, LATER)
    clock.move(minutes=59)

    healing = healer.heal(WHAT_IS_DUE, clock.time + timedelta(minutes=1))

    assert healing == Healing(remaining=40, blocked_until=START + timedelta(hours=1))
    assert len(source.asked) == 1


def test_healing_uses_the_second_source_while_the_first_fails(new_healer, save, loader):
    save(dict.fromkeys(uris(80), DUE))
    first, second = Source(DOWN), Source()

    healing = new_healer(first, second).heal(WHAT_IS_DUE, LATER)

    assert healing == Healing(asked=80, learned=80)
    assert (len(first.asked), len(second.asked)) == (1, 2)
    assert set(loader.tracks) == set(uris(80))


def test_a_rejected_request_does_not_end_the_heal_run(new_healer, save):
    save(dict.fromkeys(uris(80), DUE))

    healing = new_healer(Source(REJECTED)).heal(WHAT_IS_DUE, LATER)

    assert healing == Healing(asked=80, postponed=80)


@pytest.mark.parametrize(("sources", "asked"), [([], 0), ([Source(OFF)], 40)], ids=["none", "off"])
def test_without_an_enabled_source_all_tracks_stay_due(
    new_healer, save, number_of_due_tracks, sources, asked
):
    save(dict.fromkeys(uris(80), DUE))

    healing = new_healer(*sources).heal(WHAT_IS_DUE, LATER)

    assert (healing.asked, healing.postponed, healing.blocked_until) == (asked, 0, None)
    assert number_of_due_tracks(START) == 80


def test_a_heal_run_ends_at_its_time_limit(new_healer, save, clock):
    save(dict.fromkeys(uris(120), DUE))

    def slow(tracks):
        clock.move(minutes=6)
        return all_known(tracks)

    healing = new_healer(Source(slow)).heal(WHAT_IS_DUE, LATER)

    assert healing == Healing(asked=80, learned=80, remaining=40)


@pytest.mark.parametrize("answer", [none_known, DOWN], ids=["missing", "down"])
def test_a_known_track_named_in_the_event_is_published_again(
    new_healer, save, recall, loader, answer
):
    save({BOATS: KNOWN})

    new_healer(Source(answer)).heal(HealRequest(tracks=[BOATS]), LATER)

    assert recall(BOATS) == {BOATS: KNOWN}
    assert loader.tracks == [BOATS]


def test_healed_features_that_cannot_be_published_are_not_cached(new_healer, save, recall, loader):
    save({BOATS: DUE})

    def away(**_):
        raise ConnectionError("queue is away")

    loader.send_message = away

    with pytest.raises(ConnectionError):
        new_healer(Source()).heal(WHAT_IS_DUE, LATER)

    assert recall(BOATS) == {BOATS: DUE}


def test_an_unreadable_cache_ends_the_heal_run_before_any_call(new_healer, save):
    save(dict.fromkeys(uris(80), DUE))
    source = Source()

    with pytest.raises(TrackCacheError):
        new_healer(source, table="missing-table").heal(WHAT_IS_DUE, LATER)

    assert source.asked == []


def test_an_unwritable_cache_ends_the_heal_run_after_40_tracks(
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


def test_two_concurrent_heal_runs_leave_the_cache_entries_of_a_single_run(
    new_healer, save, recall, loader
):
    save({uri("a"): DUE, uri("b"): Entry(misses=1, retry_at=START)})
    answer = known_except(uri("b"))
    second = new_healer(Source(answer))

    def meanwhile(tracks):
        second.heal(WHAT_IS_DUE, LATER)
        return answer(tracks)

    new_healer(Source(meanwhile)).heal(WHAT_IS_DUE, LATER)

    assert recall(uri("a"), uri("b")) == {
        uri("a"): Entry(some_features("a")),
        uri("b"): Entry(None, 2, START + timedelta(days=7)),
    }
    assert loader.tracks == [uri("a"), uri("a")]
