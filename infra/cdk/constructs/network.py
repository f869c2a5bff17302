"""The dual-stack network of a managed Postgres, without NAT."""

from ipaddress import IPv4Network
from typing import cast

from aws_cdk import aws_ec2 as ec2
from constructs import Construct

from infra.cdk.config import PipelineConfig
from infra.cdk.constructs.buckets import add_expiring_bucket
from infra.cdk.constructs.function_network import FunctionNetwork

VPC_CIDR = "10.42.0.0/20"
POSTGRES = ec2.Port.tcp(5432)
HTTPS = ec2.Port.tcp(443)
APP = "app"


class Network(Construct):
    """A VPC where functions reach AWS over IPv6 and Postgres over IPv4.

    An egress-only gateway for IPv6 costs nothing. For IPv4, a NAT gateway would cost 33 dollars a
    month, and a VPC endpoint 7 dollars for each AWS service.
    """

    def __init__(self, scope: Construct, construct_id: str, *, config: PipelineConfig) -> None:
        super().__init__(scope, construct_id)
        self.vpc = self._vpc()
        self.database_subnet = self._database_subnet(config.host.availability_zone)
        """The host has one subnet, because its volume cannot leave its availability zone."""
        self._record_rejects(config)
        self.database_group, self.app_group = (
            ec2.SecurityGroup(
                self, name, vpc=self.vpc, description=description, allow_all_outbound=False
            )
            for name, description in (
                ("DatabaseGroup", "The database host"),
                ("AppGroup", "The functions that use the database"),
            )
        )
        self._open(config)

    @property
    def for_functions(self) -> FunctionNetwork:
        """The network of the functions: they can connect to AWS; nothing can connect to them."""
        subnets = ec2.SubnetSelection(subnet_group_name=APP)
        return FunctionNetwork(self.vpc, subnets, self.app_group, ipv6=True)

    @property
    def app_cidrs(self) -> list[str]:
        """The IPv4 ranges (CIDR) of the functions' subnets."""
        return [subnet.ipv4_cidr_block for subnet in self.vpc.private_subnets]

    def _vpc(self) -> ec2.Vpc:
        return ec2.Vpc(
            self,
            "Vpc",
            ip_protocol=ec2.IpProtocol.DUAL_STACK,
            ip_addresses=ec2.IpAddresses.cidr(VPC_CIDR),
            max_azs=2,
            nat_gateways=0,
            # Emptying the default group would add a function; the group has no members anyway.
            restrict_default_security_group=False,
            subnet_configuration=[
                ec2.SubnetConfiguration(
                    name="database",
                    subnet_type=ec2.SubnetType.PUBLIC,
                    cidr_mask=24,
                    map_public_ip_on_launch=False,
                ),
                # An isolated subnet would have no IPv6 route at all.
                ec2.SubnetConfiguration(
                    name=APP, subnet_type=ec2.SubnetType.PRIVATE_WITH_EGRESS, cidr_mask=24
                ),
            ],
            gateway_endpoints={
                "S3": ec2.GatewayVpcEndpointOptions(service=ec2.GatewayVpcEndpointAwsService.S3)
            },
        )

    def _database_subnet(self, zone: str) -> ec2.ISubnet:
        """Return the first public subnet, or a new one in the chosen zone.

        The existing subnets stay, because changing the zone of a subnet replaces it, and the new
        subnet could not have the addresses of the old one while the old one exists.
        """
        if not zone:
            return self.vpc.public_subnets[0]
        subnet = ec2.PublicSubnet(
            self,
            f"Database-{zone}",
            availability_zone=zone,
            cidr_block=zone_cidr(zone),
            vpc_id=self.vpc.vpc_id,
            map_public_ip_on_launch=False,
        )
        subnet.add_default_internet_route(
            cast(str, self.vpc.internet_gateway_id),
            # The route needs the gateway to be attached first, as does that of the first subnet.
            self.vpc.public_subnets[0].internet_connectivity_established,
        )
        return subnet

    def _record_rejects(self, config: PipelineConfig) -> None:
        bucket = add_expiring_bucket(self, "FlowLogs", config=config, days=30)
        self.vpc.add_flow_log(
            "Rejects",
            destination=ec2.FlowLogDestination.to_s3(bucket),
            traffic_type=ec2.FlowLogTrafficType.REJECT,
        )

    def _open(self, config: PipelineConfig) -> None:
        for anywhere in (ec2.Peer.any_ipv4(), ec2.Peer.any_ipv6()):
            self.database_group.add_egress_rule(anywhere, HTTPS, "Packages and AWS")
        self.app_group.add_egress_rule(ec2.Peer.any_ipv6(), HTTPS, "AWS")
        self.app_group.add_egress_rule(self.database_group, POSTGRES, "Postgres")
        self.database_group.add_ingress_rule(self.app_group, POSTGRES, "The functions")
        for network in config.host.data_studio_cidrs:
            self.database_group.add_ingress_rule(
                ec2.Peer.ipv4(str(network)), POSTGRES, "Data Studio, with a client certificate"
            )


def zone_cidr(zone: str) -> str:
    """Return the /24 range of an availability zone, by its letter, in the upper half of the VPC.

    The lower half holds the subnets that CDK creates with the VPC.
    """
    upper = list(IPv4Network(VPC_CIDR).subnets())[1]
    return str(list(upper.subnets(new_prefix=24))["abcdefgh".index(zone[-1])])
