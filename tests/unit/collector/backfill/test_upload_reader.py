import io
import json
from collections import Counter
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.collector.backfill import upload_reader
from services.collector.backfill.domain.rows import ACCOUNT_DATA, without_persons
from services.collector.backfill.upload_reader import UploadReader
from services.collector.domain.batches import Batches
from shared.models import BATCH_BYTES, FileProblem, PlayBatch, Span
from tests.unit.collector.backfill.history_examples import (
    UPLOADED_AT,
    a_file,
    a_row,
    a_trackless_row,
    a_zip,
    without,
)


class Reading:
    """The result of reading one upload."""

    def __init__(self, upload, name, is_late=lambda: False):
        self.messages: list[str] = []
        quarantine = io.BytesIO()
        batches = Batches(self.messages.append, "me", "extended-history", f"history/{name}")
        reader = UploadReader(batches, quarantine, UPLOADED_AT, is_late)
        self.files = list(reader.read(upload, name))
        batches.finish(reader.report)
        self.report = PlayBatch.model_validate_json(self.messages[-1]).report
        self.quarantine = [json.loads(line) for line in quarantine.getvalue().splitlines()]

    @property
    def plays(self):
        batches = map(PlayBatch.model_validate_json, self.messages)
        return [play for batch in batches for play in batch.plays]


def read_loose(*rows):
    return Reading(io.BytesIO(a_file(*rows)), "endsong.json")


def test_every_row_is_counted_in_its_bucket():
    reading = read_loose(
        a_row(),
        a_trackless_row(episode_name="Pilot"),
        7,
        a_row(),
        a_row(ts="2001-01-01T00:00:00Z"),
        a_trackless_row(episode_name="Pilot"),
        a_trackless_row(),
    )

    report = reading.report
    assert report.rows_in == 7
    assert report.published == len(reading.plays) == 2
    assert report.skipped == {"podcast episode": 2, "no track uri": 1}
    assert report.quarantined == {"not an object": 1, "ts before Spotify existed": 1}


def test_the_report_has_the_first_and_last_play():
    reading = Reading(
        a_zip(
            {
                "endsong_0.json": a_file(
                    a_row(ts="2020-01-01T00:00:00Z"), a_row(ts="2019-01-01T00:00:00Z")
                ),
                "endsong_1.json": a_file(a_row(ts="2021-01-01T00:00:00Z"), 7),
            }
        ),
        "my_spotify_data.zip",
    )

    assert reading.report.first_played_at == datetime(2019, 1, 1, tzinfo=UTC)
    assert reading.report.last_played_at == datetime(2021, 1, 1, tzinfo=UTC)


def test_an_upload_without_plays_covers_no_time():
    report = read_loose(a_trackless_row()).report

    assert (report.first_played_at, report.last_played_at) == (None, None)


def days(start: str, end: str) -> Span:
    return Span(started_at=f"{start}T00:00:00Z", ended_at=f"{end}T00:00:00Z")


def played(*dates: str) -> bytes:
    """A file of plays that ended at midnight."""
    return a_file(*(a_row(ts=f"{date}T00:00:00Z") for date in dates))


def test_the_report_has_the_span_of_each_file():
    files = {
        "Streaming_History_Audio_2024_2.json": played("2024-03-01", "2024-05-01"),
        "Streaming_History_Audio_2020_0.json": played("2020-03-01", "2020-01-01", "2020-02-01"),
    }

    report = Reading(a_zip(files), "my_spotify_data.zip").report

    assert report.spans == (days("2020-01-01", "2020-03-01"), days("2024-03-01", "2024-05-01"))


def test_parts_of_an_old_export_are_one_span():
    files = {
        "MyData/endsong_0.json": played("2021-06-01", "2019-01-01"),
        "MyData/endsong_1.json": played("2020-01-01", "2022-01-01", "2019-06-01"),
    }

    report = Reading(a_zip(files), "my_spotify_data.zip").report

    assert report.spans == (days("2019-01-01", "2022-01-01"),)


