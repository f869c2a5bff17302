"""The AWS session that the shell's settings describe, resolved as the AWS CLI does."""

import os

import boto3


def session() -> boto3.Session:
    """Return a session with the profile and region of the environment.

    boto3 reads AWS_DEFAULT_REGION and the profile's region, but not AWS_REGION, which the AWS CLI
    and the CDK prefer to both.

    Source:
        https://docs.aws.amazon.com/sdkref/latest/guide/feature-region.html
    """
    return boto3.Session(region_name=os.environ.get("AWS_REGION") or None)
