"""Daily snapshots of the data volume."""

from aws_cdk import Stack, Tags
from aws_cdk import aws_dlm as dlm
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from constructs import Construct

from infra.cdk.config import PipelineConfig
from infra.cdk.constructs.permissions import acknowledge, allow

KEEP = 7
TAG = "snapshots-of"


class Snapshots(Construct):
    """A snapshot each night; the last seven are kept.

    The host publishes the age of the newest (`metrics.sh`), because AWS sends no event for a
    snapshot that was never started.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        config: PipelineConfig,
        volume: ec2.Volume,
    ) -> None:
        super().__init__(scope, construct_id)
        # Data Lifecycle Manager finds volumes by tag. An old volume is kept with its tag, and the
        # policy fails on any volume that it may not read, so each volume has its own tag value.
        self._tag = "-".join(filter(None, (config.name, config.host.volume_origin)))
        Tags.of(volume).add(TAG, self._tag)
        policy = dlm.CfnLifecyclePolicy
        policy(
            self,
            "Policy",
            description=f"Data volume of {config.name}",
            state="ENABLED",
            execution_role_arn=self._role(volume).role_arn,
            policy_details=policy.PolicyDetailsProperty(
                policy_type="EBS_SNAPSHOT_MANAGEMENT",
                resource_types=["VOLUME"],
                target_tags=[{"key": TAG, "value": self._tag}],
                schedules=[
                    policy.ScheduleProperty(
                        name="daily",
                        copy_tags=True,
                        create_rule=policy.CreateRuleProperty(
                            interval=24, interval_unit="HOURS", times=["04:00"]
                        ),
                        retain_rule=policy.RetainRuleProperty(count=KEEP),
                    )
                ],
            ),
        )

    def _role(self, volume: ec2.Volume) -> iam.Role:
        role = iam.Role(self, "Role", assumed_by=iam.ServicePrincipal("dlm.amazonaws.com"))
        ours = Stack.of(self).format_arn(service="ec2", resource=f"volume/{volume.volume_id}")
        # The ARN of a snapshot contains no account.
        snapshots = Stack.of(self).format_arn(service="ec2", account="", resource="snapshot/*")
        role.add_to_policy(allow("ec2", "CreateSnapshot", on=[ours, snapshots]))
        role.add_to_policy(allow("ec2", "CreateTags", on=[snapshots]))
        tagged = {"StringEquals": {f"aws:ResourceTag/{TAG}": self._tag}}
        role.add_to_policy(allow("ec2", "DeleteSnapshot", on=[snapshots], when=tagged))
        role.add_to_policy(
            allow("ec2", "DescribeInstances", "DescribeSnapshots", "DescribeVolumes", on=["*"])
        )
        acknowledge(
            role,
            "AwsSolutions-IAM5[Resource::arn:<AWS::Partition>:ec2:<AWS::Region>::snapshot/*]",
            reason="AWS makes the id of a snapshot; a condition allows deleting only ours",
        )
        acknowledge(
            role,
            "AwsSolutions-IAM5[Resource::*]",
            reason="the Describe actions of EC2 allow no narrower resource",
        )
        return role
