"""Charts without scripts: scales, labels, broken lines, and the distance of labels."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.drawing import Bar, columns, line, sectors, shares, spread, ticks_up_to


@pytest.mark.parametrize(
    ("most", "ticks"),
    [
        (0, [0, 1]),
        (1, [0, 0.25, 0.5, 0.75, 1]),
        (4, [0, 1, 2, 3, 4]),
        (1060, [0, 300, 600, 900, 1200]),
        (9412, [0, 2500, 5000, 7500, 10_000]),
    ],
)
def test_axis_ticks_are_round_and_reach_the_highest_value(most, ticks):
    assert ticks_up_to(most) == pytest.approx(ticks)


@given(st.floats(min_value=1e-3, max_value=1e12))
def test_an_axis_has_at_most_six_ticks_for_any_value(most):
    ticks = ticks_up_to(most)

    assert ticks[-1] >= most * 0.999999
    assert len(ticks) <= 6


def test_bar_heights_are_percentages_of_the_highest_axis_tick():
    chart = columns([Bar("a", 100, "", part=50, before=200), Bar("b", None, "")])

    assert chart.bars[0].value == pytest.approx(50)
    assert chart.bars[0].part == pytest.approx(25)
    assert chart.bars[0].before == pytest.approx(100)
    assert chart.bars[1].value is None
    assert chart.ticks[-1] == (100, 200)


def test_axis_ticks_are_round_in_the_shown_unit():
    chart = columns([Bar("a", 3_600_000, "")], unit=60_000)

    assert [value for _, value in chart.ticks] == [0, 20, 40, 60]
    assert chart.bars[0].value == pytest.approx(100)


def test_axis_labels_that_do_not_fit_are_omitted():
    chart = columns(Bar(str(number), 1, "") for number in range(31))

    labels = [bar.label for bar in chart.bars if bar.label]
    assert labels == [str(number) for number in range(0, 31, 3)]


def test_an_unknown_share_is_not_drawn_as_0():
    assert shares([None, 0, 5, 10]) == [None, 0, 0.5, 1]
    assert shares([0, None]) == [0, None]


def test_a_line_chart_is_interrupted_at_unknown_values():
    drawn = line([0, 1, None, 1], 0, 1)

    assert drawn.path == "M0.00,100.00L33.33,0.00M100.00,0.00h.4"
    assert drawn.points[2] is None
    assert drawn.end == 0


def test_rank_1_is_drawn_at_the_top():
    assert line([1, 11], 11, 1).points == ((0, 0), (100, 100))


def test_a_value_beyond_the_axis_is_drawn_at_the_end_of_the_axis():
    assert line([-1, 2], 0, 1).points == ((0, 100), (100, 0))


@given(
    st.lists(st.floats(min_value=0, max_value=100), max_size=12),
    st.floats(min_value=0, max_value=20),
)
def test_line_labels_keep_their_order_and_a_minimum_distance(ends, apart):
    placed = spread(ends, apart)

    room = min(apart, 100 / max(len(ends) - 1, 1))
    order = sorted(range(len(ends)), key=lambda number: ends[number])
    assert all(-1e-6 <= place <= 100 + 1e-6 for place in placed)
    for above, below in pairwise(order):
        assert placed[below] - placed[above] >= room - 1e-6


def test_line_labels_far_enough_apart_do_not_move():
    assert spread([0, 50, 100], 6) == [0, 50, 100]


def test_the_hour_with_most_plays_reaches_the_rim_of_the_clock_chart():
    paths = sectors([1.0] * 12 + [2.0] * 12)

    assert len(paths) == 24
    assert "A63.0,63.0" in paths[0]
    assert "A92.0,92.0" in paths[23]
