import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HOUR_S = 3_600
ALARMS = {
    "TokenDaysLeft30": ("TokenDaysLeft", "Minimum", "LessThanOrEqualToThreshold", 30, 1),
    "TokenDaysLeft7": ("TokenDaysLeft", "Minimum", "LessThanOrEqualToThreshold", 7, 1),
    "TokenDaysLeft1": ("TokenDaysLeft", "Minimum", "LessThanOrEqualToThreshold", 1, 1),
    "GapDetected": ("GapDetected", "Sum", "GreaterThanOrEqualToThreshold", 1, 1),
    "NothingPlayed": ("HoursSinceLastPlay", "Maximum", "GreaterThanOrEqualToThreshold", 72, 1),
    "SpotifyThrottled": ("SpotifyThrottled", "Maximum", "GreaterThanOrEqualToThreshold", 1, 3),
    "SpotifyForbids": ("SpotifyForbids", "Maximum", "GreaterThanOrEqualToThreshold", 1, 1),
}
A_TICK = """
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


@pytest.fixture(scope="module")
def printed(on_aws):
    """The output of a poll with the environment of the deployed collector."""
    variables = on_aws.properties("Functions/Collector/Function")["Environment"]["Variables"]
    done = subprocess.run(  # noqa: S603 - our own words
        [sys.executable, "-c", A_TICK],
        cwd=ROOT,
        env=os.environ | variables,
        capture_output=True,
        check=True,
        text=True,
    )
    return json.loads(done.stdout)


@pytest.mark.parametrize("name", ALARMS)
def test_an_alarm_watches_a_metric_as_the_collector_prints_it(on_aws, printed, name):
    alarm = on_aws.properties(f"Alarms/{name}")

    (told,) = printed["_aws"]["CloudWatchMetrics"]

    assert alarm["Namespace"] == told["Namespace"]
    assert alarm["MetricName"] in [metric["Name"] for metric in told["Metrics"]]
    assert alarm["Dimensions"] == [
        {"Name": dimension, "Value": printed[dimension]}
        for dimensions in told["Dimensions"]
        for dimension in dimensions
    ]


@pytest.mark.parametrize(("name", "rule"), ALARMS.items(), ids=ALARMS)
def test_an_alarm_has_its_threshold_and_comparison(on_aws, name, rule):
    alarm = on_aws.properties(f"Alarms/{name}")

    assert rule == (
        alarm["MetricName"],
        alarm["Statistic"],
        alarm["ComparisonOperator"],
        alarm["Threshold"],
        alarm["DatapointsToAlarm"],
    )
    assert alarm["EvaluationPeriods"] == alarm["DatapointsToAlarm"]
    assert alarm["TreatMissingData"] == "notBreaching"


@pytest.mark.parametrize("name", ALARMS)
def test_an_alarm_period_holds_more_than_one_poll(on_aws, name):
    every = on_aws.properties("Schedules/me")["ScheduleExpression"]

    period_s = on_aws.properties(f"Alarms/{name}")["Period"]

    assert every == "rate(20 minutes)"
    assert period_s == HOUR_S