def test_parts_of_an_export_cover_the_time_between_them():
    files = {
        "Streaming_History_Audio_2021_4.json": played("2021-06-01", "2021-07-01"),
        "Streaming_History_Audio_2021_3.json": played("2021-01-01", "2021-03-01"),
    }

    report = Reading(a_zip(files), "my_spotify_data.zip").report

    assert report.spans == (days("2021-01-01", "2021-07-01"),)


def layout_of_2026(**rows: bytes) -> io.BytesIO:
    """A zip of a complete export; the rows by year and number."""
    folder = "Spotify Extended Streaming History/Streaming_History_Audio"
    return a_zip({f"{folder}{name}.json": content for name, content in rows.items()})


def test_a_complete_export_of_2026_is_one_span():
    upload = layout_of_2026(
        _2024=played("2024-01-02", "2024-06-30"),
        _2024_1=played("2024-07-02", "2024-12-31"),
        _2025=played("2025-01-01", "2025-11-20"),
    )

    report = Reading(upload, "my_spotify_data.zip").report

    assert report.spans == (days("2024-01-02", "2025-11-20"),)


def test_a_part_with_a_bad_row_covers_nothing():
    upload = layout_of_2026(
        _2025=played("2025-01-01", "2025-12-31"),
        _2026=played("2026-01-01", "2026-03-31"),
        _2026_1=a_file(
            a_row(ts="2026-04-01T00:00:00Z"),
            a_row(ts="2026-05-01T00:00:00Z", ms_played="180000"),
            a_row(ts="2026-07-31T00:00:00Z"),
        ),
        _2026_2=played("2026-08-01", "2026-11-20"),
    )

    report = Reading(upload, "my_spotify_data.zip").report

    assert report.quarantined == {"ms_played not a whole number": 1}
    assert report.spans == (days("2025-01-01", "2026-03-31"), days("2026-08-01", "2026-11-20"))


def test_a_part_with_one_unreadable_row_joins_nothing():
    upload = layout_of_2026(
        _2024=played("2024-01-02", "2024-12-31"),
        _2024_1=a_file(a_row(ts="yesterday")),
        _2025=played("2025-01-01", "2025-11-20"),
    )

    report = Reading(upload, "my_spotify_data.zip").report

    assert report.spans == (days("2024-01-02", "2024-12-31"), days("2025-01-01", "2025-11-20"))


def test_long_folder_names_stay_distinct():
    folders = [f"{letter}/{'x' * 100}" for letter in "ab"]
    name = "Streaming_History_Audio_2024"
    files = {
        f"{folders[0]}/{name}_0.json": played("2024-01-02", "2024-06-30"),
        f"{folders[1]}/{name}_1.json": played("2024-07-02", "2024-12-31"),
    }

    assert len(Reading(a_zip(files), "my_spotify_data.zip").report.spans) == 2


def test_an_unusual_id_loads_and_is_counted():
    unusual = ("short", "a-b", "A_1", "1" * 65, "1" * 21 + "-")
    report = read_loose(
        a_row(), *(a_row(spotify_track_uri=f"spotify:track:{one}") for one in unusual),
        a_row(spotify_track_uri="spotify:track:null"),
    ).report  # fmt: skip

    assert (report.published, report.unusual_ids) == (6, 5)
    assert report.quarantined == {"track uri without an id": 1}


@pytest.mark.parametrize(
    "name", ["Streaming_History_Video_2017-2025.json", "MyData/ENDVIDEO.json"], ids=str
)
def test_videos_count_as_plays_but_cover_no_time(name):
    files = {name: played("2017-01-01", "2025-01-01"), "video/endsong.json": played("2020-01-01")}

    report = Reading(a_zip(files), "my_spotify_data.zip").report

    assert report.first_played_at == datetime(2017, 1, 1, tzinfo=UTC)
    assert report.spans == (days("2020-01-01", "2020-01-01"),)


def test_a_file_of_podcasts_only_covers_no_time():
    assert read_loose(a_trackless_row(episode_name="Pilot")).report.spans == ()


def test_a_file_with_podcasts_is_still_complete():
    rows = a_row(ts="2020-01-01T00:00:00Z"), a_trackless_row(episode_name="Pilot")

    assert read_loose(*rows).report.spans == (days("2020-01-01", "2020-01-01"),)


