"""boto3 clients that fail fast.

A Lambda function must not hang on a route that swallows packets: botocore's default of 60 s per
attempt is longer than the functions live.
"""

from functools import cache
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

FAST = Config(
    connect_timeout=2,
    read_timeout=10,
    retries={"mode": "standard", "max_attempts": 3},
    # The service checks the parameters all the same; to do so here too is 40 % of a DynamoDB call.
    parameter_validation=False,
)


@cache
def client(service: str) -> Any:
    """Give the process's one client of an AWS service."""
    return boto3.client(service, config=FAST)  # type: ignore[call-overload]


def error_code(error: ClientError) -> str:
    """Return the code of an AWS error, such as `AccessDenied`."""
    return str(error.response["Error"]["Code"])
