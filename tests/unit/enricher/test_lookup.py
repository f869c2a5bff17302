from collections import Counter
from datetime import timedelta
from itertools import chain

import pytest

from services.enricher.cache.table import TrackCacheError
from services.enricher.domain.entry import Entry
from services.enricher.lookup import Lookup
from services.enricher.sources.source import Answer, RequestRejectedError, SourceOffError
from shared.errors import FeatureSourceError
from tests.unit.enricher.conftest import TABLE
from tests.unit.enricher.examples import START, some_features, uri, uris
from tests.unit.enricher.fake_source import Source, all_known, failing, none_known

LATER = START + timedelta(minutes=1)


def rated(popularity, source):
    return {
        "popularity": popularity,
        "popularity_source": source,
        "popularity_fetched_at": START,
    }


@pytest.fixture
def source():
    return Source()


@pytest.fixture
def new_lookup(new_container, clock):
    """Return the look-up of a container that has just started."""
    return lambda *sources: Lookup(
        new_container(), {str(n): source for n, source in enumerate(sources)}, clock
    )


@pytest.fixture
def lookup(new_lookup, source):
    return new_lookup(source)


def outcome(findings):
    return findings.features, findings.entries, Counter(findings.counts)


def find(lookup, tracks, until=LATER):
    """Look up and save, as an invocation does."""
    findings = lookup.find(tracks, until)
    lookup.save(findings)
    return findings


def test_features_of_a_source_are_returned_and_cached(lookup):
    findings = lookup.find([uri("Boats")], LATER)

    known = some_features("Boats")
    assert outcome(findings) == (
        {uri("Boats"): known},
        {uri("Boats"): Entry(known)},
        Counter(asked=1, learned=1),
    )


def test_a_known_track_is_never_asked_for_again(new_lookup, source):
    find(new_lookup(source), [uri("Boats")])

    findings = find(new_lookup(source), [uri("Boats")])

    assert len(source.asked) == 1
    assert outcome(findings) == ({uri("Boats"): some_features("Boats")}, {}, Counter())


@pytest.mark.parametrize(("tracks", "sizes"), [(0, []), (40, [40]), (41, [40, 1]), (80, [40, 40])])
def test_forty_tracks_are_asked_for_at_a_time(lookup, source, tracks, sizes):
    lookup.find(uris(tracks), LATER)

    assert [len(asked) for asked in source.asked] == sizes
    assert list(chain(*source.asked)) == uris(tracks)


def test_only_tracks_unknown_to_the_cache_are_asked_for(new_lookup, source):
    find(new_lookup(source), uris(30))
    source.asked.clear()

    find(new_lookup(source), uris(70))

    assert source.asked == [uris(70)[30:]]


def test_the_retry_delays_of_a_missing_track_grow(new_lookup, clock):
    source = Source(none_known)

    def is_asked_today():
        clock.move(days=1)
        find(new_lookup(source), [uri("new")], clock.time + timedelta(minutes=1))
        was_asked = bool(source.asked)
        source.asked.clear()
        return was_asked

    days = [day for day in range(1 + 1 + 7 + 30 + 90) if is_asked_today()]

    assert days == [0, 1, 8, 38, 128]


def test_a_miss_is_counted_and_has_no_features(new_lookup):
    lookup = new_lookup(Source(none_known))

    findings = lookup.find([uri("new")], LATER)

    entry = Entry(misses=1, retry_at=START + timedelta(days=1))
    assert outcome(findings) == ({}, {uri("new"): entry}, Counter(asked=1, missed=1))


def test_incomplete_features_are_used_and_asked_for_again(new_lookup, clock):
    part = some_features("Boats", energy=None)
    source = Source(lambda tracks: Answer({uri("Boats"): part}, frozenset(tracks)))
    find(new_lookup(source), [uri("Boats")])

    soon = find(new_lookup(source), [uri("Boats")])
    clock.move(days=1)
    source.answer = all_known
    later = find(new_lookup(source), [uri("Boats")], clock.time + timedelta(minutes=1))

    assert soon.features == {uri("Boats"): part}
    assert later.features == {uri("Boats"): some_features("Boats")}
    assert len(source.asked) == 2


def test_incomplete_features_outlive_a_later_miss(new_lookup, clock):
    part = some_features("Boats", energy=None)
    source = Source(lambda tracks: Answer({uri("Boats"): part}, frozenset(tracks)))
    find(new_lookup(source), [uri("Boats")])
    clock.move(days=1)
    source.answer = none_known

    findings = find(new_lookup(source), [uri("Boats")], clock.time + timedelta(minutes=1))

    retry_at = START + timedelta(days=8)
    known = part
    assert findings.features == {uri("Boats"): known}
    assert findings.entries == {uri("Boats"): Entry(known, 2, retry_at)}


