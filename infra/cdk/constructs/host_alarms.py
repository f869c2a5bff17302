"""What rings when the database host is unwell."""

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_sns as sns
from constructs import Construct

from infra.cdk.config import PipelineConfig
from infra.cdk.constructs.alarm import LESS, add_alarm
from infra.cdk.names import host_name
from shared.telemetry import NAMESPACE

DISK_PERCENT = 80
"""How full the data volume may be: what is left gives days to make it larger."""

BACKUP_HOURS = 28
"""How old the older of dump and snapshot may be.

Both are made each night. The dump of 03:15 is two hours old when a late snapshot, which AWS begins
within an hour of 04:00, is complete; a threshold of four leaves two hours more.
"""

DAY_HOURS = 24


class HostAlarms(Construct):
    """Alarms for a host that fails, fills up, or makes no backups."""

    def __init__(self, scope: Construct, construct_id: str, *, topic: sns.ITopic) -> None:
        super().__init__(scope, construct_id)
        add_alarm(
            self,
            "HostFailed",
            topic=topic,
            # The host publishes every five minutes, and only while Postgres answers. EC2's own
            # checks stay green while it does not, and say nothing of a boot that failed.
            metric=told_by_host("DiskUsedPercent", "SampleCount", Duration.minutes(5)),
            threshold=1,
            comparison=LESS,
            # A replacement of the host, planned or not, takes about ten minutes. CloudWatch takes
            # silence as bad once its evaluation range is empty, which is longer than the periods:
            # five for three by its documentation, so about nine here.
            # https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html
            periods=5,
            silence_rings=True,
            description="Host: Postgres does not answer for half an hour; see the group's activity",
        )
        add_alarm(
            self,
            "DiskFilling",
            topic=topic,
            metric=told_by_host("DiskUsedPercent"),
            threshold=DISK_PERCENT,
            description="Host: the data volume is filling; raise host.volume_gib, deploy, and run"
            " /opt/pg/disk.sh there",
        )
        add_alarm(
            self,
            "BackupOverdue",
            topic=topic,
            metric=told_by_host("BackupAgeHours", "Minimum"),
            # Both backups are younger than four hours in some hour of each day. An hour of silence
            # counts as one without, so a silent host rings here once its last known backup is
            # overdue, and not before: HostFailed rings for the host.
            threshold=BACKUP_HOURS - DAY_HOURS,
            periods=DAY_HOURS,
            silence_rings=True,
            description="Host: no dump, or no snapshot, for a day; see in the runbook which one",
        )


def host_metric(config: PipelineConfig, name: str, statistic: str) -> cloudwatch.Metric:
    """Take what EC2 tells of the host, every five minutes and free of charge."""
    return cloudwatch.Metric(
        namespace="AWS/EC2",
        metric_name=name,
        dimensions_map={"AutoScalingGroupName": host_name(config)},
        statistic=statistic,
        period=Duration.minutes(5),
    )


def told_by_host(
    name: str, statistic: str = "Maximum", period: Duration | None = None
) -> cloudwatch.Metric:
    """Return a metric that the host publishes every five minutes, over an hour by default."""
    return cloudwatch.Metric(
        namespace=NAMESPACE,
        metric_name=name,
        statistic=statistic,
        period=period or Duration.hours(1),
    )
