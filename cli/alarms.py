"""The alarms of a deployment in AWS that are on now."""

import re

from cli.output import Document, Instant
from cli.target import Target

NAME = re.compile(r"-(?:Host)?Alarms(\w+?)[0-9A-F]{8}-")
"""CloudFormation names an alarm after its stack, its path in the stack and a hash."""


class Alarm(Document):
    """One CloudWatch alarm; docs/operate.md has a section named after each alarm."""

    name: str
    description: str
    since: Instant


def alarms_on(target: Target) -> tuple[Alarm, ...]:
    """Return the alarms of a deployment that are on; empty for a local cloud, which has none.

    Alarms are selected by the SNS topic that they notify, because stack names may vary.
    """
    if target.state:
        return ()
    topic = f":{target.deployment}-alarms"
    pages = (
        target.client("cloudwatch").get_paginator("describe_alarms").paginate(StateValue="ALARM")
    )
    return tuple(
        Alarm(
            name=name[1],
            description=alarm.get("AlarmDescription", ""),
            since=alarm["StateUpdatedTimestamp"],
        )
        for page in pages
        for alarm in page["MetricAlarms"]
        if any(action.endswith(topic) for action in alarm["AlarmActions"])
        and (name := NAME.search(alarm["AlarmName"]))
    )
