"""`plays derive`: refresh the derived tables now, instead of within the hour."""

import time
from collections.abc import Iterator
from math import inf
from typing import Annotated, Any

import typer
from botocore.exceptions import BotoCoreError, ClientError

from cli.errors import CommandError, interruptible
from cli.options import JsonOption, target_of
from cli.output import Document, count_progress, emit, note, show
from cli.target import Target
from services.loader.derive import Derived

STEP_S = 2
"""Time between two updates of the progress bar."""
PAUSE_S = 1
MAX_PAUSES = 10
"""Maximum number of pauses for a load or the schedule that refreshes at the same time."""

AFTER_CTRL_C = "the months refreshed so far are kept; the others are refreshed within an hour"


class Refreshed(Document):
    """The result of a refresh: the number of months that are still outdated."""

    months_left: int


def derive(
    context: typer.Context,
    *,
    rebuild: Annotated[
        bool, typer.Option("--rebuild", help="Recompute all months, not only the outdated ones.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Refresh the derived tables, which the reporting views and the dashboard read.

    A new or changed play makes its month outdated. Polls, the end of an upload, and an hourly
    schedule refresh outdated months; this command does it now and shows its progress.
    """
    target = target_of(context)
    with interruptible(AFTER_CTRL_C):
        derive_all(target, {"rebuild": True} if rebuild else {})
    emit(Refreshed(months_left=0)) if as_json else show("every month is up to date")


def refresh_or_note(target: Target) -> None:
    """Refresh the derived tables; if this fails, print a note, because the schedule retries."""
    try:
        with interruptible(AFTER_CTRL_C):
            derive_all(target, {})
    except (CommandError, BotoCoreError, ClientError) as error:
        note(f"the reports and the page follow within an hour: {error}")


def derive_all(target: Target, event: dict[str, Any]) -> None:
    """Call the Lambda function `derive` until no month is outdated; show a progress bar.

    Raises:
        CommandError: The function refused `event` or failed, or the same months stay
            outdated.
    """
    # If there is no cloud, this fails before the bar appears.
    target.output("DeriveFunction")
    with count_progress() as progress:
        bar = progress.add_task("months refreshed", total=None)
        most = 0
        for left in _months_left(target, event):
            most = max(most, left)
            progress.update(bar, completed=most - left, total=most)


def _months_left(target: Target, event: dict[str, Any]) -> Iterator[int]:
    """Call `derive` until no month is outdated; yield the months left. Only call 1 gets `event`."""
    before: float = inf
    pauses = 0
    while before:
        answer = target.call("Derive", {**event, "seconds": STEP_S})
        derived = Derived.model_validate_json(answer)
        if derived.months_left is None:
            raise CommandError(str(derived.error))
        if derived.months_left >= before:
            if pauses == MAX_PAUSES:
                raise CommandError(_stalled(derived.months_left))
            pauses += 1
            time.sleep(PAUSE_S)
        yield derived.months_left
        event, before = {}, derived.months_left


def _stalled(months: int) -> str:
    return (
        f"{months} months are still outdated, because an upload is loading or another refresh is "
        "running: they are refreshed within an hour, or run `plays derive` again"
    )
