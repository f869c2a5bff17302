"""`plays heal`: ask for the features of tracks now, not at the next hour."""

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Annotated

import typer

from cli.errors import CommandError, interruptible
from cli.lambda_calls import call
from cli.options import JsonOption, target_of
from cli.output import Document, Instant, emit, estimate_progress, show
from cli.target import Target
from services.enricher.healing import Healing
from shared.models import iso

STEP_TRACKS = 200
"""Tracks between two moves of the progress bar: five calls of each kind, some seconds."""

BY_ITSELF = "what was learnt is kept, and healing goes on by itself every hour"

_TRACK = re.compile(
    r"(?:spotify:track:|https?://open\.spotify\.com/(?:intl-\w+/)?track/)?([0-9A-Za-z]{22})(?:\?.*)?"
)


class Healed(Document):
    """What all healings of one run came to, in tracks."""

    asked: int = 0
    learned: int = 0
    missed: int = 0
    postponed: int = 0
    remaining: int = 0
    blocked_until: Instant | None = None

    def followed_by(self, healing: Healing) -> "Healed":
        """Add one more healing."""
        return Healed(
            asked=self.asked + healing.asked,
            learned=self.learned + healing.learned,
            missed=self.missed + healing.missed,
            postponed=self.postponed + healing.postponed,
            remaining=healing.remaining,
            blocked_until=healing.blocked_until,
        )


def _uri(text: str) -> str:
    """Read what a person copies out of Spotify, or out of a table."""
    found = _TRACK.fullmatch(text.strip())
    if found is None:
        raise CommandError(
            f"{text!r} is no track: give spotify:track:…, a link to open.spotify.com/track/…, "
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
            help="Ask for this one, known or not, due or not: its uri, link or id. Repeatable.",
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Ask for the audio features and popularity that are still missing.

    A track that no source knows yet is due again 1, 7, 30 and 90 days later; one that a failing
    source could not tell of, when the source may be asked again. What is due heals by itself
    every hour: this command does it now, however much it is, and tells how long it takes.

    Features travel to Postgres by the same queue as plays, and are there some seconds later.
    """
    target = target_of(context)
    with interruptible(BY_ITSELF):
        healed = heal_all(target, tracks)
    if healed.blocked_until:
        raise CommandError(_barred(healed, healed.blocked_until))
    emit(healed) if as_json else show(_told(healed))


def heal_all(target: Target, tracks: list[str] | None) -> Healed:
    """Heal until nothing remains, or no source may be asked; shows how far it is.

    Raises:
        CommandError: The healer failed, or gets no further.
    """
    healed = Healed()
    # Without a cloud it fails here, before there is a bar.
    target.output("HealerFunction")
    with estimate_progress() as progress:
        bar = progress.add_task("asking", total=None)
        for healing in _healings(target, tracks):
            healed = healed.followed_by(healing)
            total = healed.asked + healed.remaining
            progress.update(bar, completed=healed.asked, total=total)
    return healed


def _healings(target: Target, tracks: list[str] | None) -> Iterator[Healing]:
    """Call the healer step by step; `remaining` counts what is left of all steps."""
    before = None
    while True:
        step = tracks[:STEP_TRACKS] if tracks else []
        event = {"tracks": step} if step else {"most": STEP_TRACKS}
        healing = Healing.model_validate_json(call(target, "Healer", event))
        if tracks:
            tracks = tracks[len(step) - healing.remaining :]
            healing = healing.model_copy(update={"remaining": len(tracks)})
        yield healing
        if healing.blocked_until or not healing.remaining:
            return
        if not healing.asked and healing.remaining == before:
            raise CommandError(
                f"healing gets no further, and {healing.remaining} tracks go on waiting: "
                "is a source named in feature_sources, and what does the healer's log say?"
            )
        before = healing.remaining


def _barred(healed: Healed, until: datetime) -> str:
    waiting = healed.remaining + healed.postponed
    learnt = f" (after {healed.learned} were learnt)" if healed.learned else ""
    return (
        f"no source of features takes calls until {iso(until)}{learnt}: "
        f"{waiting} tracks wait, and heal by themselves after that"
    )


def _told(healed: Healed) -> str:
    if not healed.asked:
        return "nothing is due: every track has its features, or waits for its next time"
    line = f"asked for {healed.asked:,} tracks: {healed.learned:,} learnt"
    if healed.missed:
        line += f", {healed.missed:,} known to no source yet"
    if healed.postponed:
        line += f", {healed.postponed:,} to be asked for again"
    return line
