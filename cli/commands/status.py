"""`plays status`: show whether all is well, the problems that need a person, and the figures."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from math import floor
from os.path import commonprefix
from typing import Annotated

import typer

from cli.deployment_status import Coverage, Status, gather_status
from cli.errors import CommandError, as_command_error, interruptible
from cli.local_time import ago, length, local
from cli.options import JsonOption, target_of
from cli.output import emit, facts, show, show_failure, table
from cli.target import Target
from cli.verdict import Judgement, judge

DAY_S = 86_400.0
UNWATCHED_LEAST_S = 60
UNWATCHED = "before the first poll or after the last, outside of every upload"


class StatusReport(Status, Judgement):
    """The output of `plays status --json`: the status, the verdict and the problems."""


class UnknownStatusError(CommandError):
    """The status cannot be read, so plays may be neither collected nor loaded."""

    exit_code = 2


def status(
    context: typer.Context,
    *,
    short: Annotated[bool, typer.Option("--short", help="Print the verdict only.")] = False,
    watch: Annotated[
        int | None,
        typer.Option(
            metavar="SECONDS", min=1, help="Print the status again every SECONDS seconds."
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Show whether all is well, and the problems that need you.

    The worst problem comes first, each with its next command. Below: listeners with their logins
    and coverage, queues, tracks without features, rows, addresses. The exit code is 0 if all is
    well, 1 after a warning, and 2 if plays are not collected or not loaded until you act, or if
    the status cannot be read, for example because no cloud is running.

    --watch goes on after a failure, until Ctrl-C.
    """
    is_aws = context.find_root().params["target"] == "aws"
    # Kept after the first success, so that a local cloud that stops does not turn into AWS.
    watched: Target | None = None
    with interruptible("nothing is lost"):
        while True:
            try:
                with as_command_error(is_aws=is_aws):
                    target = watched or target_of(context)
                    found = gather_status(target)
            except CommandError as error:
                if watch is None:
                    raise UnknownStatusError(str(error)) from error
                show_failure(str(error), as_json=as_json)
            else:
                watched = target
                code = _print(found, short=short, as_json=as_json)
                if watch is None:
                    raise typer.Exit(code)
            time.sleep(watch)


def _print(found: Status, *, short: bool, as_json: bool) -> int:
    """Print the status once; return the exit code."""
    now = datetime.now(UTC)
    judgement = judge(found, now)
    if as_json:
        emit(StatusReport(**dict(found), **dict(judgement)))
    else:
        show_verdict(found, judgement, now)
        if not short:
            show_figures(found, now)
    return judgement.exit_code


def show_verdict(found: Status, judgement: Judgement, now: datetime) -> None:
    """Print the problems that need a person, or OK if there are none."""
    if not judgement.problems:
        show(f"OK: {_newest(found, now)}")
        return
    number = len(judgement.problems)
    rows = facts()
    for problem in judgement.problems:
        rows.add_row(problem.severity, problem.message)
        rows.add_row("", f"→ {problem.next}")
    show("1 thing needs you:" if number == 1 else f"{number} things need you:", rows)


def show_figures(found: Status, now: datetime) -> None:
    """Print listeners, queues, counts and addresses, which follow the verdict."""
    listeners = table("listener", "last answer", "login", "7 days", "30 days", numbers=())
    for name in found.token_days_left:
        shares = (found.coverage or {}).get(name)
        known = (_percent(shares.days_7), _percent(shares.days_30)) if shares else ("–", "–")
        listeners.add_row(name, _answered(found, name, now), _login(found, name), *known)
    queues = table("queue", numbers=("waiting", "in flight", "oldest"))
    # All begin with the deployment's name.
    names = list(found.queues)
    prefix = commonprefix(names).rpartition("-")[0] + "-"  # noqa: RUF071 - names, not paths
    for name, depth in found.queues.items():
        age = "" if depth.oldest_age_s is None else length(depth.oldest_age_s)
        working = depth.in_flight - (depth.awaiting_retry or 0)
        queues.add_row(name.removeprefix(prefix), f"{depth.visible:,}", f"{working:,}", age)
    others = facts()
    for label, text in _others(found, now):
        others.add_row(label, text)
    show("", listeners, "", queues, "", others)
    # Not in the table, because a broken line cannot be copied.
    show(*(f"{label:<12} {text}" for label, text in _addresses(found)))


