"""`plays delete`: delete plays that match a rule, keep out later ones, and undo deletions."""

import re
from datetime import UTC, datetime
from typing import Annotated

import typer
from pydantic import ValidationError

from cli.commands.derive import AFTER_CTRL_C, derive_all
from cli.confirm import YesOption, confirm_by_name
from cli.deletions import (
    Preview,
    StoredDeletion,
    apply,
    describe,
    fetch_deletions,
    preview,
    sync_deletions,
    who,
)
from cli.errors import CommandError, interruptible
from cli.export_pages import fetch_extents
from cli.listeners import Listeners
from cli.local_time import local
from cli.options import FromOption, JsonOption, ListenerOption, ToOption, target_of
from cli.output import Document, emit, show, table
from cli.target import Target
from shared.archive import DEFAULT_LISTENER
from shared.deletions import Deletion, DeletionRule, Undo
from shared.faults import faults_of
from shared.queries import Reader

LINK = re.compile(r"https://open\.spotify\.com/(?:[\w-]+/)?track/(\w+)(?:\?.*)?")
_ADVICE = (
    "no plays were chosen: pass --track, --artist, --album, --platform, --shorter-than, --from or "
    "--to; or --list, or --undo NUMBER"
)


class Deletions(Document):
    """The output of `plays delete --list --json`: all deletions, including undone ones."""

    deletions: list[StoredDeletion]


class Moved(Document):
    """The result: how many plays were deleted, or brought back by --undo."""

    plays: int


