"""One alarm as all of them are."""

from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_sns as sns
from constructs import Construct

GREATER_OR_EQUAL = cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD
LESS_OR_EQUAL = cloudwatch.ComparisonOperator.LESS_THAN_OR_EQUAL_TO_THRESHOLD
LESS = cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD


def add_alarm(
    scope: Construct,
    construct_id: str,
    *,
    topic: sns.ITopic,
    metric: cloudwatch.IMetric,
    threshold: float,
    description: str,
    comparison: cloudwatch.ComparisonOperator = GREATER_OR_EQUAL,
    periods: int = 1,
    breaching: int | None = None,
    silence_rings: bool = False,
) -> cloudwatch.Alarm:
    """Add an alarm that speaks through a topic when it begins and when it ends.

    Args:
        scope: Where it belongs.
        construct_id: Its name there.
        topic: Who is told.
        metric: What is watched, and over which period.
        threshold: The value from which on it is bad.
        description: What it means and what to do; the mail shows it.
        comparison: On which side of the threshold it is bad.
        periods: How many periods are looked at.
        breaching: How many of them must be bad; all, where not told.
        silence_rings: Whether a period without a value is bad.
    """
    treat = cloudwatch.TreatMissingData
    alarm = cloudwatch.Alarm(
        scope,
        construct_id,
        metric=metric,
        threshold=threshold,
        comparison_operator=comparison,
        evaluation_periods=periods,
        datapoints_to_alarm=breaching or periods,
        treat_missing_data=treat.BREACHING if silence_rings else treat.NOT_BREACHING,
        alarm_description=description,
    )
    alarm.add_alarm_action(actions.SnsAction(topic))
    alarm.add_ok_action(actions.SnsAction(topic))
    return alarm
