"""The rules of identity, one by one, and for every order, split and repetition."""

from collections import Counter
from datetime import timedelta
from itertools import permutations
from typing import Any
from unicodedata import normalize

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from services.loader.domain.identity import MATCH_WINDOW
from services.loader.domain.merge import merge
from services.loader.domain.records import API, EXPORT, Record, Row
from shared.models import Play, Source
from tests.unit.loader.identity_model import rows_of
from tests.unit.loader.memory_table import (
    NOON,
    NarrowTable,
    Table,
    a_play,
    exported,
    reported,
    shown,
)

INTRO: dict[str, Any] = {"track_name": "Intro", "artist_name": "Various Artists"}


def loaded(*records: tuple[Source, Play]) -> Table:
    table = Table()
    table.load(records)
    return table


def test_two_api_records_less_than_a_second_apart_are_one_play():
    table = loaded(reported(0), reported(0.999))

    assert [row.played_at for row in table.rows.values()] == [NOON]


def test_two_api_records_a_second_apart_are_two_plays():
    table = loaded(reported(0), reported(1))

    assert len(table.rows) == 2


def test_a_chain_of_api_records_never_merges_two_that_are_a_second_apart():
    table = loaded(reported(0), reported(0.6), reported(1.2))

    assert sorted(row.played_at for row in table.rows.values()) == [
        NOON,
        NOON + timedelta(seconds=1.2),
    ]


def test_two_tracks_at_one_instant_are_two_plays():
    table = loaded(reported(0, "a"), reported(0, "b"), exported(9, "c"), exported(9, "d"))

    assert len(table.rows) == 4


def test_the_longer_of_two_simultaneous_export_records_stays():
    table = loaded(exported(ms=20_000), exported(ms=30_000), exported(ms=0))

    assert [row.values()[5] for row in table.rows.values()] == [30_000]


def test_an_export_record_moved_by_1_s_is_the_same_play():
    table = loaded(exported(5, ms=1_001), exported(4, ms=1_001))

    assert [row.played_at for row in table.rows.values()] == [NOON + timedelta(seconds=4)]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        pytest.param(exported(0, ms=0), exported(1, ms=0), id="two skips of 0 ms"),
        pytest.param(exported(0, ms=1_000), exported(1, ms=1_000), id="two of exactly 1,000 ms"),
        pytest.param(exported(0, ms=5_000), exported(1, ms=5_001), id="not equally long"),
        pytest.param(exported(0, ms=5_000), exported(2, ms=5_000), id="two seconds apart"),
    ],
)
def test_similar_export_records_are_two_plays(first, second):
    table = loaded(first, second)

    assert len(table.rows) == 2


@pytest.mark.parametrize("apart_s", [-90, -1.5, 0, 90])
@pytest.mark.parametrize("order", [1, -1], ids=["API first", "export first"])
def test_an_export_record_upgrades_the_api_row_in_any_order(apart_s, order):
    table = Table()

    for record in [reported(apart_s), exported(0, ms=61_000, platform="ios")][::order]:
        table.load([record])

    (row,) = table.rows.values()
    assert (row.source, row.played_at) == ("both", NOON + timedelta(seconds=apart_s))
    assert row.values()[5] == 61_000
    assert row.values()[10] == "ios"
    assert table.outcomes == {"inserted": 1, "upgraded": 1}


@pytest.mark.parametrize(
    "record",
    [
        pytest.param(exported(0, ms=9_999), id="too short"),
        pytest.param(exported(-91), id="too early"),
        pytest.param(exported(91), id="too late"),
        pytest.param(exported(0, "b"), id="another track"),
    ],
)
def test_an_export_record_without_a_partner_keeps_its_row(record):
    table = loaded(reported(0), record)

    assert {row.source for row in table.rows.values()} == {API, EXPORT}


