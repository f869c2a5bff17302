import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError
from pydantic_core import to_json

from services.collector.backfill.domain import rows
from services.collector.backfill.domain.rows import (
    ACCOUNT_DATA,
    NO_URI_LAYOUT,
    HistoryPlay,
    Quarantined,
    Skipped,
    parse_rows,
    unparsed,
    without_persons,
)
from shared.models import Play
from tests.unit.collector.backfill.history_examples import (
    TRACK,
    UPLOADED_AT,
    a_row,
    a_trackless_row,
    without,
)


def parse(*rows):
    return parse_rows(json.dumps(rows)[1:-1].encode(), UPLOADED_AT)


def test_a_row_in_the_current_export_layout_becomes_a_play():
    (play,) = parse(a_row())

    assert play == {
        "played_at": datetime(2026, 5, 2, 18, 31, 37, tzinfo=UTC),
        "ms_played": 174424,
        "track_uri": TRACK,
        "track_name": "Paper Boats",
        "artist_name": "The Example",
        "album_name": "Harbour",
        "platform": "android",
        "country": "DE",
        "reason_start": "fwdbtn",
        "reason_end": "trackdone",
        "shuffle": True,
        "skipped": False,
        "offline": True,
        "incognito": False,
    }


def test_every_field_of_an_export_row_is_a_field_of_play():
    assert set(HistoryPlay.__annotations__) <= set(Play.model_fields)


def test_personal_fields_of_the_old_export_layout_are_not_read():
    old = a_row(username="jane", user_agent_decrypted="Mozilla", ip_addr_decrypted="203.0.113.9")

    (play,) = parse(old)

    assert play == parse(a_row())[0]


def test_a_row_with_only_the_required_fields_becomes_a_play():
    needed = {
        "ts": "2026-05-02T18:31:37Z",
        "ms_played": 0,
        "spotify_track_uri": TRACK,
        "master_metadata_track_name": "Paper Boats",
        "master_metadata_album_artist_name": "The Example",
    }

    (play,) = parse(needed)

    assert set(play) == {"played_at", "ms_played", "track_uri", "track_name", "artist_name"}


@pytest.mark.parametrize("written", ["174424.0", "1.74424e5", "174424"])
def test_a_whole_ms_played_can_be_written_as_a_float(written):
    row = json.dumps(a_row(ms_played=0)).replace('"ms_played": 0', f'"ms_played": {written}')

    found: Any = parse_rows(row.encode(), UPLOADED_AT)

    (play,) = found
    assert play["ms_played"] == 174_424
    assert type(play["ms_played"]) is int


@pytest.mark.parametrize(
    ("written", "value"),
    [(None, None), (0, False), (1, True), ("", None), (True, True), (False, False)],
)
def test_booleans_written_as_0_1_or_an_empty_string_are_read(written, value):
    (play,) = parse(a_row(skipped=written))

    assert play["skipped"] is value


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        pytest.param(
            a_trackless_row(episode_name="Pilot", spotify_episode_uri="spotify:episode:1"),
            "podcast episode",
            id="podcast",
        ),
        pytest.param(
            a_row(spotify_track_uri="spotify:episode:1"), "podcast episode", id="podcast in track"
        ),
        pytest.param(
            a_trackless_row(audiobook_title="Dune", audiobook_uri="spotify:show:1"),
            "audiobook",
            id="audiobook",
        ),
        pytest.param(
            a_row(spotify_track_uri="spotify:local:A:B:C:12"), "local file", id="local file"
        ),
        pytest.param(a_trackless_row(), "no track uri", id="nothing named"),
        *(
            pytest.param(a_row(spotify_track_uri=uri), "no track uri", id=f"uri {uri!r}")
            for uri in ("", " ", "null", "None", " undefined ")
        ),
        *(
            pytest.param(
                a_row(spotify_track_uri=uri, spotify_episode_uri="spotify:episode:1"),
                "podcast episode",
                id=f"podcast with uri {uri!r}",
            )
            for uri in ("", " ", "null", "NaN", "spotify:track:null", "spotify:track: ")
        ),
        pytest.param(
            {
                "endTime": "2026-05-02 18:31",
                "artistName": "The Example",
                "trackName": "Paper Boats",
                "msPlayed": 174424,
            },
            ACCOUNT_DATA,
            id="account data",
        ),
        pytest.param(
            {
                "endTime": "2026-05-02 18:31",
                "podcastName": "The Show",
                "episodeName": "Pilot",
                "msPlayed": 174424,
            },
            ACCOUNT_DATA,
            id="account data, podcast",
        ),
        pytest.param(
            without(a_row(), "spotify_track_uri", "spotify_episode_uri"),
            NO_URI_LAYOUT,
            id="layout without uris",
        ),
        pytest.param(
            without(a_trackless_row(episode_name="Pilot"), "spotify_track_uri"),
            "podcast episode",
            id="podcast in the layout without uris",
        ),
    ],
)
def test_a_row_that_is_not_a_track_is_skipped(row, reason):
    assert parse(row) == [Skipped(reason)]


