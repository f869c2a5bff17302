"""Rights, stated one by one."""

from collections.abc import Sequence

from aws_cdk import Stack
from aws_cdk import aws_iam as iam
from constructs import Construct


def allow(service: str, *actions: str, on: Sequence[str]) -> iam.PolicyStatement:
    """Allow actions of one service on exactly these resources.

    The `grant_*` methods of CDK are wider: `grant_read` of a bucket adds listing it.
    """
    return iam.PolicyStatement(
        actions=[f"{service}:{action}" for action in actions], resources=list(on)
    )


def secret_arn(scope: Construct, name: str) -> str:
    """Name a secret in a policy: Secrets Manager ends each ARN with six characters of its own."""
    return Stack.of(scope).format_arn(service="secretsmanager", resource=f"secret:{name}-??????")


def parameter_arn(scope: Construct, name: str) -> str:
    """Name a parameter in a policy; its own name begins with a slash."""
    return Stack.of(scope).format_arn(service="ssm", resource=f"parameter{name}")