@pytest.mark.parametrize(
    ("failure", "wait_s"),
    [
        (FeatureSourceError("429", 7), 7),
        (FeatureSourceError("429", 0), 0),
        (FeatureSourceError("429"), 900),
        (FeatureSourceError("timeout"), 900),
        (RequestRejectedError("400"), 900),
    ],
    ids=str,
)
def test_a_failure_has_its_own_retry_delay(new_lookup, failure, wait_s):
    lookup = new_lookup(Source(failing(failure)))

    findings = lookup.find([uri("Boats")], LATER)

    entry = Entry(misses=0, retry_at=START + timedelta(seconds=wait_s))
    assert outcome(findings) == ({}, {uri("Boats"): entry}, Counter(asked=1, postponed=1))


def test_failures_between_misses_do_not_count(new_lookup, clock):
    source = Source(none_known)
    find(new_lookup(source), [uri("new")])
    clock.move(days=1)
    source.answer = failing(FeatureSourceError("500"))
    find(new_lookup(source), [uri("new")], clock.time + timedelta(minutes=1))
    clock.move(minutes=15)
    source.answer = none_known

    findings = find(new_lookup(source), [uri("new")], clock.time + timedelta(minutes=1))

    assert findings.entries[uri("new")] == Entry(misses=2, retry_at=clock.time + timedelta(days=7))


@pytest.mark.parametrize("wait_s", [0, 7, None])
def test_a_failed_source_is_not_called_again_in_the_invocation(new_lookup, wait_s):
    source = Source(failing(FeatureSourceError("429", wait_s)))

    findings = new_lookup(source).find(uris(120), LATER)

    assert source.asked == [uris(40)]
    assert (findings.counts["postponed"], findings.counts["missed"]) == (120, 0)
    assert len(findings.entries) == 120


def test_a_failed_source_is_not_called_before_its_retry_after(lookup, source, clock):
    source.answer = failing(FeatureSourceError("429", 60))
    find(lookup, [uri("first")])
    source.answer = all_known

    clock.move(seconds=59)
    early = find(lookup, [uri("second")], clock.time + timedelta(minutes=1))
    clock.move(seconds=2)
    late = find(lookup, [uri("second")], clock.time + timedelta(minutes=1))

    assert early.entries == {uri("second"): Entry(retry_at=START + timedelta(seconds=60))}
    assert late.features == {uri("second"): some_features("second")}
    assert source.asked == [[uri("first")], [uri("second")]]


def refusing(*bad):
    """Reject each request that holds one of the bad tracks."""
    refused = failing(RequestRejectedError("400"))
    return Source(lambda tracks: (all_known if set(tracks).isdisjoint(bad) else refused)(tracks))


@pytest.mark.parametrize("number", [0, 3, 39])
def test_bisecting_a_rejected_request_finds_the_bad_track(new_lookup, number):
    bad, source = uris(80)[number], refusing(uris(80)[number])

    findings = new_lookup(source).find(uris(80), LATER)

    assert set(findings.features) == {*uris(80)} - {bad}
    assert findings.entries[bad] == Entry(misses=1, retry_at=START + timedelta(days=1))
    assert (findings.counts["asked"], findings.counts["missed"], findings.counts["postponed"]) == (
        80,
        1,
        0,
    )
    assert len(source.asked) <= 2 + 2 * 6


@pytest.mark.parametrize(
    ("tracks", "bad"),
    [(40, uris(40)), (40, [uris(40)[0], uris(40)[39]]), (2, uris(2))],
    ids=["all", "two", "pair"],
)
def test_a_request_whose_halves_are_both_rejected_is_postponed(new_lookup, tracks, bad):
    source = refusing(*bad)

    findings = new_lookup(source).find(uris(tracks), LATER)

    assert findings.counts["postponed"] == tracks
    assert {entry.misses for entry in findings.entries.values()} == {0}
    assert len(source.asked) == 3


def test_a_rate_limit_ends_the_bisecting(new_lookup):
    refused, busy = RequestRejectedError("400"), FeatureSourceError("429", 60)
    source = Source(
        lambda tracks: failing(refused if len(tracks) == 40 or uri("track0") in tracks else busy)(
            tracks
        )
    )

    findings = new_lookup(source).find(uris(80), LATER)

    assert findings.counts["postponed"] == 80
    assert [len(asked) for asked in source.asked] == [40, 20, 20]


def test_a_rejected_request_does_not_block_the_source(new_lookup):
    source = refusing(uri("track3"))
    lookup = new_lookup(source)

    first = lookup.find([uri("track3")], LATER)
    second = lookup.find([uri("track4")], LATER)

    assert first.entries == {uri("track3"): Entry(retry_at=START + timedelta(seconds=900))}
    assert set(second.features) == {uri("track4")}


