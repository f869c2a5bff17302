"""The schedules that invoke functions: a poll for each listener, and repeated work."""

from aws_cdk import Aws, Duration, RemovalPolicy
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_scheduler as scheduler
from aws_cdk import aws_scheduler_targets as targets
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.cdk.config import PipelineConfig
from infra.cdk.constructs.permissions import allow


class ListenerSchedules(Construct):
    """One schedule for each listener, which invokes the collector."""

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
                    # CDK would add the right to invoke each version of the function.
                    role=role.without_policy_updates(),
                    dead_letter_queue=failed_ticks,
                    retry_attempts=2,
                    max_event_age=Duration.minutes(10),
                ),
            )
            # A schedule names its group as plain text, which implies no order.
            schedule.node.add_dependency(self.group)


class RepeatedCall(Construct):
    """A schedule that invokes a function without input, with a role of its own.

    A failed invocation needs no retry, because the next one does the same work.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        description: str,
        every_minutes: int,
        group: scheduler.ScheduleGroup,
        function: lambda_.IFunction,
    ) -> None:
        super().__init__(scope, construct_id)
        role = scheduler_role(self, group)
        role.add_to_policy(allow("lambda", "InvokeFunction", on=[function.function_arn]))
        schedule = scheduler.Schedule(
            self,
            "Schedule",
            description=description,
            schedule_group=group,
            schedule=scheduler.ScheduleExpression.rate(Duration.minutes(every_minutes)),
            target=targets.LambdaInvoke(
                function,
                input=scheduler.ScheduleTargetInput.from_object({}),
                # CDK would add the right to invoke each version of the function.
                role=role.without_policy_updates(),
                retry_attempts=0,
                max_event_age=Duration.minutes(10),
            ),
        )
        # A schedule names its group as plain text, which implies no order.
        schedule.node.add_dependency(group)


def scheduler_role(scope: Construct, group: scheduler.ScheduleGroup) -> iam.Role:
    """Return a role without rights that only the schedules of one schedule group may assume."""
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
