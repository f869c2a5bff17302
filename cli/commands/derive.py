"""`plays derive`: refresh the tables that the reporting views read, now."""

import time
from collections.abc import Iterator
from math import inf
from typing import Annotated, Any

import typer

from cli.errors import CommandError, interruptible
from cli.lambda_calls import call
from cli.options import JsonOption, target_of
from cli.output import Document, count_progress, emit, show
from cli.target import Target
from services.loader.derive import Derived

STEP_S = 2
"""Time between two moves of the progress bar."""
PAUSE_S = 1
MOST_PAUSES = 10
"""A load or the schedule may refresh at the same time; it ends one transaction within seconds."""

BY_ITSELF = "the months that were refreshed stay so, and the others follow within an hour"


class Refreshed(Document):
    """The derived tables as they are now."""

    months_left: int


def derive(
    context: typer.Context,
    *,
    rebuild: Annotated[
        bool, typer.Option("--rebuild", help="Compute all months anew, not only the marked ones.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Refresh the tables that the reporting views and the page read.

    Whatever changes a play marks its months. A poll and the end of an upload refresh them, and
    every hour a schedule does: this command does it now, and shows how many are left.
    """
    target = target_of(context)
    with interruptible(BY_ITSELF):
        derive_all(target, {"rebuild": True} if rebuild else {})
    emit(Refreshed(months_left=0)) if as_json else show("every month is up to date")


def derive_all(target: Target, event: dict[str, Any]) -> None:
    """Have an event done, then refresh until no month waits; shows how far it is.

    Raises:
        CommandError: The function refused the event or failed, or gets no further.
    """
    # Without a cloud it fails here, before there is a bar.
    target.output("DeriveFunction")
    with count_progress() as progress:
        bar = progress.add_task("months refreshed", total=None)
        most = 0
        for left in _months_left(target, event):
            most = max(most, left)
            progress.update(bar, completed=most - left, total=most)


def _months_left(target: Target, event: dict[str, Any]) -> Iterator[int]:
    """Call the function step by step; the event goes with the first call."""
    before: float = inf
    pauses = 0
    while before:
        answer = call(target, "Derive", {**event, "seconds": STEP_S})
        derived = Derived.model_validate_json(answer)
        if derived.months_left is None:
            raise CommandError(str(derived.error))
        if derived.months_left >= before:
            if pauses == MOST_PAUSES:
                raise CommandError(_stalled(derived.months_left))
            pauses += 1
            time.sleep(PAUSE_S)
        yield derived.months_left
        event, before = {}, derived.months_left


def _stalled(months: int) -> str:
    return (
        f"{months} months go on waiting: an upload is being loaded, or another refresh runs. They "
        "follow within an hour; or run `plays derive` again"
    )
