"""The names by which the two stacks know each other's resources.

A name that is fixed needs no reference between stacks, and what outlives a stack is found again by
it: `cdk deploy --import-existing-resources` takes it back.
"""

from aws_cdk import Aws, Stack
from constructs import Construct

from infra.cdk.config import PipelineConfig


def bucket_name(config: PipelineConfig, purpose: str) -> str:
    """Name a bucket: in the whole world there is one of each name."""
    return f"{config.name}-{purpose}-{Aws.ACCOUNT_ID}-{Aws.REGION}"


def archive_name(config: PipelineConfig) -> str:
    """Name the bucket of the archive."""
    return bucket_name(config, "archive")


def topic_name(config: PipelineConfig) -> str:
    """Name the topic of the alarms."""
    return f"{config.name}-alarms"


def topic_arn(scope: Construct, config: PipelineConfig) -> str:
    """Tell where alarms speak."""
    return Stack.of(scope).format_arn(service="sns", resource=topic_name(config))


def host_name(config: PipelineConfig) -> str:
    """Name the group of the one database host, by which CloudWatch and Session Manager know it."""
    return f"{config.name}-postgres"
