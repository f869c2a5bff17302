"""The AWS account and region that the shell names, as the AWS CLI finds them."""

import os

import boto3


def session() -> boto3.Session:
    """Begin a session with the profile and region of the environment.

    boto3 itself reads AWS_DEFAULT_REGION and the profile's region, but not AWS_REGION, which the
    AWS CLI and the CDK put before both.

    Source:
        https://docs.aws.amazon.com/sdkref/latest/guide/feature-region.html
    """
    return boto3.Session(region_name=os.environ.get("AWS_REGION") or None)
