"""The pipeline stack: tables, queues, functions, schedules, alarms."""

from typing import Any

from aws_cdk import (
    Acknowledgment,
    CfnOutput,
    Duration,
    Stack,
    Validations,
)
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_s3 as s3
from constructs import Construct

from infra.cdk.config import PipelineConfig
from infra.cdk.constructs.buckets import upload_pattern
from infra.cdk.constructs.database_functions import add_migration
from infra.cdk.constructs.function_network import FunctionNetwork
from infra.cdk.constructs.listener_secrets import ListenerSecrets
from infra.cdk.constructs.schedules import ListenerSchedules, RepeatedCall
from infra.cdk.constructs.staged_queue import StagedQueue, dead_letter_queue
from infra.cdk.functions import Functions, Surroundings
from infra.cdk.names import KEEP_DATA, archive_name
from infra.cdk.observability import Watched, add_alarms, add_dashboard
from infra.cdk.sizes import ConsumerConfig
from services.enricher.cache.pending import INDEX as WAITING


class PipelineStack(Stack):
    """The stateless half of a deployment, and the tables of its state."""

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
        self._migration = add_migration(
            self,
            "Migrate",
            config=config,
            migrator=self._functions.migrator,
            before=self._functions.loader,
        )
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
        self._failed_ticks = dead_letter_queue(
            self,
            "FailedTicks",
            queue_name=f"{config.name}-failed-ticks",
        )
        Validations.of(self._failed_ticks).acknowledge(
            Acknowledgment(
                id="AwsSolutions-SQS3",
                reason="it is itself where the collector and the schedules leave what failed",
            )
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
            description="Ask again for the features of tracks that wait for them",
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

    def _watch(self) -> None:
        parts = Watched(
            stages={
                "CollectedPlays": self._collected_plays,
                "EnrichedPlays": self._enriched_plays,
                "UploadedFiles": self._uploaded_files,
            },
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
            "CollectorFunction": functions.collector.function.function_name,
            "BackfillFunction": functions.backfill.function.function_name,
            "EnricherFunction": functions.enricher.function.function_name,
            "HealerFunction": functions.healer.function.function_name,
            "LoaderFunction": functions.loader.function.function_name,
            "MigratorFunction": functions.migrator.function.function_name,
            "QueriesFunction": functions.queries.function.function_name,
            "DeriveFunction": functions.derive.function.function_name,
            "ListenerStateTable": self._listener_state.table_name,
            "SpotifyAppTable": self._spotify_app.table_name,
            "TrackCacheTable": self._track_cache.table_name,
            "CollectedPlaysQueueUrl": self._collected_plays.queue.queue_url,
            "CollectedPlaysDlqUrl": self._collected_plays.dead_letters.queue_url,
            "EnrichedPlaysQueueUrl": self._enriched_plays.queue.queue_url,
            "EnrichedPlaysDlqUrl": self._enriched_plays.dead_letters.queue_url,
            "UploadedFilesQueueUrl": self._uploaded_files.queue.queue_url,
            "UploadedFilesDlqUrl": self._uploaded_files.dead_letters.queue_url,
            "FailedTicksQueueUrl": self._failed_ticks.queue_url,
            "DatabaseReaderParameter": config.database_login_parameter("reader"),
            "DatabaseHostParameter": config.database_host_parameter,
            "ListenerSecretPrefix": config.listener_secret_prefix,
        }
        for name, value in outputs.items():
            CfnOutput(self, name, value=value)
