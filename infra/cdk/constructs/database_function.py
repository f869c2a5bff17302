"""A function that uses the database."""

from collections.abc import Mapping

from aws_cdk import Stack
from constructs import Construct

from infra.cdk.config import PipelineConfig
from infra.cdk.constructs.function_network import FunctionNetwork
from infra.cdk.constructs.permissions import allow, secret_arn
from infra.cdk.constructs.python_function import FunctionDefaults, PythonFunction
from infra.cdk.database import Role
from infra.cdk.sizes import FunctionConfig


def database_function(
    scope: Construct,
    construct_id: str,
    *,
    handler: str,
    role: Role,
    config: PipelineConfig,
    size: FunctionConfig,
    defaults: FunctionDefaults,
    environment: Mapping[str, str],
    network: FunctionNetwork | None,
) -> PythonFunction:
    """Add a function that is told where the database is, and reads one role's password."""
    secret = config.database_secret(role)
    host, ca = config.database_host_parameter, config.database_ca_parameter
    parameters = [
        Stack.of(scope).format_arn(service="ssm", resource=f"parameter{name}")
        for name in (host, ca)
        if name
    ]
    return PythonFunction(
        scope,
        construct_id,
        handler=handler,
        config=size,
        defaults=defaults,
        environment={
            "DATABASE_SECRET_ID": secret,
            "DATABASE_HOST_PARAMETER": host,
            "DATABASE_CA_PARAMETER": ca,
            **environment,
        },
        grants=[
            allow("secretsmanager", "GetSecretValue", on=[secret_arn(scope, secret)]),
            allow("ssm", "GetParameter", on=parameters),
        ],
        network=network,
    )
