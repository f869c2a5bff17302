"""`plays poll`: poll Spotify now, instead of at the next scheduled poll."""

import typer

from cli.confirm import YesOption
from cli.errors import CommandError, interruptible
from cli.listeners import Listeners
from cli.options import (
    DEFAULT_TIMEOUT_S,
    JsonOption,
    ListenerOption,
    TimeoutOption,
    WaitOption,
    target_of,
)
from cli.output import Document, Instant, emit, show
from cli.simulated_plays import confirm_poll, remember_simulated
from cli.statements import STATEMENTS, as_document
from cli.target import Target
from cli.waiting import Waiting
from services.collector.poll import Outcome
from shared.archive import DEFAULT_LISTENER
from shared.models import iso
from shared.queries import Reader


class PollResult(Document):
    """How many plays one poll returned, and what became of them.

    `returned` counts the plays in Spotify's answer, and `new` those that the collector had not seen
    before and published. The loader counts each published play as inserted, upgraded or duplicate.
    """

    listener: str
    polled_at: Instant
    returned: int
    new: int
    late: int
    moved: int
    unreadable: int
    inserted: int
    upgraded: int
    duplicates: int

    @property
    def known(self) -> int:
        """Plays that were stored before this poll, or that occur more than once in its answer."""
        return self.returned - self.inserted - self.upgraded - self.unreadable


class Poll(Document):
    """One poll; `result` is None until its plays are in Postgres."""

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
    """Poll Spotify for the newest plays now."""
    target = target_of(context)
    Listeners(target).require(listener)
    confirm_poll(target, listener, yes=yes)
    waiting = Waiting(target, timeout) if wait else None
    remember_simulated(target, listener)
    with interruptible("the poll may continue; its plays load automatically"):
        done = run_collector(target, listener)
    with interruptible("the plays continue loading; `plays status` shows the progress"):
        if waiting:
            done = wait_for_result(waiting, done)
    emit(done) if as_json else show(line_of(done))


def run_collector(target: Target, listener: str) -> Poll:
    """Run the collector and return its poll.

    Raises:
        CommandError: The collector failed, or skipped the poll; the message has the reason.
    """
    outcome = Outcome.model_validate_json(target.call("Collector", {"listener": listener}))
    if outcome.origin is None:
        raise CommandError(_why_not(outcome))
    return Poll(listener=listener, origin=outcome.origin, batches=outcome.batches, new=outcome.new)


def wait_for_result(waiting: Waiting, done: Poll) -> Poll:
    """Wait until the plays of a poll are in Postgres.

    Raises:
        UnfinishedError: The wait timed out, or messages became dead letters.
    """
    waiting.begin()
    result = waiting.wait_for(
        lambda database: fetch_poll(database, done.origin, done.batches), done.origin
    )
    return done.model_copy(update={"result": result})


def fetch_poll(database: Reader, origin: str, batches: int) -> PollResult | None:
    """Read the result of a poll; None until its last batch is loaded."""
    rows = database.run(STATEMENTS["poll"], origin=origin, batches=batches)
    return as_document(PollResult, rows[0]) if rows else None


def _why_not(outcome: Outcome) -> str:
    login = f"run `plays login --listener {outcome.listener}`"
    if outcome.blocked_until:
        until = iso(outcome.blocked_until)
        return (
            f"Spotify rate-limits the app of listener {outcome.listener} until {until}: "
            "poll after that"
        )
    if outcome.status == "needs-login":
        return f"Spotify no longer accepts the login of listener {outcome.listener}: {login}"
    if outcome.status == "forbidden":
        return (
            f"Spotify forbids the app or the account of listener {outcome.listener}: "
            f"{outcome.reason}; "
            "the pipeline retries within an hour, or at once after `plays login`"
        )
    return f"listener {outcome.listener} has not logged in yet: {login}"


def line_of(done: Poll) -> str:
    """Return one line that accounts for every play in Spotify's answer."""
    result = done.result
    if result is None:
        return f"polled for {done.listener}: {done.new} new plays, which load automatically"
    line = (
        f"polled for {done.listener}: {result.returned} plays shown, "
        f"{result.inserted} of them new rows, {result.known} already known"
    )
    if result.upgraded:
        line += f", {result.upgraded} known from an upload"
    if result.unreadable:
        line += f", {result.unreadable} not readable as tracks"
    return line
