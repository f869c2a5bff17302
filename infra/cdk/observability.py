"""Which parts of the pipeline have an alarm, and what the dashboard shows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from aws_cdk import Duration
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs
from constructs import Construct, IDependable

from infra.cdk.config import PipelineConfig
from infra.cdk.constructs.alarms import Alarms
from infra.cdk.constructs.dashboard import Dashboard
from infra.cdk.constructs.staged_queue import StagedQueue
from infra.cdk.functions import Functions
from infra.cdk.names import topic_arn

LONGEST_WAIT = {
    "CollectedPlays": Duration.minutes(20),
    "EnrichedPlays": Duration.minutes(10),
    "UploadedFiles": Duration.hours(1),
}
"""Age of the oldest message that starts an alarm, by queue.

SQS reports the age of a message until its third receipt. A failing consumer reaches that after two
visibility timeouts; these values are shorter.
"""
# These values exceed normal waits: one failed attempt (12 minutes in the enricher, 6 in the
# loader), and an upload of 100,000 plays, whose 200 batches take two enrichers 4 to 8 minutes
# (25 s for 5 to 10 batches, estimated) and two loaders less.


@dataclass(frozen=True)
class Watched:
    """The parts of the pipeline that can fail."""

    stages: Mapping[str, StagedQueue]
    failed_ticks: sqs.Queue
    functions: Functions
    before_first_tick: Sequence[IDependable]
    """The constructs that must be deployed before a schedule invokes the collector."""


def add_alarms(scope: Construct, config: PipelineConfig, parts: Watched) -> None:
    """Add an alarm for every failure that needs a person.

    A failing backfill, enricher or loader starts the alarms on message age and dead letters. A
    failing migration needs no alarm, because it fails its deployment.
    """
    alarms = Alarms(
        scope, "Alarms", topic=sns.Topic.from_topic_arn(scope, "Topic", topic_arn(scope, config))
    )
    for name, stage in parts.stages.items():
        alarms.on_dead_letters(name, stage.dead_letters)
        alarms.on_age(name, stage.queue, longest=LONGEST_WAIT[name])
    alarms.on_failed_ticks(parts.failed_ticks)
    for name in ("Collector", "Healer", "Derive"):
        alarms.on_errors(name, parts.functions.by_name[name])
    alarms.on_throttles()
    if config.polling_enabled:
        alarms.on_silence(
            "Collector", parts.functions.by_name["Collector"], after=parts.before_first_tick
        )
    alarms.on_live_capture()


def add_dashboard(scope: Construct, config: PipelineConfig, parts: Watched) -> None:
    """Add the dashboard of all parts."""
    dashboard = Dashboard(scope, "Dashboard", config=config)
    dashboard.show_capture()
    dashboard.show_queues(
        {name: stage.queue for name, stage in parts.stages.items()},
        {
            **{name: stage.dead_letters for name, stage in parts.stages.items()},
            "FailedTicks": parts.failed_ticks,
        },
    )
    dashboard.show_functions(parts.functions.by_name)
    if config.database.mode == "managed":
        dashboard.show_host(config)
