"""What rings when the database host is unwell."""

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_sns as sns
from constructs import Construct

from infra.cdk.config import PipelineConfig
from infra.cdk.constructs.alarm import add_alarm
from infra.cdk.names import host_name
from shared.telemetry import NAMESPACE

DISK_PERCENT = 80
"""How full the data volume may be: what is left gives days to make it larger."""

BACKUP_HOURS = 26
"""How old the last dump may be: one is made each night, and takes minutes."""

DAY_HOURS = 24


class HostAlarms(Construct):
    """Alarms for a host that fails, fills up, or makes no backups."""

    def __init__(
        self, scope: Construct, construct_id: str, *, config: PipelineConfig, topic: sns.ITopic
    ) -> None:
        super().__init__(scope, construct_id)
        add_alarm(
            self,
            "HostFailed",
            topic=topic,
            metric=host_metric(config, "StatusCheckFailed", "Maximum"),
            threshold=1,
            # A replacement of the host, planned or not, takes about five minutes.
            periods=3,
            silence_rings=True,
            description="Host: none answers for a quarter of an hour; see the group's activity",
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
            # A dump is younger than two hours in some hour of each day. An hour of silence counts
            # as one without, so a silent host rings here once the last dump that it told of is
            # overdue, and not before: that it is gone HostFailed tells.
            threshold=BACKUP_HOURS - DAY_HOURS,
            periods=DAY_HOURS,
            silence_rings=True,
            description="Host: no dump for more than a day; read the log of the backup",
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


def told_by_host(name: str, statistic: str = "Maximum") -> cloudwatch.Metric:
    """Take what the host tells of itself, over an hour, which holds four of its words."""
    return cloudwatch.Metric(
        namespace=NAMESPACE, metric_name=name, statistic=statistic, period=Duration.hours(1)
    )