def test_each_record_pairs_with_its_nearest():
    table = loaded(reported(0), reported(60), exported(50, ms=11_000), exported(70, ms=12_000))

    upgraded = {row.played_at: row.values()[5] for row in table.rows.values()}
    assert upgraded == {NOON: 12_000, NOON + timedelta(seconds=60): 11_000}


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param(({"isrc": "QZAAA2600001"}, {"isrc": "QZAAA2600001"}), id="same ISRC"),
        pytest.param(({"track_name": "SÜSS"}, {"track_name": "süß"}), id="same folded names"),
    ],
)
def test_a_relinked_track_is_the_same_track(fields):
    table = loaded(reported(0, "old", **fields[0]), exported(3, "new", **fields[1]))

    assert [row.source for row in table.rows.values()] == ["both"]


@pytest.mark.parametrize(
    ("albums", "rows"),
    [
        pytest.param(("Summer Hits", "SUMMER HITS"), 1, id="one album"),
        pytest.param(("Summer Hits", "Winter Hits"), 2, id="two albums"),
        pytest.param((None, None), 2, id="nobody knows"),
    ],
)
def test_compilation_tracks_match_by_title_only_within_one_album(albums, rows):
    one, other = (
        exported(0, uri, album_name=album, **INTRO) for uri, album in zip("ab", albums, strict=True)
    )

    assert len(loaded(one, other).rows) == rows


def test_other_isrc_and_names_are_another_track():
    table = loaded(reported(0, "old", isrc="QZAAA2600001"), exported(3, "new", isrc="QZAAA2600002"))

    assert len(table.rows) == 2


MOVEMENTS = [
    reported(
        after_s,
        track,
        isrc="QZAAA2600001",
        track_name=f"{number}. Satz",
        duration_ms=1_000 * number,
    )
    for after_s, track, number in ((0, "a", 1), (0.4, "b", 2), (0.4, "c", 3))
]


@pytest.mark.parametrize("records", list(permutations(MOVEMENTS)))
def test_movements_with_one_isrc_are_separate_plays_in_any_order(records):
    in_parts = Table()

    for record in records:
        in_parts.load([record])

    assert len(in_parts.rows) == len(loaded(*records).rows) == 3


@pytest.mark.parametrize("forms", list(permutations(["NFC", "NFD"])), ids="-".join)
def test_names_in_two_normal_forms_give_one_row(forms):
    one, other = (dict[str, Any](track_name=normalize(form, "Träumerei"), artist_name="Ex")
                  for form in forms)  # fmt: skip

    table = loaded(reported(0, "old", **one), exported(3, "new", **other))

    assert [row.source for row in table.rows.values()] == ["both"]


def test_empty_names_do_not_match():
    nameless: dict[str, Any] = {"track_name": "", "artist_name": ""}

    table = loaded(reported(0, "a", **nameless), exported(0, "b", **nameless))

    assert len(table.rows) == 2


def test_a_skip_at_the_instant_of_an_api_row_moves_1_ms():
    table = loaded(reported(0), exported(0, ms=3_000))

    instants = {row.source: row.played_at for row in table.rows.values()}
    assert instants == {API: NOON, EXPORT: NOON + timedelta(milliseconds=1)}


def test_skips_within_a_millisecond_of_taken_instants_keep_their_rows():
    skip = a_play(0.001, ms_played=0)

    table = loaded(reported(0), exported(0, ms=3_000), (EXPORT, skip))

    assert sorted(row.played_at for row in table.rows.values()) == [
        NOON + timedelta(milliseconds=ms) for ms in (0, 1, 2)
    ]


def test_the_greater_of_two_values_for_one_key_stays():
    table = loaded(reported(0, popularity=9), reported(0, popularity=70))

    assert [row.values()[6] for row in table.rows.values()] == [70]


