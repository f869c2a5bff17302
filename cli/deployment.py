"""The state of one deployment, as its stack, its queues, its listeners and Postgres tell it."""

from datetime import UTC, datetime
from typing import Any, Literal

from cli.database_status import Coverage, KnownGap, LastPoll, Stored
from cli.listeners import Listeners, Trouble
from cli.output import Document, Instant
from cli.queues import QueueDepth, depths, name_of, queue_pairs
from cli.target import Target


class Status(Document):
    """The state of one deployment; what Postgres knows is None while it is away.

    The dicts are by listener, and what they hold is described in `cli.listeners`
    and `cli.database_status`.

    `failed_ticks` are polls that failed to the last. They are no dead letters: there is nothing to
    send back, the next tick makes good for them, and SQS forgets them by itself.
    """

    target: Literal["local", "aws"]
    stack: str
    database_url: str
    report_url: str | None
    """Postgres as role report_reader, for other tools; None if an earlier release runs."""
    aws_endpoint: str | None
    bucket: str
    dashboard_url: str | None
    queues: dict[str, QueueDepth]
    dead_letters: int
    failed_ticks: int
    rows: dict[str, int] | None
    last_poll: LastPoll | None
    gaps: list[KnownGap] | None
    open_gaps: int | None
    coverage: dict[str, Coverage] | None
    token_days_left: dict[str, int | None]
    blocked_until: dict[str, Instant | None]
    block_unknown: dict[str, str | None]
    needs_login_since: dict[str, Instant | None]
    answered_at: dict[str, Instant | None]
    last_error: dict[str, Trouble | None]


def gather(target: Target, stored: Stored | None) -> Status:
    """Put together what the stack, its queues and Postgres tell."""
    queues = depths(target)
    pairs = queue_pairs(target.outputs)
    dead, ticks = (
        [queues[name_of(pair.dead_letter_url)] for pair in pairs if bool(pair.source_url) is wanted]
        for wanted in (True, False)
    )
    listeners = Listeners(target).captures(datetime.now(UTC))
    return Status(
        target=target.name,
        stack=target.stack,
        database_url=target.database_url,
        report_url=target.report_url,
        aws_endpoint=target.state.aws_endpoint if target.state else None,
        bucket=target.output("ArchiveBucket"),
        dashboard_url=dashboard_url(target),
        queues=queues,
        dead_letters=sum(depth.total for depth in dead),
        failed_ticks=sum(depth.total for depth in ticks),
        **_of_postgres(stored),
        token_days_left={name: each.token_days_left for name, each in listeners.items()},
        blocked_until={name: each.blocked_until for name, each in listeners.items()},
        block_unknown={name: each.block_unknown for name, each in listeners.items()},
        needs_login_since={name: each.needs_login_since for name, each in listeners.items()},
        answered_at={name: each.answered_at for name, each in listeners.items()},
        last_error={name: each.last_error for name, each in listeners.items()},
    )


def dashboard_url(target: Target) -> str | None:
    """Return the address of the local cloud's page, or of the dashboard in CloudWatch.

    The latter's name is the deployment's, with which the names of the secrets begin.
    """
    if target.state:
        return target.state.page_url
    region, name = target.session.region_name, target.output("ListenerSecretPrefix").split("/")[0]
    console = f"https://{region}.console.aws.amazon.com/cloudwatch/home"
    return f"{console}?region={region}#dashboards:name={name}"


def _of_postgres(stored: Stored | None) -> dict[str, Any]:
    return {name: getattr(stored, name, None) for name in Stored.model_fields}
