import io
import json
from collections import Counter
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.collector.backfill import upload_reader
from services.collector.backfill.domain.rows import without_persons
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

    def __init__(self, upload, name="my_spotify_data.zip", is_late=lambda: False):
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


def read_zip(**files):
    """Read a zip; the names lack `.json`."""
    return Reading(a_zip({f"{name}.json": content for name, content in files.items()}))


def test_every_row_is_counted_as_published_skipped_or_quarantined():
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


def days(start: str, end: str) -> Span:
    return Span(started_at=f"{start}T00:00:00Z", ended_at=f"{end}T00:00:00Z")


def played(*dates: str, **changes: Any) -> list[Any]:
    """Rows of plays that ended at midnight."""
    return [a_row(ts=f"{date}T00:00:00Z", **changes) for date in dates]


PODCAST = a_trackless_row(episode_name="Pilot")
NEW = "Streaming_History_Audio"
WHOLE = a_file(*played("2022-01-01", "2019-01-01"))
WHOLE_SPAN = days("2019-01-01", "2022-01-01")


@pytest.mark.parametrize(
    ("files", "spans"),
    [
        pytest.param({"endsong": a_file(PODCAST)}, [], id="only podcasts"),
        pytest.param({"endsong": WHOLE}, [WHOLE_SPAN], id="an unsorted file"),
        pytest.param({"endsong": WHOLE[:-2] + b"," + a_file(PODCAST)[1:]}, [WHOLE_SPAN],
                     id="a file with a podcast"),
        pytest.param({"endsong": WHOLE[:-2] + b"," + a_file(a_row(ms_played=-1))[1:]}, [],
                     id="a file with a quarantined row"),
        pytest.param({"endsong": WHOLE[:-20]}, [], id="a truncated file"),
        pytest.param({"endsong": a_file(*played(*["2020-05-01"] * 2_000, "2020-09-01",
                                                *["2020-05-01"] * 2_000, "2020-01-01"))},
                     [days("2020-01-01", "2020-09-01")], id="a file of many chunks"),
        pytest.param({"MyData/endsong_0": WHOLE,
                      "MyData/endsong_1": a_file(*played("2020-01-01", "2023-01-01"))},
                     [days("2019-01-01", "2023-01-01")], id="unsorted parts"),
        pytest.param({f"{NEW}_2024_2": a_file(*played("2024-03-01", "2024-05-01")),
                      f"{NEW}_2020_0": a_file(*played("2020-01-01", "2020-03-01"))},
                     [days("2020-01-01", "2020-03-01"), days("2024-03-01", "2024-05-01")],
                     id="parts apart"),
        pytest.param({f"{NEW}_2021_4": a_file(*played("2021-06-01", "2021-07-01")),
                      f"{NEW}_2021_3": a_file(*played("2021-01-01", "2021-03-01"))},
                     [days("2021-01-01", "2021-07-01")], id="neighbours"),
        pytest.param({f"{NEW}_2024": a_file(*played("2024-01-02", "2024-12-31")),
                      f"{NEW}_2024_1": a_file(*played("2025-01-01", ms_played="180000")),
                      f"{NEW}_2025": a_file(*played("2025-01-02", "2025-11-20"))},
                     [days("2024-01-02", "2024-12-31"), days("2025-01-02", "2025-11-20")],
                     id="an unreadable part between neighbours"),
        pytest.param({f"a/{'x' * 100}/{NEW}_2024_0": a_file(*played("2024-01-02", "2024-06-30")),
                      f"b/{'x' * 100}/{NEW}_2024_1": a_file(*played("2024-07-02", "2024-12-31"))},
                     [days("2024-01-02", "2024-06-30"), days("2024-07-02", "2024-12-31")],
                     id="long folder names"),
        pytest.param({"Streaming_History_Video_2017-2025": WHOLE, "MyData/ENDVIDEO": WHOLE,
                      "video/endsong": a_file(*played("2020-01-01"))},
                     [days("2020-01-01", "2020-01-01")], id="videos"),
    ],
)  # fmt: skip
def test_the_report_lists_the_time_spans_covered_by_complete_music_files(files, spans):
    assert list(read_zip(**files).report.spans) == spans


