"""The views of what is known: listeners, open gaps, the health of each day in UTC."""

from datetime import UTC, date, datetime, time, timedelta

import pytest

from tests.integration.loader.reporting.stage import a_play

DAY_S, HOUR_S = 86_400, 3_600
KNOWN = ("listener", "data_health", "open_gap")


@pytest.fixture
def today(owner) -> date:
    """The current day in UTC."""
    ((day,),) = owner.run("SELECT (now() AT TIME ZONE 'UTC')::date")
    return day


@pytest.fixture
def at(today):
    """Return an instant so many days ago, at an hour of the day in UTC."""

    def instant(days_ago: int, hour: float = 0) -> datetime:
        midnight = datetime.combine(today - timedelta(days=days_ago), time(), UTC)
        return midnight + timedelta(hours=hour)

    return instant


@pytest.fixture
def watched(reporting, at):
    """Poll from the start of a day until now, as live capture without an outage."""
    return lambda days_ago: reporting.poll(at(days_ago), datetime.now(UTC))


@pytest.fixture
def health(reporting):
    """Read columns of reporting.data_health, the days in order."""

    def read(*columns, listener="me"):
        return reporting.reader.run(
            f"SELECT {', '.join(columns)} FROM reporting.data_health "  # noqa: S608 - our words
            "WHERE listener = :listener ORDER BY day",
            listener=listener,
        )

    return read


def test_view_data_health_has_a_row_for_each_day_since_the_first_play(health, reporting, at, today):
    reporting.store(a_play(at(3, 23.99)), a_play(at(1)))

    assert health("day", "plays") == [
        [today - timedelta(days=3), 1],
        [today - timedelta(days=2), 0],
        [today - timedelta(days=1), 1],
        [today, 0],
    ]


def test_view_data_health_starts_at_the_first_poll_if_no_play_is_older(
    health, reporting, at, today
):
    reporting.poll(at(2, 1))
    reporting.store(a_play(at(1)))

    assert health("day", "polls") == [
        [today - timedelta(days=2), 1],
        [today - timedelta(days=1), 0],
        [today, 0],
    ]


def test_data_health_views_are_empty_without_a_play_or_a_poll(reporting):
    assert [reporting.reader.run(f"TABLE reporting.{view}") for view in KNOWN] == [[], [], []]


def test_view_data_health_counts_plays_by_source(health, reporting, at):
    for n, source in enumerate(["recently-played", "extended-history", "both", "both"]):
        reporting.store(a_play(at(1, n), source=source))
    reporting.store(a_play(at(0)))

    assert health("plays", "live_plays", "export_plays", "both_plays") == [
        [4, 1, 1, 2],
        [1, 0, 1, 0],
    ]


def test_late_plays_count_on_the_day_of_the_poll_that_found_them(health, reporting, at):
    reporting.poll(at(1, 1), late=2)
    reporting.poll(at(1, 2), late=3)
    reporting.poll(at(0), late=7)

    assert health("polls", "late_plays") == [[2, 5], [1, 7]]


def test_data_health_rows_are_separate_for_each_listener(health, reporting, at):
    reporting.store(a_play(at(1)))
    reporting.poll(at(0), listener="zoe")
    reporting.gap(at(1), at(1, 6), listener="zoe")

    assert health("plays", "polls", "open_gap_s") == [[1, 0, 0], [0, 0, 0]]
    assert health("plays", "polls", listener="zoe") == [[0, 1]]


def test_view_listener_has_a_row_for_each_listener_with_a_play_or_a_poll(reporting, at):
    reporting.store(a_play(at(1)), a_play(at(0), listener="jane"))
    reporting.poll(at(0, 1), listener="jane")
    reporting.poll(at(0), listener="zoe")

    assert reporting.reader.run("TABLE reporting.listener ORDER BY 1") == [
        ["jane", at(0), at(0), at(0, 1), at(0, 1)],
        ["me", at(1), at(1), None, None],
        ["zoe", at(0), None, at(0), at(0)],
    ]


def test_time_without_polls_or_exports_has_zero_coverage(health, reporting, at):
    reporting.store(a_play(at(2)), a_play(at(1)))

    assert health("known_s", "open_gap_s", "coverage") == [[0, 0, 0]] * 3


def test_time_between_an_export_and_the_first_poll_has_zero_coverage(
    health, reporting, watched, at
):
    reporting.store(a_play(at(4)))
    reporting.report("upload", 0, (at(4), at(3, 6)))
    watched(1)

    assert health("known_s", "coverage")[:4] == [[DAY_S, 1], [21_600, 0.25], [0, 0], [DAY_S, 1]]


def test_time_between_the_first_and_last_poll_counts_as_covered(health, reporting, at):
    reporting.poll(at(3, 18), at(1, 6))

    assert health("known_s", "coverage") == [[21_600, 0.25], [DAY_S, 1], [21_600, 0.25], [0, 0]]


