from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.period import PeriodError, Span, add_months, named
from dashboard.timeline import Parts, Timeline

KNOWN = Timeline(first=date(2012, 3, 4), today=date(2026, 11, 15))

DATES = st.dates(date(2012, 1, 1), date(2027, 12, 31))
SPANS = st.tuples(DATES, DATES).map(lambda pair: Span(min(pair), max(pair)))


def span(first, last):
    return Span(date.fromisoformat(first), date.fromisoformat(last))


def dates(found):
    return (str(found.first), str(found.last))


@pytest.mark.parametrize(
    ("text", "first", "last", "name"),
    [
        ("30d", "2026-10-17", "2026-11-15", "last 30 days"),
        ("12m", "2025-11-16", "2026-11-15", "last 12 months"),
        ("2025", "2025-01-01", "2025-12-31", "2025"),
        ("2024-02", "2024-02-01", "2024-02-29", "February 2024"),
        ("2025-12", "2025-12-01", "2025-12-31", "December 2025"),
        ("2024-12-30..2025-01-02", "2024-12-30", "2025-01-02", "30 Dec 2024 – 2 Jan 2025"),
        ("2025-03-05..2025-07-02", "2025-03-05", "2025-07-02", "5 Mar – 2 Jul 2025"),
        ("2025-03-05..2025-03-07", "2025-03-05", "2025-03-07", "5–7 Mar 2025"),
        ("2025-03-05..2025-03-05", "2025-03-05", "2025-03-05", "5 Mar 2025"),
        ("7d", "2026-11-09", "2026-11-15", "last 7 days"),
        ("month", "2026-11-01", "2026-11-30", "this month"),
        ("2025-summer", "2025-06-01", "2025-08-31", "summer 2025"),
        ("2023-winter", "2023-12-01", "2024-02-29", "winter 2023/24"),
        ("all", "2012-03-04", "2026-11-15", "all time"),
    ],
)
def test_a_period_in_a_url_is_parsed_to_dates_and_a_name(text, first, last, name):
    period = KNOWN.parse(text)

    assert dates(period) == (first, last)
    assert period.name == name
    assert period.text == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0d",
        "30",
        "99999d",
        "2025-13",
        "2025-02-30..2025-03-01",
        "2025-07-02..2025-03-05",
        "2025-W01",
        "20250101..20250201",
        "2025 ",
        "٢٠٢٥",
        "1800",
        "2025-monsoon",
        "9999",
        "2025-01-01..",
        "ALL",
    ],
)
def test_an_invalid_period_is_refused_with_the_valid_forms(text):
    with pytest.raises(PeriodError, match=r"Use a year \(2025\)"):
        KNOWN.parse(text)


@pytest.mark.parametrize(
    ("text", "before"),
    [
        ("2025", "2024"),
        ("2025-03", "2025-02"),
        ("2025-01", "2024-12"),
        ("30d", "2026-09-17..2026-10-16"),
        ("12m", "2024-11-16..2025-11-15"),
        ("2024-02-01..2024-02-29", "2024-01"),
        ("2025-03-05..2025-03-14", "2025-02-23..2025-03-04"),
        ("2014", "2013"),
        ("2025-summer", "2024-summer"),
    ],
)
def test_a_period_is_compared_with_the_previous_one(text, before):
    assert KNOWN.compare(KNOWN.parse(text)).before.text == before


@pytest.mark.parametrize(
    ("text", "before"),
    [
        ("2026", "2025-01-01..2025-11-15"),
        ("2026-11", "2026-10-01..2026-10-15"),
        ("month", "2026-10-01..2026-10-15"),
        ("2026-autumn", "2025-09-01..2025-11-15"),
        ("2026-11-01..2026-12-24", "2026-10-17..2026-10-31"),
    ],
)
def test_an_unfinished_period_is_compared_with_equally_many_earlier_days(text, before):
    assert KNOWN.compare(KNOWN.parse(text)).before.text == before


def test_the_29th_of_february_is_compared_with_the_28th():
    known = Timeline(first=date(2012, 3, 4), today=date(2024, 2, 29))

    assert known.compare(known.parse("2024")).before.last == date(2023, 2, 28)
    assert dates(known.parse("12m")) == ("2023-03-01", "2024-02-29")


def test_march_to_the_30th_is_compared_with_all_of_february():
    known = Timeline(first=date(2012, 3, 4), today=date(2025, 3, 30))

    assert known.compare(known.parse("2025-03")).before.last == date(2025, 2, 28)


@pytest.mark.parametrize("text", ["all", "2012", "2012-03", "2011"])
def test_a_period_is_not_compared_with_one_before_the_first_play(text):
    assert KNOWN.compare(KNOWN.parse(text)) is None


@pytest.mark.parametrize(
    ("text", "gaps", "is_fair", "doubt"),
    [
        ("2014", [], True, ""),
        ("2013", [], False, "63 of 366 days unknown in 2012"),
        ("2025", [("2024-03-01", "2024-03-10")], True, "10 of 366 days unknown in 2024"),
        (
            "2025-04",
            [("2025-03-01", "2025-03-04")],
            False,
            "4 of 31 days unknown in March 2025",
        ),
        ("2025-03", [("2025-03-30", "2025-04-20")], True, "2 of 31 days unknown in March 2025"),
        (
            "2026-11",
            [("2026-11-14", "2026-11-14"), ("2026-11-14", "2026-11-15")],
            False,
            "2 of 15 days unknown in November 2026",
        ),
        ("2012-04", [], True, "3 of 31 days unknown in March 2012"),
    ],
)
def test_a_comparison_is_fair_if_90_percent_of_both_periods_is_known(text, gaps, is_fair, doubt):
    known = Timeline(KNOWN.first, KNOWN.today, tuple(span(*gap) for gap in gaps))
    comparison = known.compare(known.parse(text))

    assert (comparison.is_fair, comparison.doubt) == (is_fair, doubt)


