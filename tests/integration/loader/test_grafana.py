"""docs/grafana/listening.json: its queries run, its panels get their columns, and it imports."""

import json
import re
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from shared.queries import Query
from shared.query_texts import decode
from tests.integration.loader.small_history import BOATS, TRAINS, hear, refresh, store

DASHBOARD = json.loads(
    (Path(__file__).parents[3] / "docs" / "grafana" / "listening.json").read_text()
)
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
VARIABLES = {variable["name"]: variable for variable in DASHBOARD["templating"]["list"]}
COUNTS = [option["value"] for option in VARIABLES["count"]["options"]]
(GAPS,) = DASHBOARD["annotations"]["list"]
SOURCE = {"type": "grafana-postgresql-datasource", "uid": "${DS_LISTENING}"}
YEARS = ("2019-03-01T00:00:00Z", "2024-12-31T23:59:59.999Z")


class Found(NamedTuple):
    columns: list[str]
    rows: list[tuple[Any, ...]]


def clock(text: str) -> datetime:
    """Return a local time of the listener, without a zone."""
    return datetime.fromisoformat(text)


def fill_in(sql: str, count: str, time_range: tuple[str, str]) -> str:
    """Replace variables and macros as Grafana does.

    Sources:
        https://grafana.com/docs/grafana/latest/dashboards/variables/variable-syntax/
        https://grafana.com/docs/grafana/latest/datasources/postgres/query-editor/#macros
    """
    values = {"listener": "me", "count": count}
    for name, value in values.items():
        quoted = "'" + value.replace("'", "''") + "'"
        sql = sql.replace(f"${{{name}:sqlstring}}", quoted).replace(f"${{{name}:raw}}", value)
    start, end = (f"'{instant}'" for instant in time_range)
    macros: dict[str, Callable[[str], str]] = {
        "__timeFilter": lambda column: f"{column} BETWEEN {start} AND {end}",
        "__timeFrom": lambda _: start,
        "__timeTo": lambda _: end,
    }
    # An argument ends at the first closing parenthesis.
    return re.sub(
        r"\$([_a-zA-Z0-9]+)\(([^)]*)\)", lambda match: macros[match[1]](match[2].strip()), sql
    )


@pytest.fixture
def query(database, owner, connect):
    """Store the small history, and query it as role report_reader in a distant time zone."""
    store(database, owner)
    tool = connect("report_reader")

    def run(target: dict[str, Any], count: str = "plays_30s", time_range=YEARS) -> Found:
        refresh(database)
        tool.run("SET TimeZone TO 'Pacific/Kiritimati'")
        result = tool.read(Query(sql=fill_in(target["rawSql"], count, time_range)))
        columns = [column.name for column in result.columns]
        return Found(columns, [tuple(row) for row in decode(result)])

    return run


@pytest.fixture
def show(query):
    """Return the rows of the panel with this title."""

    def rows(title: str, **changes: Any) -> list[tuple[Any, ...]]:
        (panel,) = [panel for panel in PANELS if panel["title"] == title]
        return query(panel["targets"][0], **changes).rows

    return rows


def targets() -> list[Any]:
    return [
        pytest.param(panel, target, id=panel["title"])
        for panel in PANELS
        for target in panel["targets"]
    ]


def counted_targets() -> list[Any]:
    """Return each query with each value of the variable `count`."""
    return [
        pytest.param(*each.values, count, id=f"{each.id}-{count}")
        for each in targets()
        for count in (COUNTS if "${count" in each.values[1]["rawSql"] else COUNTS[:1])
    ]


@pytest.mark.parametrize(("panel", "target", "count"), counted_targets())
def test_each_grafana_query_returns_the_columns_its_panel_needs(panel, target, count, query):
    found = query(target, count)

    assert found.rows
    overridden = {override["matcher"]["options"] for override in panel["fieldConfig"]["overrides"]}
    chosen = {panel["options"]["xField"]} if "xField" in panel["options"] else set()
    assert overridden | chosen <= set(found.columns)


@pytest.mark.parametrize(
    ("panel", "target"),
    [each for each in targets() if each.values[1]["format"] == "time_series"],
)
def test_a_time_series_query_returns_sorted_times_and_numbers(panel, target, query):
    found = query(target)

    times = [row[found.columns.index("time")] for row in found.rows]
    assert times == sorted(times)
    assert {type(time) for time in times} <= {date, datetime}
    others = {
        type(value)
        for row in found.rows
        for name, value in zip(found.columns, row, strict=True)
        if name != "time"
    }
    assert others <= {int, float, Decimal, type(None)}


@pytest.mark.parametrize(
    ("panel", "target"), [each for each in targets() if each.values[0]["type"] == "stat"]
)
def test_a_stat_panel_query_returns_one_row_of_numbers(panel, target, query):
    (row,) = query(target).rows

    assert {type(value) for value in row} <= {int, float, Decimal, type(None)}


def test_the_dashboard_variable_listener_offers_every_listener(query):
    assert query({"rawSql": VARIABLES["listener"]["query"]}).rows == [("anna",), ("me",)]


def test_gap_annotations_use_the_listeners_local_time(query):
    found = query(GAPS["target"])

    assert found == (
        ["time", "timeend", "text"],
        [(clock("2024-07-01 00:00"), clock("2024-07-02 00:00"), "Plays may be missing: no answer")],
    )


def test_a_gap_outside_the_dashboards_time_range_is_not_shown(query):
    assert query(GAPS["target"], time_range=("2024-07-03T00:00:00Z", YEARS[1])).rows == []