def test_the_message_for_a_wrong_kind_of_export_names_the_one_to_request():
    asked_for = 'request the "Extended streaming history" at spotify.com/account/privacy'

    assert ACCOUNT_DATA.endswith(asked_for)
    assert NO_URI_LAYOUT.endswith(asked_for)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"ts": None}, "ts missing"),
        ({"ts": "yesterday"}, "ts unreadable"),
        ({"ts": "2026-05-02T18:31:37"}, "ts unreadable"),
        ({"ts": 1777746697}, "ts unreadable"),
        ({"ts": "2026-02-30T18:31:37Z"}, "ts unreadable"),
        ({"ts": "2005-12-31T23:59:59Z"}, "ts before Spotify existed"),
        ({"ts": "2026-11-21T12:00:01Z"}, "ts in the future"),
        ({"ms_played": None}, "ms_played missing"),
        ({"ms_played": 1.5}, "ms_played not a whole number"),
        ({"ms_played": "1"}, "ms_played not a whole number"),
        ({"ms_played": True}, "ms_played not a whole number"),
        ({"ms_played": -1}, "ms_played negative"),
        ({"ms_played": 2**31}, "ms_played too large"),
        ({"ms_played": 10**40}, "ms_played too large"),
        ({"ms_played": -1.0}, "ms_played negative"),
        ({"ms_played": -1.5}, "ms_played negative"),
        ({"ms_played": 2147483648.0}, "ms_played too large"),
        ({"ms_played": -1, "shuffle": "yes"}, "ms_played negative"),
        ({"ts": "yesterday", "ms_played": -1}, "ts unreadable"),
        ({"spotify_track_uri": "spotify:track:"}, "track uri without an id"),
        ({"spotify_track_uri": "spotify:track:null"}, "track uri without an id"),
        ({"spotify_track_uri": "spotify:track:UNDEFINED"}, "track uri without an id"),
        ({"spotify_track_uri": "spotify:track:None"}, "track uri without an id"),
        ({"spotify_track_uri": "spotify:track:NaN"}, "track uri without an id"),
        ({"spotify_track_uri": "spotify:track: "}, "track uri without an id"),
        ({"spotify_track_uri": "spotify:track:a,b"}, "bad track uri"),
        ({"spotify_track_uri": "spotify:track:ü"}, "bad track uri"),
        ({"spotify_track_uri": 7}, "bad track uri"),
        ({"spotify_track_uri": {}}, "bad track uri"),
        ({"spotify_track_uri": "https://open.spotify.com/track/1"}, "bad track uri"),
        ({"master_metadata_track_name": None}, "track_name missing"),
        ({"master_metadata_track_name": 7}, "track_name not text"),
        ({"master_metadata_track_name": "x" * 2001}, "track_name longer than 2000 characters"),
        ({"master_metadata_track_name": "a\0b"}, "track_name with a NUL character"),
        ({"master_metadata_album_artist_name": None}, "artist_name missing"),
        ({"master_metadata_album_album_name": []}, "album_name not text"),
        ({"platform": "\0"}, "platform with a NUL character"),
        ({"conn_country": 49}, "country not text"),
        ({"shuffle": "yes"}, "shuffle not true or false"),
        ({"shuffle": "1"}, "shuffle not true or false"),
        ({"skipped": "false"}, "skipped not true or false"),
        ({"skipped": -1}, "skipped not true or false"),
        ({"incognito_mode": 2}, "incognito not true or false"),
        ({"incognito_mode": {}}, "incognito not true or false"),
        ({"offline": []}, "offline not true or false"),
        ({"offline": " "}, "offline not true or false"),
    ],
)
def test_an_unreadable_row_is_quarantined_with_its_first_invalid_field_as_reason(changes, reason):
    row = a_row(**changes)

    assert parse(row) == [Quarantined(reason, row)]


