"""A ceiling for the bill."""

from aws_cdk import aws_budgets as budgets
from constructs import Construct

from infra.cdk.config import PipelineConfig

WARN_AT_PERCENT = (80, 100)


def add_budget(scope: Construct, construct_id: str, *, config: PipelineConfig) -> None:
    """Add a monthly budget of the whole account, and mail when it is nearly and wholly spent.

    Not of the stacks alone: a tag counts in a budget only after someone has activated it.
    """
    budget = budgets.CfnBudget
    budget(
        scope,
        construct_id,
        budget=budget.BudgetDataProperty(
            budget_type="COST",
            time_unit="MONTHLY",
            budget_limit=budget.SpendProperty(amount=config.monthly_budget_usd, unit="USD"),
        ),
        notifications_with_subscribers=[
            budget.NotificationWithSubscribersProperty(
                notification=budget.NotificationProperty(
                    notification_type="ACTUAL",
                    comparison_operator="GREATER_THAN",
                    threshold=percent,
                    threshold_type="PERCENTAGE",
                ),
                subscribers=[
                    budget.SubscriberProperty(subscription_type="EMAIL", address=config.alert_email)
                ],
            )
            for percent in WARN_AT_PERCENT
            if config.alert_email
        ],
    )
