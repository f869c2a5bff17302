"""`plays status`: what is stored, what is in the queues, what needs a person."""

from datetime import timedelta
from math import floor

import typer

from cli.deployment_status import (
    Coverage,
    LastPoll,
    Status,
    fetch_database_status,
    gather_status,
)
from cli.errors import CommandError
from cli.options import JsonOption, target_of
from cli.output import emit, show, table
from shared.errors import DatabaseAwayError, DatabaseError
from shared.models import iso

LAST_DAYS = 30
"""Days before the expiry of a login from which to ask for a new one, as the alarms do."""


def status(context: typer.Context, *, as_json: JsonOption = False) -> None:
    """Show rows, queues, dead letters, the last poll, gaps, coverage, logins and rate limits.

    If Postgres is unavailable, the command shows the rest and exits with 1.
    """
    target = target_of(context)
    failure = None
    try:
        with target.database() as database:
            stored = fetch_database_status(database)
    except DatabaseError as error:
        stored, failure = None, error
    found = gather_status(target, stored)
    emit(found) if as_json else show_status(found)
    if failure:
        prefix = "Postgres is unavailable: " if isinstance(failure, DatabaseAwayError) else ""
        raise CommandError(f"{prefix}{failure}") from failure


def show_status(found: Status) -> None:
    """Print the status for a person."""
    queues = table("queue", numbers=("waiting", "in flight", "oldest"))
    for name, depth in found.queues.items():
        queues.add_row(name, f"{depth.visible:,}", f"{depth.in_flight:,}", _age(depth.oldest_age_s))
    rows = table("table", numbers=("rows",))
    for name, count in (found.rows or {}).items():
        rows.add_row(name, f"{count:,}")
    show(queues, "")
    if found.rows is not None:
        show(rows, "")
    show(*_facts(found))


def _facts(found: Status) -> list[str]:
    lines = [f"dead letters   {_dead_letters(found.dead_letters)}"]
    if found.failed_ticks:
        lines.append(f"failed polls   {found.failed_ticks:,}: the next poll fetches their plays")
    if found.rows is not None:
        lines += [f"last poll      {_poll(found.last_poll)}", f"gaps           {_gaps(found)}"]
        for who, shares in (found.coverage or {}).items():
            lines += [f"coverage {who:<5} {_shares(shares)}", f"days of {who:<6} {_days(shares)}"]
    lines += [f"login of {who:<5} {_login(found, who)}" for who in found.token_days_left]
    lines += [
        f"rate limit     of {who} until {iso(until)}: polls continue after that"
        for who, until in found.blocked_until.items()
        if until
    ]
    lines += [
        f"rate limit     of {who} is unknown: {why}"
        for who, why in found.block_unknown.items()
        if why
    ]
    lines += [
        f"error of {who:<5} {error.kind}, {iso(error.at)}: {error.message}"
        for who, error in found.last_error.items()
        if error
    ]
    if found.dashboard_url:
        name = "page" if found.target == "local" else "dashboard"
        lines.append(f"{name:<14} {found.dashboard_url}")
    return [
        *lines,
        f"database       {found.database_url}",
        f"bucket         {found.bucket}",
        f"AWS            {found.aws_endpoint or 'the real one'}",
    ]


def _age(seconds: int | None) -> str:
    return "" if seconds is None else str(timedelta(seconds=seconds))


def _dead_letters(count: int) -> str:
    return f"{count:,}: see `plays dlq list`" if count else "none"


def _poll(poll: LastPoll | None) -> str:
    if poll is None:
        return "none yet"
    return f"{iso(poll.polled_at)} of {poll.listener}: {poll.returned} plays shown, {poll.new} new"


def _gaps(found: Status) -> str:
    if not found.gaps:
        return "none"
    newest = found.gaps[0]
    if not newest.is_open:
        return "none open"
    end = iso(newest.ended_at) if newest.ended_at else "now"
    return f"{found.open_gaps} open, the newest {iso(newest.started_at)} to {end}: {newest.reason}"


def _shares(shares: Coverage) -> str:
    return f"{_percent(shares.days_7)} of the last 7 days, {_percent(shares.days_30)} of 30"


def _days(shares: Coverage) -> str:
    return ", ".join(f"{each.day:%m-%d} {_percent(each.coverage)}" for each in shares.by_day)


def _percent(share: float) -> str:
    """Format a share, rounded down so that 99.99 % is not shown as 100 %."""
    return f"{floor(share * 1_000) / 10:g} %"


def _login(found: Status, listener: str) -> str:
    days, since = found.token_days_left[listener], found.needs_login_since[listener]
    if since:
        return f"refused by Spotify since {iso(since)}: `plays login`"
    if days is None:
        return "not logged in"
    return f"{days} days left" if days > LAST_DAYS else f"{days or 'no'} days left: `plays login`"