def test_seconds_covered_by_both_an_upload_and_polls_count_once(health, reporting, at):
    reporting.report("upload", 0, (at(2), at(2, 12)), (at(2, 6), at(2, 18)))
    reporting.poll(at(2), at(2, 15))

    assert health("known_s")[0] == [18 * HOUR_S]


def test_an_upload_counts_as_coverage_only_once_it_is_complete(health, reporting, at):
    reporting.store(a_play(at(2)))
    # This upload lacks a batch; the other one has no batches, so it is complete.
    reporting.report("loading", 1, (at(2), at(2, 12)))
    reporting.report("loaded", 0, (at(1), at(1, 12)))

    assert health("coverage")[:2] == [[0], [0.5]]


def test_an_upload_of_another_listener_adds_no_coverage(health, reporting, at):
    reporting.store(a_play(at(1)))
    reporting.report("upload", 0, (at(1), at(1, 12)), listener="zoe")

    assert health("known_s") == [[0], [0]]


def test_an_open_gap_reduces_the_coverage_of_each_day_it_touches(health, reporting, watched, at):
    watched(3)
    reporting.gap(at(3, 18), at(1, 6))

    assert health("open_gap_s", "coverage")[:3] == [[21_600, 0.75], [DAY_S, 0], [21_600, 0.75]]


@pytest.mark.parametrize(
    ("gaps", "gap_hours"),
    [
        pytest.param([(0, 6, {}), (3, 9, {}), (12, 15, {})], 12, id="overlapping gaps"),
        pytest.param([(0, 6, {"closed_at": 24})], 0, id="a closed gap"),
        pytest.param([(0, 6, {"closed_until": 4})], 2, id="a partly closed gap"),
        pytest.param([(6, 5, {})], 0, id="a gap that ends before its start"),
    ],
)
def test_overlapping_open_gaps_reduce_coverage_only_once(health, reporting, at, gaps, gap_hours):
    reporting.poll(at(1), datetime.now(UTC))
    for start, end, closed in gaps:
        closing = {column: at(1, hour) for column, hour in closed.items()}
        reporting.gap(at(1, start), at(1, end), **closing)

    assert health("open_gap_s", "coverage")[0] == [gap_hours * HOUR_S, 1 - gap_hours / 24]


def test_a_gap_without_an_end_lasts_until_now(health, reporting, watched, at):
    watched(2)
    reporting.gap(at(1, 12), None)

    (before, yesterday, now) = health("open_gap_s", "elapsed_s", "coverage")
    assert (before, yesterday) == ([0, DAY_S, 1], [DAY_S / 2, DAY_S, 0.5])
    assert now == [now[1], now[1], 0]


def test_view_open_gap_shows_the_part_of_a_gap_not_yet_closed(reporting, at):
    reporting.gap(at(2), at(2, 6), closed_until=at(2, 4))
    reporting.gap(at(1, 6), at(1, 5))
    reporting.gap(at(1, 7), at(1, 8), closed_at=at(0))

    assert reporting.reader.run(
        "SELECT started_at, ended_at, goes_on, length_s FROM reporting.open_gap ORDER BY 1"
    ) == [[at(2, 4), at(2, 6), False, 2 * HOUR_S], [at(1, 6), at(1, 5), False, 0]]


def test_coverage_of_today_counts_only_the_seconds_that_have_passed(health, reporting, at):
    reporting.store(a_play(at(1)))

    (yesterday, today) = health("elapsed_s")
    ((passed,),) = reporting.reader.run(
        "SELECT extract(epoch FROM now() - date_trunc('day', now(), 'UTC'))::float"
    )
    assert yesterday == [DAY_S]
    assert today == [pytest.approx(passed, abs=30)]


def test_features_coverage_counts_plays_whose_track_has_audio_features(health, reporting, at):
    reporting.know("a", tempo=120)
    reporting.know("b", popularity=50)
    reporting.store(*[a_play(at(1, hour), track) for hour, track in enumerate("aabc")])

    assert health("plays_with_features", "features_coverage") == [[2, 0.5], [0, None]]


def test_columns_of_reporting_views_have_lower_case_names_and_scalar_types(owner):
    columns = owner.run(
        "SELECT table_name, column_name, data_type FROM information_schema.columns "
        "WHERE table_schema = 'reporting' AND table_name <> 'import_result' "
        "AND (column_name <> lower(column_name) OR data_type NOT IN ('bigint', 'boolean', 'date', "
        "'double precision', 'integer', 'numeric', 'text', 'timestamp with time zone', "
        "'timestamp without time zone'))"
    )

    assert columns == []


def test_the_first_column_of_every_view_of_plays_is_listener(owner):
    first = owner.run(
        "SELECT table_name, column_name FROM information_schema.columns "
        "WHERE table_schema = 'reporting' AND table_name <> 'import_result' "
        "AND ordinal_position = 1 AND column_name <> 'listener'"
    )

    assert first == []
