"""The data stack: the database with its host, the archive, the alarm topic."""

from typing import Any

from aws_cdk import CfnOutput, Stack
from aws_cdk import aws_sns as sns
from aws_cdk import aws_ssm as ssm
from constructs import Construct

from infra.cdk.config import PipelineConfig
from infra.cdk.constructs.alarm import AlarmTopic
from infra.cdk.constructs.buckets import ArchiveBucket
from infra.cdk.constructs.budget import add_budget
from infra.cdk.constructs.function_network import FunctionNetwork, existing_network
from infra.cdk.constructs.host_alarms import HostAlarms
from infra.cdk.constructs.network import Network
from infra.cdk.constructs.postgres_host import PostgresHost
from infra.cdk.constructs.snapshots import Snapshots
from infra.cdk.names import archive_name, host_name


class DataStack(Stack):
    """The database with its host and backups, the archive, the alarm topic and the budget.

    `network` is the network of the functions that use the database; if it is None, they reach the
    database over the internet.
    With an external database the stack has only archive, topic and budget.
    """

    def __init__(
        self, scope: Construct, construct_id: str, *, config: PipelineConfig, **options: Any
    ) -> None:
        super().__init__(scope, construct_id, **options)
        self._config = config
        self.network: FunctionNetwork | None = None
        ArchiveBucket(self, "Archive", config=config)
        topic = AlarmTopic(self, "AlarmTopic", config=config).topic
        if config.monthly_budget_usd:
            add_budget(self, "Budget", config=config)
        self._add_outputs({"ArchiveBucket": archive_name(config), "AlarmTopicArn": topic.topic_arn})
        if config.database.mode == "managed":
            self._add_database(topic)
        elif config.database.network:
            self.network = existing_network(self, "Network", config=config.database.network)

    def _add_database(self, topic: sns.ITopic) -> None:
        config = self._config
        network = Network(self, "Network", config=config)
        self.network = network.for_functions
        host = PostgresHost(self, "Postgres", config=config, network=network, topic=topic)
        ssm.StringParameter(
            self,
            "Host",
            parameter_name=config.database_host_parameter,
            description="Host name of Postgres",
            string_value=host.name,
        )
        Snapshots(self, "Snapshots", config=config, volume=host.volume)
        alarms = HostAlarms(self, "HostAlarms", topic=topic)
        # If created before the host is up, the alarms would go off.
        alarms.node.add_dependency(host.group)
        self._add_outputs(
            {
                "DbHost": host.name,
                "HostGroup": host_name(config),
                "BackupBucket": host.backups.bucket_name,
                "DataVolume": host.volume.volume_id,
            }
        )

    def _add_outputs(self, outputs: dict[str, str]) -> None:
        for name, value in outputs.items():
            CfnOutput(self, name, value=value)
