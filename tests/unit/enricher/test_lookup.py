from collections import Counter
from datetime import timedelta

import pytest

from services.enricher.domain.entry import Entry
from services.enricher.lookup import Lookup
from services.enricher.sources.source import Answer, RequestRejectedError, SourceOffError
from shared.errors import FeatureSourceError
from tests.unit.enricher.examples import START, rated, some_features, uri, uris
from tests.unit.enricher.fake_source import Source, all_known, failing, known_except, none_known

BOATS = uri("Boats")
KNOWN = some_features("Boats")
MISSED_ONCE = Entry(misses=1, retry_at=START + timedelta(days=1))
IN_AN_HOUR = Entry(retry_at=START + timedelta(hours=1))
WITHOUT_AUDIO = some_features("Boats", energy=None, source="first", **rated(40, "first"))
WITHOUT_POPULARITY = some_features("Boats", popularity=None, source="second")
OF_BOTH = some_features("Boats", source="second", **rated(40, "first"))
OFF = failing(SourceOffError("no app"))
DOWN = failing(FeatureSourceError("500"))
REJECTED = failing(RequestRejectedError("400"))


def without_audio(tracks):
    return Answer({BOATS: WITHOUT_AUDIO}, frozenset(tracks))


def without_popularity(tracks):
    return Answer({BOATS: WITHOUT_POPULARITY})


def known_then_off(tracks):
    return Answer({BOATS: KNOWN}, failure=SourceOffError("no app"))


def in_seconds(seconds):
    return Entry(retry_at=START + timedelta(seconds=seconds))


def rejecting(*bad, otherwise=all_known):
    """Return a source that rejects each request with one of the bad tracks."""
    return Source(lambda tracks: (otherwise if set(tracks).isdisjoint(bad) else REJECTED)(tracks))


def counts(findings):
    return Counter(findings.counts)


@pytest.fixture
def new_lookup(new_container, clock):
    """Return the look-up of a container that has just started."""
    return lambda *sources: Lookup(
        new_container(), {str(n): source for n, source in enumerate(sources)}, clock
    )


@pytest.fixture
def find(clock):
    """Look tracks up as an invocation with some remaining seconds does."""

    def find_and_save(lookup, tracks, within_s=60):
        findings = lookup.find(tracks, clock.time + timedelta(seconds=within_s))
        lookup.save(findings)
        return findings

    return find_and_save


@pytest.mark.parametrize(
    ("answer", "entry", "counted"),
    [
        pytest.param(all_known, Entry(KNOWN), {"learned": 1}, id="known"),
        pytest.param(none_known, MISSED_ONCE, {"missed": 1}, id="missing"),
        pytest.param(
            without_audio,
            Entry(WITHOUT_AUDIO, 1, MISSED_ONCE.retry_at),
            {"learned": 1, "missed": 1},
            id="without audio",
        ),
        pytest.param(
            failing(FeatureSourceError("429", 7)), in_seconds(7), {"postponed": 1}, id="429 for 7 s"
        ),
        pytest.param(
            failing(FeatureSourceError("429", 0)), in_seconds(0), {"postponed": 1}, id="429 for 0 s"
        ),
        pytest.param(DOWN, in_seconds(900), {"postponed": 1}, id="down"),
        pytest.param(REJECTED, in_seconds(900), {"postponed": 1}, id="rejected"),
        pytest.param(OFF, IN_AN_HOUR, {}, id="off"),
    ],
)
def test_a_source_result_is_cached_as_features_a_miss_or_a_retry_time(
    new_lookup, find, answer, entry, counted
):
    findings = find(new_lookup(Source(answer)), [BOATS])

    assert findings.entries == {BOATS: entry}
    assert findings.features == ({BOATS: entry.features} if entry.features else {})
    assert counts(findings) == Counter(asked=1, **counted)


