"""A function that uses the database."""

from collections.abc import Mapping

from constructs import Construct

from infra.cdk.config import PipelineConfig
from infra.cdk.constructs.function_network import FunctionNetwork
from infra.cdk.constructs.permissions import allow, parameter_arn
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
    parameters = {
        "DATABASE_LOGIN_PARAMETER": config.database_login_parameter(role),
        "DATABASE_HOST_PARAMETER": config.database_host_parameter,
        "DATABASE_CA_PARAMETER": config.database_ca_parameter,
    }
    readable = [parameter_arn(scope, name) for name in parameters.values() if name]
    return PythonFunction(
        scope,
        construct_id,
        handler=handler,
        config=size,
        defaults=defaults,
        environment={**parameters, **environment},
        # The key of an encrypted parameter needs no right of ours: it is AWS's own, which serves
        # whoever may read the parameter.
        grants=[allow("ssm", "GetParameter", on=readable)],
        network=network,
    )
