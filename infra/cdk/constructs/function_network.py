"""The network of the functions that use the database."""

from dataclasses import dataclass

from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from constructs import Construct

from infra.cdk.constructs.permissions import acknowledge, allow
from infra.cdk.database import NetworkConfig

INTERFACES = (
    *("CreateNetworkInterface", "DescribeNetworkInterfaces", "DeleteNetworkInterface"),
    *("DescribeSubnets", "AssignPrivateIpAddresses", "UnassignPrivateIpAddresses"),
)


@dataclass(frozen=True)
class FunctionNetwork:
    """VPC, subnets and security group of functions, and whether they reach AWS over IPv6."""

    vpc: ec2.IVpc
    subnets: ec2.SubnetSelection
    security_group: ec2.ISecurityGroup
    ipv6: bool

    @property
    def variables(self) -> dict[str, str]:
        """The environment variables that a function in this network needs.

        Over IPv6 a function must use AWS's dual-stack endpoints, because only these have IPv6
        addresses.
        """
        return {"AWS_USE_DUALSTACK_ENDPOINT": "true"} if self.ipv6 else {}


def existing_network(
    scope: Construct, construct_id: str, *, config: NetworkConfig
) -> FunctionNetwork:
    """Return a network by its ids, without looking up, adding or changing anything."""
    there = Construct(scope, construct_id)
    subnets = [ec2.Subnet.from_subnet_id(there, name, name) for name in config.subnet_ids]
    acknowledge(
        there,
        "Annotation::@aws-cdk/aws-ec2:noSubnetRouteTableId",
        reason="no route is read or added here",
    )
    return FunctionNetwork(
        ec2.Vpc.from_vpc_attributes(
            there,
            "Vpc",
            vpc_id=config.vpc_id,
            # Required by the type; the subnets are named separately.
            availability_zones=["unknown"],
        ),
        ec2.SubnetSelection(subnets=subnets),
        ec2.SecurityGroup.from_security_group_id(
            there, "Group", config.security_group_id, mutable=False
        ),
        ipv6=config.ipv6,
    )


def interface_rights() -> tuple[iam.PolicyStatement, iam.PolicyStatement]:
    """Return statements that let Lambda, but not a function's code, manage network interfaces.

    Lambda and the code use the same role. Only a call from the code carries the function's ARN,
    and the second statement denies calls with that ARN.

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
