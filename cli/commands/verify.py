"""`plays verify`: compare the archive with Postgres."""

from datetime import datetime, timedelta
from typing import cast

import typer

from cli.errors import interruptible
from cli.from_option import ArchivedFromOption
from cli.listeners import Listeners
from cli.options import JsonOption, OptionalListenerOption, target_of
from cli.output import emit, facts, note, show
from cli.target import Target
from cli.verification.verify import Verification, Verifier
from cli.waiting import wait_for_quiet

DIFFERS = 3
"""The exit code if something differs; 1: it could not be compared; 2: wrong arguments."""
QUIET_S = 60
"""Longest wait for messages on their way to Postgres, which are no difference."""


def verify(
    context: typer.Context,
    *,
    start: ArchivedFromOption = None,
    listener: OptionalListenerOption = None,
    as_json: JsonOption = False,
) -> None:
    """Prove that nothing is lost: compare the archive with Postgres.

    It reads every upload and every answer of Spotify in the archive, as the pipeline does, and
    computes the rows that should exist. It reports plays that are missing, that differ, or that no
    archived file contains; gaps that should be open or closed; time that counts as covered although
    no answer covers it; uploads that are not loaded; a collector's state that is older than
    Postgres; and dead letters. Each finding names the next command. It changes nothing.

    With --from, only plays since that date are compared. The exit code is 0 if all agrees, 3 if
    something differs, and 1 if the comparison failed.
    """
    target = target_of(context)
    with interruptible("nothing was changed"):
        found = run(target, listener, cast("datetime | None", start))
    emit(found) if as_json else show_result(found)
    if not found.is_clean:
        raise typer.Exit(DIFFERS)


def run(target: Target, listener: str | None, start: datetime | None) -> Verification:
    """Compare the archive of one listener, or of all, with Postgres."""
    listeners = chosen_listeners(target, listener)
    # Without Postgres, fail before the archive is read.
    with target.database() as database:
        database.run("SELECT 1")
    verifier = Verifier(target, listeners, start, match_window(target))
    in_flight = wait_for_quiet(target, QUIET_S)
    if in_flight:
        note(
            f"{in_flight} messages are still in the queues: their plays may be reported as missing"
        )
    return verifier.run(in_flight)


def chosen_listeners(target: Target, listener: str | None) -> list[str]:
    """Return the listener given with --listener, or all deployed listeners.

    Raises:
        CommandError: The listener is not deployed.
    """
    known = Listeners(target)
    if listener is None:
        return known.names
    known.require(listener)
    return [listener]


def match_window(target: Target) -> timedelta:
    """Return how far apart a poll record and an export record of one play may lie, as deployed."""
    function = target.client("lambda").get_function_configuration(
        FunctionName=target.output("LoaderFunction")
    )
    return timedelta(seconds=int(function["Environment"]["Variables"]["MATCH_WINDOW_S"]))


def show_result(found: Verification) -> None:
    """Print the differences between archive and Postgres, or that there are none."""
    per_s = found.plays / found.seconds if found.seconds else 0
    compared = (
        f"{found.plays:,} plays compared with {found.uploads:,} uploads and {found.answers:,} "
        f"answers in {found.seconds:.1f} s ({per_s:,.0f} plays/s)"
    )
    if found.is_clean:
        show(f"OK: Postgres agrees with the archive. {compared}")
        return
    rows = facts()
    for each in found.findings:
        of = f" of {each.listener}" if each.listener else ""
        unit = " s" if each.kind == "time counted as known" else ""
        rows.add_row(f"{each.count:,}{unit}", f"{each.kind}{of}")
        for example in each.examples:
            rows.add_row("", f"  {example}")
        rows.add_row("", f"→ {each.next}")
    show(f"{len(found.findings)} kinds of difference; {compared}", rows)
