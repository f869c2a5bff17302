"""The time that an upload covers, from the times of its files."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.collector.backfill.domain import coverage
from services.collector.backfill.domain.coverage import Ends, Part, covered
from shared.models import Span

START = datetime(2026, 1, 1, tzinfo=UTC)


def span(start: int, end: int) -> Span:
    return Span(started_at=START + timedelta(hours=start), ended_at=START + timedelta(hours=end))


def cover(spans):
    """Return the coverage of complete files whose names have no order."""
    return covered(Part(f"{n}.json", one, is_whole=True) for n, one in enumerate(spans))


def test_only_the_longest_coverage_spans_are_reported_sorted_by_time(monkeypatch):
    monkeypatch.setattr(coverage, "LISTED_SPANS", 2)

    assert cover([span(0, 1), span(10, 13), span(20, 22)]) == (span(10, 13), span(20, 22))


def hours(spans) -> set[int]:
    return {hour for one in spans
            for hour in range(int((one.started_at - START) / timedelta(hours=1)),
                              int((one.ended_at - START) / timedelta(hours=1)))}  # fmt: skip


@given(st.lists(st.builds(lambda at, length: span(at, at + length), st.integers(0, 50),
                          st.integers(0, 9))))  # fmt: skip
def test_merged_spans_are_disjoint_and_cover_the_same_hours_as_the_unmerged(given_spans):
    joined = cover(given_spans)

    assert hours(joined) == hours(given_spans)
    assert all(one.ended_at < other.started_at
               for one, other in pairwise(joined))  # fmt: skip


def audio(years: str, start: int, end: int, *, folder: str = "", is_whole: bool = True) -> Part:
    """A file of music, named as Spotify does since 2023."""
    path = f"{folder}Streaming_History_Audio_{years}.json"
    return Part(path, span(start, end), is_whole)


@pytest.mark.parametrize(
    "paths",
    [
        pytest.param(("endsong_0.json", "endsong_1.json"), id="old"),
        pytest.param(("MyData/endsong.json", "MyData\\endsong_1.json"), id="in a folder"),
        pytest.param(
            ("Streaming_History_Audio_2014-2021_0.json", "Streaming_History_Audio_2021_1.json"),
            id="years",
        ),
        pytest.param(
            ("Streaming_History_Audio_2021_3.json", "streaming_history_audio_2021-2022_4.json"),
            id="the same year",
        ),
        pytest.param(
            ("Streaming_History_Audio_2024.json", "Streaming_History_Audio_2024_1.json"),
            id="numbers of a year",
        ),
        pytest.param(
            ("Streaming_History_Audio_2024_1.json", "Streaming_History_Audio_2024_2.json"),
            id="either layout",
        ),
        pytest.param(
            ("Streaming_History_Audio_2024.json", "Streaming_History_Audio_2025.json"),
            id="over New Year",
        ),
    ],
)
def test_consecutive_export_files_are_merged_into_one_coverage_span(paths):
    first, second = paths

    parts = [Part(second, span(5, 6), is_whole=True), Part(first, span(0, 2), is_whole=True)]

    assert covered(parts) == (span(0, 6),)


@pytest.mark.parametrize(
    "parts",
    [
        pytest.param([audio("2020_0", 0, 2), audio("2021_2", 5, 6)], id="a number is missing"),
        pytest.param(
            [audio("2020_1", 0, 2), audio("2021_0", 5, 6)], id="numbers in the other order"
        ),
        pytest.param([audio("2020_1", 0, 2), audio("2021_1", 5, 6)], id="the same number"),
        pytest.param([audio("2020_0", 0, 2), audio("2021", 5, 6)], id="one without a number"),
        pytest.param([audio("2024_1", 0, 2), audio("2026_2", 5, 6)], id="either layout"),
        pytest.param([audio("2024", 0, 2), audio("2026", 5, 6)], id="a year is missing"),
        pytest.param([audio("2024_1", 0, 2), audio("2025", 5, 6)], id="no first part of a year"),
        pytest.param([audio("2024", 0, 2), audio("2025_1", 5, 6)], id="no first part after"),
        pytest.param([audio("2019-2024", 0, 2), audio("2025", 5, 6)], id="a range of years"),
        pytest.param(
            [audio("2020_0", 0, 2), audio("2021_1", 5, 6, folder="second/")], id="two folders"
        ),
        pytest.param(
            [Part("endsong.json", span(0, 2), is_whole=True), audio("2021_1", 5, 6)],
            id="two layouts",
        ),
    ],
)
def test_export_files_that_are_not_consecutive_leave_a_gap(parts):
    assert covered(parts) == (span(0, 2), span(5, 6))


def test_yearly_export_files_more_than_three_days_apart_leave_a_gap():
    parts = [audio("2024", 0, 2), audio("2025", 2 + 73, 80)]

    assert covered(parts) == (span(0, 2), span(75, 80))


def test_an_incomplete_export_file_covers_no_time_and_leaves_a_gap():
    parts = [audio("2024_0", 0, 2), audio("2024_1", 3, 5, is_whole=False), audio("2024_2", 6, 8)]

    assert covered(parts) == (span(0, 2), span(6, 8))


def test_an_export_file_without_readable_plays_leaves_a_gap():
    unknown = Part("Streaming_History_Audio_2024_1.json", None, is_whole=False)

    assert covered([audio("2024", 0, 2), unknown, audio("2025", 6, 8)]) == (span(0, 2), span(6, 8))


@pytest.mark.parametrize("is_whole", [True, False])
@pytest.mark.parametrize(("start", "end"), [(3, 4), (3, 3), (1, 3), (4, 6)])
def test_consecutive_files_are_not_merged_if_another_file_has_plays_between_them(
    start, end, is_whole
):
    other = Part("more/plays.json", span(start, end), is_whole)
    joint = span(2, 5)

    spans = covered([audio("2024_0", 0, 2), audio("2024_1", 5, 8), other])

    assert not any(
        one.started_at <= joint.started_at and joint.ended_at <= one.ended_at for one in spans
    )


def test_complete_files_next_to_an_incomplete_file_keep_their_coverage():
    parts = [audio("2024_0", 0, 3), audio("2024_1", 3, 5, is_whole=False), audio("2024_2", 5, 8)]

    assert covered(parts) == (span(0, 3), span(5, 8))


def test_a_file_whose_plays_overlap_an_incomplete_file_covers_no_time():
    parts = [
        Part("plays.json", span(0, 50), is_whole=True),
        Part("more plays.json", span(9, 40), is_whole=False),
        Part("other plays.json", span(60, 70), is_whole=True),
    ]

    assert covered(parts) == (span(60, 70),)


def shuffled(*names):
    """Parts of 10 hours each, one after the other."""
    return [
        Part(f"MyData/{name}.json", span(20 * n, 20 * n + 10), is_whole=True)
        for n, name in enumerate(names)
    ]


@pytest.mark.parametrize(
    "names",
    [
        pytest.param(["endsong_1"], id="the first is missing"),
        pytest.param(["endsong_0", "endsong_2"], id="one between is missing"),
        pytest.param(["endsong_0", "endsong_1 (1)"], id="renamed"),
        pytest.param(["endsong", "endsong_0"], id="two first parts"),
        pytest.param(["endsong_0"], id="one of several, uploaded alone"),
    ],
)
def test_old_export_files_with_unsorted_plays_cover_no_time_if_one_is_missing(names):
    assert covered(shuffled(*names)) == ()


def test_old_export_files_with_unsorted_plays_cover_no_time_if_one_is_damaged():
    parts = shuffled("endsong_0", "endsong_1", "endsong_2")

    assert covered([*parts[:2], parts[2]._replace(is_whole=False)]) == ()
    assert covered([*parts[:2], parts[2]._replace(is_whole=False, span=None)]) == ()


def test_an_old_export_of_one_file_covers_the_time_of_its_plays():
    assert covered(shuffled("endsong")) == (span(0, 10),)


def test_an_old_export_overlapping_an_incomplete_file_covers_no_time():
    parts = [*shuffled("endsong"), audio("2020_0", 5, 15, is_whole=False)]

    assert covered(parts) == ()


def test_a_file_without_play_times_has_no_coverage_span():
    ends = Ends()

    assert (ends.first, ends.last, ends.span) == (None, None, None)


def test_a_span_runs_from_the_earliest_to_the_latest_of_unsorted_play_times():
    ends = Ends()

    for taken in ([3], [5, 1, 4], [2]):
        ends.take([START + timedelta(hours=hour) for hour in taken])

    assert ends.span == span(1, 5)
