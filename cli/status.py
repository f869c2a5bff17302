"""`plays status`: what is stored, what is on its way, what needs a person."""

from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import typer

from cli.errors import CommandError
from cli.imports import STATEMENTS, as_document
from cli.options import JsonOption, target_of
from cli.output import Document, Instant, emit, show, table
from cli.queues import QueueDepth, depths, name_of, queue_pairs
from cli.target import Target
from services.collector.credentials import CredentialStore
from shared.errors import DatabaseError, SettingsError
from shared.models import iso
from shared.postgres import Database


class LastPoll(Document):
    """The newest poll of any listener."""

    listener: str
    polled_at: Instant
    returned: int
    new: int


class KnownGap(Document):
    """A stretch of time in which plays may have been missed."""

    listener: str
    started_at: Instant
    ended_at: Instant
    reason: str


class Stored(Document):
    """What Postgres holds; `gaps` are the newest ten, `rows` counts them all."""

    rows: dict[str, int]
    last_poll: LastPoll | None
    gaps: list[KnownGap]


class Status(Document):
    """The state of one deployment; what Postgres knows is None while it is away.

    `failed_ticks` are polls that failed to the last. They are no dead letters: there is nothing to
    send back, the next tick makes good for them, and SQS forgets them by itself.
    """

    target: Literal["local", "aws"]
    stack: str
    database_url: str
    aws_endpoint: str | None
    bucket: str
    dashboard_url: str | None = None
    queues: dict[str, QueueDepth]
    dead_letters: int
    failed_ticks: int
    rows: dict[str, int] | None
    last_poll: LastPoll | None
    gaps: list[KnownGap] | None
    token_days_left: dict[str, int | None]


def status(context: typer.Context, *, as_json: JsonOption = False) -> None:
    """Show rows, queues, dead letters, the last poll, gaps and the days that logins have left.

    Where Postgres is away the rest is shown all the same, and the exit code is 1.
    """
    target = target_of(context)
    away = None
    try:
        with target.database() as database:
            stored = fetch_stored(database)
    except DatabaseError as error:
        stored, away = None, error
    found = gather(target, stored)
    emit(found) if as_json else show_status(found)
    if away:
        raise CommandError(f"Postgres does not answer: {away}") from away


def gather(target: Target, stored: Stored | None) -> Status:
    """Put together what the stack, its queues and Postgres tell."""
    queues = depths(target)
    pairs = queue_pairs(target.outputs)
    dead, ticks = (
        [queues[name_of(pair.dead_letter_url)] for pair in pairs if bool(pair.source_url) is wanted]
        for wanted in (True, False)
    )
    return Status(
        target=target.name,
        stack=target.stack,
        database_url=target.database_url,
        aws_endpoint=target.state.aws_endpoint if target.state else None,
        bucket=target.output("ArchiveBucket"),
        queues=queues,
        dead_letters=sum(depth.total for depth in dead),
        failed_ticks=sum(depth.total for depth in ticks),
        rows=stored.rows if stored else None,
        last_poll=stored.last_poll if stored else None,
        gaps=stored.gaps if stored else None,
        token_days_left=token_days_left(
            target.client("secretsmanager"),
            target.output("ListenerSecretPrefix"),
            datetime.now(UTC),
        ),
    )


def fetch_stored(database: Database) -> Stored:
    """Ask Postgres for everything that the status shows of it."""
    last_poll = database.run(STATEMENTS["last_poll"])
    return Stored(
        rows=dict(database.run(STATEMENTS["rows"])),
        last_poll=as_document(LastPoll, last_poll[0]) if last_poll else None,
        gaps=[as_document(KnownGap, row) for row in database.run(STATEMENTS["gaps"])],
    )


def token_days_left(secrets: Any, prefix: str, now: datetime) -> dict[str, int | None]:
    """Tell for each listener how many days the login has left; None where there is no login."""
    pages = secrets.get_paginator("list_secrets").paginate(
        Filters=[{"Key": "name", "Values": [prefix]}]
    )
    names = (secret["Name"] for page in pages for secret in page["SecretList"])
    store = CredentialStore(secrets, prefix)
    return {
        listener: _days_left(store, listener, now)
        for listener in sorted(name.removeprefix(prefix) for name in names)
    }


def _days_left(store: CredentialStore, listener: str, now: datetime) -> int | None:
    try:
        credentials = store.load(listener)
    except SettingsError:
        # The tick that stumbles over it raises an alarm; here the rest is worth showing.
        return None
    return int(credentials.days_left(now)) if credentials else None


def show_status(found: Status) -> None:
    """Print the status for a person."""
    queues = table("queue", numbers=("waiting", "in work", "oldest"))
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
        lines.append(f"failed ticks   {found.failed_ticks:,}: the next one makes good for them")
    if found.rows is not None:
        lines += [f"last poll      {_poll(found.last_poll)}", f"gaps           {_gaps(found)}"]
    for listener, days in found.token_days_left.items():
        lines.append(f"login of {listener:<5} {_login(days)}")
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
    newest, count = found.gaps[0], (found.rows or {})["gap"]
    span = f"{iso(newest.started_at)} to {iso(newest.ended_at)}"
    return f"{count}, the newest {span}: {newest.reason}"


def _login(days: int | None) -> str:
    return "not logged in" if days is None else f"{days} days left"
