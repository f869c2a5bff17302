"""The pipeline stack: tables, queues, functions, schedules, alarms."""

from typing import Any, cast

from aws_cdk import CfnOutput, CfnResource, Duration, Stack, triggers
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_s3 as s3
from constructs import Construct

from infra.cdk.config import PipelineConfig
from infra.cdk.constructs.buckets import upload_pattern
from infra.cdk.constructs.function_network import FunctionNetwork
from infra.cdk.constructs.listener_secrets import ListenerSecrets
from infra.cdk.constructs.permissions import acknowledge
from infra.cdk.constructs.python_function import add_log_group
from infra.cdk.constructs.schedules import ListenerSchedules, RepeatedCall
from infra.cdk.constructs.staged_queue import StagedQueue, dead_letter_queue
from infra.cdk.functions import Functions, Surroundings
from infra.cdk.names import KEEP_DATA, archive_name
from infra.cdk.observability import Watched, add_alarms, add_dashboard
from infra.cdk.sizes import ConsumerConfig
from services.enricher.cache.pending import INDEX as WAITING

CALLS_MIGRATOR = "AWSCDK.TriggerCustomResourceProviderCustomResourceProvider"
"""The function that CDK adds to a stack for its triggers."""


class PipelineStack(Stack):
    """The queues, functions, schedules and alarms, with the DynamoDB tables and the logins.

    Tables and logins outlive the stack. The database and the archive are in `DataStack`.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        config: PipelineConfig,
        network: FunctionNetwork | None,
        **options: Any,
    ) -> None:
        super().__init__(scope, construct_id, **options)
        self._config = config
        self._add_stores()
        self._add_queues()
        self._functions = Functions(
            self,
            "Functions",
            config=config,
            surroundings=Surroundings(
                bucket=s3.Bucket.from_bucket_name(self, "Archived", archive_name(config)),
                collected_plays=self._collected_plays.queue,
                enriched_plays=self._enriched_plays.queue,
                failed_ticks=self._failed_ticks,
                listener_state=self._listener_state,
                spotify_app=self._spotify_app,
                track_cache=self._track_cache,
                login_arns=self._logins.arns,
                network=network,
            ),
        )
        self._connect()
        self._migration = self._migrate_before_the_loader()
        self._watch()
        self._add_outputs()

    def _add_stores(self) -> None:
        self._logins = ListenerSecrets(self, "Listeners", config=self._config)
        self._listener_state = self._table("ListenerState", "listener-state", key="listener")
        self._spotify_app = self._table("SpotifyApp", "spotify-app", key="app")
        self._track_cache = self._table("TrackCache", "track-cache", key="track_uri")
        self._track_cache.add_global_secondary_index(
            index_name=WAITING,
            partition_key=dynamodb.Attribute(name="misses", type=dynamodb.AttributeType.NUMBER),
            sort_key=dynamodb.Attribute(name="retry_at", type=dynamodb.AttributeType.NUMBER),
            projection_type=dynamodb.ProjectionType.KEYS_ONLY,
        )

    def _table(self, construct_id: str, name: str, *, key: str) -> dynamodb.Table:
        return dynamodb.Table(
            self,
            construct_id,
            table_name=f"{self._config.name}-{name}",
            partition_key=dynamodb.Attribute(name=key, type=dynamodb.AttributeType.STRING),
            billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
            point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
                point_in_time_recovery_enabled=True
            ),
            removal_policy=KEEP_DATA,
        )

    def _add_queues(self) -> None:
        config = self._config
        self._collected_plays = self._queue("CollectedPlays", "collected-plays", config.enricher)
        self._enriched_plays = self._queue("EnrichedPlays", "enriched-plays", config.loader)
        self._uploaded_files = self._queue("UploadedFiles", "uploaded-files", config.backfill)
        self._stages = {
            "CollectedPlays": self._collected_plays,
            "EnrichedPlays": self._enriched_plays,
            "UploadedFiles": self._uploaded_files,
        }
        self._failed_ticks = dead_letter_queue(
            self,
            "FailedTicks",
            queue_name=f"{config.name}-failed-ticks",
        )
        acknowledge(
            self._failed_ticks,
            "AwsSolutions-SQS3",
            reason="it is itself the dead-letter queue of the collector and of the schedules",
        )

    def _queue(self, construct_id: str, name: str, consumer: ConsumerConfig) -> StagedQueue:
        return StagedQueue(
            self,
            construct_id,
            queue_name=f"{self._config.name}-{name}",
            visibility_timeout=Duration.seconds(consumer.visibility_timeout_s),
            max_receives=consumer.max_receives,
        )

    def _connect(self) -> None:
        config, functions = self._config, self._functions
        self._schedules = ListenerSchedules(
            self,
            "Schedules",
            config=config,
            collector=functions.collector.function,
            failed_ticks=self._failed_ticks,
        )
        RepeatedCall(
            self,
            "Healing",
            description="Ask again for the features of pending tracks",
            every_minutes=config.healer.every_minutes,
            group=self._schedules.group,
            function=functions.healer.function,
        )
        RepeatedCall(
            self,
            "Deriving",
            description="Refresh the derived tables where no load has done it",
            every_minutes=config.derive.every_minutes,
            group=self._schedules.group,
            function=functions.derive.function,
        )
        events.Rule(
            self,
            "OnUpload",
            event_pattern=upload_pattern(config),
            targets=[targets.SqsQueue(self._uploaded_files.queue)],
        )
        functions.backfill.consume(self._uploaded_files.queue, config.backfill)
        functions.enricher.consume(self._collected_plays.queue, config.enricher)
        functions.loader.consume(self._enriched_plays.queue, config.loader)

    def _migrate_before_the_loader(self) -> triggers.Trigger:
        """Add a trigger that runs the migrations if a deployment changes the migrator.

        It runs before the loader is updated.
        """
        config, functions = self._config, self._functions
        trigger = triggers.Trigger(
            self,
            "Migrate",
            handler=functions.migrator.function,
            timeout=Duration.seconds(config.migrator.timeout_s),
            execute_before=[functions.loader],
        )
        caller = cast(Construct, self.node.find_child(CALLS_MIGRATOR))
        log_group = add_log_group(caller, "Log", name=f"/{config.name}/migration-trigger")
        function = cast(CfnResource, caller.node.find_child("Handler"))
        function.add_property_override("LoggingConfig.LogGroup", log_group.log_group_name)
        return trigger

    def _watch(self) -> None:
        parts = Watched(
            stages=self._stages,
            failed_ticks=self._failed_ticks,
            functions=self._functions,
            before_first_tick=[self._schedules, self._migration],
        )
        add_alarms(self, self._config, parts)
        add_dashboard(self, self._config, parts)

    def _add_outputs(self) -> None:
        config, functions = self._config, self._functions
        outputs = {
            "ArchiveBucket": archive_name(config),
            **{
                f"{name}Function": function.function_name
                for name, function in functions.by_name.items()
            },
            "MigratorFunction": functions.migrator.function.function_name,
            "ListenerStateTable": self._listener_state.table_name,
            "SpotifyAppTable": self._spotify_app.table_name,
            "TrackCacheTable": self._track_cache.table_name,
            **{f"{name}QueueUrl": stage.queue.queue_url for name, stage in self._stages.items()},
            **{
                f"{name}DlqUrl": stage.dead_letters.queue_url
                for name, stage in self._stages.items()
            },
            "FailedTicksQueueUrl": self._failed_ticks.queue_url,
            "DatabaseReaderParameter": config.database_login_parameter("reader"),
            "DatabaseHostParameter": config.database_host_parameter,
            "ListenerSecretPrefix": config.listener_secret_prefix,
        }
        for name, value in outputs.items():
            CfnOutput(self, name, value=value)
