"""`plays poll`: ask Spotify now, not at the next tick."""

import typer

from cli.confirm import YesOption
from cli.errors import CommandError, interruptible
from cli.lambda_calls import call
from cli.listeners import Listeners
from cli.options import (
    DEFAULT_TIMEOUT_S,
    JsonOption,
    ListenerOption,
    TimeoutOption,
    WaitOption,
    target_of,
)
from cli.output import Document, emit, show
from cli.simulated import confirm_poll, remember_simulated
from cli.target import Target
from cli.upload_results import PollResult, fetch_poll
from cli.waiting import Waiting
from services.collector.poll import Outcome
from shared.archive import DEFAULT_LISTENER
from shared.models import iso


class Poll(Document):
    """One poll; `result` is known once its plays are rows."""

    listener: str
    origin: str
    batches: int
    new: int
    result: PollResult | None = None


def poll(
    context: typer.Context,
    *,
    listener: ListenerOption = DEFAULT_LISTENER,
    wait: WaitOption = False,
    timeout: TimeoutOption = DEFAULT_TIMEOUT_S,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Ask Spotify for the newest plays now."""
    target = target_of(context)
    Listeners(target).require(listener)
    confirm_poll(target, listener, yes=yes)
    waiting = Waiting(target, timeout) if wait else None
    remember_simulated(target, listener)
    with interruptible("the poll may go on; its plays load by themselves"):
        done = collect(target, listener)
    with interruptible("the plays go on loading; `plays status` shows how far"):
        if waiting:
            done = await_result(waiting, done)
    emit(done) if as_json else show(told(done))


def collect(target: Target, listener: str) -> Poll:
    """Run the collector and wait for what it came to.

    Raises:
        CommandError: The collector failed, or had a reason not to poll.
    """
    outcome = Outcome.model_validate_json(call(target, "Collector", {"listener": listener}))
    if outcome.origin is None:
        raise CommandError(_why_not(outcome))
    return Poll(listener=listener, origin=outcome.origin, batches=outcome.batches, new=outcome.new)


def await_result(waiting: Waiting, done: Poll) -> Poll:
    """Wait until the plays of a poll are rows.

    Raises:
        UnfinishedError: It takes too long, or its messages died.
    """
    waiting.begin()
    result = waiting.wait_for(
        lambda database: fetch_poll(database, done.origin, done.batches), done.origin
    )
    return done.model_copy(update={"result": result})


def _why_not(outcome: Outcome) -> str:
    login = f"run `plays login --listener {outcome.listener}`"
    if outcome.blocked_until:
        return f"Spotify takes no calls for {outcome.listener} until {iso(outcome.blocked_until)}"
    if outcome.status == "needs-login":
        return f"Spotify no longer accepts the login of {outcome.listener}: {login}"
    if outcome.status == "forbidden":
        return (
            f"Spotify forbids the app or the account of {outcome.listener}: {outcome.reason}; "
            "it is asked again within an hour, or at once after `plays login`"
        )
    return f"{outcome.listener} has not logged in yet: {login}"


def told(done: Poll) -> str:
    """Tell in one line where every play that was shown is now."""
    result = done.result
    if result is None:
        return f"polled for {done.listener}: {done.new} new plays, which load by themselves"
    line = (
        f"polled for {done.listener}: {result.returned} plays shown, "
        f"{result.inserted} of them new rows, {result.known} known already"
    )
    if result.upgraded:
        line += f", {result.upgraded} known from an upload"
    if result.unreadable:
        line += f", {result.unreadable} not readable as tracks"
    return line
