"""No span covers an unread play, even if parts of an export are lost or damaged."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.collector.backfill.domain.coverage import NEW_YEAR, Part, covered
from shared.models import Span

DAY = timedelta(days=1)
BEGAN_AT = datetime(2023, 6, 1, 12, tzinfo=UTC)
FOLDER = "Spotify Extended Streaming History"


class Cut(NamedTuple):
    """One part of a complete export, as Spotify makes it."""

    path: str
    plays: tuple[datetime, ...]


def cut_at(plays: Sequence[datetime], draw: Callable[..., Any]) -> list[tuple[datetime, ...]]:
    places = draw(st.sets(st.integers(1, max(1, len(plays) - 1)), max_size=5))
    ends = [0, *sorted(place for place in places if place < len(plays)), len(plays)]
    return [tuple(plays[start:end]) for start, end in pairwise(ends)]


def shuffled(plays, draw):
    parts = cut_at(draw(st.permutations(plays)), draw)
    names = [f"endsong_{n}" for n in range(len(parts))] if len(parts) > 1 else ["endsong"]
    return [Cut(f"MyData/{name}.json", part) for name, part in zip(names, parts, strict=True)]


def running(plays, draw):
    cuts = []
    for number, part in enumerate(cut_at(plays, draw)):
        first, last = part[0].year, part[-1].year
        years = f"{first}" if first == last else f"{first}-{last}"
        cuts.append(Cut(f"{FOLDER}/Streaming_History_Audio_{years}_{number}.json", part))
    return cuts


def yearly(plays, draw):
    cuts = []
    for year in sorted({play.year for play in plays}):
        parts = cut_at([play for play in plays if play.year == year], draw)
        for number, part in enumerate(parts):
            name = f"{year}_{number}" if number else f"{year}"
            cuts.append(Cut(f"{FOLDER}/Streaming_History_Audio_{name}.json", part))
    return cuts


LAYOUTS = pytest.mark.parametrize("layout", [shuffled, running, yearly])
hours = st.sets(st.integers(0, 3 * 365 * 24), min_size=1, max_size=25)


def instants(hours: set[int]) -> list[datetime]:
    return [BEGAN_AT + timedelta(hours=hour) for hour in sorted(hours)]


def with_new_years(plays: list[datetime]) -> list[datetime]:
    """Add a play before and after each New Year; another test covers a silence there."""
    added = set(plays)
    for year in range(plays[0].year + 1, plays[-1].year + 1):
        new_year = datetime(year, 1, 1, tzinfo=UTC)
        added |= {new_year - DAY, new_year + DAY}
    return sorted(added)


def whole(cut: Cut) -> Part:
    span = Span(started_at=min(cut.plays), ended_at=max(cut.plays))
    return Part(cut.path, span, is_whole=True)


@LAYOUTS
@given(hours=hours, data=st.data())
def test_a_complete_export_of_any_layout_gives_one_coverage_span(layout, hours, data):
    plays = with_new_years(instants(hours))

    spans = covered(map(whole, layout(plays, data.draw)))

    assert spans == (Span(started_at=plays[0], ended_at=plays[-1]),)


def damaged(cut: Cut, damage: str, draw: Callable[..., Any]) -> list[Part]:
    """Return the rest of a damaged part."""
    if damage == "dropped":
        return []
    if damage == "unreadable":
        return [Part(cut.path, None, is_whole=False)]
    if damage == "broken":
        read = draw(st.lists(st.sampled_from(cut.plays), min_size=1))
        return [whole(cut._replace(plays=tuple(read)))._replace(is_whole=False)]
    if damage == "renamed":
        return [whole(cut._replace(path=cut.path.replace(".json", " (1).json")))]
    return [whole(cut)]


DAMAGES = st.sampled_from(["none", "none", "none", "dropped", "unreadable", "broken", "renamed"])


@LAYOUTS
@settings(max_examples=300)
@given(hours=hours, data=st.data())
def test_no_coverage_span_contains_a_play_that_was_not_read(layout, hours, data):
    cuts = layout(instants(hours), data.draw)
    done = [(cut, data.draw(DAMAGES)) for cut in cuts]
    parts = [part for cut, damage in done for part in damaged(cut, damage, data.draw)]

    spans = covered(data.draw(st.permutations(parts)))

    lost = [cut for cut, damage in done if damage in {"dropped", "unreadable", "broken"}]
    unseen = {cut.path for cut in names_cannot_show(layout, done)}
    visible = [play for cut in lost if cut.path not in unseen for play in cut.plays]
    assert not [play for play in visible for span in spans if within(play, span)]


@given(hours=hours, data=st.data())
def test_plays_of_a_lost_yearly_file_count_as_covered_only_in_gaps_of_up_to_three_days(hours, data):
    cuts = yearly(instants(hours), data.draw)
    done = [(cut, data.draw(st.sampled_from(["none", "dropped"]))) for cut in cuts]

    spans = covered(whole(cut) for cut, damage in done if damage == "none")

    kept = [play for cut, damage in done if damage == "none" for play in cut.plays]
    lost = [play for cut, damage in done if damage == "dropped" for play in cut.plays]
    wrong = [play for play in lost if any(within(play, span) for span in spans)]
    assert all(silence_around(play, kept) <= NEW_YEAR for play in wrong)


def names_cannot_show(layout, done) -> list[Cut]:
    """Return the dropped last parts of an old export or of a year."""
    dropped: list[Cut] = []
    for (cut, damage), (later, _) in zip(done[::-1], [(None, ""), *done[::-1]], strict=False):
        ends = later is None or (layout is yearly and later.plays[0].year > cut.plays[0].year)
        hidden = ends or bool(dropped and dropped[-1] is later)
        if layout is not running and damage == "dropped" and hidden:
            dropped.append(cut)
    return dropped


def within(play: datetime, span: Span) -> bool:
    return span.started_at < play < span.ended_at


def silence_around(play: datetime, kept: list[datetime]) -> timedelta:
    before = max(other for other in kept if other < play)
    return min(other for other in kept if other > play) - before
