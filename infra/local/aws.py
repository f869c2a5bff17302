"""boto3 clients for the local cloud that ignore a real account's profiles, files and variables."""

import os
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import boto3
import botocore.session
from botocore.config import Config

from infra.local.environment import REGION, SECRET_KEY

LOCAL = Config(
    connect_timeout=2,
    read_timeout=30,
    retries={"mode": "standard", "max_attempts": 3},
    proxies={},
    use_dualstack_endpoint=False,
    use_fips_endpoint=False,
)


@dataclass(frozen=True)
class LocalAws:
    """The AWS of one local cloud: its address, and the id of its administrator's key.

    The key id serves as the secret, because MiniStack does not verify signatures of a root key.
    """

    endpoint: str
    access_key: str = field(repr=False)


@cache
def client(service: str, aws: LocalAws) -> Any:
    """Return a client of one service of a local cloud, as its administrator."""
    return session(aws.access_key).client(  # type: ignore[call-overload] # the name is not a literal
        service, endpoint_url=aws.endpoint, config=LOCAL
    )


def session(access_key: str) -> boto3.Session:
    """Return a session whose only credentials are those of a local cloud's administrator."""
    nowhere = {
        "profile": (None, None, None, None),
        "config_file": (None, None, os.devnull, None),
        "credentials_file": (None, None, os.devnull, None),
    }
    return boto3.Session(
        aws_access_key_id=access_key,
        aws_secret_access_key=SECRET_KEY,
        region_name=REGION,
        botocore_session=botocore.session.Session(session_vars=nowhere),
    )
