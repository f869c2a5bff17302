"""The alarms of a deployment in AWS that are on now."""

import re

from cli.output import Document, Instant
from cli.target import Target

DATA_STACK = "SpotifyData"


class Alarm(Document):
    """One alarm; docs/operate.md has a section with its name."""

    name: str
    description: str
    since: Instant


def alarms_on(target: Target) -> tuple[Alarm, ...]:
    """Return the alarms of both stacks that are on; empty for a local cloud, which has none."""
    if target.state:
        return ()
    # CloudFormation names an alarm after its stack, its path in the stack and a hash.
    ours = re.compile(
        rf"(?:{re.escape(target.stack)}|{DATA_STACK})-(?:Host)?Alarms(\w+?)[0-9A-F]{{8}}-"
    )
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
        if (name := ours.match(alarm["AlarmName"]))
    )
