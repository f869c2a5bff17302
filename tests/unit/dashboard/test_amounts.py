"""Amounts in words, ticks, and the steps of a span."""

from datetime import date

import pytest

from dashboard.amounts import months_of, places, several, short, step_name, step_of
from dashboard.period import DAY, Span

FIRST = date(2025, 1, 1)


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 days"), (1, "1 day"), (2, "2 days"), (1200, "1,200 days")]
)
def test_a_count_has_a_singular_or_plural_noun(count, text):
    assert several(count, "day") == text


def test_tied_items_share_a_rank_and_the_next_number_is_skipped():
    assert places([9, 7, 7, 7, 2]) == [1, 2, 2, 2, 5]


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (0.25, "0.25"), (2500, "2,500"), (10_000, "10k"), (12_500, "12.5k")],
)
def test_an_axis_number_from_10_000_is_abbreviated(value, text):
    assert short(value) == text


@pytest.mark.parametrize(
    ("days", "step"),
    [
        (1, "week"),
        (92, "week"),
        (93, "month"),
        (366, "month"),
        (401, "quarter"),
        (1100, "quarter"),
        (1101, "year"),
    ],
)
def test_charts_of_longer_spans_use_longer_steps(days, step):
    assert step_of(Span(FIRST, FIRST + (days - 1) * DAY)) == step


@pytest.mark.parametrize(
    ("step", "name"),
    [("week", "1 Jul"), ("month", "Jul 2025"), ("quarter", "Q3 2025"), ("year", "2025")],
)
def test_a_week_month_quarter_or_year_is_named_by_its_start(step, name):
    assert step_name(date(2025, 7, 1), step) == name


def test_months_of_a_span_include_its_first_and_last_month():
    months = months_of(Span(date(2024, 11, 30), date(2025, 2, 1)))

    assert months == [date(2024, 11, 1), date(2024, 12, 1), date(2025, 1, 1), date(2025, 2, 1)]


def test_a_span_of_one_day_touches_one_month():
    assert months_of(Span(date(2025, 7, 31), date(2025, 7, 31))) == [date(2025, 7, 1)]
