"""The names by which the two stacks know each other's resources.

A name that is fixed needs no reference between stacks, and what outlives a stack is found again by
it: `cdk deploy --import-existing-resources` takes it back where the template spells it out.
"""

from aws_cdk import Aws, RemovalPolicy, Stack
from constructs import Construct

from infra.cdk.config import PipelineConfig

KEEP_DATA = RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE
"""Data outlive their stack, except if the creation itself is rolled back.

A resource left behind by a failed first deployment would block the next one by its fixed name.
"""


def bucket_name(config: PipelineConfig, purpose: str) -> str:
    """Name a bucket: in the whole world there is one of each name.

    The name is the same whether the place is told or CloudFormation puts it in, but only a name
    that is spelt out is taken back.

    Source:
        https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/import-resources-automatically.html
    """
    place = config.place
    account, region = (place.account, place.region) if place else (Aws.ACCOUNT_ID, Aws.REGION)
    return f"{config.name}-{purpose}-{account}-{region}"


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
