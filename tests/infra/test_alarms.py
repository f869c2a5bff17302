import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
METRICS = re.compile(r'add_metric\(\s*(?:name=)?"(\w+)"|MetricName=(\w+)')
FREE = 10


@pytest.fixture(scope="module")
def published():
    """The metrics that the services and the host publish, by folder: each service has its own."""
    folders = [*(ROOT / "services").glob("*/"), ROOT / "infra" / "cdk" / "assets" / "postgres"]
    return {
        (folder.name, "".join(names))
        for folder in folders
        for source in (*folder.rglob("*.py"), *folder.rglob("*.sh"))
        for names in METRICS.findall(source.read_text())
    }


@pytest.mark.parametrize(
    ("alarm", "queue"),
    [
        ("CollectedPlaysDeadLetters", "CollectedPlays/DeadLetters"),
        ("EnrichedPlaysDeadLetters", "EnrichedPlays/DeadLetters"),
        ("UploadedFilesDeadLetters", "UploadedFiles/DeadLetters"),
    ],
)
def test_the_first_dead_letter_raises_an_alarm(on_aws, alarm, queue):
    watched = on_aws.properties(f"Alarms/{alarm}")

    assert watched["MetricName"] == "ApproximateNumberOfMessagesVisible"
    assert watched["Dimensions"] == [{"Name": "QueueName", "Value": f"<{queue}.QueueName>"}]
    assert watched["Threshold"] == 1
    assert watched["ComparisonOperator"] == "GreaterThanOrEqualToThreshold"


def test_the_alarm_on_failed_polls_ends_with_the_failures(on_aws):
    watched = on_aws.properties("Alarms/FailedTicksDeadLetters")

    # The number in the queue would keep the alarm on for 14 days and hide later failures.
    assert (watched["MetricName"], watched["Statistic"]) == ("NumberOfMessagesSent", "Sum")
    assert watched["Dimensions"] == [{"Name": "QueueName", "Value": "<FailedTicks.QueueName>"}]
    assert (watched["Threshold"], watched["TreatMissingData"]) == (1, "notBreaching")
    assert watched["ComparisonOperator"] == "GreaterThanOrEqualToThreshold"


def test_failed_polls_raise_an_alarm_after_an_hour(on_aws):
    watched = on_aws.properties("Alarms/FailedTicksDeadLetters")

    assert watched["EvaluationPeriods"] == watched["DatapointsToAlarm"] == 3
    # Each period holds a poll, because polls are at most 25 minutes apart.
    assert watched["Period"] == 30 * 60


@pytest.mark.parametrize(
    ("name", "minutes"), [("CollectedPlays", 20), ("EnrichedPlays", 10), ("UploadedFiles", 60)]
)
def test_a_message_that_waits_too_long_raises_an_alarm(on_aws, name, minutes):
    watched = on_aws.properties(f"Alarms/{name}Age")

    assert watched["MetricName"] == "ApproximateAgeOfOldestMessage"
    assert watched["Dimensions"] == [{"Name": "QueueName", "Value": f"<{name}/Queue.QueueName>"}]
    assert watched["Threshold"] == minutes * 60


@pytest.mark.parametrize("name", ["Collector", "Healer", "Derive"])
def test_a_function_that_keeps_failing_raises_an_alarm(on_aws, name):
    watched = on_aws.properties(f"Alarms/{name}Errors")

    assert (watched["Namespace"], watched["MetricName"]) == ("AWS/Lambda", "Errors")
    assert watched["Dimensions"] == [
        {"Name": "FunctionName", "Value": f"<Functions/{name}/Function>"}
    ]
    assert (watched["EvaluationPeriods"], watched["DatapointsToAlarm"]) == (3, 2)


def test_throttled_functions_raise_an_alarm(on_aws):
    watched = on_aws.properties("Alarms/Throttles")

    assert (watched["Namespace"], watched["MetricName"]) == ("AWS/Lambda", "Throttles")
    assert "Dimensions" not in watched
    assert watched["Threshold"] == 1


def test_a_collector_that_is_not_invoked_raises_an_alarm(on_aws):
    watched = on_aws.properties("Alarms/CollectorSilent")

    assert (watched["MetricName"], watched["Statistic"]) == ("Invocations", "Sum")
    assert watched["Dimensions"] == [
        {"Name": "FunctionName", "Value": "<Functions/Collector/Function>"}
    ]
    assert (watched["ComparisonOperator"], watched["Threshold"]) == ("LessThanThreshold", 1)
    assert watched["Period"] == 3_600
    assert watched["TreatMissingData"] == "breaching"


def test_the_alarm_on_silence_is_made_after_the_schedules(on_aws):
    assert on_aws.waits_for("Alarms/CollectorSilent") >= {"Schedules/me", "Migrate"}


def test_the_number_of_metrics_is_free_of_charge(published):
    assert 0 < len(published) <= FREE


def test_every_metric_with_an_alarm_is_published(aws, published):
    watched = {
        alarm["Properties"]["MetricName"]
        for stack in aws.values()
        for alarm in stack.resources("AWS::CloudWatch::Alarm").values()
        if alarm["Properties"].get("Namespace") == "SpotifyPipeline"
    }

    assert watched <= {name for _, name in published}


def test_the_dashboard_shows_every_metric_except_the_one_for_an_alarm(on_aws, published):
    page = on_aws.properties("Dashboard/Dashboard")["DashboardBody"]

    assert {name for _, name in published if f'"{name}"' not in page} == {"TokenDaysLeft"}


def test_the_dashboard_is_a_page_that_cloudwatch_can_read(on_aws):
    page = json.loads(on_aws.properties("Dashboard/Dashboard")["DashboardBody"])

    titles = [
        widget["properties"]["markdown"] for widget in page["widgets"] if widget["type"] == "text"
    ]

    assert titles == ["## Plays", "## Queues", "## Functions", "## Database host"]


def test_the_dashboard_without_a_host_shows_none(elsewhere):
    page = elsewhere["SpotifyPipeline"].properties("Dashboard/Dashboard")["DashboardBody"]

    assert "## Functions" in page
    assert "## Database host" not in page
