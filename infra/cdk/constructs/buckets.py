"""The S3 buckets: the archive, which is kept for ever, and buckets whose objects expire."""

from typing import cast

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_events as events
from aws_cdk import aws_s3 as s3
from constructs import Construct

from infra.cdk.config import PipelineConfig
from infra.cdk.constructs.permissions import acknowledge
from infra.cdk.names import KEEP_DATA, archive_name, bucket_name
from shared.archive import UPLOADS


class ArchiveBucket(Construct):
    """The archive, which sends an event to EventBridge for each new object."""

    def __init__(self, scope: Construct, construct_id: str, *, config: PipelineConfig) -> None:
        super().__init__(scope, construct_id)
        bucket = _private_bucket(
            *(self, "Bucket", archive_name(config), KEEP_DATA),
            # The parts of a failed upload are invisible and billed.
            s3.LifecycleRule(abort_incomplete_multipart_upload_after=Duration.days(7)),
        )
        # `event_bridge_enabled=True` would add a function for this; CloudFormation needs none.
        resource = cast(s3.CfnBucket, bucket.node.default_child)
        resource.notification_configuration = s3.CfnBucket.NotificationConfigurationProperty(
            event_bridge_configuration=s3.CfnBucket.EventBridgeConfigurationProperty(
                event_bridge_enabled=True
            )
        )


def upload_pattern(config: PipelineConfig) -> events.EventPattern:
    """Return the event pattern that matches every new object below `history/`.

    The backfill reports files that are not exports. The pattern does not match suffixes such as
    `.zip`, because EventBridge rejects patterns with many wildcards.

    Source:
        https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html#eb-filtering-wildcard-matching-complexity
    """
    return events.EventPattern(
        source=["aws.s3"],
        detail_type=["Object Created"],
        detail={
            "bucket": {"name": [archive_name(config)]},
            "object": {"key": [{"prefix": UPLOADS}]},
        },
    )


def add_expiring_bucket(
    scope: Construct, construct_id: str, *, config: PipelineConfig, days: int, purpose: str = ""
) -> s3.Bucket:
    """Add a private, versioned bucket that keeps each object for a number of days.

    An overwritten or deleted version stays for another week, so that neither a mistake nor a
    compromised host can destroy the backups at once.

    With `purpose`, the bucket has a fixed name, by which a new stack can import it. Without
    `purpose`, AWS names it. A bucket that gets objects during the deployment must have no fixed
    name: a rollback cannot delete it, because S3 deletes only empty buckets, and its name would
    block the next deployment.
    """
    return _private_bucket(
        *(scope, construct_id, bucket_name(config, purpose) if purpose else None),
        KEEP_DATA if purpose else RemovalPolicy.RETAIN,
        s3.LifecycleRule(
            expiration=Duration.days(days),
            noncurrent_version_expiration=Duration.days(7),
            abort_incomplete_multipart_upload_after=Duration.days(7),
        ),
        s3.LifecycleRule(expired_object_delete_marker=True),
    )


def _private_bucket(
    scope: Construct,
    construct_id: str,
    name: str | None,
    removal_policy: RemovalPolicy,
    *rules: s3.LifecycleRule,
) -> s3.Bucket:
    bucket = s3.Bucket(
        scope,
        construct_id,
        bucket_name=name,
        versioned=True,
        encryption=s3.BucketEncryption.S3_MANAGED,
        block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
        object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
        enforce_ssl=True,
        minimum_tls_version=1.2,
        lifecycle_rules=list(rules),
        removal_policy=removal_policy,
    )
    acknowledge(
        bucket,
        "AwsSolutions-S1",
        reason="one owner and no public access: a log of each access would hold more objects than"
        " the bucket itself; CloudTrail data events can be turned on",
    )
    return bucket
