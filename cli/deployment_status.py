"""The status of one deployment: its stack, queues, listeners and database."""

import shutil
from datetime import UTC, date, datetime
from typing import Any, Literal

from cli.alarms import Alarm, alarms_on
from cli.listeners import Listeners, PollingState, Trouble
from cli.output import Document, Instant
from cli.pending_features import PendingFeatures, failed_tracks, pending_features
from cli.queues import QueueDepth, depths, name_of, queue_pairs
from cli.statements import STATEMENTS, as_document
from cli.target import Target
from cli.uploads import UploadsInTrouble, uploads_in_trouble
from shared.errors import DatabaseAwayError, DatabaseError
from shared.queries import Reader

FAILED_TRACKS = 100
"""A failing source fails for all tracks, so some of them show since when."""


class LastPoll(Document):
    """The newest poll of any listener."""

    listener: str
    polled_at: Instant
    returned: int
    new: int


class KnownGap(Document):
    """Time in which plays may be missing; `is_open` until an answer or an upload covers it."""

    listener: str
    started_at: Instant
    ended_at: Instant | None
    """None while it lasts."""
    reason: str
    is_open: bool


class DayCoverage(Document):
    """The coverage of one UTC day; for today, of the part that has passed."""

    day: date
    coverage: float
    """Share of the day in which no play is missing, 0 to 1."""
    open_gap_s: float
    """Seconds of the day in open gaps. The rest of the uncovered time was before the first poll or
    after the last one."""


class Coverage(Document):
    """Shares of the last 7 and 30 UTC days in which no play is missing, 0 to 1.

    Time is covered if an upload covers it, or if it lies between the first and the last poll and
    in no open gap.
    """

    days_7: float
    days_30: float
    by_day: tuple[DayCoverage, ...]
    """The last 7 days, oldest first; fewer if the listener is newer."""


class DatabaseStatus(Document):
    """The part of the status that comes from Postgres."""

    rows: dict[str, int]
    last_poll: LastPoll | None
    gaps: list[KnownGap]
    """The newest 1,000 open gaps, then the newest ten closed ones, of deployed listeners."""
    open_gaps: int
    """The number of all open gaps, including those not in `gaps`."""
    coverage: dict[str, Coverage]
    """By listener."""
    uploads: UploadsInTrouble
    features_failing_since: Instant | None
    """When the first play of the tracks whose source of features failed was loaded."""


class Status(Document):
    """The status of one deployment; if Postgres is unavailable, DatabaseStatus's fields are None.

    The dicts from `token_days_left` to `last_error` map each deployed listener to the value of the
    field of that name in PollingState.
    """

    target: Literal["local", "aws"]
    stack: str
    database_url: str
    report_url: str | None
    """Postgres as role report_reader, for other tools; None if an earlier release is running."""
    aws_endpoint: str | None
    bucket: str
    dashboard_url: str | None
    queues: dict[str, QueueDepth]
    dead_letters: int
    failed_ticks: int
    """Failed polls. They are not dead letters: the next poll catches up, and SQS deletes them."""
    rows: dict[str, int] | None
    last_poll: LastPoll | None
    gaps: list[KnownGap] | None
    open_gaps: int | None
    coverage: dict[str, Coverage] | None
    uploads: UploadsInTrouble | None
    removed_listeners: list[str]
    """Listeners that are not deployed any more, and of whom something is still stored."""
    features_failing_since: Instant | None
    token_days_left: dict[str, int | None]
    blocked_until: dict[str, Instant | None]
    block_unknown: dict[str, str | None]
    needs_login_since: dict[str, Instant | None]
    answered_at: dict[str, Instant | None]
    last_error: dict[str, Trouble | None]
    postgres_error: str | None
    """Why the fields of DatabaseStatus are None."""
    pending_features: PendingFeatures
    alarms: tuple[Alarm, ...]
    simulated: bool
    """True if the local cloud polls the simulated Spotify."""
    polls_scheduled: bool
    """False if no schedule polls: with `--empty`, or if `polling_enabled` is false."""
    free_bytes: int | None
    """Free space on the disk of the local cloud; None in AWS, where an alarm watches it."""


