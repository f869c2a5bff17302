"""`plays rebuild`: send the archive through the queues again."""

from datetime import datetime
from typing import Annotated, cast

import typer

from cli.commands.derive import refresh_or_note
from cli.commands.verify import chosen_listeners
from cli.deletions import sync_deletions
from cli.errors import interruptible
from cli.from_option import ArchivedFromOption
from cli.local_time import local
from cli.options import (
    DEFAULT_TIMEOUT_S,
    JsonOption,
    OptionalListenerOption,
    TimeoutOption,
    WaitOption,
    target_of,
)
from cli.output import emit, show
from cli.rebuilder import Rebuild, Rebuilder
from cli.waiting import Waiting

STOPPED = "what was sent is loaded, the rest is not sent; run it again, which adds no play twice"


def rebuild(
    context: typer.Context,
    *,
    start: ArchivedFromOption = None,
    listener: OptionalListenerOption = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Count what would be sent; send nothing.")
    ] = False,
    wait: WaitOption = False,
    timeout: TimeoutOption = DEFAULT_TIMEOUT_S,
    as_json: JsonOption = False,
) -> None:
    """Send the archive through the queues again, which restores what Postgres has lost.

    Use it after a restore of an older backup, after a crash of the local cloud's AWS emulator, to
    fill an empty database, or after a release that reads more from the same files. Rows that are
    there already do not change. Gaps and coverage are computed from the archived poll answers, and
    audio features come from the track cache. Spotify is not called.

    With --from, only files that were archived since that date are sent. Run `plays verify` after
    it, which shows whether anything is still missing.
    """
    target = target_of(context)
    listeners = chosen_listeners(target, listener)
    rebuilder = Rebuilder(target, listeners, cast("datetime | None", start))
    if dry_run:
        result = rebuilder.count()
        emit(result) if as_json else show(_line(result, "would be sent"))
        return
    # Gaps are compared with Postgres, so send nothing without it.
    with target.database() as database:
        database.run("SELECT 1")
    waiting = Waiting(target, timeout) if wait else None
    with interruptible(STOPPED):
        # First, so that deleted plays stay out of an emptied database.
        sync_deletions(target)
        result = rebuilder.send()
    if waiting:
        with interruptible("everything is sent and continues loading; see `plays status`"):
            rebuilder.wait(waiting)
        result = result.model_copy(update={"loaded": True})
        refresh_or_note(target)
    emit(result) if as_json else show(_line(result, "sent"))


def _line(result: Rebuild, verb: str) -> str:
    since_ = f" since {local(result.since)}" if result.since else ""
    line = (
        f"{result.uploads:,} uploads ({result.upload_bytes / 1e6:,.1f} MB) and {result.answers:,} "
        f"answers of {', '.join(result.listeners)}{since_} {verb}"
    )
    if result.gaps:
        line += f", {result.gaps:,} gaps put right"
    if result.dry_run:
        return line
    return f"{line} and loaded" if result.loaded else f"{line}; `plays status` shows the queues"
