"""The alarms of the database host, and its metrics."""

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_sns as sns
from constructs import Construct

from infra.cdk.config import PipelineConfig
from infra.cdk.constructs.alarm import LESS, AlarmRule, add_alarm
from infra.cdk.names import host_name
from shared.telemetry import NAMESPACE

DISK_PERCENT = 80
"""Used share of the data volume that starts an alarm; days are left to enlarge the volume."""

BACKUP_HOURS = 28
"""Maximum age of a backup: of the dump or of the snapshot, whichever is older.

Both are made each night: the dump at 03:15, the snapshot within an hour of 04:00. When a late
snapshot is complete, the dump is two hours old. 28 hours allow two more (24 + 4).
"""

DAY_HOURS = 24


class HostAlarms(Construct):
    """Alarms for a host that fails, runs out of disk or makes no backups."""

    def __init__(self, scope: Construct, construct_id: str, *, topic: sns.ITopic) -> None:
        super().__init__(scope, construct_id)
        self._topic = topic
        self._add(
            "HostFailed",
            AlarmRule(
                # The host publishes every five minutes while Postgres answers. EC2's own checks
                # stay green when Postgres is down, and do not see a failed boot.
                metric=published_by_host("DiskUsedPercent", "SampleCount", Duration.minutes(5)),
                threshold=1,
                comparison=LESS,
                # Replacing the host takes about ten minutes. CloudWatch counts missing data as bad
                # only once its evaluation range is empty, and that range exceeds `periods`: its
                # documentation gives a range of five for three periods, so about nine here.
                # https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html
                periods=5,
                missing_is_bad=True,
                description="Host: Postgres does not answer for half an hour; see the"
                " activity of its Auto Scaling group",
            ),
        )
        self._add(
            "DiskFilling",
            AlarmRule(
                metric=published_by_host("DiskUsedPercent"),
                threshold=DISK_PERCENT,
                description="Host: the data volume is filling; raise host.volume_gib, deploy, and"
                " run /opt/pg/disk.sh there",
            ),
        )
        self._add(
            "BackupOverdue",
            AlarmRule(
                metric=published_by_host("BackupAgeHours", "Minimum"),
                # In some hour of each day both backups are younger than four hours. An hour without
                # data counts as bad, so if the host is silent, this alarm starts once its last
                # known backup is overdue. HostFailed reports the silence itself.
                threshold=BACKUP_HOURS - DAY_HOURS,
                periods=DAY_HOURS,
                missing_is_bad=True,
                description="Host: the newest dump or snapshot is over a day old; the runbook"
                " says how to find out which",
            ),
        )

    def _add(self, name: str, rule: AlarmRule) -> None:
        add_alarm(self, name, topic=self._topic, rule=rule)


def host_metric(config: PipelineConfig, name: str, statistic: str) -> cloudwatch.Metric:
    """Return a metric of the host that EC2 publishes every five minutes, free of charge."""
    return cloudwatch.Metric(
        namespace="AWS/EC2",
        metric_name=name,
        dimensions_map={"AutoScalingGroupName": host_name(config)},
        statistic=statistic,
        period=Duration.minutes(5),
    )


def published_by_host(
    name: str, statistic: str = "Maximum", period: Duration | None = None
) -> cloudwatch.Metric:
    """Return a metric that the host's scripts publish every five minutes.

    Its statistic covers an hour by default.
    """
    return cloudwatch.Metric(
        namespace=NAMESPACE,
        metric_name=name,
        statistic=statistic,
        period=period or Duration.hours(1),
    )