def test_the_first_and_last_play_of_a_report_can_come_from_damaged_files():
    report = read_zip(
        endsong_0=WHOLE[:-20],
        endvideo_1=a_file(*played("2017-01-01"), 7),
        endsong_2=a_file(PODCAST),
    ).report

    assert report.first_played_at == datetime(2017, 1, 1, tzinfo=UTC)
    assert report.last_played_at == datetime(2022, 1, 1, tzinfo=UTC)


def test_a_report_without_plays_has_no_first_or_last_play():
    report = read_loose(a_trackless_row()).report

    assert (report.first_played_at, report.last_played_at) == (None, None)


def test_a_play_whose_track_id_is_not_22_base_62_digits_is_published_and_counted():
    unusual = ("short", "a-b", "A_1", "1" * 65, "1" * 21 + "-", "null")
    report = read_loose(
        a_row(), *(a_row(spotify_track_uri=f"spotify:track:{one}") for one in unusual)
    ).report

    assert (report.published, report.unusual_ids) == (6, 5)
    assert report.quarantined == {"track uri without an id": 1}


def test_the_report_counts_the_rows_of_each_file():
    reading = read_zip(
        endsong_1=a_file(a_row(), a_row(), a_trackless_row()), endsong_0=a_file(a_row(), 7)
    )

    assert [(file.file, file.buckets()) for file in reading.files] == [
        ("endsong_1.json", {"published": 2, "skipped": 1, "quarantined": 0}),
        ("endsong_0.json", {"published": 1, "skipped": 0, "quarantined": 1}),
    ]
    assert reading.report.files == ("endsong_1.json", "endsong_0.json")
    assert reading.report.rows_in == 5


def test_a_quarantined_row_is_stored_with_file_row_number_and_reason():
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


def test_once_the_quarantine_is_full_unreadable_rows_are_no_longer_copied(monkeypatch):
    copied = []

    def copy(record):
        copied.append(record)
        return without_persons(record)

    monkeypatch.setattr(upload_reader, "without_persons", copy)
    monkeypatch.setattr(upload_reader, "KEPT_ROWS", 2)

    reading = read_loose(1, 2, 3, 4, 5)

    assert copied == [1, 2, 3]
    assert [line["record"] for line in reading.quarantine] == [1, 2]


def test_row_numbers_continue_across_chunks():
    rows: list[Any] = [a_row()] * 3_000
    rows[2_500] = 7

    reading = read_loose(*rows)

    assert [line["row"] for line in reading.quarantine] == [2_501]


def test_an_unreadable_file_does_not_stop_the_upload():
    reading = read_zip(
        endsong_0=b"",
        endsong_1=a_file(a_row(), a_row())[:-20],
        endsong_2=b"[]",
        endsong_3=b'{"no": "list"}',
        endsong_4=a_file(a_row()),
    )

    assert reading.report.published == 2
    assert reading.report.problems == (
        FileProblem(file="endsong_0.json", reason="the file is empty: download it again"),
        FileProblem(
            file="endsong_1.json",
            reason="cut off: the list has no closing bracket; download the file again",
        ),
        FileProblem(file="endsong_2.json", reason="its list is empty: it holds no plays"),
        FileProblem(
            file="endsong_3.json", reason="not a history file: its text is not a JSON list"
        ),
    )


def test_a_latin_1_file_is_read_except_for_non_ascii_rows():
    text = a_file(a_row(), a_row(master_metadata_track_name="Café")).decode().encode("latin-1")

    reading = Reading(io.BytesIO(text), "endsong.json")

    assert reading.report.published == 1
    assert reading.report.quarantined == {"not UTF-8 text": 1}
    assert reading.report.problems == (
        FileProblem(
            file="endsong.json", reason="not all of it is UTF-8 text: save the file as UTF-8"
        ),
    )


