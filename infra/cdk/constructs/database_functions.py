"""The functions that use the database, and the deployment's call of the migrator."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import cast

from aws_cdk import CfnResource, Duration, Stack, triggers
from constructs import Construct

from infra.cdk.config import PipelineConfig
from infra.cdk.constructs.function_network import FunctionNetwork
from infra.cdk.constructs.permissions import allow, parameter_arn
from infra.cdk.constructs.python_function import FunctionDefaults, PythonFunction, add_log_group
from infra.cdk.database import Role
from infra.cdk.sizes import FunctionConfig

CALLS_MIGRATOR = "AWSCDK.TriggerCustomResourceProviderCustomResourceProvider"
"""The function that CDK adds to a stack for its triggers."""


@dataclass(frozen=True)
class DatabaseUser:
    """A function that uses the database: its handler, its role there, its size, its variables."""

    handler: str
    role: Role
    size: FunctionConfig
    environment: Mapping[str, str] = field(default_factory=dict)


def add_database_function(
    scope: Construct,
    construct_id: str,
    user: DatabaseUser,
    *,
    config: PipelineConfig,
    defaults: FunctionDefaults,
    network: FunctionNetwork | None,
) -> PythonFunction:
    """Add a function that gets the names of the database's parameters and may read them."""
    parameters = {
        "DATABASE_LOGIN_PARAMETER": config.database_login_parameter(user.role),
        "DATABASE_HOST_PARAMETER": config.database_host_parameter,
        "DATABASE_CA_PARAMETER": config.database_ca_parameter,
    }
    readable = [parameter_arn(scope, name) for name in parameters.values() if name]
    return PythonFunction(
        scope,
        construct_id,
        handler=user.handler,
        config=user.size,
        defaults=defaults,
        environment={**parameters, **user.environment},
        # AWS's own key encrypts the parameter, and serves everyone who may read the parameter.
        grants=[allow("ssm", "GetParameter", on=readable)],
        network=network,
    )


def add_migration(
    scope: Construct,
    construct_id: str,
    *,
    config: PipelineConfig,
    migrator: PythonFunction,
    before: PythonFunction,
) -> triggers.Trigger:
    """Run the migrations before a function changes, whenever the migrator has changed."""
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