def delete(
    context: typer.Context,
    *,
    listener: ListenerOption = DEFAULT_LISTENER,
    track: Annotated[
        list[str] | None,
        typer.Option(metavar="TRACK", help="Name, link or URI of a track. May be repeated."),
    ] = None,
    artist: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="An artist. May be repeated.")
    ] = None,
    album: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="An album. May be repeated.")
    ] = None,
    platform: Annotated[
        str | None,
        typer.Option(metavar="TEXT", help="A part of the device's name, as in an export."),
    ] = None,
    shorter_than: Annotated[
        int | None,
        typer.Option(metavar="SECONDS", min=1, help="Played for less than this, where known."),
    ] = None,
    first: FromOption = None,
    last: ToOption = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only show what would be deleted.")
    ] = False,
    list_all: Annotated[bool, typer.Option("--list", help="List all deletions.")] = False,
    undo: Annotated[
        int | None, typer.Option(metavar="NUMBER", help="Bring the plays of a deletion back.")
    ] = None,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Delete plays, such as children's music, and keep such plays out from now on.

    A play is deleted if it matches every option; if an option is repeated, one of its values is
    enough. Case does not matter. The command shows the plays, and asks you to type their number.
    Matching plays that polls, uploads or rebuilds bring later are kept out too. The archive keeps
    its files, and --undo brings the plays back.

    \b
    plays delete --artist "Peppa Pig" --artist Bluey
    plays delete --album Rain --from 2026-11-01T22:00
    plays delete --undo 3
    """  # noqa: D301 - click reads the control character as: keep these lines
    target = target_of(context)
    conditions = {
        "tracks": [_track(each) for each in track or []],
        "artists": artist or [],
        "albums": album or [],
        "platform": platform,
        "shorter_than_ms": shorter_than and shorter_than * 1_000,
    }
    chosen = any((*conditions.values(), first, last))
    if list_all or undo is not None:
        if chosen or dry_run or (list_all and undo is not None):
            raise CommandError("--list and --undo stand alone: only --json goes with them")
        _list(target, as_json=as_json) if undo is None else _undo(target, undo, as_json=as_json)
        return
    if not chosen:
        raise CommandError(_ADVICE)
    with target.database() as database:
        rule = _rule(conditions | _span(database, listener, first, last))
        found = preview(database, listener, rule)
    _delete(target, listener, rule, found, dry_run=dry_run, yes=yes, as_json=as_json)


def _delete(
    target: Target,
    listener: str,
    rule: DeletionRule,
    found: Preview,
    *,
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> None:
    if not as_json:
        _show(found)
    if dry_run:
        emit(found) if as_json else show(
            f"nothing was deleted; the rule would be: {describe(rule)}"
        )
        return
    Listeners(target).require(listener)
    confirm_by_name(
        f"this deletes {found.plays:,} plays of {listener}, and from now on keeps out: "
        f"{describe(rule)}",
        str(found.plays),
        yes=yes,
    )
    made = Deletion(
        listener=listener, rule=rule, deleted_at=datetime.now(UTC), deleted_by=who(target)
    )
    moved = _move(target, made)
    emit(Moved(plays=moved)) if as_json else show(
        f"{moved:,} plays are deleted: `plays delete --list` shows the number for --undo"
    )


def _undo(target: Target, number: int, *, as_json: bool) -> None:
    with target.database() as database:
        known = {each.number: each for each in fetch_deletions(database)}
    if number not in known or known[number].undone_at:
        raise CommandError(
            f"deletion {number} does not exist or is already undone: see `plays delete --list`"
        )
    moved = _move(
        target,
        Undo(
            listener=known[number].listener,
            deleted_at=known[number].deleted_at,
            undone_at=datetime.now(UTC),
            undone_by=who(target),
        ),
    )
    emit(Moved(plays=moved)) if as_json else show(f"{moved:,} plays are back")


def _move(target: Target, fact: Deletion | Undo) -> int:
    """Apply a deletion or an undo, archive it, and refresh the derived tables."""
    with interruptible(f"`plays delete --list` shows whether it is done; {AFTER_CTRL_C}"):
        sync_deletions(target)
        moved = apply(target, fact)
        sync_deletions(target)
        derive_all(target, {})
    return moved


def _list(target: Target, *, as_json: bool) -> None:
    with target.database() as database:
        deletions = fetch_deletions(database)
    if as_json:
        emit(Deletions(deletions=deletions))
        return
    if not deletions:
        show("no play was ever deleted")
        return
    for each in deletions:
        show(f"{each.number}  {describe(DeletionRule.model_validate(each.rule))}")
        show(f"   {each.listener}, {local(each.deleted_at)}, by {each.deleted_by}")
        if each.undone_at:
            show(f"   undone {local(each.undone_at)}, by {each.undone_by}")
        else:
            show(f"   plays kept out: {each.kept_out:,}")


def _show(found: Preview) -> None:
    if not (found.first_played_at and found.last_played_at):
        show("no play matches yet")
        return
    show(
        f"{found.plays:,} plays match, {found.minutes:,} minutes, from "
        f"{local(found.first_played_at)} to {local(found.last_played_at)}; most of them:"
    )
    shown = table("track", "artist", numbers=("plays",))
    for each in found.examples:
        shown.add_row(each.track_name, each.artist_name, f"{each.plays:,}")
    show(shown)


def _span(
    database: Reader, listener: str, first: datetime | None, last: datetime | None
) -> dict[str, object]:
    """Return --from and --to as instants, so that a later change of the time zone moves neither."""
    if not (first or last):
        return {}
    (extent,) = fetch_extents(database, listener, first, last)
    return {
        "since": datetime.fromisoformat(extent.since) if first else None,
        "until": datetime.fromisoformat(extent.until) if last else None,
    }


def _rule(conditions: dict[str, object]) -> DeletionRule:
    try:
        return DeletionRule.model_validate(conditions)
    except ValidationError as error:
        raise CommandError(
            f"invalid deletion, change its options: {'; '.join(faults_of(error))}"
        ) from None


def _track(text: str) -> str:
    """Return the URI for a link to a track; return any other text unchanged."""
    link = LINK.fullmatch(text)
    return f"spotify:track:{link[1]}" if link else text
