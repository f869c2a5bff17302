"""The eight Lambda functions, with the environment variables and the rights of each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from aws_cdk import Aws
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.cdk.config import PipelineConfig
from infra.cdk.constructs.dependency_layer import DependencyLayer
from infra.cdk.constructs.function_network import FunctionNetwork
from infra.cdk.constructs.permissions import acknowledge, allow, parameter_arn, secret_arn
from infra.cdk.constructs.python_function import FunctionDefaults, PythonFunction
from infra.cdk.database import Role
from infra.cdk.names import archive_name
from infra.cdk.sizes import FunctionConfig
from services.enricher.cache.pending import INDEX as WAITING
from shared.archive import UPLOADS


@dataclass(frozen=True)
class Surroundings:
    """The resources that the functions use, and the network of those that use the database."""

    bucket: s3.IBucket
    collected_plays: sqs.Queue
    enriched_plays: sqs.Queue
    failed_ticks: sqs.Queue
    listener_state: dynamodb.Table
    spotify_app: dynamodb.Table
    track_cache: dynamodb.Table
    login_arns: Sequence[str]
    network: FunctionNetwork | None


class Functions(Construct):
    """The functions of the pipeline, without the events that invoke them."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        config: PipelineConfig,
        surroundings: Surroundings,
    ) -> None:
        super().__init__(scope, construct_id)
        self._config = config
        self._around = surroundings
        self._defaults = FunctionDefaults(
            name=config.name,
            log_level=config.log_level,
            layers=[DependencyLayer(self, "Dependencies")] if config.dependency_layer else [],
        )
        self.collector = self._collector()
        self.backfill = self._backfill()
        self.enricher = self._feature_function(
            "Enricher", "services.enricher.handler.handler", config.enricher
        )
        self.healer = self._healer()
        self.loader = self._on_database(
            *("Loader", "services.loader.handler.handler", "loader", config.loader),
            environment={"MATCH_WINDOW_S": str(config.match_window_s)},
        )
        self.migrator = self._on_database(
            "Migrator", "services.loader.migrate.handler", "migrator", config.migrator
        )
        self.queries = self._on_database(
            "Queries", "services.loader.queries.handler", "reader", config.queries
        )
        self.derive = self._on_database(
            *("Derive", "services.loader.derive.handler", "loader", config.derive),
            environment={"LISTENERS": ",".join(config.listeners)},
        )

    @property
    def by_name(self) -> dict[str, lambda_.IFunction]:
        """Return all functions except the migrator, by their names."""
        named = {
            "Collector": self.collector,
            "Backfill": self.backfill,
            "Enricher": self.enricher,
            "Healer": self.healer,
            "Loader": self.loader,
            "Queries": self.queries,
            "Derive": self.derive,
        }
        return {name: each.function for name, each in named.items()}

    def _collector(self) -> PythonFunction:
        config, around = self._config, self._around
        polls = around.bucket.arn_for_objects("polls/*")
        function = PythonFunction(
            self,
            "Collector",
            handler="services.collector.handler.handler",
            config=config.collector,
            defaults=self._defaults,
            environment={
                "LISTENER_SECRET_PREFIX": config.listener_secret_prefix,
                "LISTENER_STATE_TABLE": around.listener_state.table_name,
                "SPOTIFY_APP_TABLE": around.spotify_app.table_name,
                "ARCHIVE_BUCKET": around.bucket.bucket_name,
                "COLLECTED_PLAYS_QUEUE_URL": around.collected_plays.queue_url,
                "SPOTIFY_API_URL": config.spotify_api_url,
                "SPOTIFY_ACCOUNTS_URL": config.spotify_accounts_url,
            },
            grants=[
                allow("secretsmanager", "GetSecretValue", "PutSecretValue", on=around.login_arns),
                allow("dynamodb", "GetItem", "PutItem", on=[around.listener_state.table_arn]),
                allow("dynamodb", "GetItem", "UpdateItem", on=[around.spotify_app.table_arn]),
                allow("s3", "PutObject", on=[polls]),
                allow("sqs", "SendMessage", on=[around.collected_plays.queue_arn]),
            ],
        )
        function.send_failures_to(around.failed_ticks)
        self._acknowledge_prefix(function, "polls/*")
        return function

    def _backfill(self) -> PythonFunction:
        config, around = self._config, self._around
        uploads = around.bucket.arn_for_objects(f"{UPLOADS}*")
        quarantine = around.bucket.arn_for_objects("quarantine/*")
        function = PythonFunction(
            self,
            "Backfill",
            handler="services.collector.backfill.handler",
            config=config.backfill,
            defaults=self._defaults,
            environment={
                "ARCHIVE_BUCKET": around.bucket.bucket_name,
                "COLLECTED_PLAYS_QUEUE_URL": around.collected_plays.queue_url,
                "LISTENERS": ",".join(config.listeners),
            },
            grants=[
                allow("s3", "GetObject", "GetObjectVersion", on=[uploads]),
                # Without ListBucket S3 answers "forbidden" for a deleted upload.
                # A condition on `s3:prefix` would never match, because GetObject sends no prefix.
                allow("s3", "ListBucket", on=[around.bucket.bucket_arn]),
                allow("s3", "PutObject", "AbortMultipartUpload", on=[quarantine]),
                allow("sqs", "SendMessage", on=[around.collected_plays.queue_arn]),
            ],
        )
        self._acknowledge_prefix(function, f"{UPLOADS}*")
        self._acknowledge_prefix(function, "quarantine/*")
        return function

    def _healer(self) -> PythonFunction:
        config, cache = self._config.healer, self._around.track_cache
        return self._feature_function(
            *("Healer", "services.enricher.heal.handler", config),
            environment={"TRACKS_PER_HEALING": str(config.most_tracks)},
            grants=[allow("dynamodb", "Query", on=[f"{cache.table_arn}/index/{WAITING}"])],
        )

    def _feature_function(
        self,
        construct_id: str,
        handler: str,
        size: FunctionConfig,
        *,
        environment: Mapping[str, str] = MappingProxyType({}),
        grants: Sequence[iam.PolicyStatement] = (),
    ) -> PythonFunction:
        """Add a function that requests features and publishes them."""
        config, around = self._config, self._around
        if secret := config.features_secret:
            grants = [
                *grants,
                allow("secretsmanager", "GetSecretValue", on=[secret_arn(self, secret)]),
                allow("dynamodb", "GetItem", "UpdateItem", on=[around.spotify_app.table_arn]),
            ]
        return PythonFunction(
            self,
            construct_id,
            handler=handler,
            config=size,
            defaults=self._defaults,
            environment={
                "ENRICHED_PLAYS_QUEUE_URL": around.enriched_plays.queue_url,
                "TRACK_CACHE_TABLE": around.track_cache.table_name,
                "FEATURE_SOURCES": ",".join(config.feature_sources),
                "RECCOBEATS_URL": config.reccobeats_url,
                "SPOTIFY_API_URL": config.spotify_api_url,
                "SPOTIFY_ACCOUNTS_URL": config.spotify_accounts_url,
                "SPOTIFY_APP_TABLE": around.spotify_app.table_name,
                "SPOTIFY_APP_SECRET": config.features_secret,
                "SPOTIFY_DAILY_CALLS": str(config.spotify_daily_calls),
                **environment,
            },
            grants=[
                allow(
                    *("dynamodb", "BatchGetItem", "BatchWriteItem"),
                    on=[around.track_cache.table_arn],
                ),
                allow("sqs", "SendMessage", on=[around.enriched_plays.queue_arn]),
                *grants,
            ],
        )

    def _on_database(
        self,
        construct_id: str,
        handler: str,
        role: Role,
        size: FunctionConfig,
        *,
        environment: Mapping[str, str] = MappingProxyType({}),
    ) -> PythonFunction:
        """Add a function that uses the database.

        It gets the names of the SSM parameters with login, host and CA, and may read these.
        """
        config = self._config
        parameters = {
            "DATABASE_LOGIN_PARAMETER": config.database_login_parameter(role),
            "DATABASE_HOST_PARAMETER": config.database_host_parameter,
            "DATABASE_CA_PARAMETER": config.database_ca_parameter,
        }
        readable = [parameter_arn(self, name) for name in parameters.values() if name]
        return PythonFunction(
            self,
            construct_id,
            handler=handler,
            config=size,
            defaults=self._defaults,
            environment={**parameters, **environment},
            # AWS's own key encrypts the parameter, and serves everyone who may read the parameter.
            grants=[allow("ssm", "GetParameter", on=readable)],
            network=self._around.network,
        )

    def _acknowledge_prefix(self, function: PythonFunction, prefix: str) -> None:
        name = archive_name(self._config)
        # cdk-nag's findings contain CloudFormation's variables in this form.
        for token, written in ((Aws.ACCOUNT_ID, "<AWS::AccountId>"), (Aws.REGION, "<AWS::Region>")):
            name = name.replace(token, written)
        acknowledge(
            function,
            f"AwsSolutions-IAM5[Resource::arn:<AWS::Partition>:s3:::{name}/{prefix}]",
            reason="the names of objects are not known beforehand; the folder is all it needs",
        )
