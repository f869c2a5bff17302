"""The page Mood: average audio features by month and hour, and the share of plays with them."""

from dataclasses import dataclass
from math import ceil, floor
from typing import Any

from dashboard.amounts import card, months_of, with_table
from dashboard.ask import Row
from dashboard.drawing import HOURS, line
from dashboard.format import month, number, percent
from dashboard.view import View


@dataclass(frozen=True)
class Feature:
    """One audio feature; its axis starts and ends at multiples of `grain`."""

    name: str
    title: str
    meaning: str
    grain: float = 0.1

    def write(self, value: float | None) -> str:
        """Write a value: a share in percent, a tempo in beats per minute."""
        return percent(value) if self.grain < 1 else number(value and round(value))


FEATURES = (
    Feature("energy", "Energy", "fast, loud and dense"),
    Feature("valence", "Cheerfulness", "valence: glad rather than sad"),
    Feature("danceability", "Danceability", "a steady beat"),
    Feature("acousticness", "Acoustic", "without amplifiers"),
    Feature("instrumentalness", "Instrumental", "without words"),
    Feature("tempo", "Tempo", "beats a minute", 10),
)


def page(view: View) -> dict[str, Any]:
    """Return the variables of the page's template."""
    rows = view.ask.rows("mood.hours")
    earlier = view.at(view.before).ask.rows("mood.hours") if view.before else []
    firsts = months_of(view.shown)
    return {
        "coverage": _coverage(rows),
        "known": sum(row["plays_with_features"] for row in rows),
        "plays": sum(row["plays_all"] for row in rows),
        "cards": [_card(view, feature, rows, earlier) for feature in FEATURES],
        "by_month": _curves(
            [[row for row in rows if row["listened_month"] == first] for first in firsts],
            [month(first) for first in firsts],
            [view.url("mood", period=f"{first:%Y-%m}") for first in firsts],
        )
        if len(firsts) > 1
        else None,
        "by_hour": _curves(
            [[row for row in rows if row["hour"] == hour] for hour in range(HOURS)],
            [f"{hour:02}:00" for hour in range(HOURS)],
            [view.url("plays", hour=hour) for hour in range(HOURS)],
        ),
    }


def average(rows: list[Row], name: str) -> float | None:
    """Return the mean of a feature over the plays for which it is known; None if there are none."""
    known = [(float(row[name]), row[f"{name}_plays"]) for row in rows if row[name] is not None]
    weight = sum(count for _, count in known)
    return sum(value * count for value, count in known) / weight if weight else None


def _coverage(rows: list[Row]) -> float | None:
    total = sum(row["plays_all"] for row in rows)
    return sum(row["plays_with_features"] for row in rows) / total if total else None


def _card(view: View, feature: Feature, rows: list[Row], earlier: list[Row]) -> dict[str, Any]:
    now, before = average(rows, feature.name), average(earlier, feature.name)
    return card(
        view,
        feature.title.lower(),
        feature.write(now),
        feature.write(before),
        about=feature.meaning,
    )


def _curves(steps: list[list[Row]], names: list[str], hrefs: list[str]) -> dict[str, Any]:
    """Return one curve for each feature; the line is interrupted at unknown values.

    `steps` are the rows of each month or hour; `names` and `hrefs` are its name and address.
    """
    drawn = [_curve(feature, steps) | {"names": names, "hrefs": hrefs} for feature in FEATURES]
    return with_table(drawn)


def _curve(feature: Feature, steps: list[list[Row]]) -> dict[str, Any]:
    values = [average(rows, feature.name) for rows in steps]
    low, high = _scale([value for value in values if value is not None], feature.grain)
    texts = [feature.write(value) for value in values]
    return {
        "title": feature.title,
        "meaning": feature.meaning,
        "line": line(values, low, high),
        "low": feature.write(low),
        "high": feature.write(high),
        "values": texts,
    }


def _scale(values: list[float], grain: float) -> tuple[float, float]:
    """Return both ends of an axis that holds all values: multiples of `grain`, 2 or more apart."""
    low, high = floor(min(values, default=0) / grain), ceil(max(values, default=1) / grain)
    if high - low < 2:  # noqa: PLR2004 - a smaller range would exaggerate noise
        low = max(low - 1, 0)
        high = max(high, low + 2)
    return low * grain, high * grain
