"""The dashboard that shows whether plays arrive."""

from collections.abc import Mapping, Sequence

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.cdk.config import PipelineConfig
from infra.cdk.constructs.alarms import of_service
from infra.cdk.constructs.host_alarms import host_metric, published_by_host

HALF_HOUR = Duration.minutes(30)


class Dashboard(Construct):
    """A CloudWatch dashboard; its rows follow a play: collected, queued, processed, stored."""

    def __init__(self, scope: Construct, construct_id: str, *, config: PipelineConfig) -> None:
        super().__init__(scope, construct_id)
        self._dashboard = cloudwatch.Dashboard(
            self,
            "Dashboard",
            dashboard_name=config.name,
            default_interval=Duration.days(7),
        )

    def show_capture(self) -> None:
        """Show the metrics of the collector and the enricher."""
        self._row(
            "Plays",
            {
                "New plays": [of_service("collector", "PlaysNew", "Sum")],
                "Hours since the last play": [
                    of_service("collector", "HoursSinceLastPlay", "Maximum")
                ],
                "Gaps, and polls that Spotify refuses": [
                    of_service("collector", "GapDetected", "Sum"),
                    of_service("collector", "SpotifyThrottled", "Sum"),
                    of_service("collector", "SpotifyForbids", "Sum"),
                ],
                "Features found and missed": [
                    of_service("enricher", "TracksEnriched", "Sum"),
                    of_service("enricher", "EnrichMisses", "Sum"),
                ],
            },
        )

    def show_queues(self, queues: Mapping[str, sqs.IQueue], dead: Mapping[str, sqs.IQueue]) -> None:
        """Show waiting messages and dead letters."""
        self._row(
            "Queues",
            {
                "Waiting messages": _waiting(queues),
                "Age of the oldest, in seconds": [
                    queue.metric_approximate_age_of_oldest_message(label=name, statistic="Maximum")
                    for name, queue in queues.items()
                ],
                "Dead letters": _waiting(dead),
            },
        )

    def show_functions(self, functions: Mapping[str, lambda_.IFunction]) -> None:
        """Show invocations, errors, throttles and durations."""
        named = functions.items()
        self._row(
            "Functions",
            {
                "Calls": [each.metric_invocations(label=name) for name, each in named],
                "Errors": [each.metric_errors(label=name) for name, each in named],
                "Throttles": [each.metric_throttles(label=name) for name, each in named],
                "Slowest call, in ms": [
                    each.metric_duration(label=name, statistic="Maximum") for name, each in named
                ],
            },
        )

    def show_host(self, config: PipelineConfig) -> None:
        """Show the health of the database host."""
        self._row(
            "Database host",
            {
                "CPU, in percent": [host_metric(config, "CPUUtilization", "Maximum")],
                "CPU credits left": [host_metric(config, "CPUCreditBalance", "Minimum")],
                "Data volume used, in percent": [published_by_host("DiskUsedPercent")],
                "Age of the older of dump and snapshot, in hours": [
                    published_by_host("BackupAgeHours")
                ],
            },
        )

    def _row(self, title: str, graphs: Mapping[str, Sequence[cloudwatch.IMetric]]) -> None:
        self._dashboard.add_widgets(
            cloudwatch.TextWidget(markdown=f"## {title}", width=24, height=1)
        )
        self._dashboard.add_widgets(
            *(
                cloudwatch.GraphWidget(
                    title=name, left=list(metrics), width=24 // len(graphs), period=HALF_HOUR
                )
                for name, metrics in graphs.items()
            )
        )


def _waiting(queues: Mapping[str, sqs.IQueue]) -> list[cloudwatch.IMetric]:
    return [
        queue.metric_approximate_number_of_messages_visible(label=name, statistic="Maximum")
        for name, queue in queues.items()
    ]