def test_a_report_on_many_unreadable_files_fits_into_one_message():
    names = ["\x01" * 80 + f"{n:0200}endsong.json" for n in range(300)]

    reading = Reading(a_zip(dict.fromkeys(names, b"")))

    report = reading.report
    assert len(reading.messages[-1]) < BATCH_BYTES
    assert len(report.files) == len(report.problems) == 201
    assert report.files[-1] == "and 100 more"
    assert report.problems[-1] == FileProblem(file="", reason="and 100 more problems")
    assert report.files[7] == "…" + "0" * 86 + "7endsong.json"[-13:]
    assert len(report.files[7]) == 100


def test_a_report_replaces_unprintable_characters_in_names():
    upload = a_zip({"a\nb\x7f/endsong.json": b"[]"})

    assert Reading(upload).report.files == ("a�b�/endsong.json",)


def test_reading_an_upload_twice_gives_the_same_messages():
    upload = a_zip({"endsong.json": a_file(*(a_row(ms_played=ms) for ms in range(700)), 7)})

    first, second = Reading(upload, "a.zip"), Reading(upload, "a.zip")

    assert first.messages == second.messages


LINE = b'{"file":"endsong_0.json","row":1,"reason":"not an object","record":7}\n'


@pytest.mark.parametrize(
    ("limit", "most", "numbers", "unkept"),
    [
        pytest.param("KEPT_ROWS", 2, [7, 7, 7, 7], [3], id="rows"),
        pytest.param("KEPT_BYTES", 2 * len(LINE) + 1, [7, 7, 7777, 7], [3], id="bytes"),
        pytest.param("KEPT_ROWS", 2, [7, 7], [], id="exactly full"),
    ],
)
def test_unreadable_rows_beyond_the_quarantine_limit_are_only_counted(
    monkeypatch, limit, most, numbers, unkept
):
    monkeypatch.setattr(upload_reader, limit, most)

    reading = read_zip(endsong_0=a_file(*numbers), endsong_1=a_file(a_row()))

    assert [line["row"] for line in reading.quarantine] == [1, 2]
    assert reading.report.quarantined == {"not an object": len(numbers)}
    assert reading.report.published == 1
    assert [(problem.file, problem.reason) for problem in reading.report.problems] == [
        ("endsong_0.json", f"from row {row} on unreadable rows are only counted, not kept")
        for row in unkept
    ]


def test_at_most_10_000_of_100_000_unreadable_rows_are_stored():
    upload = a_zip({"endsong_0.json": b"[" + b"1," * 99_999 + b"1]"})

    reading = Reading(upload)

    assert reading.report.quarantined == {"not an object": 100_000}
    assert len(reading.quarantine) == 10_000


TOO_LATE = (
    "reading took too long, so the rest is not read: "
    "unpack the zip, and upload its files one by one"
)


@pytest.mark.parametrize(
    ("most", "late", "published", "reason"),
    [
        pytest.param(
            3,
            [False] * 9,
            4,
            "more than 3 rows: the rest is not read; upload it in parts",
            id="rows",
        ),
        pytest.param(99, [False, False, False, True, True], 2, TOO_LATE, id="time"),
    ],
)
def test_an_upload_is_read_up_to_the_row_or_time_limit(monkeypatch, most, late, published, reason):
    monkeypatch.setattr(upload_reader, "ROWS", most)
    names = [f"{NEW}_{years}.json" for years in ("2024", "2024_1", "2025")]
    asked = iter(late)

    content = a_file(*played("2026-05-02", "2026-05-02"))
    reading = Reading(a_zip(dict.fromkeys(names, content)), is_late=lambda: next(asked))

    report = reading.report
    assert report.files == tuple(names)
    assert report.published == len(reading.plays) == published
    assert report.problems == tuple(FileProblem(file=name, reason=reason) for name in names[1:])
    assert report.spans == (days("2026-05-02", "2026-05-02"),)


def test_a_long_file_is_not_read_far_beyond_the_row_limit(monkeypatch):
    monkeypatch.setattr(upload_reader, "ROWS", 10)

    report = read_loose(*[a_row()] * 5_000).report

    assert 10 < report.rows_in < 2_500
    assert len(report.problems) == 1
    assert report.spans == ()


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


@given(rows=rows)
def test_any_json_row_is_published_skipped_or_quarantined(rows):
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
