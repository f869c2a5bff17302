"""When the database is migrated."""

from typing import cast

from aws_cdk import CfnResource, Duration, Stack, triggers
from constructs import Construct

from infra.cdk.config import PipelineConfig
from infra.cdk.constructs.log_group import add_log_group
from infra.cdk.constructs.python_function import PythonFunction

CALLS_MIGRATOR = "AWSCDK.TriggerCustomResourceProviderCustomResourceProvider"
"""The function that CDK adds to a stack for its triggers."""


def add_migration(
    scope: Construct,
    construct_id: str,
    *,
    config: PipelineConfig,
    migrator: PythonFunction,
    before: PythonFunction,
) -> triggers.Trigger:
    """Bring the database up to date before a function, at each change of the migrator."""
    trigger = triggers.Trigger(
        scope,
        construct_id,
        handler=migrator.function,
        timeout=Duration.seconds(config.migrator.timeout_s),
        execute_before=[before],
    )
    caller = cast(Construct, Stack.of(scope).node.find_child(CALLS_MIGRATOR))
    log_group = add_log_group(caller, "Log", name=f"/{config.name}/migration-trigger")
    function = cast(CfnResource, caller.node.find_child("Handler"))
    function.add_property_override("LoggingConfig.LogGroup", log_group.log_group_name)
    return trigger
