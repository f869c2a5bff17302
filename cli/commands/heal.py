"""`plays heal`: ask for missing audio features now, instead of within the hour."""

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Annotated

import typer

from cli.errors import CommandError, interruptible
from cli.local_time import local
from cli.options import JsonOption, target_of
from cli.output import Document, Instant, emit, estimate_progress, show
from cli.pending_features import PendingFeatures, pending_features, pending_tracks
from cli.target import Target
from services.enricher.healing import Healing

STEP_TRACKS = 200
"""Tracks between two updates of the progress bar: five calls of each kind, some seconds."""

AFTER_CTRL_C = "the features found so far are kept, and healing continues every hour"

_TRACK = re.compile(
    r"(?:spotify:track:|https?://open\.spotify\.com/(?:intl-\w+/)?track/)?([0-9A-Za-z]{22})(?:\?.*)?"
)


class Healed(Document):
    """Numbers of tracks, added up over all calls of the healer in one run."""

    asked: int = 0
    learned: int = 0
    missed: int = 0
    postponed: int = 0
    remaining: int = 0
    blocked_until: Instant | None = None
    pending: PendingFeatures | None = None
    """The tracks that still wait for features after the run."""

    def followed_by(self, healing: Healing) -> "Healed":
        """Return the sums of these results and those of the next call."""
        counted = ("asked", "learned", "missed", "postponed")
        return Healed(
            **{name: getattr(self, name) + getattr(healing, name) for name in counted},
            remaining=healing.remaining,
            blocked_until=healing.blocked_until,
        )


def _uri(text: str) -> str:
    """Return the track URI for a URI, link or id that a person copied from Spotify or a table."""
    found = _TRACK.fullmatch(text.strip())
    if found is None:
        raise CommandError(
            f"{text!r} is not a track: use spotify:track:…, a link to open.spotify.com/track/…, "
            "or the 22 letters and digits of its id"
        )
    return f"spotify:track:{found[1]}"


def _uris(texts: list[str] | None) -> list[str] | None:
    return list(dict.fromkeys(_uri(text) for text in texts)) if texts else None


def heal(
    context: typer.Context,
    *,
    tracks: Annotated[
        list[str] | None,
        typer.Option(
            "--track",
            metavar="TRACK",
            callback=_uris,
            help="Ask for this track now, even if its features are known: a URI, link or id. "
            "Repeatable.",
        ),
    ] = None,
    every: Annotated[
        bool,
        typer.Option("--all", help="Ask for every track without features, due or not."),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Ask again for missing audio features and popularity.

    A track that no source knows is due again after 1, 7, 30 and 90 days. A track whose source
    failed is due when that source may be asked again. The pipeline asks for due tracks every hour.
    This command asks for them now, shows how long it will still take, and counts the tracks that
    still wait.

    Features reach Postgres through the same queue as plays, some seconds later.
    """
    target = target_of(context)
    with interruptible(AFTER_CTRL_C):
        healed = heal_all(target, tracks or (pending_tracks(target) if every else None))
    if healed.blocked_until:
        raise CommandError(_rate_limited(healed, healed.blocked_until))
    healed = healed.model_copy(update={"pending": pending_features(target)})
    emit(healed) if as_json else show(*_lines(healed))


def heal_all(target: Target, tracks: list[str] | None) -> Healed:
    """Call the healer until no track is due or every source is rate-limited; show a progress bar.

    Raises:
        CommandError: The healer failed, or makes no progress.
    """
    healed = Healed()
    # If there is no cloud, this fails before the bar appears.
    target.output("HealerFunction")
    with estimate_progress() as progress:
        bar = progress.add_task("asking", total=None, visible=False)
        for healing in _healings(target, tracks):
            healed = healed.followed_by(healing)
            total = healed.asked + healed.remaining
            progress.update(bar, completed=healed.asked, total=total, visible=total > 0)
    return healed


def _healings(target: Target, tracks: list[str] | None) -> Iterator[Healing]:
    """Call the healer until no track is left; yield each result.

    `remaining` also counts the tracks that this command sends in later calls.
    """
    before = None
    while True:
        step = tracks[:STEP_TRACKS] if tracks else []
        event = {"tracks": step} if step else {"most": STEP_TRACKS}
        healing = Healing.model_validate_json(target.call("Healer", event))
        if tracks:
            tracks = tracks[len(step) - healing.remaining :]
            healing = healing.model_copy(update={"remaining": len(tracks)})
        yield healing
        if healing.blocked_until or not healing.remaining:
            return
        if not healing.asked and healing.remaining == before:
            raise CommandError(
                f"healing makes no progress with {healing.remaining} tracks: check that "
                "feature_sources in cdk.json names a source, and see the healer's log"
            )
        before = healing.remaining


def _rate_limited(healed: Healed, until: datetime) -> str:
    waiting = healed.remaining + healed.postponed
    found = f" (after features of {healed.learned} tracks were found)" if healed.learned else ""
    return (
        f"no source of features can be asked before {local(until)}{found}, because each failed or "
        f"is rate-limited (see `plays logs healer`): {waiting} tracks wait, and heal automatically "
        "after that"
    )


def _lines(healed: Healed) -> Iterator[str]:
    if healed.asked:
        line = f"asked for {healed.asked:,} tracks: features of {healed.learned:,} found"
        if healed.missed:
            line += f", {healed.missed:,} known to no source yet"
        if healed.postponed:
            line += f", {healed.postponed:,} postponed"
        yield line
    else:
        yield "no track is due"
    waiting = healed.pending
    if not waiting or not waiting.due_at:
        yield "no track waits for features"
        return
    failed = waiting.tracks - waiting.unknown_to_sources
    yield (
        f"{waiting.tracks:,} tracks wait for features: {waiting.unknown_to_sources:,} that no "
        f"source knows, {failed:,} whose source failed. The first is asked for again at "
        f"{local(waiting.due_at)}; `plays heal --all` asks for all now."
    )
