"""A function inside the network of the database."""

from dataclasses import dataclass

from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam

from infra.cdk.constructs.permissions import allow

INTERFACES = (
    *("CreateNetworkInterface", "DescribeNetworkInterfaces", "DeleteNetworkInterface"),
    *("DescribeSubnets", "AssignPrivateIpAddresses", "UnassignPrivateIpAddresses"),
)


@dataclass(frozen=True)
class FunctionNetwork:
    """Where a function is, and as whom it speaks there."""

    vpc: ec2.IVpc
    subnets: ec2.SubnetSelection
    security_group: ec2.ISecurityGroup


# The one way out is IPv6, which most names of AWS do not have.
DUAL_STACK = {"AWS_USE_DUALSTACK_ENDPOINT": "true"}


def interface_rights() -> tuple[iam.PolicyStatement, iam.PolicyStatement]:
    """Let Lambda place its network interfaces in the name of a function, and not the function.

    Lambda uses the role of the function for them; a call from its code carries the function's
    ARN besides, and is refused.

    Source:
        https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html
    """
    return (
        allow("ec2", *INTERFACES, on=["*"]),
        iam.PolicyStatement(
            effect=iam.Effect.DENY,
            actions=[f"ec2:{action}" for action in INTERFACES],
            resources=["*"],
            conditions={"Null": {"lambda:SourceFunctionArn": "false"}},
        ),
    )
