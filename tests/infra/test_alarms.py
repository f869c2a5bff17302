import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPTS = ROOT / "infra" / "cdk" / "assets" / "postgres"
METRICS = re.compile(r'add_metric\(\s*(?:name=)?"(\w+)"|MetricName=(\w+)')
FREE = 10
SIGNS = {
    "GreaterThanOrEqualToThreshold": ">=",
    "LessThanOrEqualToThreshold": "<=",
    "LessThanThreshold": "<",
}
MISSING = {"breaching": " or no data", "notBreaching": ""}
VISIBLE, AGE = "AWS/SQS/ApproximateNumberOfMessagesVisible", "AWS/SQS/ApproximateAgeOfOldestMessage"
OURS, COLLECTOR = "SpotifyPipeline", "service=collector"
LONGEST_WAIT_S = {"CollectedPlays": 1_200, "EnrichedPlays": 600, "UploadedFiles": 3_600}
ALARMS = {
    **{
        f"{queue}DeadLetters": (
            VISIBLE,
            f"QueueName=<{queue}/DeadLetters.QueueName>",
            "Maximum >= 1 in 1 x 5 min",
        )
        for queue in LONGEST_WAIT_S
    },
    **{
        f"{queue}Age": (
            AGE,
            f"QueueName=<{queue}/Queue.QueueName>",
            f"Maximum >= {seconds} in 1 x 5 min",
        )
        for queue, seconds in LONGEST_WAIT_S.items()
    },
    **{
        f"{name}Errors": (
            "AWS/Lambda/Errors",
            f"FunctionName=<Functions/{name}/Function>",
            "Sum >= 1 in 2 of 3 x 30 min",
        )
        for name in ("Collector", "Healer", "Derive")
    },
    # The number in the queue would keep the alarm on for 14 days and hide later failures. Each
    # period holds a poll, because polls are at most 25 minutes apart.
    "FailedTicksDeadLetters": (
        "AWS/SQS/NumberOfMessagesSent",
        "QueueName=<FailedTicks.QueueName>",
        "Sum >= 1 in 3 x 30 min",
    ),
    "Throttles": ("AWS/Lambda/Throttles", "", "Sum >= 1 in 3 x 30 min"),
    "CollectorSilent": (
        "AWS/Lambda/Invocations",
        "FunctionName=<Functions/Collector/Function>",
        "Sum < 1 in 1 x 60 min or no data",
    ),
    # An hour holds at least two polls.
    "TokenDaysLeft30": (f"{OURS}/TokenDaysLeft", COLLECTOR, "Minimum <= 30 in 1 x 60 min"),
    "TokenDaysLeft7": (f"{OURS}/TokenDaysLeft", COLLECTOR, "Minimum <= 7 in 1 x 60 min"),
    "TokenDaysLeft1": (f"{OURS}/TokenDaysLeft", COLLECTOR, "Minimum <= 1 in 1 x 60 min"),
    "GapDetected": (f"{OURS}/GapDetected", COLLECTOR, "Sum >= 1 in 1 x 60 min"),
    "NothingPlayed": (f"{OURS}/HoursSinceLastPlay", COLLECTOR, "Maximum >= 72 in 1 x 60 min"),
    "SpotifyThrottled": (f"{OURS}/SpotifyThrottled", COLLECTOR, "Maximum >= 1 in 3 x 60 min"),
    "SpotifyForbids": (f"{OURS}/SpotifyForbids", COLLECTOR, "Maximum >= 1 in 1 x 60 min"),
    # CloudWatch looks back further than the periods of an alarm, so it may be twice as late.
    "HostFailed": (f"{OURS}/DiskUsedPercent", "", "SampleCount < 1 in 5 x 5 min or no data"),
    "DiskFilling": (f"{OURS}/DiskUsedPercent", "", "Maximum >= 80 in 1 x 60 min"),
    # After 28 hours: in no hour of the last 24 were both backups younger than four hours.
    "BackupOverdue": (f"{OURS}/BackupAgeHours", "", "Minimum >= 4 in 24 x 60 min or no data"),
}
"""Metric, dimension and rule of each alarm."""
A_POLL = """
from datetime import UTC, datetime

from services.collector.credentials import Credentials
from services.collector.metrics import measure_plays, measure_poll
from services.collector.state import ListenerState
from services.collector.domain.window import Key, Window
from shared.telemetry import metrics

now = datetime(2026, 11, 23, 8, tzinfo=UTC)
login = Credentials(client_id="app", refresh_token="AQ", authorized_at=now)
window = Window(known=(Key(now, "spotify:track:Boats"),))
measure_poll(ListenerState(window=window), login, now, throttled=False, gap_opened=False)
measure_plays(0)
metrics.flush_metrics()
"""