def _others(found: Status, now: datetime) -> Iterator[tuple[str, str]]:
    """Yield label and text of the figures below the tables of listeners and queues."""
    yield from _retries(found)
    if not found.polls_scheduled:
        login = "`plays login` turns them on, " if found.simulated else ""
        yield "polls", f"off (--empty, or polling_enabled is false): {login}`plays poll` polls once"
    if found.failed_ticks:
        yield "failed polls", f"{found.failed_ticks:,}: the next poll fetches their plays"
    for listener, shares in (found.coverage or {}).items():
        if (unwatched := _unwatched_s(shares, now)) >= UNWATCHED_LEAST_S:
            yield (
                "not watched",
                f"{length(unwatched)} of the last 7 days of listener {listener}: {UNWATCHED}",
            )
    if found.uploads and found.uploads.in_progress:
        yield "uploads", f"{found.uploads.in_progress:,} in progress: see `plays uploads`"
    yield "features", _features(found, now)
    if found.rows is not None:
        yield "rows", ", ".join(f"{name} {count:,}" for name, count in found.rows.items())
        yield "last poll", _poll(found, now)
        yield "open gaps", f"{found.open_gaps:,}" if found.open_gaps else "none"


def _retries(found: Status) -> Iterator[tuple[str, str]]:
    """Yield label and text for messages that wait for a retry; on AWS, SQS does not count these."""
    unknown = [
        depth.retried_within_s or 0
        for depth in found.queues.values()
        if depth.in_flight and depth.awaiting_retry is None
    ]
    if unknown:
        within = length(max(unknown))
        text = f"processed now, or failed and tried again within {within}; SQS does not say which"
        yield "in flight", text
    for name, depth in found.queues.items():
        if depth.next_retry_at:
            failed = f"{depth.awaiting_retry:,} in {name}: the last attempt failed"
            when = f"the next is at {local(depth.next_retry_at)}"
            yield "retry", f"{failed}, {when}; `plays logs --errors` says why"


def _addresses(found: Status) -> Iterator[tuple[str, str]]:
    if found.dashboard_url:
        yield "page" if found.target == "local" else "dashboard", found.dashboard_url
    yield "database", found.database_url
    yield "bucket", found.bucket
    yield "AWS", found.aws_endpoint or "the real one"


def _newest(found: Status, now: datetime) -> str:
    plays = f"{(found.rows or {}).get('listening_history', 0):,} plays"
    return f"{plays}, last poll {ago(found.last_poll.polled_at, now)}" if found.last_poll else plays


def _answered(found: Status, listener: str, now: datetime) -> str:
    answered = found.answered_at[listener]
    return ago(answered, now) if answered else "never"


def _login(found: Status, listener: str) -> str:
    days = found.token_days_left[listener]
    if found.needs_login_since[listener]:
        return "refused"
    if days is None:
        return "none"
    return f"{days} days left{' (simulated)' if found.simulated else ''}"


def _features(found: Status, now: datetime) -> str:
    waiting = found.pending_features
    if not waiting.due_at:
        return "no track waits for them"
    reasons = {
        "whose source failed": waiting.source_failed,
        "unknown to every source": waiting.unknown_to_sources,
    }
    counts = ", ".join(f"{count:,} {reason}" for reason, count in reasons.items() if count)
    next_at = local(waiting.due_at) if waiting.due_at > now else "within the hour"
    return f"{waiting.tracks:,} tracks wait ({counts}); the first is asked for again {next_at}"


def _poll(found: Status, now: datetime) -> str:
    poll = found.last_poll
    if poll is None:
        return "none yet"
    return f"{ago(poll.polled_at, now)} of {poll.listener}: {poll.returned} plays, {poll.new} new"


def _unwatched_s(shares: Coverage, now: datetime) -> float:
    """Return how many seconds of the last 7 days no poll, upload or open gap covers."""
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    elapsed_s = dict.fromkeys((each.day for each in shares.by_day), DAY_S)
    elapsed_s[midnight.date()] = (now - midnight).total_seconds()
    return sum(
        elapsed_s[each.day] * (1 - each.coverage) - each.open_gap_s for each in shares.by_day
    )


def _percent(share: float) -> str:
    """Format a share, rounded down so that 99.99 % is not shown as 100 %."""
    return f"{floor(share * 1_000) / 10:g} %"