def test_a_file_of_many_chunks_is_one_span():
    rows = [a_row(ts="2020-05-01T00:00:00Z")] * 3_000
    rows[0], rows[2_900] = a_row(ts="2020-09-01T00:00:00Z"), a_row(ts="2020-01-01T00:00:00Z")

    assert read_loose(*rows).report.spans == (days("2020-01-01", "2020-09-01"),)


def test_a_truncated_file_of_unsorted_rows_covers_nothing():
    cut = played("2022-01-01", "2019-01-01", "2020-06-01")[:-20]

    report = Reading(a_zip({"endsong_0.json": cut}), "my_spotify_data.zip").report

    assert report.first_played_at == datetime(2019, 1, 1, tzinfo=UTC)
    assert report.last_played_at == datetime(2022, 1, 1, tzinfo=UTC)
    assert report.spans == ()


def test_a_file_with_a_quarantined_row_covers_nothing():
    whole = [a_row(ts="2022-01-01T00:00:00Z"), a_row(ts="2019-01-01T00:00:00Z")]

    report = read_loose(*whole, a_row(ms_played=-1)).report

    assert (report.published, report.spans) == (2, ())


def test_a_file_of_too_many_rows_covers_nothing(monkeypatch):
    monkeypatch.setattr(upload_reader, "ROWS", 1)

    report = read_loose(a_row(ts="2022-01-01T00:00:00Z"), a_row(ts="2019-01-01T00:00:00Z")).report

    assert (report.published, report.spans) == (2, ())


def test_each_file_has_its_own_counts():
    reading = Reading(
        a_zip(
            {
                "MyData/endsong_1.json": a_file(a_row(), a_row(), a_trackless_row()),
                "MyData/endsong_0.json": a_file(a_row(), 7),
            }
        ),
        "my_spotify_data.zip",
    )

    assert [(file.file, file.buckets()) for file in reading.files] == [
        ("MyData/endsong_1.json", {"published": 2, "skipped": 1, "quarantined": 0}),
        ("MyData/endsong_0.json", {"published": 1, "skipped": 0, "quarantined": 1}),
    ]
    assert reading.report.files == ("MyData/endsong_1.json", "MyData/endsong_0.json")
    assert reading.report.rows_in == 5


def test_quarantine_holds_file_row_reason_and_record():
    bad = a_row(ms_played=-1, username="jane", user_agent_decrypted="Mozilla")

    reading = read_loose(a_row(), a_trackless_row(), bad, a_row(), float("nan"))

    assert reading.quarantine == [
        {
            "file": "endsong.json",
            "row": 3,
            "reason": "ms_played negative",
            "record": without(bad, "ip_addr", "username", "user_agent_decrypted"),
        },
        {"file": "endsong.json", "row": 5, "reason": "not an object", "record": None},
    ]


def test_a_quarantined_list_loses_personal_fields():
    reading = read_loose([{"username": "jane", "platform": "ios"}])

    assert [line["record"] for line in reading.quarantine] == [[{"platform": "ios"}]]


def test_rows_beyond_the_quarantine_limit_are_not_copied(monkeypatch):
    copied = []

    def copy(record):
        copied.append(record)
        return without_persons(record)

    monkeypatch.setattr(upload_reader, "without_persons", copy)
    monkeypatch.setattr(upload_reader, "KEPT_ROWS", 2)

    reading = read_loose(1, 2, 3, 4, 5)

    assert copied == [1, 2, 3]
    assert [line["record"] for line in reading.quarantine] == [1, 2]


def test_row_numbers_continue_over_chunks():
    rows: list[Any] = [a_row()] * 3_000
    rows[2_500] = 7

    reading = read_loose(*rows)

    assert [line["row"] for line in reading.quarantine] == [2_501]


def test_account_data_is_refused_row_by_row():
    row = {
        "endTime": "2026-05-02 18:31",
        "artistName": "The Example",
        "trackName": "Paper Boats",
        "msPlayed": 174424,
    }
    upload = a_zip({"Spotify Account Data/StreamingHistory_music_0.json": a_file(row, row)})

    report = Reading(upload, "my_spotify_data.zip").report

    assert report.skipped == {ACCOUNT_DATA: 2}
    assert report.rows_in == 2
    assert report.problems == ()


