"""Whom the pipeline listens to: a secret and a schedule for each."""

from typing import cast

from aws_cdk import Acknowledgment, Aws, Duration, RemovalPolicy, Validations
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_scheduler as scheduler
from aws_cdk import aws_scheduler_targets as targets
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.cdk.config import PipelineConfig
from infra.cdk.constructs.permissions import allow, secret_arn
from infra.cdk.constructs.removal import KEEP_DATA


class ListenerSecrets(Construct):
    """One empty secret for each listener; logging in fills it, and no deployment touches it."""

    def __init__(self, scope: Construct, construct_id: str, *, config: PipelineConfig) -> None:
        super().__init__(scope, construct_id)
        secrets = [
            secretsmanager.Secret(
                self,
                listener,
                secret_name=f"{config.listener_secret_prefix}{listener}",
                description=f"The Spotify login of {listener}",
                removal_policy=KEEP_DATA,
            )
            for listener in config.listeners
        ]
        for secret in secrets:
            resource = cast(secretsmanager.CfnSecret, secret.node.default_child)
            # Without this CDK has a random value made, which would pass for a login.
            resource.add_property_deletion_override("GenerateSecretString")
        Validations.of(self).acknowledge(
            Acknowledgment(
                id="AwsSolutions-SMG4",
                reason="Spotify issues what is in it: the collector stores each new refresh token,"
                " and no schedule of ours could make one",
            )
        )
        names = [f"{config.listener_secret_prefix}{listener}" for listener in config.listeners]
        self.arns = [secret_arn(self, name) for name in names]


class ListenerSchedules(Construct):
    """One schedule for each listener, whose ticks the collector gets."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        config: PipelineConfig,
        collector: lambda_.IFunction,
        failed_ticks: sqs.IQueue,
    ) -> None:
        super().__init__(scope, construct_id)
        self.group = scheduler.ScheduleGroup(self, "Group", schedule_group_name=config.name)
        self.group.apply_removal_policy(RemovalPolicy.DESTROY)
        role = scheduler_role(self, self.group)
        role.add_to_policy(allow("lambda", "InvokeFunction", on=[collector.function_arn]))
        role.add_to_policy(allow("sqs", "SendMessage", on=[failed_ticks.queue_arn]))
        for listener in config.listeners:
            schedule = scheduler.Schedule(
                self,
                listener,
                description=f"Collect what {listener} played",
                schedule_group=self.group,
                schedule=scheduler.ScheduleExpression.rate(Duration.minutes(config.poll_minutes)),
                enabled=config.polling_enabled,
                target=targets.LambdaInvoke(
                    collector,
                    input=scheduler.ScheduleTargetInput.from_object({"listener": listener}),
                    # CDK would add the right to call each version of the function.
                    role=role.without_policy_updates(),
                    dead_letter_queue=failed_ticks,
                    retry_attempts=2,
                    max_event_age=Duration.minutes(10),
                ),
            )
            # A schedule names its group as plain text, from which no order follows.
            schedule.node.add_dependency(self.group)


def scheduler_role(scope: Construct, group: scheduler.ScheduleGroup) -> iam.Role:
    """Make a role that the schedules of a group may take, with no right yet."""
    only_ours = {
        "StringEquals": {
            "aws:SourceAccount": Aws.ACCOUNT_ID,
            "aws:SourceArn": group.schedule_group_arn,
        }
    }
    return iam.Role(
        scope,
        "Role",
        assumed_by=iam.ServicePrincipal("scheduler.amazonaws.com", conditions=only_ours),
    )
