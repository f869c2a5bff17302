"""A Lambda function of one service."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from aws_cdk import Duration, IgnoreMode, RemovalPolicy, Size
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.cdk.constructs.function_network import FunctionNetwork, interface_rights
from infra.cdk.constructs.permissions import acknowledge, allow
from infra.cdk.sizes import ConsumerConfig, FunctionConfig
from shared.telemetry import NAMESPACE

ROOT = Path(__file__).parents[3]
LAMBDA_LEVELS = {
    "DEBUG": lambda_.ApplicationLogLevel.DEBUG,
    "INFO": lambda_.ApplicationLogLevel.INFO,
    "WARNING": lambda_.ApplicationLogLevel.WARN,
    "ERROR": lambda_.ApplicationLogLevel.ERROR,
}
"""Lambda's log levels by Python's names."""


@dataclass(frozen=True)
class FunctionDefaults:
    """The settings that all functions of a deployment share."""

    name: str
    log_level: str
    layers: Sequence[lambda_.ILayerVersion]


def source_of(service: str) -> lambda_.AssetCode:
    """Return the code of one service and of `shared`, as it is in the repository."""
    return lambda_.Code.from_asset(
        str(ROOT),
        ignore_mode=IgnoreMode.GIT,
        exclude=[
            *("/*", "!/services/", "!/shared/"),
            *("/services/*", "!/services/__init__.py", f"!/services/{service}/"),
            *("__pycache__/", "*.pyc"),
        ],
    )


def add_log_group(scope: Construct, construct_id: str, *, name: str) -> logs.LogGroup:
    """Add a log group that keeps lines for a month and is deleted with its stack.

    Without one, Lambda makes a group that no stack deletes and whose lines never expire.
    """
    return logs.LogGroup(
        scope,
        construct_id,
        log_group_name=name,
        retention=logs.RetentionDays.ONE_MONTH,
        removal_policy=RemovalPolicy.DESTROY,
    )


class PythonFunction(Construct):
    """A function with a role and a log group of its own, and no rights except those given.

    Args:
        scope: The stack.
        construct_id: The function's name in the stack; in lower case, also the log group's name.
        handler: Dotted path; the second part names the service, `services.<service>.…`.
        config: Its timeout, memory and disk.
        defaults: The settings that all functions share.
        environment: Addresses and names; never a secret.
        grants: Its rights in addition to writing its log.
        network: Its VPC; None for functions outside a VPC.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        handler: str,
        config: FunctionConfig,
        defaults: FunctionDefaults,
        environment: Mapping[str, str],
        grants: Sequence[iam.PolicyStatement],
        network: FunctionNetwork | None = None,
    ) -> None:
        super().__init__(scope, construct_id)
        # The service is also the dimension of the metrics, so a service's functions share them.
        service = handler.split(".")[1]
        log_group = add_log_group(self, "Log", name=f"/{defaults.name}/{construct_id.lower()}")
        self._role = iam.Role(self, "Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
        log_group.grant_write(self._role)
        for grant in grants:
            self._role.add_to_policy(grant)
        if network:
            for right in interface_rights():
                self._role.add_to_policy(right)
            acknowledge(
                self._role,
                "AwsSolutions-IAM5[Resource::*]",
                reason="Lambda makes an interface's id when it creates it; the function's own code"
                " is denied the same calls",
            )
        self.function = lambda_.Function(
            self,
            "Function",
            runtime=lambda_.Runtime.PYTHON_3_14,
            architecture=lambda_.Architecture.ARM_64,
            code=source_of(service),
            handler=handler,
            layers=list(defaults.layers),
            role=self._role,
            log_group=log_group,
            logging_format=lambda_.LoggingFormat.JSON,
            # Lambda drops lines below its own level, which is INFO by default.
            application_log_level_v2=LAMBDA_LEVELS[defaults.log_level],
            memory_size=config.memory_mb,
            timeout=Duration.seconds(config.timeout_s),
            ephemeral_storage_size=Size.mebibytes(config.disk_mb),
            vpc=network.vpc if network else None,
            vpc_subnets=network.subnets if network else None,
            security_groups=[network.security_group] if network else None,
            ipv6_allowed_for_dual_stack=network.ipv6 if network else None,
            environment={
                **environment,
                **(network.variables if network else {}),
                "POWERTOOLS_SERVICE_NAME": service,
                "POWERTOOLS_METRICS_NAMESPACE": NAMESPACE,
                "POWERTOOLS_LOG_LEVEL": defaults.log_level,
            },
        )

    def send_failures_to(self, queue: sqs.IQueue) -> None:
        """Send failed asynchronous invocations to a queue, with their errors.

        Retries are switched off, because the next poll does the same work, and Lambda's two retries
        would triple the calls during an outage.
        """
        self._role.add_to_policy(allow("sqs", "SendMessage", on=[queue.queue_arn]))
        # CDK's destination class would add the right to read the attributes of the queue.
        lambda_.CfnEventInvokeConfig(
            self,
            "Failures",
            function_name=self.function.function_name,
            qualifier="$LATEST",
            maximum_retry_attempts=0,
            maximum_event_age_in_seconds=Duration.minutes(15).to_seconds(),
            destination_config=lambda_.CfnEventInvokeConfig.DestinationConfigProperty(
                on_failure=lambda_.CfnEventInvokeConfig.OnFailureProperty(
                    destination=queue.queue_arn
                )
            ),
        )

    def consume(self, queue: sqs.IQueue, config: ConsumerConfig) -> None:
        """Invoke the function with messages of a queue; failed messages are reported one by one."""
        self._role.add_to_policy(
            allow(
                *("sqs", "ReceiveMessage", "DeleteMessage", "GetQueueAttributes"),
                on=[queue.queue_arn],
            )
        )
        self.function.add_event_source_mapping(
            "Source",
            event_source_arn=queue.queue_arn,
            batch_size=config.batch_size,
            max_batching_window=Duration.seconds(config.window_s),
            # The smallest allowed value limits the load on Spotify and Postgres. A reserved
            # concurrency would not deploy in a new account, whose quota is 10.
            max_concurrency=2,
            report_batch_item_failures=True,
        )