def test_a_bad_file_does_not_stop_the_upload():
    upload = a_zip(
        {
            "endsong_0.json": b"",
            "endsong_1.json": a_file(a_row(), a_row())[:-20],
            "endsong_2.json": b"[]",
            "endsong_3.json": b'{"no": "list"}',
            "endsong_4.json": a_file(a_row()),
        }
    )

    reading = Reading(upload, "my_spotify_data.zip")

    assert reading.report.published == 2
    assert reading.report.problems == (
        FileProblem(file="endsong_0.json", reason="empty file"),
        FileProblem(file="endsong_1.json", reason="cut off: the file ends before its list does"),
        FileProblem(file="endsong_2.json", reason="an empty list"),
        FileProblem(file="endsong_3.json", reason="not a JSON list, as every history file is"),
    )


def test_a_latin_1_file_loads_except_non_ascii_rows():
    text = a_file(a_row(), a_row(master_metadata_track_name="Café")).decode().encode("latin-1")

    reading = Reading(io.BytesIO(text), "endsong.json")

    assert reading.report.published == 1
    assert reading.report.quarantined == {"not UTF-8 text": 1}
    assert reading.report.problems == (
        FileProblem(
            file="endsong.json", reason="not all of it is UTF-8 text: save the file as UTF-8"
        ),
    )


def test_a_report_on_many_bad_files_fits_into_a_message():
    names = ["\x01" * 80 + f"{n:0200}endsong.json" for n in range(300)]

    reading = Reading(a_zip(dict.fromkeys(names, b"")), "my_spotify_data.zip")

    report = reading.report
    assert len(reading.messages[-1]) < BATCH_BYTES
    assert len(report.files) == len(report.problems) == 201
    assert report.files[-1] == "and 100 more"
    assert report.problems[-1] == FileProblem(file="", reason="and 100 more problems")
    assert report.files[7] == "…" + "0" * 86 + "7endsong.json"[-13:]
    assert len(report.files[7]) == 100


def test_a_report_replaces_unprintable_characters_in_names():
    upload = a_zip({"a\nb\x7f/endsong.json": b"[]"})

    assert Reading(upload, "my_spotify_data.zip").report.files == ("a�b�/endsong.json",)


def test_the_same_upload_gives_the_same_messages():
    upload = a_zip({"endsong.json": a_file(*(a_row(ms_played=ms) for ms in range(700)), 7)})

    first, second = Reading(upload, "a.zip"), Reading(upload, "a.zip")

    assert first.messages == second.messages


def test_unreadable_rows_beyond_the_quarantine_limit_are_counted(monkeypatch):
    monkeypatch.setattr(upload_reader, "KEPT_ROWS", 2)
    files = {"endsong_0.json": a_file(7, a_row(), 7, a_row(), 7, 7), "endsong_1.json": a_file(7)}

    reading = Reading(a_zip(files), "my_spotify_data.zip")

    assert [line["row"] for line in reading.quarantine] == [1, 3]
    assert reading.report.quarantined == {"not an object": 5}
    assert reading.report.published == 2
    assert reading.report.problems == (
        FileProblem(
            file="endsong_0.json", reason="unreadable rows from row 5 on are counted but not kept"
        ),
    )


def test_quarantine_stays_below_its_size_limit(monkeypatch):
    line = b'{"file":"endsong_0.json","row":1,"reason":"not an object","record":7}\n'
    monkeypatch.setattr(upload_reader, "KEPT_BYTES", 2 * len(line) + 1)

    reading = read_loose(7, 7, 7777, 7)

    assert [line["row"] for line in reading.quarantine] == [1, 2]
    assert reading.report.quarantined == {"not an object": 4}
    assert [problem.reason for problem in reading.report.problems] == [
        "unreadable rows from row 3 on are counted but not kept"
    ]


def test_quarantine_may_be_exactly_full(monkeypatch):
    monkeypatch.setattr(upload_reader, "KEPT_ROWS", 2)

    reading = read_loose(7, 7)

    assert len(reading.quarantine) == 2
    assert reading.report.problems == ()


def test_a_small_zip_bomb_of_rows_fills_no_disk():
    upload = a_zip({"endsong_0.json": b"[" + b"1," * 99_999 + b"1]"})

    reading = Reading(upload, "my_spotify_data.zip")

    assert reading.report.quarantined == {"not an object": 100_000}
    assert len(reading.quarantine) == 10_000


