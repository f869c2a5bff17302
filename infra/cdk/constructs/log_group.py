"""The log of a function."""

from aws_cdk import RemovalPolicy
from aws_cdk import aws_logs as logs
from constructs import Construct


def add_log_group(scope: Construct, construct_id: str, *, name: str) -> logs.LogGroup:
    """Add a log whose lines are kept for a month, and that goes with its stack.

    A function without one writes to a group that Lambda makes: no stack deletes it, and its lines
    never end.
    """
    return logs.LogGroup(
        scope,
        construct_id,
        log_group_name=name,
        retention=logs.RetentionDays.ONE_MONTH,
        removal_policy=RemovalPolicy.DESTROY,
    )
