"""The fixed names of resources, and the rule for resources that outlive their stack.

The two stacks refer to each other by fixed names. A new stack can import a resource that outlived
the old one by its name (`cdk deploy --import-existing-resources`), if the template contains that
name as plain text.
"""

from aws_cdk import Aws, RemovalPolicy, Stack
from constructs import Construct

from infra.cdk.config import PipelineConfig

KEEP_DATA = RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE
"""Data outlive their stack, unless their creation is rolled back.

Otherwise a failed first deployment would leave a resource whose fixed name blocks the next one.
"""


def bucket_name(config: PipelineConfig, purpose: str) -> str:
    """Return the globally unique name of a bucket.

    If account or region is unknown, CloudFormation variables stand for both. They give the same
    bucket name, but a new stack can import a bucket only by a name in plain text.

    Source:
        https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/import-resources-automatically.html
    """
    place = config.place
    account, region = (place.account, place.region) if place else (Aws.ACCOUNT_ID, Aws.REGION)
    return f"{config.name}-{purpose}-{account}-{region}"


def archive_name(config: PipelineConfig) -> str:
    """Return the name of the archive bucket."""
    return bucket_name(config, "archive")


def topic_name(config: PipelineConfig) -> str:
    """Return the name of the alarm topic."""
    return f"{config.name}-alarms"


def topic_arn(scope: Construct, config: PipelineConfig) -> str:
    """Return the ARN of the alarm topic."""
    return Stack.of(scope).format_arn(service="sns", resource=topic_name(config))


def host_name(config: PipelineConfig) -> str:
    """Return the name of the host's Auto Scaling group, which CloudWatch uses as a dimension."""
    return f"{config.name}-postgres"
