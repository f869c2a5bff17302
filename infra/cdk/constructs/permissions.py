"""Policy statements, ARNs, and accepted findings of cdk-nag."""

from collections.abc import Mapping, Sequence

from aws_cdk import Acknowledgment, Stack, Validations
from aws_cdk import aws_iam as iam
from constructs import Construct, IConstruct


def allow(
    service: str, *actions: str, on: Sequence[str], when: Mapping[str, object] | None = None
) -> iam.PolicyStatement:
    """Allow actions of one service on exactly these resources, under these conditions.

    The `grant_*` methods of CDK grant more: `grant_read` of a bucket also allows listing it.
    """
    return iam.PolicyStatement(
        actions=[f"{service}:{action}" for action in actions], resources=list(on), conditions=when
    )


def acknowledge(construct: IConstruct, finding: str, *, reason: str) -> None:
    """Accept a finding of cdk-nag in a construct, for a reason."""
    Validations.of(construct).acknowledge(Acknowledgment(id=finding, reason=reason))


def secret_arn(scope: Construct, name: str) -> str:
    """Return the ARN pattern of a secret; `??????` matches what Secrets Manager appends."""
    return Stack.of(scope).format_arn(service="secretsmanager", resource=f"secret:{name}-??????")


def parameter_arn(scope: Construct, name: str) -> str:
    """Return the ARN of an SSM parameter whose name begins with a slash."""
    return Stack.of(scope).format_arn(service="ssm", resource=f"parameter{name}")
