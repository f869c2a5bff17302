"""What rings when the pipeline stands still, or may miss plays."""

from collections.abc import Sequence

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs
from constructs import Construct, IDependable

from infra.cdk.constructs.alarm import LESS, LESS_OR_EQUAL, add_alarm
from shared.telemetry import NAMESPACE

QUIET_HOURS = 72
"""How long nobody may play anything before it looks like a fault."""

TOKEN_DAYS = {
    30: "the login of a listener ends within a month",
    7: "the login of a listener ends within a week",
    1: "the login of a listener ends within a day, or Spotify refuses it already",
}
"""When to tell that a listener must log in again: by then, and in which words."""


class Alarms(Construct):
    """The alarms of the pipeline, which speak through one topic."""

    def __init__(self, scope: Construct, construct_id: str, *, topic: sns.ITopic) -> None:
        super().__init__(scope, construct_id)
        self._topic = topic

    def on_dead_letters(self, name: str, queue: sqs.IQueue) -> None:
        """Tell of the first dead letter of a queue."""
        add_alarm(
            self,
            f"{name}DeadLetters",
            topic=self._topic,
            metric=queue.metric_approximate_number_of_messages_visible(
                period=Duration.minutes(5), statistic="Maximum"
            ),
            threshold=1,
            description=f"{name}: messages were given up; read, mend and replay them",
        )

    def on_failed_ticks(self, queue: sqs.IQueue) -> None:
        """Tell when ticks keep failing.

        Nobody takes them out of their queue, so they are counted as they come: by what lies there
        the first one would ring for 14 days, and no other after it.
        """
        add_alarm(
            self,
            "FailedTicksDeadLetters",
            topic=self._topic,
            metric=queue.metric_number_of_messages_sent(
                period=Duration.minutes(30), statistic="Sum"
            ),
            threshold=1,
            # A half-hour holds a tick of every listener, so three tell of three failures in a row:
            # Spotify may be away for a while. Within a fixed hour their number would waver.
            periods=3,
            description="FailedTicks: polls fail for an hour; read why in the collector's log, or"
            " in the ticks themselves",
        )

    def on_age(self, name: str, queue: sqs.IQueue, *, longest: Duration) -> None:
        """Tell when the oldest message of a queue has waited for longer than it should."""
        add_alarm(
            self,
            f"{name}Age",
            topic=self._topic,
            metric=queue.metric_approximate_age_of_oldest_message(
                period=Duration.minutes(5), statistic="Maximum"
            ),
            threshold=longest.to_seconds(),
            description=f"{name}: the oldest message waits too long; look whether its consumer is"
            " called, and whether it fails",
        )

    def on_errors(self, name: str, function: lambda_.IFunction) -> None:
        """Tell when a function fails again and again; a single failure makes itself good."""
        add_alarm(
            self,
            f"{name}Errors",
            topic=self._topic,
            metric=function.metric_errors(period=Duration.minutes(30), statistic="Sum"),
            threshold=1,
            periods=3,
            breaching=2,
            description=f"{name}: fails again and again; read its log",
        )

    def on_throttles(self) -> None:
        """Tell when Lambda keeps calls waiting: all functions of an account share its quota."""
        add_alarm(
            self,
            "Throttles",
            topic=self._topic,
            metric=lambda_.Function.metric_all_throttles(
                period=Duration.minutes(30), statistic="Sum"
            ),
            threshold=1,
            periods=3,
            description="Lambda: too many functions run at once in this account; raise its quota",
        )

    def on_silence(
        self, name: str, function: lambda_.IFunction, *, after: Sequence[IDependable]
    ) -> None:
        """Tell when a function is not called for an hour, after what must be there to call it."""
        alarm = add_alarm(
            self,
            f"{name}Silent",
            topic=self._topic,
            metric=function.metric_invocations(period=Duration.hours(1), statistic="Sum"),
            threshold=1,
            comparison=LESS,
            silence_rings=True,
            description=f"{name}: nothing calls it; look at its schedules",
        )
        # Made before its schedules it would ring for each new deployment.
        alarm.node.add_dependency(*after)

    def on_live_capture(self) -> None:
        """Tell when a login ends, when plays may be missed, and when Spotify gives none."""
        for days, words in TOKEN_DAYS.items():
            add_alarm(
                self,
                f"TokenDaysLeft{days}",
                topic=self._topic,
                metric=of_service("collector", "TokenDaysLeft", "Minimum"),
                threshold=days,
                comparison=LESS_OR_EQUAL,
                description=f"Collector: {words}; run `plays login`",
            )
        add_alarm(
            self,
            "GapDetected",
            topic=self._topic,
            metric=of_service("collector", "GapDetected", "Sum"),
            threshold=1,
            description="Collector: plays may be missed; `plays status` tells when and why",
        )
        add_alarm(
            self,
            "SpotifyThrottled",
            topic=self._topic,
            # Of several apps one may be blocked while the others are not: any tick counts.
            metric=of_service("collector", "SpotifyThrottled", "Maximum"),
            threshold=1,
            periods=3,
            description="Collector: Spotify takes no calls for hours; `plays status` tells when"
            " it does again",
        )
        add_alarm(
            self,
            "SpotifyForbids",
            topic=self._topic,
            metric=of_service("collector", "SpotifyForbids", "Maximum"),
            threshold=1,
            description="Collector: Spotify forbids the app or the account; `plays status` tells"
            " why",
        )
        add_alarm(
            self,
            "NothingPlayed",
            topic=self._topic,
            # An alarm looks back a week at most, so the collector counts the hours.
            metric=of_service("collector", "HoursSinceLastPlay", "Maximum"),
            threshold=QUIET_HOURS,
            description="Collector: a listener played nothing for three days; if they did, Spotify"
            " does not tell: compare with the app",
        )


def of_service(service: str, name: str, statistic: str) -> cloudwatch.Metric:
    """Take a metric as Powertools publishes it, over an hour, which holds two ticks at least."""
    return cloudwatch.Metric(
        namespace=NAMESPACE,
        metric_name=name,
        dimensions_map={"service": service},
        statistic=statistic,
        period=Duration.hours(1),
    )
