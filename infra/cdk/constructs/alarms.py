"""The alarms for a pipeline that has stopped or may miss plays."""

from collections.abc import Sequence

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs
from constructs import Construct, IDependable

from infra.cdk.constructs.alarm import LESS, LESS_OR_EQUAL, AlarmRule, add_alarm
from shared.telemetry import NAMESPACE

QUIET_HOURS = 72
"""Hours without a play after which a fault is more likely than a pause."""

TOKEN_DAYS = {
    30: "the login of a listener expires within a month",
    7: "the login of a listener expires within a week",
    1: "the login of a listener expires within a day, or Spotify refuses it already",
}
"""Days before a login expires on which an alarm starts, and the text of that alarm."""


class Alarms(Construct):
    """The alarms of the pipeline, which all notify one SNS topic."""

    def __init__(self, scope: Construct, construct_id: str, *, topic: sns.ITopic) -> None:
        super().__init__(scope, construct_id)
        self._topic = topic

    def _add(self, name: str, rule: AlarmRule) -> cloudwatch.Alarm:
        return add_alarm(self, name, topic=self._topic, rule=rule)

    def on_dead_letters(self, name: str, queue: sqs.IQueue) -> None:
        """Alarm on the first dead letter of a queue."""
        self._add(
            f"{name}DeadLetters",
            AlarmRule(
                metric=queue.metric_approximate_number_of_messages_visible(
                    period=Duration.minutes(5), statistic="Maximum"
                ),
                threshold=1,
                description=f"{name}: dead letters arrived; read them, fix the cause and replay"
                " them",
            ),
        )

    def on_failed_ticks(self, queue: sqs.IQueue) -> None:
        """Alarm when polls keep failing.

        No function consumes the queue of failed polls. So the alarm counts the messages that
        arrive: an alarm on the messages in the queue would last for 14 days after one failure and
        hide all later ones.
        """
        self._add(
            "FailedTicksDeadLetters",
            AlarmRule(
                metric=queue.metric_number_of_messages_sent(
                    period=Duration.minutes(30), statistic="Sum"
                ),
                threshold=1,
                # Every listener is polled in each half-hour, so this means three failures in a
                # row. A fixed hour would contain a varying number of polls.
                periods=3,
                description="FailedTicks: polls have failed for an hour; the collector's log and"
                " the messages in the queue say why",
            ),
        )

    def on_age(self, name: str, queue: sqs.IQueue, *, longest: Duration) -> None:
        """Alarm when the oldest message of a queue has waited longer than `longest`."""
        self._add(
            f"{name}Age",
            AlarmRule(
                metric=queue.metric_approximate_age_of_oldest_message(
                    period=Duration.minutes(5), statistic="Maximum"
                ),
                threshold=longest.to_seconds(),
                description=f"{name}: the oldest message waits too long; check whether its"
                " consumer runs, and whether it fails",
            ),
        )

    def on_errors(self, name: str, function: lambda_.IFunction) -> None:
        """Alarm when a function fails repeatedly, because a single failure is retried."""
        self._add(
            f"{name}Errors",
            AlarmRule(
                metric=function.metric_errors(period=Duration.minutes(30), statistic="Sum"),
                threshold=1,
                periods=3,
                breaching=2,
                description=f"{name}: fails repeatedly; read its log",
            ),
        )

    def on_throttles(self) -> None:
        """Alarm when Lambda throttles, because all functions of an account share its quota."""
        self._add(
            "Throttles",
            AlarmRule(
                metric=lambda_.Function.metric_all_throttles(
                    period=Duration.minutes(30), statistic="Sum"
                ),
                threshold=1,
                periods=3,
                description="Lambda: too many functions run at once in this account; raise its"
                " quota",
            ),
        )

    def on_silence(
        self, name: str, function: lambda_.IFunction, *, after: Sequence[IDependable]
    ) -> None:
        """Alarm when a function is not invoked for an hour.

        The alarm is created after the constructs `after`, such as the schedules that invoke the
        function.
        """
        alarm = self._add(
            f"{name}Silent",
            AlarmRule(
                metric=function.metric_invocations(period=Duration.hours(1), statistic="Sum"),
                threshold=1,
                comparison=LESS,
                missing_is_bad=True,
                description=f"{name}: nothing invokes it; check its schedules",
            ),
        )
        # If created before the schedules, the alarm would go off in each new deployment.
        alarm.node.add_dependency(*after)

    def on_live_capture(self) -> None:
        """Alarm on logins that expire, plays that may be missed and calls that Spotify refuses."""
        for days, words in TOKEN_DAYS.items():
            self._add(
                f"TokenDaysLeft{days}",
                AlarmRule(
                    metric=of_service("collector", "TokenDaysLeft", "Minimum"),
                    threshold=days,
                    comparison=LESS_OR_EQUAL,
                    description=f"Collector: {words}; run `plays login`",
                ),
            )
        self._add(
            "GapDetected",
            AlarmRule(
                metric=of_service("collector", "GapDetected", "Sum"),
                threshold=1,
                description="Collector: plays may be missing; `plays status` shows when and why",
            ),
        )
        self._add(
            "SpotifyThrottled",
            AlarmRule(
                # Maximum, because one of several apps may be rate-limited while the others are not.
                metric=of_service("collector", "SpotifyThrottled", "Maximum"),
                threshold=1,
                periods=3,
                description="Collector: Spotify has rate-limited the app for hours; `plays status`"
                " shows until when",
            ),
        )
        self._add(
            "SpotifyForbids",
            AlarmRule(
                metric=of_service("collector", "SpotifyForbids", "Maximum"),
                threshold=1,
                description="Collector: Spotify forbids the app or the account; `plays status`"
                " shows why",
            ),
        )
        self._add(
            "NothingPlayed",
            AlarmRule(
                # An alarm can evaluate a week at most, so the collector counts the hours.
                metric=of_service("collector", "HoursSinceLastPlay", "Maximum"),
                threshold=QUIET_HOURS,
                description="Collector: no play of a listener for three days; if they did play,"
                " compare with the Spotify app",
            ),
        )


def of_service(service: str, name: str, statistic: str) -> cloudwatch.Metric:
    """Return a metric that a service publishes, with a period of an hour (at least two polls)."""
    return cloudwatch.Metric(
        namespace=NAMESPACE,
        metric_name=name,
        dimensions_map={"service": service},
        statistic=statistic,
        period=Duration.hours(1),
    )
