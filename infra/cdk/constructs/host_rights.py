"""The rights of the database host."""

from aws_cdk import ArnFormat, Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3
from constructs import Construct

from infra.cdk.config import PipelineConfig
from infra.cdk.constructs.permissions import acknowledge, allow, parameter_arn
from infra.cdk.database import ROLES
from infra.cdk.names import host_name
from shared.telemetry import NAMESPACE


def host_role(
    scope: Construct,
    construct_id: str,
    *,
    config: PipelineConfig,
    backups: s3.Bucket,
    backup_prefix: str,
) -> iam.Role:
    """Add the role of the host, without the rights on its address and its volume.

    The host stores the logins of the database roles, publishes its certificate authority and its
    metrics, writes and reads dumps, reports itself unhealthy, switches off its unlimited CPU
    credits, and accepts Session Manager.
    """
    role = iam.Role(scope, construct_id, assumed_by=iam.ServicePrincipal("ec2.amazonaws.com"))
    logins = [parameter_arn(scope, config.database_login_parameter(role)) for role in ROLES]
    authority = parameter_arn(scope, config.database_ca_parameter)
    dumps = backups.arn_for_objects(f"{backup_prefix}*")
    role.add_to_policy(allow("ssm", "GetParameters", on=logins))
    role.add_to_policy(allow("ssm", "PutParameter", on=[*logins, authority]))
    role.add_to_policy(allow("s3", "PutObject", "GetObject", "AbortMultipartUpload", on=[dumps]))
    role.add_to_policy(allow("s3", "ListBucket", on=[backups.bucket_arn]))
    role.add_to_policy(allow("ec2", "DescribeVolumes", "DescribeSnapshots", on=["*"]))
    ours = {"StringEquals": {"cloudwatch:namespace": NAMESPACE}}
    role.add_to_policy(allow("cloudwatch", "PutMetricData", on=["*"], when=ours))
    role.add_to_policy(allow("autoscaling", "SetInstanceHealth", on=[_group_arn(scope, config)]))
    of_our_group, instances = _of_our_group(config), [_ec2_arn(role, "instance/*")]
    role.add_to_policy(
        allow("ec2", "ModifyInstanceCreditSpecification", on=instances, when=of_our_group)
    )
    # The part of AmazonSSMManagedInstanceCore that sessions need. The whole policy also lets a
    # host read every parameter of the account.
    channels = (
        *("CreateControlChannel", "CreateDataChannel"),
        *("OpenControlChannel", "OpenDataChannel"),
    )
    role.add_to_policy(allow("ssm", "UpdateInstanceInformation", on=["*"]))
    role.add_to_policy(allow("ssmmessages", *channels, on=["*"]))
    _acknowledge(role, config, backups, backup_prefix)
    return role


def let_take_address(
    role: iam.Role, *, config: PipelineConfig, address: ec2.CfnEIP, vpc: ec2.IVpc
) -> None:
    """Allow the role to move the Elastic IP, but only to hosts of the pipeline's group."""
    ours = _ec2_arn(role, f"elastic-ip/{address.attr_allocation_id}")
    in_our_network = {"ArnEquals": {"ec2:Vpc": _ec2_arn(role, f"vpc/{vpc.vpc_id}")}}
    for resource, condition in (
        (ours, None),
        (_ec2_arn(role, "instance/*"), _of_our_group(config)),
        (_ec2_arn(role, "network-interface/*"), in_our_network),
    ):
        role.add_to_policy(allow("ec2", "AssociateAddress", on=[resource], when=condition))


def _ec2_arn(scope: Construct, resource: str) -> str:
    return Stack.of(scope).format_arn(service="ec2", resource=resource)


def _of_our_group(config: PipelineConfig) -> dict[str, dict[str, str]]:
    """Return an IAM condition that only instances of the host's Auto Scaling group meet."""
    return {"StringEquals": {"aws:ResourceTag/aws:autoscaling:groupName": host_name(config)}}


def _group_arn(scope: Construct, config: PipelineConfig) -> str:
    """Return the ARN pattern of the host's Auto Scaling group; `*` matches the id that AWS adds."""
    name = f"*:autoScalingGroupName/{host_name(config)}"
    return Stack.of(scope).format_arn(
        service="autoscaling",
        resource="autoScalingGroup",
        resource_name=name,
        arn_format=ArnFormat.COLON_RESOURCE_NAME,
    )


def _acknowledge(role: iam.Role, config: PipelineConfig, backups: s3.Bucket, prefix: str) -> None:
    stack = Stack.of(role)
    bucket = stack.get_logical_id(backups.node.default_child)  # type: ignore[arg-type]
    arn = "arn:<AWS::Partition>:ec2:<AWS::Region>:<AWS::AccountId>"
    reasons = {
        f"<{bucket}.Arn>/{prefix}*": "a dump is named by its date; the folder is all it needs",
        f"{arn}:instance/*": "AWS makes the id; a condition on tags allows only the hosts of our"
        " group",
        f"arn:<AWS::Partition>:autoscaling:<AWS::Region>:<AWS::AccountId>:autoScalingGroup:*"
        f":autoScalingGroupName/{host_name(config)}": "AWS makes the id of the group; the name is"
        " ours alone",
        f"{arn}:network-interface/*": "AWS makes the id; a condition allows only our network",
        "*": "the actions to describe, to publish metrics and of Session Manager allow no narrower"
        " resource; a condition restricts the metrics to our namespace",
    }
    for resource, reason in reasons.items():
        acknowledge(role, f"AwsSolutions-IAM5[Resource::{resource}]", reason=reason)
