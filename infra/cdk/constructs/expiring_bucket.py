"""A bucket whose objects are of use for some days."""

from aws_cdk import Acknowledgment, Duration, RemovalPolicy, Validations
from aws_cdk import aws_s3 as s3
from constructs import Construct

from infra.cdk.config import PipelineConfig
from infra.cdk.constructs.removal import KEEP_DATA
from infra.cdk.names import bucket_name


def add_expiring_bucket(
    scope: Construct, construct_id: str, *, config: PipelineConfig, days: int, purpose: str = ""
) -> s3.Bucket:
    """Add a private, versioned bucket that keeps each object for a number of days.

    A version that was overwritten or deleted stays for a week more, so that a mistake, or a host
    in foreign hands, cannot take the backups away at once.

    With a purpose it has a fixed name, by which it is taken back. Without one it is for what fills
    by itself from its first minutes on: S3 deletes no bucket that holds something, so a rollback
    leaves it where it is, and it bars no name.
    """
    bucket = s3.Bucket(
        scope,
        construct_id,
        bucket_name=bucket_name(config, purpose) if purpose else None,
        versioned=True,
        encryption=s3.BucketEncryption.S3_MANAGED,
        block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
        object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
        enforce_ssl=True,
        minimum_tls_version=1.2,
        lifecycle_rules=[
            s3.LifecycleRule(
                expiration=Duration.days(days),
                noncurrent_version_expiration=Duration.days(7),
                abort_incomplete_multipart_upload_after=Duration.days(7),
            ),
            s3.LifecycleRule(expired_object_delete_marker=True),
        ],
        removal_policy=KEEP_DATA if purpose else RemovalPolicy.RETAIN,
    )
    Validations.of(bucket).acknowledge(
        Acknowledgment(
            id="AwsSolutions-S1",
            reason="written by one role and read by one owner: a log of each access would hold"
            " more objects than the bucket; CloudTrail data events can be turned on",
        )
    )
    return bucket