def rule_of(alarm):
    bad, periods = alarm["DatapointsToAlarm"], alarm["EvaluationPeriods"]
    return (
        f"{alarm['Statistic']} {SIGNS[alarm['ComparisonOperator']]} {alarm['Threshold']} in "
        f"{'' if bad == periods else f'{bad} of '}{periods} x {alarm['Period'] // 60} min"
        f"{MISSING[alarm['TreatMissingData']]}"
    )


def dimensions_of(alarm):
    return ", ".join(f"{each['Name']}={each['Value']}" for each in alarm.get("Dimensions", []))


@pytest.fixture(scope="module")
def published():
    """The metrics that the services and the host publish, as pairs of folder and metric name."""
    folders = [*(ROOT / "services").glob("*/"), SCRIPTS]
    return {
        (folder.name, "".join(names))
        for folder in folders
        for source in (*folder.rglob("*.py"), *folder.rglob("*.sh"))
        for names in METRICS.findall(source.read_text())
    }


def test_every_alarm_has_the_expected_metric_and_threshold(aws):
    alarms = {
        path.rpartition("/")[2]: alarm["Properties"]
        for stack in aws.values()
        for path, alarm in stack.resources("AWS::CloudWatch::Alarm").items()
    }

    assert {
        name: (f"{each['Namespace']}/{each['MetricName']}", dimensions_of(each), rule_of(each))
        for name, each in alarms.items()
    } == ALARMS


def test_the_collector_emits_every_metric_its_alarms_watch(on_aws):
    variables = on_aws.properties("Functions/Collector/Function")["Environment"]["Variables"]
    done = subprocess.run(  # noqa: S603 - our own words
        [sys.executable, "-c", A_POLL],
        cwd=ROOT,
        env=os.environ | variables,
        capture_output=True,
        check=True,
        text=True,
    )

    line = json.loads(done.stdout)
    (printed,) = line["_aws"]["CloudWatchMetrics"]
    names = {f"{printed['Namespace']}/{metric['Name']}" for metric in printed["Metrics"]}
    assert {metric for metric, of, _ in ALARMS.values() if of == COLLECTOR} <= names
    assert [[f"{name}={line[name]}" for name in each] for each in printed["Dimensions"]] == [
        [COLLECTOR]
    ]


def test_the_host_publishes_metrics_every_5_minutes_without_dimensions():
    assert "OnCalendar=*:00/5" in (SCRIPTS / "pg-metrics.timer").read_text()
    assert "Dimensions" not in (SCRIPTS / "metrics.sh").read_text()


def test_the_alarm_collector_silent_is_created_after_the_schedules(on_aws):
    assert on_aws.waits_for("Alarms/CollectorSilent") >= {"Schedules/me", "Migrate"}


def test_the_database_host_alarms_are_created_after_the_host(data):
    alarms = data.resources("AWS::CloudWatch::Alarm")

    early = {path for path in alarms if "Postgres/Group/ASG" not in data.waits_for(path)}

    assert early == set()


def test_the_published_metrics_stay_within_cloudwatchs_free_tier(published):
    assert 0 < len(published) <= FREE


def test_every_metric_watched_by_an_alarm_is_published(published):
    watched = {metric for metric, *_ in ALARMS.values() if metric.startswith(OURS)}

    assert watched <= {f"{OURS}/{name}" for _, name in published}


def test_the_dashboard_shows_every_metric_except_token_days_left(on_aws, published):
    page = on_aws.properties("Dashboard/Dashboard")["DashboardBody"]

    assert {name for _, name in published if f'"{name}"' not in page} == {"TokenDaysLeft"}


def test_the_dashboard_body_is_valid_for_cloudwatch(on_aws):
    page = json.loads(on_aws.properties("Dashboard/Dashboard")["DashboardBody"])

    titles = [
        widget["properties"]["markdown"] for widget in page["widgets"] if widget["type"] == "text"
    ]

    assert titles == ["## Plays", "## Queues", "## Functions", "## Database host"]
