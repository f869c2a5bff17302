"""When tracks are healed."""

from aws_cdk import Duration
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_scheduler as scheduler
from aws_cdk import aws_scheduler_targets as targets
from constructs import Construct

from infra.cdk.constructs.listeners import scheduler_role
from infra.cdk.constructs.permissions import allow
from infra.cdk.sizes import HealerConfig


class HealingSchedule(Construct):
    """A schedule in the group of the listeners', with a role of its own.

    A healing that fails leaves nothing behind: its tracks stay due, and the next one takes them.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        config: HealerConfig,
        group: scheduler.ScheduleGroup,
        healer: lambda_.IFunction,
    ) -> None:
        super().__init__(scope, construct_id)
        role = scheduler_role(self, group)
        role.add_to_policy(allow("lambda", "InvokeFunction", on=[healer.function_arn]))
        schedule = scheduler.Schedule(
            self,
            "Schedule",
            description="Ask again for the features of tracks that wait for them",
            schedule_group=group,
            schedule=scheduler.ScheduleExpression.rate(Duration.minutes(config.every_minutes)),
            target=targets.LambdaInvoke(
                healer,
                input=scheduler.ScheduleTargetInput.from_object({}),
                # CDK would add the right to call each version of the function.
                role=role.without_policy_updates(),
                retry_attempts=0,
                max_event_age=Duration.minutes(10),
            ),
        )
        # A schedule names its group as plain text, from which no order follows.
        schedule.node.add_dependency(group)