@pytest.mark.parametrize(
    ("first", "second", "entry", "counted"),
    [
        pytest.param(none_known, all_known, Entry(KNOWN), {"learned": 1}, id="missing, known"),
        pytest.param(DOWN, all_known, Entry(KNOWN), {"learned": 1}, id="down, known"),
        pytest.param(DOWN, none_known, in_seconds(900), {"postponed": 1}, id="down, missing"),
        pytest.param(none_known, DOWN, in_seconds(900), {"postponed": 1}, id="missing, down"),
        pytest.param(OFF, none_known, MISSED_ONCE, {"missed": 1}, id="off, missing"),
        pytest.param(
            without_audio, without_popularity, Entry(OF_BOTH), {"learned": 1}, id="half, other half"
        ),
        pytest.param(
            DOWN,
            known_then_off,
            Entry(KNOWN, retry_at=in_seconds(900).retry_at),
            {"learned": 1, "postponed": 1},
            id="down, off after an answer",
        ),
    ],
)
def test_features_from_two_sources_are_combined(new_lookup, find, *, first, second, entry, counted):
    findings = find(new_lookup(Source(first), Source(second)), [BOATS])

    assert findings.entries == {BOATS: entry}
    assert counts(findings) == Counter(asked=1, **counted)


def test_the_second_source_is_called_only_for_features_the_first_lacks(new_lookup, find):
    second = Source()

    find(new_lookup(Source(known_except(uri("b"))), second), [uri("a"), uri("b")])

    assert second.asked == [[uri("b")]]


def test_a_pending_track_is_requested_again_once_it_is_due(new_lookup, find, clock):
    source = Source(without_audio)
    find(new_lookup(source), [BOATS])
    source.answer = all_known

    early = find(new_lookup(source), [BOATS])
    clock.move(days=1)
    due = find(new_lookup(source), [BOATS])

    assert (early.features, counts(early)) == ({BOATS: WITHOUT_AUDIO}, Counter())
    assert (due.features, counts(due)) == ({BOATS: KNOWN}, Counter(asked=1, learned=1))


@pytest.mark.parametrize("track", ["spotify:track:null", "spotify:track:a-b", f"{BOATS[:-1]}_"])
def test_a_track_id_that_is_not_22_base_62_digits_counts_as_missing_without_a_call(
    new_lookup, find, track
):
    source = Source()

    findings = find(new_lookup(source), [track, BOATS])

    assert source.asked == [[BOATS]]
    assert findings.entries == {track: MISSED_ONCE, BOATS: Entry(KNOWN)}


@pytest.mark.parametrize("wait_s", [0, 7, None])
def test_a_failed_source_is_not_called_again_in_the_same_invocation(new_lookup, find, wait_s):
    source = Source(failing(FeatureSourceError("429", wait_s)))

    findings = find(new_lookup(source), uris(120))

    assert source.asked == [uris(40)]
    assert counts(findings) == Counter(asked=40, postponed=120)
    assert len(findings.entries) == 120


def test_a_failed_source_is_not_called_before_its_retry_after(new_lookup, find, clock):
    source = Source(failing(FeatureSourceError("429", 60)))
    lookup = new_lookup(source)
    find(lookup, [uri("first")])
    source.answer = all_known

    clock.move(seconds=59)
    early = find(lookup, [uri("second")])
    clock.move(seconds=2)
    late = find(lookup, [uri("second")])

    assert early.entries == {uri("second"): in_seconds(60)}
    assert late.features == {uri("second"): some_features("second")}
    assert source.asked == [[uri("first")], [uri("second")]]


def test_a_source_failure_is_logged_once_with_the_source_name(new_lookup, find, caplog):
    find(new_lookup(Source(failing(FeatureSourceError("/v1/track answered 500")))), uris(90))

    (record,) = caplog.records
    assert (record.message, record.source) == ("feature source failed", "0")
    assert (record.error, record.retry_after_s) == ("/v1/track answered 500", 900)


@pytest.mark.parametrize("number", [0, 3, 39])
def test_a_rejected_request_is_bisected_to_find_the_bad_track(new_lookup, find, number):
    bad = uris(80)[number]
    source = rejecting(bad)

    findings = find(new_lookup(source), uris(80))

    assert set(findings.features) == {*uris(80)} - {bad}
    assert findings.entries[bad] == MISSED_ONCE
    assert counts(findings) == Counter(asked=80, learned=79, missed=1)
    assert len(source.asked) <= 2 + 2 * 6