@pytest.mark.parametrize("order", [1, -1], ids=["richer first", "popular first"])
def test_popularity_does_not_choose_between_records_of_one_key(order):
    richer, popular = reported(0, isrc="QZ"), reported(0, popularity=9)

    table = loaded(*[richer, popular][::order])

    ((row),) = table.rows.values()
    assert (row.values()[6], row.values()[8]) == (9, "QZ")


def test_a_row_prefers_the_apis_greatest_popularity():
    table = loaded(reported(0), reported(0.5, popularity=9), exported(3, popularity=70))

    assert [row.values()[6] for row in table.rows.values()] == [9]


def test_a_row_shows_the_exports_popularity_if_the_api_has_none():
    table = loaded(reported(0), reported(0.5), exported(3, popularity=70))

    assert [row.values()[6] for row in table.rows.values()] == [70]


def test_changes_name_written_tracks_without_popularity():
    changes = merge(
        [
            Record(source, play, 0)
            for source, play in (reported(0, "a"), reported(99, "b", popularity=0))
        ],
        lambda *_: [],
    )

    assert changes.tracks_without_popularity() == {"spotify:track:a"}


def test_many_records_of_one_second_stay_separate():
    crowd = [exported(0, f"{n}", ms=n) for n in range(400)]

    table = loaded(*crowd, *crowd)

    assert len(table.rows) == 400


def test_repeated_records_change_nothing():
    records = [reported(0), reported(0.5), exported(3), exported(200, "b"), exported(201, "b")]
    table = loaded(*records)
    before = table.shown()

    outcome = table.load(records)

    assert table.shown() == before
    assert outcome == {"duplicates": 5}


def test_counts_add_up_if_an_older_record_splits_a_row():
    table = loaded(reported(0.9), reported(1.8))

    outcome = table.load([reported(0)])

    assert len(table.rows) == 2
    assert outcome["inserted"] + outcome["regrouped"] == 1


def test_counts_add_up_if_a_longer_record_joins_two_rows():
    table = loaded(reported(0), exported(5, ms=4_000))

    outcome = table.load([exported(5, ms=40_000)])

    assert len(table.rows) == 1
    assert outcome == {"duplicates": 1, "regrouped": -1}


def test_a_narrower_window_splits_rows_without_losing_records():
    table = loaded(reported(0), exported(80))

    table.load([reported(0.5)], window=timedelta(seconds=60))

    assert {row.source: len(row.records) for row in table.rows.values()} == {API: 2, EXPORT: 1}


MOVEMENT = st.builds(
    lambda track, title, ms, isrc: {
        "track": track, "track_name": title, "duration_ms": ms, "isrc": isrc,
    },
    st.sampled_from("mn"),
    st.sampled_from(["I. Prélude", normalize("NFD", "I. PRÉLUDE"), "II", ""]),
    st.sampled_from([None, 60_000, 90_000]),
    st.sampled_from([None, "QZAAA2600001", "qz-aaa-2600001", "null"]),
)  # fmt: skip
TRACKS = MOVEMENT | st.sampled_from(
    [
        {"track": "a", "isrc": "QZAAA2600002"},
        {"track": "b", "isrc": "qzaaa26-00002", "track_name": "Other"},
        {"track": "c", "track_name": "name A"},
        {"track": "d"},
        *({"track": track, "album_name": album, **INTRO} for track, album in ("eX", "fx", "gY")),
    ]
)
API_RECORDS = st.builds(
    lambda ms, track, popularity: reported(ms / 1000, popularity=popularity, **track),
    st.one_of(st.integers(0, 3_000), st.integers(0, 300).map(lambda s: s * 1000)),
    TRACKS,
    st.sampled_from([None, 0, 50]),
)
EXPORT_RECORDS = st.builds(
    lambda at_s, ms, track, platform: exported(at_s, ms=ms, platform=platform, **track),
    st.one_of(st.integers(0, 4), st.integers(0, 300)),
    st.sampled_from([0, 1_000, 1_001, 5_000, 9_999, 10_000, 60_000]),
    TRACKS,
    st.sampled_from([None, "ios", "android"]),
)
CHAINS = st.builds(
    lambda step_s, first, sources: [
        reported(step_s * n) if source == API else exported(step_s * n)
        for n, source in enumerate(sources, first)
    ],
    st.sampled_from([1, 60, 90]),
    st.integers(0, 5),
    st.lists(st.sampled_from([API, EXPORT, EXPORT]), max_size=12),
)
RECORDS = st.builds(
    lambda records, chain: records + chain,
    st.lists(st.one_of(API_RECORDS, EXPORT_RECORDS), max_size=14),
    st.just([]) | CHAINS,
)