@pytest.mark.parametrize("name", ["ts", "ms_played"])
def test_a_row_without_time_or_duration_is_quarantined(name):
    (row,) = parse(without(a_row(), name))

    assert row.reason == f"{name} missing"


@pytest.mark.parametrize("rubbish", [None, 7, True, "text", [], [["deep"]]], ids=str)
def test_a_row_that_is_not_an_object_is_quarantined(rubbish):
    assert parse(rubbish) == [Quarantined("not an object", rubbish)]


def test_an_object_without_export_fields_is_quarantined():
    assert parse({"a": 1}) == [Quarantined("ts missing", {"a": 1})]


def test_a_play_dated_up_to_a_day_after_the_upload_is_accepted():
    just = UPLOADED_AT + timedelta(days=1)

    (play,) = parse(a_row(ts=just.isoformat()))

    assert play["played_at"] == just


def test_rows_around_an_unreadable_row_are_read():
    rows = parse(a_row(ms_played=1), 7, a_row(ms_played=2), a_trackless_row(), a_row(ms_played=3))

    assert [type(row).__name__ for row in rows] == [
        "dict",
        "Quarantined",
        "dict",
        "Skipped",
        "dict",
    ]
    assert [rows[0]["ms_played"], rows[2]["ms_played"], rows[4]["ms_played"]] == [1, 2, 3]


@pytest.mark.parametrize("text", [b'{"a":', b"{} {}", b"]", b'"\xff"', rb'"\ud800"'])
def test_parse_rows_raises_validation_error_for_malformed_json(text):
    with pytest.raises(ValidationError):
        parse_rows(text, UPLOADED_AT)


@pytest.mark.parametrize(
    ("element", "expected"),
    [
        (
            rb'{"name":"a\ud800b","username":"jane"}',
            Quarantined("lone surrogate", {"name": "a�b", "username": "jane"}),
        ),
        (b'{"name":"caf\xe9"}', Quarantined("not UTF-8 text", {"name": "caf�"})),
        (b'{"name":', Quarantined("not valid JSON", None)),
        (b'{"name":\xe9', Quarantined("not valid JSON", None)),
        (b"[" * 900_000, Quarantined("not valid JSON", None)),
    ],
    ids=["lone surrogate", "latin-1", "broken", "broken latin-1", "deep"],
)
def test_a_row_of_invalid_json_or_encoding_is_quarantined(element, expected):
    assert unparsed(element) == expected


def test_a_deeply_nested_row_is_quarantined():
    deepest = b"[" * 200 + b"]" * 200

    assert unparsed(deepest) == Quarantined("not valid JSON", json.loads(deepest))


def test_finding_the_quarantine_reason_does_not_serialize_long_fields(monkeypatch):
    written = []

    def write(value):
        written.append(to_json(value))
        return written[-1]

    monkeypatch.setattr(rows, "to_json", write)

    more = {str(number): number for number in range(2_000)}

    (row,) = parse(a_row(ms_played=-1, ts=[["x"] * 9_000], extra={"x": "y" * 9_000}, **more))

    assert row.reason == "ts unreadable"
    assert len(written[0]) < 1_000


def test_personal_fields_are_removed_from_rows_at_every_nesting_depth():
    row = {
        "ts": "x",
        "ip_addr": "203.0.113.7",
        "IP_Addr_Decrypted": "203.0.113.7",
        "userAgent": "Mozilla",
        "user_agent_decrypted": "Mozilla",
        "city": "Bremen",
        "region": "HB",
        "metro_code": "0",
        "latitude": "53.1",
        "longitude": "8.8",
        "inner": [{"username": "jane", "platform": "ios"}],
    }

    assert without_persons(row) == {"ts": "x", "inner": [{"platform": "ios"}]}