def test_totals_are_compared_with_an_equal_number_of_preceding_days(show):
    # The third evening and a day without a play; the first and second evening.
    two_days = ("2019-03-12T00:00:00Z", "2019-03-13T23:59:59Z")

    assert show("${count:text}", time_range=two_days) == [(1, 2)]
    assert show("${count:text}", count="minutes", time_range=two_days) == [(4, Decimal("8.33"))]


def test_panels_use_the_listeners_local_days_in_any_grafana_time_zone(show):
    night = ("2019-03-16T00:00:00Z", "2019-03-16T23:59:59Z")

    assert show("${count:text} a day", time_range=night) == [
        (date(2019, 3, 16), 1, pytest.approx(Decimal("0.571"), abs=Decimal("0.001")))
    ]


@pytest.mark.parametrize(
    ("count", "first"),
    [("plays_30s", ("Boats", 3)), ("plays_all", ("Trains", 4)), ("minutes", ("Boats", 12))],
)
def test_a_top_list_is_sorted_by_the_measure_chosen_in_variable_count(count, first, show, database):
    for skipped_at in ("2019-03-20 12:00", "2019-03-20 12:01"):
        hear(database, TRAINS, skipped_at, 0.1)
    # In the last hours of March in UTC, but in April in the listener's zone.
    hear(database, BOATS, "2019-04-01 00:10", 4)
    march = ("2019-03-20T00:00:00Z", "2019-03-21T00:00:00Z")

    track, _, counted, _ = show("Tracks", count=count, time_range=march)[0]

    assert (track, counted) == first


def test_the_variety_panel_counts_all_days_of_each_month_in_the_time_range(show):
    assert show("Variety", time_range=("2019-03-31T00:00:00Z", "2019-05-01T00:00:00Z")) == [
        (2, 2, 2)
    ]


def test_the_streaks_panel_uses_the_chosen_counting_rule(show, database):
    hear(database, BOATS, "2019-03-13 12:00", 0.1)

    assert show("Streaks of all time", count="plays_30s") == [(3, 0)]
    assert show("Streaks of all time", count="minutes") == [(4, 0)]


def test_the_hour_and_weekday_panel_leaves_hours_without_plays_empty(show):
    rows = show("Hour and weekday", time_range=("2019-03-01T00:00:00Z", "2019-03-31T00:00:00Z"))

    assert [row[0] for row in rows] == [f"{hour:02}:00" for hour in range(24)]
    assert rows[0] == ("00:00", None, None, None, None, None, 1, None)
    assert rows[22] == ("22:00", 1, 1, None, None, None, None, None)


def test_the_last_plays_panel_selects_plays_by_the_listeners_local_day(show):
    night = ("2019-03-16T00:00:00Z", "2019-03-16T23:59:59Z")

    assert show("Last plays", time_range=night) == [
        (clock("2019-03-16 00:10"), "Trains", "Other", 5, False)
    ]


def test_one_panel_splits_the_plays_of_each_month_by_new_and_known_artists(show):
    assert show("Plays of new and known artists") == [
        ("2019-03", 5, 0),
        ("2019-05", 0, 1),
        ("2020-01", 0, 2),
        ("2023-05", 20, 0),
        ("2024-06", 0, 3),
    ]


def test_the_dashboard_json_has_the_fields_that_grafana_documents():
    """https://grafana.com/docs/grafana/latest/dashboards/build-dashboards/view-dashboard-json-model/"""
    assert isinstance(DASHBOARD["schemaVersion"], int)
    assert 8 <= len(DASHBOARD["uid"]) <= 40
    assert DASHBOARD["id"] is None
    assert DASHBOARD["title"]
    assert set(DASHBOARD["time"]) == {"from", "to"}


def test_the_grafana_dashboard_sets_its_time_zone_to_utc():
    assert DASHBOARD["timezone"] == "utc"


def test_every_dashboard_query_uses_the_data_source_chosen_at_import():
    (chosen,) = DASHBOARD["__inputs"]
    asked = [GAPS, GAPS["target"], VARIABLES["listener"], *PANELS]
    asked += [target for panel in PANELS for target in panel["targets"]]

    assert chosen["name"] == "DS_LISTENING"
    assert (chosen["type"], chosen["pluginId"]) == ("datasource", SOURCE["type"])
    assert [each["datasource"] for each in asked] == [SOURCE] * len(asked)


def test_the_dashboard_declares_every_panel_type_it_uses():
    required = {each["id"] for each in DASHBOARD["__requires"] if each["type"] == "panel"}

    assert required == {panel["type"] for panel in PANELS}


def test_every_dashboard_variable_used_in_a_query_is_defined():
    used = set(re.findall(r"\$\{(\w+)", json.dumps(DASHBOARD)))

    assert used == set(VARIABLES) | {"DS_LISTENING"}


def test_the_options_listed_for_variable_count_match_its_query():
    # Grafana recomputes the options from the query, which lists `text : value`.
    listed = [part.strip().split(" : ") for part in VARIABLES["count"]["query"].split(",")]

    assert listed == [[each["text"], each["value"]] for each in VARIABLES["count"]["options"]]


def test_panels_have_distinct_ids_and_do_not_overlap():
    boxes = [panel["gridPos"] for panel in DASHBOARD["panels"]]

    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(boxes)
    assert all(box["x"] >= 0 and box["x"] + box["w"] <= 24 for box in boxes)
    assert not [
        (one, other)
        for one, other in combinations(boxes, 2)
        if one["x"] < other["x"] + other["w"]
        and other["x"] < one["x"] + one["w"]
        and one["y"] < other["y"] + other["h"]
        and other["y"] < one["y"] + one["h"]
    ]
