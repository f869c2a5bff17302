"""Daily snapshots of the data volume."""

from aws_cdk import Acknowledgment, Duration, Stack, Tags, Validations
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_dlm as dlm
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sns as sns
from constructs import Construct

from infra.cdk.config import PipelineConfig
from infra.cdk.constructs.alarm import add_alarm
from infra.cdk.constructs.permissions import allow

KEEP = 7
TAG = "snapshots-of"


class Snapshots(Construct):
    """A snapshot each night, of which the last seven are kept, and an alarm for one that fails."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        config: PipelineConfig,
        volume: ec2.Volume,
        topic: sns.ITopic,
    ) -> None:
        super().__init__(scope, construct_id)
        # Data Lifecycle Manager finds a volume by its tags alone. A volume that was replaced is
        # kept with its tag, and the policy fails if it finds one that it may not read: so each
        # volume has a tag of its own.
        self._tag = "-".join(filter(None, (config.name, config.host.beginning)))
        Tags.of(volume).add(TAG, self._tag)
        self._ring_for(self._failures(self._policy(config, volume), volume), topic)

    def _policy(self, config: PipelineConfig, volume: ec2.Volume) -> dlm.CfnLifecyclePolicy:
        policy = dlm.CfnLifecyclePolicy
        return policy(
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

    def _failures(self, policy: dlm.CfnLifecyclePolicy, volume: ec2.Volume) -> events.Rule:
        """Note what AWS tells of a policy that cannot do its work, and of a snapshot that failed.

        Source:
            https://docs.aws.amazon.com/ebs/latest/userguide/monitor-cloudwatch-events.html
            https://docs.aws.amazon.com/ebs/latest/userguide/ebs-cloud-watch-events.html
        """
        of_ours = {
            "$or": [
                {"state": ["ERROR"], "policy_id": [{"suffix": f"policy/{policy.ref}"}]},
                {
                    "event": ["createSnapshot"],
                    "result": ["failed"],
                    "source": [{"suffix": f"volume/{volume.volume_id}"}],
                },
            ]
        }
        return events.Rule(
            self,
            "Failures",
            description="Snapshots of the data volume that fail",
            event_pattern=events.EventPattern(
                source=["aws.dlm", "aws.ec2"],
                detail_type=["DLM Policy State Change", "EBS Snapshot Notification"],
                detail=of_ours,
            ),
        )

    def _ring_for(self, failures: events.Rule, topic: sns.ITopic) -> None:
        add_alarm(
            self,
            "SnapshotFailed",
            topic=topic,
            # EventBridge shows a topic no condition that its policy could demand, and without one
            # the rules of every account could mail by ours: so the rule is counted, not a target.
            metric=cloudwatch.Metric(
                namespace="AWS/Events",
                metric_name="TriggeredRules",
                dimensions_map={"RuleName": failures.rule_name},
                statistic="Sum",
                period=Duration.hours(1),
            ),
            threshold=1,
            # Until the next night has shown whether it succeeds.
            periods=24,
            breaching=1,
            description="Snapshots: the last of the data volume failed; see its policy in EC2",
        )

    def _role(self, volume: ec2.Volume) -> iam.Role:
        role = iam.Role(self, "Role", assumed_by=iam.ServicePrincipal("dlm.amazonaws.com"))
        ours = Stack.of(self).format_arn(service="ec2", resource=f"volume/{volume.volume_id}")
        # Snapshots belong to no account in their names.
        snapshots = Stack.of(self).format_arn(service="ec2", account="", resource="snapshot/*")
        role.add_to_policy(allow("ec2", "CreateSnapshot", on=[ours, snapshots]))
        role.add_to_policy(allow("ec2", "CreateTags", on=[snapshots]))
        role.add_to_policy(
            iam.PolicyStatement(
                actions=["ec2:DeleteSnapshot"],
                resources=[snapshots],
                conditions={"StringEquals": {f"aws:ResourceTag/{TAG}": self._tag}},
            )
        )
        role.add_to_policy(
            allow("ec2", "DescribeInstances", "DescribeSnapshots", "DescribeVolumes", on=["*"])
        )
        Validations.of(role).acknowledge(
            Acknowledgment(
                id="AwsSolutions-IAM5[Resource::arn:<AWS::Partition>:ec2:<AWS::Region>::snapshot/*]",
                reason="a snapshot gets its name when it is made; only ours can be deleted",
            ),
            Acknowledgment(
                id="AwsSolutions-IAM5[Resource::*]",
                reason="EC2 knows no narrower right to describe",
            ),
        )
        return role
