"""What a schedule calls again and again, with nothing to say to it."""

from aws_cdk import Duration
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_scheduler as scheduler
from aws_cdk import aws_scheduler_targets as targets
from constructs import Construct

from infra.cdk.constructs.listeners import scheduler_role
from infra.cdk.constructs.permissions import allow


class RepeatedCall(Construct):
    """A schedule in the group of the listeners', with a role of its own.

    A call that fails leaves nothing behind: its work stays due, and the next one does it.
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
                # CDK would add the right to call each version of the function.
                role=role.without_policy_updates(),
                retry_attempts=0,
                max_event_age=Duration.minutes(10),
            ),
        )
        # A schedule names its group as plain text, from which no order follows.
        schedule.node.add_dependency(group)
