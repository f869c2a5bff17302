"""Postgres on one EC2 host that is replaced when it fails."""

from typing import cast

from aws_cdk import (
    Aws,
    CfnCondition,
    Duration,
    Fn,
    Size,
    Tags,
)
from aws_cdk import aws_autoscaling as autoscaling
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sns as sns
from constructs import Construct

from infra.cdk.config import PipelineConfig
from infra.cdk.constructs.buckets import add_expiring_bucket
from infra.cdk.constructs.host_boot import first_boot, report_failed_boot
from infra.cdk.constructs.host_rights import host_role, let_take_address
from infra.cdk.constructs.network import Network
from infra.cdk.database import DATABASE, HostConfig
from infra.cdk.names import KEEP_DATA, host_name
from shared.telemetry import NAMESPACE

IMAGE = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-arm64"
BOOT = Duration.minutes(30)
"""Time that CloudFormation waits for the host's signal; the boot's own time limits are shorter."""
DUMPS = "dumps/"


class PostgresHost(Construct):
    """An Auto Scaling group of exactly one host, whose data and address outlive it.

    CloudFormation would replace a plain instance after each new image, and start the new one while
    the old one still holds the volume. The group stops the old host first, replaces a host that
    fails, and takes the newest image each month.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        config: PipelineConfig,
        network: Network,
        topic: sns.ITopic,
    ) -> None:
        super().__init__(scope, construct_id)
        self.backups = add_expiring_bucket(
            self, "Backups", config=config, purpose="backups", days=35
        )
        self.volume = self._volume(config.host, network)
        self._address = ec2.CfnEIP(self, "Address", domain="vpc")
        self.name = self._public_name()
        role = host_role(self, "Role", config=config, backups=self.backups, backup_prefix=DUMPS)
        let_take_address(role, config=config, address=self._address, vpc=network.vpc)
        self.group = self._group(config, network, role, topic)
        for addressed in (self._address, self.group):
            # Delete these before the gateway, which cannot be detached while an address is mapped,
            # and create them after its route, which cfn-init needs.
            addressed.node.add_dependency(network.database_subnet.internet_connectivity_established)
        self.volume.grant_attach_volume_by_resource_tag(role, [self.group])
        self.group.add_user_data(*report_failed_boot())
        if credits_of(config.host):
            self._lend_credits()

    def _volume(self, host: HostConfig, network: Network) -> ec2.Volume:
        return ec2.Volume(
            self,
            "-".join(filter(None, ("Data", host.volume_origin))),
            availability_zone=network.database_subnet.availability_zone,
            size=Size.gibibytes(host.volume_gib),
            snapshot_id=host.snapshot_id or None,
            encrypted=True,
            volume_type=ec2.EbsDeviceVolumeType.GP3,
            removal_policy=KEEP_DATA,
        )

    def _public_name(self) -> str:
        """Return the public DNS name of the host's Elastic IP.

        Inside the VPC it resolves to the private address. So functions, Data Studio and the
        certificate use one name, and no hosted zone is needed. In us-east-1 the domain has another
        form.
        """
        first = CfnCondition(
            self, "IsFirstRegion", expression=Fn.condition_equals(Aws.REGION, "us-east-1")
        )
        zone = Fn.condition_if(
            first.logical_id, "compute-1.amazonaws.com", f"{Aws.REGION}.compute.amazonaws.com"
        )
        dashed = Fn.join("-", Fn.split(".", self._address.ref))
        return Fn.join("", ["ec2-", dashed, ".", zone.to_string()])

    def _group(
        self, config: PipelineConfig, network: Network, role: iam.Role, topic: sns.ITopic
    ) -> autoscaling.AutoScalingGroup:
        root = autoscaling.BlockDeviceVolume.ebs(
            8, encrypted=True, volume_type=autoscaling.EbsDeviceVolumeType.GP3
        )
        group = autoscaling.AutoScalingGroup(
            self,
            "Group",
            auto_scaling_group_name=host_name(config),
            vpc=network.vpc,
            vpc_subnets=ec2.SubnetSelection(subnet_type=ec2.SubnetType.PUBLIC),
            security_group=network.database_group,
            role=role,
            instance_type=ec2.InstanceType(config.host.instance_type),
            machine_image=ec2.MachineImage.resolve_ssm_parameter_at_launch(IMAGE),
            block_devices=[autoscaling.BlockDevice(device_name="/dev/xvda", volume=root)],
            # The host fetches packages before it takes the Elastic IP.
            associate_public_ip_address=True,
            require_imdsv2=True,
            # Detailed monitoring costs money for each metric.
            instance_monitoring=autoscaling.Monitoring.BASIC,
            min_capacity=1,
            max_capacity=1,
            # The old host must release the volume before the next one can boot.
            min_healthy_percentage=0,
            max_healthy_percentage=100,
            max_instance_lifetime=Duration.days(30),
            notifications=[autoscaling.NotificationConfiguration(topic=topic)],
            init=first_boot(self._facts(config, network)),
            init_options=autoscaling.ApplyCloudFormationInitOptions(print_log=True),
            signals=autoscaling.Signals.wait_for_all(timeout=BOOT),
            update_policy=autoscaling.UpdatePolicy.rolling_update(
                max_batch_size=1,
                min_instances_in_service=0,
                pause_time=BOOT,
                wait_on_resource_signals=True,
            ),
        )
        # CDK selects only among the VPC's own subnets, and the host's may have been added later.
        resource = cast(autoscaling.CfnAutoScalingGroup, group.node.find_child("ASG"))
        resource.vpc_zone_identifier = [network.database_subnet.subnet_id]
        Tags.of(group).add("Name", host_name(config))
        return group

    def _facts(self, config: PipelineConfig, network: Network) -> dict[str, str]:
        """Return the environment variables of the host's scripts; none contains a password."""
        return {
            "AWS_DEFAULT_REGION": Aws.REGION,
            "VOLUME_ID": self.volume.volume_id,
            "EIP_ALLOCATION_ID": self._address.attr_allocation_id,
            "DB_HOST": self.name,
            "DB_NAME": DATABASE,
            "PG_MAJOR": str(config.host.postgres_major),
            "MIGRATOR_PARAMETER": config.database_login_parameter("migrator"),
            "LOADER_PARAMETER": config.database_login_parameter("loader"),
            "READER_PARAMETER": config.database_login_parameter("reader"),
            "REPORT_READER_PARAMETER": config.database_login_parameter("report_reader"),
            "CA_PARAMETER": config.database_ca_parameter,
            "APP_CIDRS": ",".join(network.app_cidrs),
            "DATA_STUDIO_CIDRS": ",".join(map(str, config.host.data_studio_cidrs)),
            "BACKUP_BUCKET": self.backups.bucket_name,
            "BACKUP_PREFIX": DUMPS,
            "METRIC_NAMESPACE": NAMESPACE,
            "CPU_CREDITS": credits_of(config.host),
        }

    def _lend_credits(self) -> None:
        # A new T instance has no credits, so its boot would run on a fifth of a core. `credits.sh`
        # ends the unlimited mode after the boot, because AWS bills it without a limit.
        template = self.group.node.find_child("LaunchTemplate").node.default_child
        cast(ec2.CfnLaunchTemplate, template).add_property_override(
            "LaunchTemplateData.CreditSpecification.CpuCredits", "unlimited"
        )


def credits_of(host: HostConfig) -> str:
    """Return the CPU credit mode after the boot; empty if the instance type has no credits."""
    return "standard" if host.instance_type.startswith("t") else ""