@pytest.mark.parametrize(
    ("tracks", "bad", "otherwise"),
    [
        pytest.param(uris(40), uris(40), all_known, id="all are bad"),
        pytest.param(uris(40), uris(40)[::39], all_known, id="one in each half is bad"),
        pytest.param(uris(2), uris(2), all_known, id="a pair is bad"),
        pytest.param(uris(40), uris(1), DOWN, id="the source fails meanwhile"),
    ],
)
def test_tracks_are_postponed_if_both_halves_of_a_request_are_rejected(
    new_lookup, find, tracks, bad, otherwise
):
    source = rejecting(*bad, otherwise=otherwise)

    findings = find(new_lookup(source), tracks)

    assert counts(findings) == Counter(asked=len(tracks), postponed=len(tracks))
    assert {entry.misses for entry in findings.entries.values()} == {0}
    assert len(source.asked) == 3


def test_a_source_is_called_again_after_a_rejected_request(new_lookup, find):
    lookup = new_lookup(rejecting(uri("bad")))
    find(lookup, [uri("bad")])

    findings = find(lookup, [BOATS])

    assert findings.features == {BOATS: KNOWN}


def test_a_rejected_request_is_not_bisected_after_the_time_limit(new_lookup, find, clock):
    def slow(tracks):
        clock.move(minutes=2)
        return REJECTED(tracks)

    source = Source(slow)

    findings = find(new_lookup(source), uris(40))

    assert counts(findings) == Counter(asked=40, postponed=40)
    assert len(source.asked) == 1


def test_no_source_is_called_after_the_time_limit(new_lookup, find, clock):
    def slow(tracks):
        clock.move(seconds=40)
        return all_known(tracks)

    findings = find(new_lookup(Source(slow)), uris(120))

    assert counts(findings) == Counter(asked=80, learned=80, postponed=40)


def test_no_source_is_called_at_the_time_limit(new_lookup, find):
    findings = find(new_lookup(Source()), [BOATS], within_s=0)

    assert findings.entries == {BOATS: in_seconds(0)}
    assert counts(findings) == Counter(postponed=1)


def test_a_disabled_source_is_called_again_after_an_hour(new_lookup, find, clock, caplog):
    source = Source(OFF)
    lookup = new_lookup(source)
    find(lookup, uris(50))
    source.answer = all_known

    clock.move(minutes=60)
    early = find(lookup, [uri("early")])
    clock.move(seconds=1)
    late = find(lookup, [uri("late")])

    assert (counts(early), counts(late)) == (Counter(), Counter(asked=1, learned=1))
    assert source.asked == [uris(40), [uri("late")]]
    assert [(r.message, r.source, r.reason) for r in caplog.records] == [
        ("feature source is off", "0", "no app")
    ]


def test_features_found_before_a_source_is_disabled_are_kept(new_lookup, find):
    findings = find(new_lookup(Source(known_then_off)), [BOATS, uri("b")])

    assert findings.entries == {BOATS: Entry(KNOWN), uri("b"): IN_AN_HOUR}


def test_a_due_track_stays_due_while_every_source_is_disabled(new_lookup, find, clock):
    find(new_lookup(Source(none_known)), [BOATS])
    clock.move(days=1)

    findings = find(new_lookup(Source(OFF)), [BOATS])

    assert (counts(findings), findings.entries) == (Counter(asked=1), {})


def test_without_sources_a_track_is_pending_but_not_counted_as_postponed(new_lookup, find):
    findings = find(new_lookup(), [BOATS])

    assert (findings.entries, counts(findings)) == ({BOATS: IN_AN_HOUR}, Counter())


def test_blocked_until_is_the_earliest_time_at_which_a_source_can_be_called_again(new_lookup, find):
    lookup = new_lookup(*(Source(failing(FeatureSourceError("429", s))) for s in (60, 30)))
    before = lookup.may_ask(START), lookup.blocked_until

    find(lookup, [BOATS])

    assert before == (True, None)
    assert not lookup.may_ask(START)
    assert lookup.may_ask(START + timedelta(seconds=31))
    assert lookup.blocked_until == START + timedelta(seconds=30)


def test_blocked_until_ignores_a_disabled_source(new_lookup, find, clock):
    first, second = Source(failing(FeatureSourceError("500", 5))), Source()
    lookup = new_lookup(first, second)
    find(lookup, [uri("a")])
    clock.move(seconds=6)
    first.answer, second.answer = OFF, failing(FeatureSourceError("500", 60))

    find(lookup, [uri("b")])

    assert not lookup.may_ask(clock.time)
    assert lookup.blocked_until == clock.time + timedelta(seconds=60)