def test_a_rejected_request_is_not_bisected_after_the_time_limit(new_lookup, clock):
    def slow(tracks):
        clock.move(minutes=2)
        return Answer(failure=RequestRejectedError("400"))

    source = Source(slow)

    assert new_lookup(source).find(uris(40), LATER).counts["postponed"] == 40
    assert len(source.asked) == 1


def test_a_failure_is_logged_once_with_its_source(new_lookup, caplog):
    new_lookup(Source(failing(FeatureSourceError("/v1/track answered 500")))).find(uris(90), LATER)

    (record,) = caplog.records
    assert (record.message, record.source) == ("feature source failed", "0")
    assert (record.error, record.retry_after_s) == ("/v1/track answered 500", 900)


def test_no_source_is_called_after_the_time_limit(lookup, source, clock):
    def slow(tracks):
        clock.move(seconds=40)
        return all_known(tracks)

    source.answer = slow

    findings = lookup.find(uris(120), LATER)

    assert source.asked == [uris(80)[:40], uris(80)[40:]]
    assert (findings.counts["learned"], findings.counts["postponed"]) == (80, 40)


def test_no_source_is_called_at_the_time_limit(lookup, source):
    findings = lookup.find([uri("Boats")], until=START)

    assert source.asked == []
    assert outcome(findings) == ({}, {uri("Boats"): Entry(retry_at=START)}, Counter(postponed=1))


def test_a_track_postponed_for_time_is_asked_for_next_time(new_lookup, source):
    find(new_lookup(source), [uri("Boats")], until=START)

    findings = find(new_lookup(source), [uri("Boats")])

    assert findings.features == {uri("Boats"): some_features("Boats")}


def test_the_second_source_is_asked_for_misses_of_the_first(new_lookup):
    first = Source(lambda tracks: Answer({tracks[0]: some_features("a")}, frozenset(tracks[1:])))
    second = Source()

    findings = new_lookup(first, second).find([uri("a"), uri("b")], LATER)

    assert second.asked == [[uri("b")]]
    assert findings.entries == {uri(n): Entry(some_features(n)) for n in ("a", "b")}
    assert (
        findings.counts["learned"],
        findings.counts["missed"],
        findings.counts["postponed"],
    ) == (2, 0, 0)


def test_the_second_source_replaces_a_failed_one(new_lookup):
    first, second = Source(failing(FeatureSourceError("500"))), Source()

    findings = new_lookup(first, second).find(uris(50), LATER)

    assert [len(asked) for asked in second.asked] == [40, 10]
    assert set(findings.features) == set(uris(50))
    assert findings.counts["postponed"] == 0


@pytest.mark.parametrize("failed_first", [True, False])
def test_a_track_is_not_missing_while_one_source_fails(new_lookup, failed_first):
    sources = [Source(failing(FeatureSourceError("500"))), Source(none_known)]
    order = sources if failed_first else sources[::-1]

    findings = new_lookup(*order).find([uri("Boats")], LATER)

    entry = Entry(misses=0, retry_at=START + timedelta(minutes=15))
    assert outcome(findings) == ({}, {uri("Boats"): entry}, Counter(asked=1, postponed=1))


def test_audio_and_popularity_may_come_from_two_sources(new_lookup):
    rating = some_features("a", energy=None, source="first", **rated(40, "first"))
    sound = some_features("a", energy=0.5, source="second", popularity=None)
    first = Source(lambda tracks: Answer({uri("a"): rating}, frozenset(tracks)))
    second = Source(lambda _: Answer({uri("a"): sound}))

    findings = new_lookup(first, second).find([uri("a")], LATER)

    both = some_features("a", energy=0.5, source="second", **rated(40, "first"))
    assert findings.features == {uri("a"): both}
    assert findings.entries == {uri("a"): Entry(both)}


def test_a_known_popularity_outlives_an_answer_without_one(new_lookup, clock):
    part = some_features("a", energy=None, **rated(40, "first"))
    source = Source(lambda tracks: Answer({uri("a"): part}, frozenset(tracks)))
    find(new_lookup(source), [uri("a")])
    clock.move(days=1)
    source.answer = lambda _: Answer({uri("a"): some_features("a", popularity=None)})

    findings = find(new_lookup(source), [uri("a")], clock.time + timedelta(minutes=1))

    assert findings.features == {uri("a"): some_features("a", **rated(40, "first"))}
    assert new_lookup().find([uri("a")], LATER).features == findings.features


