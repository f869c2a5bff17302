"""The line of the overview: the mean of 7 days."""

import pytest

from dashboard.pages.overview import mean


@pytest.mark.parametrize(
    ("values", "means"),
    [
        ([7.0] * 8, [None] * 6 + [7.0, 7.0]),
        ([1.0, None, None, 4.0, None, None, 7.0], [None] * 6 + [4.0]),
        ([0.0] * 6 + [7.0], [None] * 6 + [1.0]),
        ([None] * 7, [None] * 7),
        ([3.0, 4.0], [None, None]),
        ([], []),
    ],
    ids=["known", "gaps", "0", "unknown", "short", "none"],
)
def test_the_7_day_mean_ignores_unknown_days(values, means):
    assert mean(values) == means
