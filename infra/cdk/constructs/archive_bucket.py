"""The archive: raw answers and uploads, kept for ever."""

from typing import cast

from aws_cdk import Acknowledgment, Duration, Validations
from aws_cdk import aws_events as events
from aws_cdk import aws_s3 as s3
from constructs import Construct

from infra.cdk.config import PipelineConfig
from infra.cdk.constructs.removal import KEEP_DATA
from infra.cdk.names import archive_name
from shared.archive import UPLOAD_SUFFIXES, UPLOADS

# EventBridge compares a wildcard case by case, so each usual spelling stands here: `plays upload`
# stores lower case, other ways to S3 what they find.
SPELLINGS = [
    spelling for suffix in UPLOAD_SUFFIXES for spelling in (suffix, suffix.upper(), suffix.title())
]


class ArchiveBucket(Construct):
    """A private, versioned bucket that tells EventBridge what arrives."""

    def __init__(self, scope: Construct, construct_id: str, *, config: PipelineConfig) -> None:
        super().__init__(scope, construct_id)
        bucket = s3.Bucket(
            self,
            "Bucket",
            bucket_name=archive_name(config),
            versioned=True,
            encryption=s3.BucketEncryption.S3_MANAGED,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
            enforce_ssl=True,
            minimum_tls_version=1.2,
            lifecycle_rules=[
                # What a broken transfer leaves behind is invisible, and billed.
                s3.LifecycleRule(abort_incomplete_multipart_upload_after=Duration.days(7))
            ],
            removal_policy=KEEP_DATA,
        )
        _tell_eventbridge(bucket)
        Validations.of(bucket).acknowledge(
            Acknowledgment(
                id="AwsSolutions-S1",
                reason="one owner and no public access: a log of each access would hold more"
                " objects than the archive itself; CloudTrail data events can be turned on",
            )
        )


def upload_pattern(config: PipelineConfig) -> events.EventPattern:
    """Match the arrival of a history file."""
    return events.EventPattern(
        source=["aws.s3"],
        detail_type=["Object Created"],
        detail={
            "bucket": {"name": [archive_name(config)]},
            "object": {"key": [{"wildcard": f"{UPLOADS}*{spelling}"} for spelling in SPELLINGS]},
        },
    )


def _tell_eventbridge(bucket: s3.Bucket) -> None:
    # `event_bridge_enabled=True` would do this by a function of CDK's; CloudFormation can.
    resource = cast(s3.CfnBucket, bucket.node.default_child)
    resource.notification_configuration = s3.CfnBucket.NotificationConfigurationProperty(
        event_bridge_configuration=s3.CfnBucket.EventBridgeConfigurationProperty(
            event_bridge_enabled=True
        )
    )