def test_a_source_that_is_off_counts_as_not_configured(new_lookup, caplog):
    off, second = Source(failing(SourceOffError("no app"))), Source(none_known)
    lookup = new_lookup(off, second)

    findings = lookup.find(uris(50), LATER)
    find(lookup, [uri("later")])

    assert (findings.counts["missed"], findings.counts["postponed"]) == (50, 0)
    assert set(findings.entries.values()) == {Entry(misses=1, retry_at=START + timedelta(days=1))}
    assert (len(off.asked), len(second.asked)) == (1, 3)
    assert [(r.message, r.source, r.reason) for r in caplog.records] == [
        ("feature source is off", "0", "no app")
    ]


IN_AN_HOUR = Entry(retry_at=START + timedelta(hours=1))


def test_tracks_are_pending_while_the_only_source_is_off(new_lookup):
    findings = new_lookup(Source(failing(SourceOffError("no app")))).find(uris(2), LATER)

    assert (findings.features, findings.entries) == ({}, dict.fromkeys(uris(2), IN_AN_HOUR))
    assert (findings.counts["missed"], findings.counts["postponed"]) == (0, 0)


def test_answers_from_before_a_source_was_off_are_kept(new_lookup):
    known = {uri("a"): some_features("a")}
    off = Source(lambda _: Answer(known, failure=SourceOffError("no app")))

    findings = new_lookup(off).find([uri("a"), uri("b")], LATER)

    assert findings.entries == {uri("a"): Entry(some_features("a")), uri("b"): IN_AN_HOUR}


def test_a_due_track_stays_due_while_every_source_is_off(new_lookup, clock):
    find(new_lookup(Source(none_known)), [uri("new")])
    clock.move(days=1)
    off = new_lookup(Source(failing(SourceOffError("no app"))))

    findings = off.find([uri("new")], clock.time + timedelta(minutes=1))

    assert (findings.counts["asked"], findings.entries) == (1, {})


def test_a_look_up_anew_asks_for_known_tracks_too(new_lookup):
    find(new_lookup(Source(lambda t: Answer({t[0]: some_features("a")}, frozenset(t[1:])))),
         [uri("a"), uri("b")])  # fmt: skip
    source = Source()

    findings = new_lookup(source).find([uri("a"), uri("b")], LATER, anew=True)

    assert source.asked == [[uri("a"), uri("b")]]
    assert findings.counts["asked"] == 2


def test_blocked_until_is_the_end_of_the_shortest_delay(new_lookup, clock):
    sources = [Source(failing(FeatureSourceError("429", wait_s))) for wait_s in (60, 30)]
    lookup = new_lookup(*sources)
    assert lookup.may_ask(START)
    assert lookup.blocked_until is None

    find(lookup, [uri("a")])

    assert not lookup.may_ask(START)
    assert lookup.may_ask(START + timedelta(seconds=31))
    assert lookup.blocked_until == START + timedelta(seconds=30)


def test_without_sources_none_may_be_called(new_lookup):
    assert not new_lookup().may_ask(START)


def test_one_failed_source_does_not_block_the_other(new_lookup, clock):
    first, second = Source(failing(FeatureSourceError("500"))), Source()
    lookup = new_lookup(first, second)
    find(lookup, [uri("a")])

    find(lookup, [uri("b")])

    assert (first.asked, second.asked) == ([[uri("a")]], [[uri("a")], [uri("b")]])


def test_without_sources_a_track_is_pending_and_not_counted(new_lookup):
    findings = new_lookup().find([uri("Boats")], LATER)

    assert outcome(findings) == ({}, {uri("Boats"): IN_AN_HOUR}, Counter())


def test_without_the_table_no_source_is_called(new_lookup, dynamodb):
    dynamodb.delete_table(TableName=TABLE)
    source = Source()

    with pytest.raises(TrackCacheError):
        new_lookup(source).find([uri("Boats")], LATER)

    assert source.asked == []


def test_a_source_that_is_off_is_called_again_after_an_hour(new_lookup, clock):
    source = Source(failing(SourceOffError("not logged in")))
    lookup = new_lookup(source)
    lookup.find([uri("a")], LATER)
    source.answer = all_known

    clock.move(minutes=60)
    early = lookup.find([uri("a")], clock.time + timedelta(minutes=1))
    clock.move(seconds=1)
    late = lookup.find([uri("a")], clock.time + timedelta(minutes=1))

    assert (early.counts["asked"], early.counts["postponed"], late.counts["learned"]) == (0, 0, 1)


def test_blocked_until_ignores_a_source_that_is_off(new_lookup, clock):
    off, failed = Source(failing(FeatureSourceError("500", 5))), Source()
    lookup = new_lookup(off, failed)
    lookup.find([uri("a")], LATER)
    clock.move(seconds=6)
    off.answer = failing(SourceOffError("not logged in"))
    failed.answer = failing(FeatureSourceError("500", 60))

    lookup.find([uri("b")], LATER)

    assert not lookup.may_ask(clock.time)
    assert lookup.blocked_until == clock.time + timedelta(seconds=60)
