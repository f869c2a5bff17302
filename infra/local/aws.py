"""boto3 clients of the local cloud, deaf to the profiles, files and variables of a real account."""

import os
from functools import cache
from typing import Any

import boto3
import botocore.session
from botocore.config import Config

from infra.local.environment import ACCESS_KEY, REGION, SECRET_KEY

LOCAL = Config(
    connect_timeout=2,
    read_timeout=30,
    retries={"mode": "standard", "max_attempts": 3},
    proxies={},
    use_dualstack_endpoint=False,
    use_fips_endpoint=False,
)


@cache
def client(service: str, endpoint: str) -> Any:
    """Give a client of one service of the local cloud at an endpoint."""
    return session().client(  # type: ignore[call-overload] # the name is not a literal
        service, endpoint_url=endpoint, config=LOCAL
    )


def session() -> boto3.Session:
    """Begin a session that knows the local root only."""
    nowhere = {
        "profile": (None, None, None, None),
        "config_file": (None, None, os.devnull, None),
        "credentials_file": (None, None, os.devnull, None),
    }
    return boto3.Session(
        aws_access_key_id=ACCESS_KEY,
        aws_secret_access_key=SECRET_KEY,
        region_name=REGION,
        botocore_session=botocore.session.Session(session_vars=nowhere),
    )
