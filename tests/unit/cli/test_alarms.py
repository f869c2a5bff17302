"""The alarms that are on."""

from dataclasses import replace

from cli.alarms import alarms_on
from tests.unit.cli.cloud_state import a_cloud_state

TOPIC = "arn:aws:sns:eu-west-1:123456789012:spotify-pipeline-alarms"


def alarm(target, name, state="ALARM", topic=TOPIC):
    cloudwatch = target.client("cloudwatch")
    cloudwatch.put_metric_alarm(
        AlarmName=name,
        AlarmDescription=f"about {name}",
        MetricName="m",
        Namespace="n",
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1,
        ComparisonOperator="GreaterThanThreshold",
        AlarmActions=[topic],
    )
    cloudwatch.set_alarm_state(AlarmName=name, StateValue=state, StateReason="a test")


def test_alarms_of_both_stacks_are_named_as_in_the_runbook(target):
    names = (
        "SpotifyPipeline-AlarmsTokenDaysLeft1FD676953-x1",
        "ADataStack-HostAlarmsDiskFilling44464CDE-x2",
    )
    for name in names:
        alarm(target, name)
    alarm(target, "SpotifyPipeline-AlarmsThrottles94AAEF9B-x3", "OK")
    alarm(target, "Another-AlarmsThrottles94AAEF9B-x4", topic=f"{TOPIC}-of-another")
    alarm(target, "NotOfTheRunbook")

    found = {each.name: each.description for each in alarms_on(target)}

    assert found == {"TokenDaysLeft1": f"about {names[0]}", "DiskFilling": f"about {names[1]}"}


def test_alarms_of_a_local_cloud_are_not_read(target):
    alarm(target, "SpotifyPipeline-AlarmsThrottles94AAEF9B-x3")

    assert alarms_on(replace(target, state=a_cloud_state())) == ()
