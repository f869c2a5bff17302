"""The monthly budget."""

from aws_cdk import aws_budgets as budgets
from constructs import Construct

from infra.cdk.config import PipelineConfig

WARN_AT_PERCENT = (80, 100)


def add_budget(scope: Construct, construct_id: str, *, config: PipelineConfig) -> None:
    """Add a monthly budget of the whole account, with a mail at 80 and at 100 %.

    It covers the account, because a budget sees a tag only after someone has activated it.
    """
    mails = [_mail(config.alert_email, percent) for percent in WARN_AT_PERCENT]
    budgets.CfnBudget(
        scope,
        construct_id,
        budget=budgets.CfnBudget.BudgetDataProperty(
            budget_type="COST",
            time_unit="MONTHLY",
            budget_limit=budgets.CfnBudget.SpendProperty(
                amount=config.monthly_budget_usd, unit="USD"
            ),
        ),
        notifications_with_subscribers=mails if config.alert_email else None,
    )


def _mail(address: str, percent: int) -> budgets.CfnBudget.NotificationWithSubscribersProperty:
    return budgets.CfnBudget.NotificationWithSubscribersProperty(
        notification=budgets.CfnBudget.NotificationProperty(
            notification_type="ACTUAL",
            comparison_operator="GREATER_THAN",
            threshold=percent,
            threshold_type="PERCENTAGE",
        ),
        subscribers=[
            budgets.CfnBudget.SubscriberProperty(subscription_type="EMAIL", address=address)
        ],
    )
