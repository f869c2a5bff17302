"""Reading an answer of recently-played, whatever its rows hold."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import SpotifyError
from shared.models import Play
from shared.spotify.wire import RecentlyPlayed, read_recently_played
from tests.fakes.spotify import a_page, a_row


def read(*rows: object) -> RecentlyPlayed:
    return read_recently_played(a_page(*rows).body)


def only_play(row: object) -> Play:
    (play,) = read(row).plays
    return play


def test_a_recently_played_row_becomes_a_play_without_ms_played():
    row = a_row(popularity=41) | {"context": {"uri": "spotify:playlist:37AA"}}

    assert only_play(row) == Play(
        track_uri="spotify:track:Boats",
        track_name="Boats",
        artist_name="The Example",
        album_name="Harbour",
        played_at=datetime(2026, 11, 23, 8, 21, 1, 234_000, UTC),
        ms_played=None,
        popularity=41,
        duration_ms=201_333,
        isrc="QZAAA2600001",
        context_uri="spotify:playlist:37AA",
    )


def test_recently_played_plays_are_returned_oldest_first():
    newest_first = ["2026-11-23T08:03:00Z", "2026-11-23T08:02:00Z", "2026-11-23T08:01:00Z"]

    answer = read(*map(a_row, newest_first))

    assert [play.played_at.minute for play in answer.plays] == [1, 2, 3]


@pytest.mark.parametrize(
    ("played_at", "microsecond"),
    [
        ("2026-11-23T08:21:01Z", 0),
        ("2026-11-23T08:21:01.2Z", 200_000),
        ("2026-11-23T08:21:01.234999Z", 234_000),
        ("2026-11-23T10:21:01.234+02:00", 234_000),
    ],
)
def test_played_at_is_in_utc_and_whole_milliseconds(played_at, microsecond):
    play = only_play(a_row(played_at))

    assert play.played_at == datetime(2026, 11, 23, 8, 21, 1, microsecond, UTC)
    assert play.played_at.tzinfo is UTC


NAMED = {"name": "A"}
FIELDS: list[tuple[str, list[Any], str, Any]] = [
    ("popularity", [101, -1, []], "popularity", None),
    ("external_ids", [{"isrc": 7}, {}, None, ["isrc"]], "isrc", None),
    ("album", ["none", None, {"name": {}}, {"name": 7}], "album_name", None),
    ("duration_ms", [-1, 1.5, "x"], "duration_ms", None),
    ("duration_ms", [7, 7.0, "7"], "duration_ms", 7),
    ("artists", [[], None, "A", [{"name": None}]], "artist_name", ""),
    ("artists", [[odd, NAMED] for odd in (None, {}, "x", {"name": ""})], "artist_name", "A"),
    ("name", [None, "\ud800"], "track_name", ""),
    ("id", [None], "track_name", "Boats"),
    ("surprise", [{"new": "field"}], "track_name", "Boats"),
]


@pytest.mark.parametrize(
    ("name", "sent", "field", "value"),
    [(name, sent, field, value) for name, sents, field, value in FIELDS for sent in sents],
)
def test_an_invalid_track_field_is_read_as_none(name, sent, field, value):
    row = a_row()
    row["track"][name] = sent

    assert getattr(only_play(row), field) == value


@pytest.mark.parametrize(
    "context", ["spotify:playlist:37AA", [1], {"uri": 7}, {"type": "x"}, None], ids=str
)
def test_an_invalid_context_is_read_as_none(context):
    assert only_play(a_row() | {"context": context}).context_uri is None


@pytest.mark.parametrize("name", ["popularity", "external_ids", "album", "duration_ms", "artists"])
def test_a_track_can_lack_any_optional_field(name):
    row = a_row(popularity=41)
    del row["track"][name]

    assert only_play(row).track_uri == "spotify:track:Boats"


@pytest.mark.parametrize(
    ("number", "duration_ms"), [("1.74424e5", 174_424), ("9" * 5_000, None)], ids=["float", "long"]
)
def test_a_duration_written_as_a_float_is_read_as_an_integer_and_a_huge_one_as_none(
    number, duration_ms
):
    page = a_page(a_row(duration_ms=0), a_row()).body
    page = page.replace(b'"duration_ms": 0', b'"duration_ms": ' + number.encode())

    plays = read_recently_played(page).plays

    assert [play.duration_ms for play in plays] == [duration_ms, 201_333]


HALF_PAST = "2026-11-23T08:30:00Z"


@pytest.mark.parametrize(
    ("row", "ends"),
    [
        pytest.param(a_row(HALF_PAST) | {"track": None}, HALF_PAST, id="no track"),
        pytest.param(a_row(HALF_PAST, uri=None), HALF_PAST, id="no uri"),
        pytest.param(a_row(HALF_PAST, uri=7), HALF_PAST, id="a number as uri"),
        pytest.param(a_row(HALF_PAST, uri="spotify:song:1"), HALF_PAST, id="an unknown kind"),
        pytest.param(a_row(HALF_PAST, uri="spotify:track:null"), HALF_PAST, id="no id"),
        pytest.param(a_row("yesterday"), None, id="no instant"),
        pytest.param(a_row("2026-11-23T08:21:01.234"), None, id="no time zone"),
        pytest.param(a_row("0001-01-01T00:00:00+14:00"), None, id="before the calendar"),
        pytest.param("text", None, id="no object"),
        pytest.param(None, None, id="null"),
    ],
)
def test_an_unreadable_row_counts_as_a_play_that_could_not_be_read(row, ends):
    newest, old = a_row("2026-11-23T09:00:00Z"), a_row("2026-11-23T08:00:00Z")

    answer = read(newest, row, old, row)

    assert [play.played_at.hour for play in answer.plays] == [8, 9]
    assert [play.played_at.hour for play in answer.unbroken] == [9]
    assert (answer.returned, len(answer.unreadable), answer.hides_plays) == (4, 2, True)
    assert [hidden.newer for hidden in answer.hidden] == [1, 2]
    instant = ends and datetime.fromisoformat(ends)
    assert {hidden.played_at for hidden in answer.hidden} == {instant}


@pytest.mark.parametrize(
    "track",
    [
        {"uri": "spotify:local:::Tape:60"},
        {"uri": None, "is_local": True},
        {"uri": "spotify:episode:1A"},
        {"uri": "spotify:chapter:1A"},
    ],
    ids=str,
)
def test_a_local_file_or_episode_does_not_count_as_a_play_that_could_not_be_read(track):
    newest, old = a_row("2026-11-23T09:00:00Z"), a_row("2026-11-23T08:00:00Z")

    answer = read(newest, a_row(**track), old)

    assert [play.played_at.hour for play in answer.unbroken] == [8, 9]
    assert (answer.returned, len(answer.unreadable), answer.hides_plays) == (3, 1, False)


def test_an_unreadable_row_has_the_same_digest_in_every_poll():
    one, two = a_row(uri=None, name="One"), a_row(uri=None, name="Two")

    before, after = read(one, two).unreadable, read(two).unreadable

    assert len(set(before)) == 2
    assert after == before[1:]


ODD: st.SearchStrategy[Any] = st.sampled_from(
    [
        *(None, True, -1, 1.5, 1e400, 10**30, "", ":", "\ud800", "\x00", "9999-12-31T23:59:59Z"),
        *([], {}, [None], [{}], {"name": []}, {"uri": {}}, {"isrc": 7}),
    ]
)
LESSER = ("name", "duration_ms", "popularity", "external_ids", "artists", "album", "type", "id")


@given(context=ODD, lesser=st.dictionaries(st.sampled_from(LESSER), ODD))
def test_an_invalid_optional_field_does_not_make_a_row_unreadable(context, lesser):
    row = {**a_row(**lesser, uri="spotify:track:1AAAAAAAAAAAAAAAAAAAAA"), "context": context}

    answer = read(row)

    assert (len(answer.plays), answer.hides_plays) == (1, False)


@given(odd=ODD, field=st.sampled_from(["track", "played_at"]))
def test_an_unreadable_row_does_not_affect_other_rows(odd, field):
    answer = read({**a_row(), field: odd}, a_row())

    assert a_row()["track"]["uri"] in [play.track_uri for play in answer.plays]
    assert len(answer.plays) + len(answer.unreadable) == 2


@pytest.mark.parametrize(("rows", "is_full"), [(0, False), (49, False), (50, True)])
def test_a_poll_is_full_if_spotify_returns_50_rows(rows, is_full):
    answer = read(*[a_row()] * rows)

    assert (len(answer.plays), answer.returned, answer.is_full) == (rows, rows, is_full)


@pytest.mark.parametrize(
    "content",
    [b"", b"<html>", b"\xff\xfe", b"{}", b'{"items": null}', b"[]", b"[" * 200_000],
    ids=["nothing", "html", "no utf-8", "no rows", "null rows", "a list", "deep"],
)
def test_an_unreadable_response_is_an_error_not_an_empty_poll(content):
    with pytest.raises(SpotifyError):
        read_recently_played(content)


def test_the_raw_response_is_kept_unchanged():
    content = json.dumps({"items": []}, indent=3).encode()

    assert read_recently_played(content).raw == content