def test_an_upload_is_read_up_to_the_row_limit(monkeypatch):
    monkeypatch.setattr(upload_reader, "ROWS", 3)
    names = [f"endsong_{n}.json" for n in range(4)]

    reading = Reading(a_zip(dict.fromkeys(names, a_file(a_row(), 7))), "my_spotify_data.zip")

    reason = "more than 3 rows: the rest is not read"
    assert reading.report.files == tuple(names)
    assert reading.report.rows_in == 4
    assert reading.report.published == 2
    assert reading.report.problems == tuple(
        FileProblem(file=name, reason=reason) for name in names[1:]
    )


def test_a_slow_upload_is_read_in_part():
    names = [f"Streaming_History_Audio_{years}.json" for years in ("2024", "2024_1", "2025")]
    asked = iter([False, False, False, True, True])

    reading = Reading(
        a_zip(dict.fromkeys(names, a_file(a_row(), a_row()))), "my.zip", is_late=lambda: next(asked)
    )

    reason = (
        "reading took too long, so the rest is not read: "
        "unpack the zip, and upload its files one by one"
    )
    assert reading.report.files == tuple(names)
    assert reading.report.published == len(reading.plays) == 2
    assert reading.report.problems == tuple(
        FileProblem(file=name, reason=reason) for name in names[1:]
    )


def test_an_export_with_an_unread_file_covers_nothing(monkeypatch):
    monkeypatch.setattr(upload_reader, "ROWS", 3)
    files = {
        "MyData/endsong_0.json": played("2021-06-01", "2019-01-01"),
        "MyData/endsong_2.json": played("2021-05-01", "2019-02-01"),
        "MyData/endsong_1.json": played("2021-07-01", "2019-03-01"),
    }

    assert Reading(a_zip(files), "my_spotify_data.zip").report.spans == ()


def test_a_long_file_is_read_up_to_the_row_limit(monkeypatch):
    monkeypatch.setattr(upload_reader, "ROWS", 10)
    upload = io.BytesIO(a_file(*[a_row()] * 5_000))

    reading = Reading(upload, "endsong.json")

    assert 10 < reading.report.rows_in < 2_500
    assert len(reading.report.problems) == 1


def test_an_upload_at_the_row_limit_is_read_completely(monkeypatch):
    monkeypatch.setattr(upload_reader, "ROWS", 2)

    report = read_loose(a_row(), 7).report

    assert (report.rows_in, report.problems) == (2, ())


rubbish = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=4,
)
rubbish_fields = st.dictionaries(st.sampled_from(sorted(a_row())), rubbish)
rows = st.lists(
    rubbish
    | st.builds(lambda fields: a_row() | fields, rubbish_fields)
    | st.builds(lambda names: without(a_row(), *names), st.sets(st.sampled_from(sorted(a_row()))))
    | st.builds(a_trackless_row, episode_name=st.text(max_size=3)),
    min_size=1,
    max_size=8,
)


@settings(deadline=None)  # a busy machine may be slow
@given(rows=rows)
def test_any_row_is_published_skipped_or_quarantined(rows):
    text = json.dumps(rows).encode()

    reading = Reading(io.BytesIO(text), "endsong.json")

    report = reading.report
    skipped, quarantined = Counter(report.skipped), Counter(report.quarantined)
    assert report.rows_in == len(rows)
    assert report.rows_in == report.published + skipped.total() + quarantined.total()
    assert report.published == len(reading.plays)
    assert quarantined == Counter(line["reason"] for line in reading.quarantine)
    assert report.problems == ()


@pytest.mark.parametrize("personal", ["ip_addr", "username", "user_agent_decrypted"])
def test_personal_fields_reach_neither_messages_nor_quarantine(personal):
    rows = [a_row(**{personal: "jane-203.0.113.7"}, ms_played=ms) for ms in (1, -1, "x")]

    reading = read_loose(*rows)

    assert "jane" not in json.dumps(reading.quarantine)
    assert "jane" not in "".join(reading.messages)
    assert len(reading.quarantine) == 2
