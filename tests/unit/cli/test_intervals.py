from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.verification.intervals import Interval, longer, seconds, within, without

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)


def span(start: float, end: float) -> Interval:
    return Interval(NOON + timedelta(seconds=start), NOON + timedelta(seconds=end))


SPANS = st.lists(st.builds(lambda a, n: (a, a + n), st.integers(0, 20), st.integers(0, 6)))


@pytest.mark.parametrize(
    ("others", "left"),
    [
        ([], [span(0, 10)]),
        ([span(2, 4)], [span(0, 2), span(4, 10)]),
        ([span(-1, 3), span(9, 12)], [span(3, 9)]),
        ([span(3, 7), span(4, 5)], [span(0, 3), span(7, 10)]),
        ([span(-5, 20)], []),
        ([span(10, 12)], [span(0, 10)]),
    ],
)
def test_without_removes_the_parts_that_other_spans_cover(others, left):
    assert without([span(0, 10)], others) == left


@given(spans=SPANS, others=SPANS)
def test_without_equals_the_difference_of_sets_of_seconds(spans, others):
    found = without([span(*each) for each in spans], [span(*each) for each in others])

    expected = {s for a, b in spans for s in range(a, b)} - {
        s for a, b in others for s in range(a, b)
    }
    covered = {
        round((part.start - NOON).total_seconds()) + n
        for part in found
        for n in range(round((part.end - part.start).total_seconds()))
    }
    assert covered == expected


def test_within_cuts_spans_at_the_start_and_end_of_the_given_span():
    assert within([span(0, 4), span(5, 9), span(9, 9)], span(2, 6)) == [span(2, 4), span(5, 6)]


def test_longer_drops_short_spans_and_seconds_adds_up_lengths():
    spans = longer([span(0, 2), span(5, 8.4)], timedelta(seconds=2))

    assert (spans, seconds(spans)) == ([span(5, 8.4)], 3)