@pytest.mark.parametrize(
    ("text", "back", "on"),
    [
        ("2025", "2024", "2026"),
        ("2026", "2025", None),
        ("2012", None, "2013"),
        ("2025-12", "2025-11", "2026-01"),
        ("2025-summer", "2025-spring", "2025-autumn"),
        ("2025-winter", "2025-autumn", "2026-spring"),
        ("2026-spring", "2025-winter", "2026-summer"),
        ("2012-spring", None, "2012-summer"),
        ("12m", "2024-11-16..2025-11-15", None),
        ("2025-03-05..2025-03-14", "2025-02-23..2025-03-04", "2025-03-15..2025-03-24"),
        ("all", None, None),
    ],
)
def test_previous_and_next_lead_to_the_adjacent_periods(text, back, on):
    period = KNOWN.parse(text)
    steps = [step and step.text for step in (KNOWN.step(period, -1), KNOWN.step(period, 1))]

    assert steps == [back, on]


@pytest.mark.parametrize(
    ("given", "parts"),
    [
        (("2025-01-01", "2025-12-31"), (None, ("2025-01-01", "2025-12-31"), None)),
        (
            ("2024-12-30", "2025-03-02"),
            (
                ("2024-12-30", "2024-12-31"),
                ("2025-01-01", "2025-02-28"),
                ("2025-03-01", "2025-03-02"),
            ),
        ),
        (("2025-03-05", "2025-03-20"), (("2025-03-05", "2025-03-20"), None, None)),
        (("2025-03-05", "2025-04-20"), (("2025-03-05", "2025-04-20"), None, None)),
        (("2024-02-01", "2024-02-29"), (None, ("2024-02-01", "2024-02-29"), None)),
        (("2024-02-01", "2024-02-28"), (("2024-02-01", "2024-02-28"), None, None)),
        (
            ("2024-01-31", "2024-02-29"),
            (("2024-01-31", "2024-01-31"), ("2024-02-01", "2024-02-29"), None),
        ),
        (
            ("2026-10-17", "2026-11-15"),
            (("2026-10-17", "2026-10-31"), ("2026-11-01", "2026-11-30"), None),
        ),
    ],
)
def test_a_span_is_split_into_whole_months_and_the_days_around_them(given, parts):
    found = KNOWN.parts(span(*given))

    assert found == Parts(*(each and span(*each) for each in parts))


@given(SPANS)
def test_whole_months_and_days_around_them_cover_each_day_once(each):
    parts = KNOWN.parts(each)
    days = [
        part.first + timedelta(days=at)
        for part in (parts.head, parts.months, parts.tail)
        if part
        for at in range(part.days)
    ]
    inside = [day for day in days if each.first <= day <= each.last]

    assert inside == each.dates
    # The other days belong to a month's rest without plays.
    assert all(day > KNOWN.today for day in days if day > each.last)
    assert all(day < KNOWN.first for day in days if day < each.first)


@given(SPANS)
def test_going_to_the_next_period_and_back_returns_the_same_dates(each):
    forever = Timeline(date(1900, 1, 1), date(2199, 12, 31))
    back = forever.step(named(each), -1)
    assert back is not None

    assert dates(forever.step(back, 1)) == dates(each)
    assert back.last == each.first - timedelta(days=1)


@given(SPANS)
def test_the_url_form_of_a_span_parses_to_the_same_dates(each):
    assert dates(KNOWN.parse(named(each).text)) == dates(each)


def test_the_period_menu_lists_years_from_today_to_the_first_play():
    years = Timeline(date(2024, 11, 4), date(2026, 2, 15)).years()

    assert [year.text for year, _ in years] == ["2026", "2025", "2024"]
    assert [each.text for each in years[0][1]] == ["2026-02", "2026-01"]
    assert [each.text for each in years[1][1]][:5] == [
        *("2025-winter", "2025-autumn", "2025-summer", "2025-spring"),
        "2025-12",
    ]
    assert len(years[1][1]) == 4 + 12
    assert [each.text for each in years[2][1]] == [
        *("2024-winter", "2024-autumn"),
        *("2024-12", "2024-11"),
    ]


def test_the_shown_dates_of_an_unfinished_period_end_today():
    assert KNOWN.elapsed(KNOWN.parse("2026")) == Span(date(2026, 1, 1), date(2026, 11, 15))
    assert KNOWN.elapsed(KNOWN.parse("2025")).last == date(2025, 12, 31)
    assert KNOWN.elapsed(KNOWN.parse("2027")).days == 1


@pytest.mark.parametrize(
    ("day", "months", "result"),
    [
        ("2024-02-29", -12, "2023-02-28"),
        ("2025-01-31", 1, "2025-02-28"),
        ("2025-01-31", -2, "2024-11-30"),
    ],
)
def test_adding_months_ends_on_the_last_day_of_a_shorter_month(day, months, result):
    assert str(add_months(date.fromisoformat(day), months)) == result


def test_previous_and_next_of_the_last_30_days_move_by_30_days():
    known = Timeline(first=date(2012, 3, 4), today=date(2026, 11, 30))

    assert known.compare(known.parse("30d")).before.text == "2026-10-02..2026-10-31"
    assert known.compare(known.parse("2026-11")).before.text == "2026-10"