def fetch_database_status(
    target: Target, listeners: Listeners, database: Reader, pending: PendingFeatures
) -> DatabaseStatus:
    """Read the part of the status that is in Postgres."""
    last_poll = database.run(STATEMENTS["last_poll"])
    gaps = [as_document(KnownGap, row) for row in database.run(STATEMENTS["gaps"])]
    return DatabaseStatus(
        rows=dict(database.run(STATEMENTS["rows"])),
        last_poll=as_document(LastPoll, last_poll[0]) if last_poll else None,
        gaps=[gap for gap in gaps if gap.listener in listeners.names],
        open_gaps=sum(
            number
            for listener, number in database.run(STATEMENTS["open_gaps"])
            if listener in listeners.names
        ),
        coverage={
            listener: as_document(Coverage, shares)
            for listener, *shares in database.run(STATEMENTS["coverage"])
            if listener in listeners.names
        },
        uploads=uploads_in_trouble(target, database, listeners.removed),
        features_failing_since=_failing_since(target, database, pending),
    )


def _failing_since(target: Target, database: Reader, pending: PendingFeatures) -> datetime | None:
    if not pending.source_failed:
        return None
    tracks = failed_tracks(target, pending, FAILED_TRACKS)
    since: datetime | None
    ((since,),) = database.run(STATEMENTS["first_load"], tracks=tracks)
    return since


def gather_status(target: Target) -> Status:
    """Read the status of a deployment, even if Postgres is unavailable."""
    listeners = Listeners(target)
    pending = pending_features(target)
    database, postgres_error = _database_status(target, listeners, pending)
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
        report_url=target.report_url,
        aws_endpoint=target.state.aws_endpoint if target.state else None,
        bucket=target.output("ArchiveBucket"),
        dashboard_url=dashboard_url(target),
        queues=queues,
        dead_letters=sum(depth.total for depth in dead),
        failed_ticks=sum(depth.total for depth in ticks),
        **{name: getattr(database, name, None) for name in DatabaseStatus.model_fields},
        removed_listeners=listeners.removed,
        **_by_listener(listeners),
        postgres_error=postgres_error,
        pending_features=pending,
        alarms=alarms_on(target),
        simulated=bool(target.state and target.state.simulated),
        polls_scheduled=are_polls_scheduled(target),
        free_bytes=shutil.disk_usage(target.state.log_dir).free if target.state else None,
    )


def _database_status(
    target: Target, listeners: Listeners, pending: PendingFeatures
) -> tuple[DatabaseStatus | None, str | None]:
    try:
        with target.database() as database:
            return fetch_database_status(target, listeners, database, pending), None
    except DatabaseError as error:
        prefix = "Postgres is unavailable: " if isinstance(error, DatabaseAwayError) else ""
        return None, f"{prefix}{error}"


def are_polls_scheduled(target: Target) -> bool:
    """True if an enabled schedule of the deployment invokes the collector."""
    schedules = target.client("scheduler").get_paginator("list_schedules")
    collector = f":function:{target.output('CollectorFunction')}"
    return any(
        schedule["State"] == "ENABLED" and schedule["Target"]["Arn"].endswith(collector)
        for page in schedules.paginate(GroupName=target.deployment)
        for schedule in page["Schedules"]
    )


def dashboard_url(target: Target) -> str | None:
    """Return the URL of the local cloud's web page, or in AWS of the CloudWatch dashboard."""
    if target.state:
        return target.state.page_url
    region, name = target.session.region_name, target.deployment
    console = f"https://{region}.console.aws.amazon.com/cloudwatch/home"
    return f"{console}?region={region}#dashboards:name={name}"


def _by_listener(listeners: Listeners) -> dict[str, Any]:
    states = listeners.polling_states(datetime.now(UTC))
    return {
        field: {listener: getattr(each, field) for listener, each in states.items()}
        for field in PollingState.model_fields
    }
