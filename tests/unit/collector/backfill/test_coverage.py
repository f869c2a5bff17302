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


def test_the_longest_spans_are_reported_in_order(monkeypatch):
    monkeypatch.setattr(coverage, "LISTED_SPANS", 2)

    assert cover([span(0, 1), span(10, 13), span(20, 22)]) == (span(10, 13), span(20, 22))


def hours(spans) -> set[int]:
    return {hour for one in spans
            for hour in range(int((one.started_at - START) / timedelta(hours=1)),
                              int((one.ended_at - START) / timedelta(hours=1)))}  # fmt: skip


@given(st.lists(st.builds(lambda at, length: span(at, at + length), st.integers(0, 50),
                          st.integers(0, 9))))  # fmt: skip
def test_joined_spans_are_disjoint_and_cover_the_same_time(given_spans):
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
def test_parts_with_consecutive_numbers_join(paths):
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
def test_other_neighbours_leave_a_gap_between_them(parts):
    assert covered(parts) == (span(0, 2), span(5, 6))


def test_a_long_silence_over_new_year_may_hide_a_last_part_of_the_year():
    parts = [audio("2024", 0, 2), audio("2025", 2 + 73, 80)]

    assert covered(parts) == (span(0, 2), span(75, 80))


def test_an_incomplete_part_covers_nothing_and_joins_nothing():
    parts = [audio("2024_0", 0, 2), audio("2024_1", 3, 5, is_whole=False), audio("2024_2", 6, 8)]

    assert covered(parts) == (span(0, 2), span(6, 8))


def test_a_part_without_readable_plays_joins_no_spans():
    unknown = Part("Streaming_History_Audio_2024_1.json", None, is_whole=False)

    assert covered([audio("2024", 0, 2), unknown, audio("2025", 6, 8)]) == (span(0, 2), span(6, 8))


@pytest.mark.parametrize("is_whole", [True, False])
@pytest.mark.parametrize(("start", "end"), [(3, 4), (3, 3), (1, 3), (4, 6)])
def test_a_joint_does_not_span_another_part(start, end, is_whole):
    other = Part("more/plays.json", span(start, end), is_whole)
    joint = span(2, 5)

    spans = covered([audio("2024_0", 0, 2), audio("2024_1", 5, 8), other])

    assert not any(
        one.started_at <= joint.started_at and joint.ended_at <= one.ended_at for one in spans
    )


def test_parts_that_touch_an_incomplete_one_keep_their_time():
    parts = [audio("2024_0", 0, 3), audio("2024_1", 3, 5, is_whole=False), audio("2024_2", 5, 8)]

    assert covered(parts) == (span(0, 3), span(5, 8))


def test_a_part_that_overlaps_an_incomplete_one_covers_nothing():
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
def test_unsorted_parts_cover_nothing_if_one_is_missing(names):
    assert covered(shuffled(*names)) == ()


def test_unsorted_parts_cover_nothing_if_one_is_broken():
    parts = shuffled("endsong_0", "endsong_1", "endsong_2")

    assert covered([*parts[:2], parts[2]._replace(is_whole=False)]) == ()
    assert covered([*parts[:2], parts[2]._replace(is_whole=False, span=None)]) == ()


def test_the_one_file_of_an_old_export_covers_its_time():
    assert covered(shuffled("endsong")) == (span(0, 10),)


def test_an_old_export_that_overlaps_an_incomplete_part_covers_nothing():
    parts = [*shuffled("endsong"), audio("2020_0", 5, 15, is_whole=False)]

    assert covered(parts) == ()


def test_ends_without_an_instant_have_no_span():
    ends = Ends()

    assert (ends.first, ends.last, ends.span) == (None, None, None)


def test_ends_are_the_first_and_the_last_in_any_order():
    ends = Ends()

    for taken in ([3], [5, 1, 4], [2]):
        ends.take([START + timedelta(hours=hour) for hour in taken])

    assert ends.span == span(1, 5)