@settings(max_examples=400, deadline=None)
@given(records=RECORDS, data=st.data())
def test_any_order_split_and_repetition_give_the_same_table(records, data):
    shuffled = data.draw(st.permutations(records))
    repeated = shuffled + data.draw(st.lists(st.sampled_from(records or [reported()]), max_size=5))
    assume(records or not repeated)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(repeated)), max_size=6)))
    parts = [repeated[i:j] for i, j in zip([0, *cuts], [*cuts, len(repeated)], strict=True)]
    in_parts, narrow = Table(), NarrowTable()

    for part in parts:
        in_parts.load(part)
        narrow.load(part)

    told_at_once = shown(rows_of(records, MATCH_WINDOW))
    assert loaded(*records).shown() == told_at_once
    assert in_parts.shown() == told_at_once
    assert narrow.shown() == told_at_once


@settings(max_examples=400, deadline=None)
@given(records=RECORDS, data=st.data())
def test_healing_between_loads_changes_only_popularity(records, data):
    shuffled = data.draw(st.permutations(records))
    again = data.draw(st.lists(st.sampled_from(records), max_size=5)) if records else []
    healed, plain = Table(), loaded(*records)

    for record in (*shuffled, *again):
        healed.load([record])
        if data.draw(st.booleans()):
            healed.heal(50)
    healed.heal(50)

    assert healed.unpopular() == plain.unpopular()
    assert all(row.values()[6] is not None for row in healed.rows.values())


@settings(max_examples=400, deadline=None)
@given(records=RECORDS, cut=st.integers(0, 14))
def test_every_record_is_counted_once(records, cut):
    table = Table()

    outcomes = [table.load(records[:cut]), table.load(records[cut:])]

    for outcome, part in zip(outcomes, (records[:cut], records[cut:]), strict=True):
        assert min(outcome[b] for b in ("inserted", "upgraded", "duplicates")) >= 0
        counted = outcome["inserted"] + outcome["upgraded"] + outcome["duplicates"]
        assert counted == len(part)
    assert len(table.rows) == table.outcomes["inserted"] + table.outcomes["regrouped"]


@settings(max_examples=400, deadline=None)
@given(records=RECORDS)
def test_no_record_is_lost_or_wrongly_merged(records):
    table = loaded(*records)

    held = [{(r.play.track_uri, r.source, r.play.played_at) for r in row.records}
            for row in table.rows.values()]  # fmt: skip
    expected = {(play.track_uri, source, play.played_at) for source, play in records}
    assert set().union(*held) == expected
    assert sum(map(len, held)) == len(expected)
    assert all(_spread(row, API) < timedelta(seconds=1) for row in table.rows.values())
    assert all(_spread(row, EXPORT) <= timedelta(seconds=1) for row in table.rows.values())


def _spread(row: Row, source: str) -> timedelta:
    instants = [r.play.played_at for r in row.records if r.source == source]
    return max(instants) - min(instants) if instants else timedelta()


@settings(max_examples=200, deadline=None)
@given(records=RECORDS)
def test_the_unique_key_is_never_violated(records):
    table = loaded(*records)

    keys = Counter((row.played_at, row.values()[0]) for row in table.rows.values())
    assert not keys or max(keys.values()) == 1
