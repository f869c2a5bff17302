"""boto3 clients that fail fast, and AWS error codes.

botocore waits 60 s per attempt by default, which is longer than the timeouts of the functions.
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
    # AWS validates the parameters too; validation here takes 40 % of the time of a DynamoDB call.
    parameter_validation=False,
)


@cache
def client(service: str) -> Any:
    """Return the boto3 client of an AWS service; the process creates each client once."""
    return boto3.client(service, config=FAST)  # type: ignore[call-overload]


def error_code(error: ClientError) -> str:
    """Return the code of an AWS error, such as `AccessDenied`."""
    return str(error.response["Error"]["Code"])
