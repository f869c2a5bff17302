"""Who is told, and of what."""

from aws_cdk import Aws, Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from shared.telemetry import NAMESPACE

OLDEST_MESSAGE = Duration.hours(1)
"""The age at which a waiting message means that its consumer is stuck."""

TOKEN_DAYS = {
    30: "the login of a listener ends within a month",
    7: "the login of a listener ends within a week",
    1: "the login of a listener ends within a day, or Spotify refuses it already",
}
"""When to tell that a listener must log in again: by then, and in which words."""

GREATER_OR_EQUAL = cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD
LESS_OR_EQUAL = cloudwatch.ComparisonOperator.LESS_THAN_OR_EQUAL_TO_THRESHOLD


class Alarms(Construct):
    """A topic, and the alarms that speak through it."""

    def __init__(
        self, scope: Construct, construct_id: str, *, email: str, require_tls: bool
    ) -> None:
        super().__init__(scope, construct_id)
        self.topic = sns.Topic(self, "Topic", enforce_ssl=require_tls)
        self._let_alarms_speak()
        if email:
            self.topic.add_subscription(subscriptions.EmailSubscription(email))

    def on_dead_letters(self, name: str, queue: sqs.IQueue) -> None:
        """Tell of the first dead letter of a queue."""
        self._alarm(
            f"{name}DeadLetters",
            metric=queue.metric_approximate_number_of_messages_visible(
                period=Duration.minutes(5), statistic="Maximum"
            ),
            threshold=1,
            description=f"{name}: messages were given up; read, mend and replay them",
        )

    def on_age(self, name: str, queue: sqs.IQueue) -> None:
        """Tell when the oldest message of a queue has waited too long."""
        self._alarm(
            f"{name}Age",
            metric=queue.metric_approximate_age_of_oldest_message(
                period=Duration.minutes(5), statistic="Maximum"
            ),
            threshold=OLDEST_MESSAGE.to_seconds(),
            description=f"{name}: the oldest message waits for more than an hour",
        )

    def on_errors(self, name: str, function: lambda_.IFunction) -> None:
        """Tell when a function fails again and again; a single failure makes itself good."""
        self._alarm(
            f"{name}Errors",
            metric=function.metric_errors(period=Duration.minutes(30), statistic="Sum"),
            threshold=1,
            evaluation_periods=3,
            datapoints_to_alarm=2,
            description=f"{name}: fails again and again; read its log",
        )

    def on_live_capture(self) -> None:
        """Tell when a login ends, when plays may be missed, and when Spotify gives none."""
        for days, words in TOKEN_DAYS.items():
            self._alarm(
                f"TokenDaysLeft{days}",
                metric=_of_collector("TokenDaysLeft", "Minimum"),
                threshold=days,
                comparison=LESS_OR_EQUAL,
                description=f"Collector: {words}; run `plays login`",
            )
        self._alarm(
            "GapDetected",
            metric=_of_collector("GapDetected", "Sum"),
            threshold=1,
            description="Collector: plays may be missed; `plays status` tells when and why",
        )
        self._alarm(
            "SpotifyThrottled",
            # Of several apps one may be blocked while the others are not: any tick counts.
            metric=_of_collector("SpotifyThrottled", "Maximum"),
            threshold=1,
            evaluation_periods=3,
            datapoints_to_alarm=3,
            description="Collector: Spotify takes no calls for hours; `plays status` tells when"
            " it does again",
        )

        self._alarm(
            "SpotifyForbids",
            metric=_of_collector("SpotifyForbids", "Maximum"),
            threshold=1,
            description="Collector: Spotify forbids the app or the account; `plays status` tells"
            " why",
        )

    def _alarm(
        self,
        construct_id: str,
        *,
        metric: cloudwatch.Metric,
        threshold: float,
        description: str,
        comparison: cloudwatch.ComparisonOperator = GREATER_OR_EQUAL,
        evaluation_periods: int = 1,
        datapoints_to_alarm: int = 1,
    ) -> None:
        alarm = cloudwatch.Alarm(
            self,
            construct_id,
            metric=metric,
            threshold=threshold,
            comparison_operator=comparison,
            evaluation_periods=evaluation_periods,
            datapoints_to_alarm=datapoints_to_alarm,
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
            alarm_description=description,
        )
        alarm.add_alarm_action(actions.SnsAction(self.topic))
        alarm.add_ok_action(actions.SnsAction(self.topic))

    def _let_alarms_speak(self) -> None:
        # Demanding TLS gives the topic a policy, and that replaces the one by which alarms of
        # the same account may publish.
        self.topic.add_to_resource_policy(
            iam.PolicyStatement(
                principals=[iam.ServicePrincipal("cloudwatch.amazonaws.com")],
                actions=["sns:Publish"],
                resources=[self.topic.topic_arn],
                conditions={"StringEquals": {"aws:SourceAccount": Aws.ACCOUNT_ID}},
            )
        )


def _of_collector(name: str, statistic: str) -> cloudwatch.Metric:
    """Take a metric as Powertools publishes it, over an hour, which holds two ticks at least."""
    return cloudwatch.Metric(
        namespace=NAMESPACE,
        metric_name=name,
        dimensions_map={"service": "collector"},
        statistic=statistic,
        period=Duration.hours(1),
    )
