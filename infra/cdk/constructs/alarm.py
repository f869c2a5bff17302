"""The SNS topic that all alarms notify, and a function that adds one alarm."""

from dataclasses import dataclass

from aws_cdk import Aws
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from constructs import Construct

from infra.cdk.config import PipelineConfig
from infra.cdk.names import topic_name

GREATER_OR_EQUAL = cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD
LESS_OR_EQUAL = cloudwatch.ComparisonOperator.LESS_THAN_OR_EQUAL_TO_THRESHOLD
LESS = cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD


@dataclass(frozen=True, kw_only=True)
class AlarmRule:
    """The condition that starts an alarm, and the text of its mail."""

    metric: cloudwatch.IMetric
    """Includes the period and the statistic."""
    threshold: float
    comparison: cloudwatch.ComparisonOperator = GREATER_OR_EQUAL
    """How a bad value compares with the threshold."""
    periods: int = 1
    """Periods that are evaluated."""
    breaching: int | None = None
    """Periods that must be bad; by default all of them."""
    missing_is_bad: bool = False
    """Whether a period without a value counts as bad."""
    description: str
    """What happened and what to do."""


def add_alarm(
    scope: Construct, construct_id: str, *, topic: sns.ITopic, rule: AlarmRule
) -> cloudwatch.Alarm:
    """Add an alarm that notifies a topic when it starts and when it ends."""
    treat = cloudwatch.TreatMissingData
    alarm = cloudwatch.Alarm(
        scope,
        construct_id,
        metric=rule.metric,
        threshold=rule.threshold,
        comparison_operator=rule.comparison,
        evaluation_periods=rule.periods,
        datapoints_to_alarm=rule.breaching or rule.periods,
        treat_missing_data=treat.BREACHING if rule.missing_is_bad else treat.NOT_BREACHING,
        alarm_description=rule.description,
    )
    alarm.add_alarm_action(actions.SnsAction(topic))
    alarm.add_ok_action(actions.SnsAction(topic))
    return alarm


class AlarmTopic(Construct):
    """The SNS topic that all alarms of this account notify; it sends them to the owner by mail."""

    def __init__(self, scope: Construct, construct_id: str, *, config: PipelineConfig) -> None:
        super().__init__(scope, construct_id)
        self.topic = sns.Topic(self, "Topic", topic_name=topic_name(config), enforce_ssl=True)
        self._let_alarms_publish()
        if config.alert_email:
            self.topic.add_subscription(subscriptions.EmailSubscription(config.alert_email))

    def _let_alarms_publish(self) -> None:
        # `enforce_ssl` gives the topic a policy, which replaces the default one that lets alarms
        # of the same account publish.
        self.topic.add_to_resource_policy(
            iam.PolicyStatement(
                principals=[iam.ServicePrincipal("cloudwatch.amazonaws.com")],
                actions=["sns:Publish"],
                resources=[self.topic.topic_arn],
                conditions={"StringEquals": {"aws:SourceAccount": Aws.ACCOUNT_ID}},
            )
        )
