"""What ends a command of `plays`: one line for a person, and an exit code.

HistoryError
└── CommandError         exit 1: it cannot be done; the message tells what to do about it
    ├── UnfinishedError  what was waited for did not come (in `cli.waiting`)
    └── StoppedError     exit 130: a person pressed Ctrl-C; the message tells what goes on alone
"""

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    EndpointConnectionError,
    NoCredentialsError,
    NoRegionError,
)

from infra.local.environment import LOOPBACK
from shared.errors import HistoryError


class CommandError(HistoryError):
    """A command cannot do what was asked."""

    exit_code = 1


class StoppedError(CommandError):
    """A person stopped a command."""

    exit_code = 130


@contextmanager
def interruptible(consequence: str) -> Iterator[None]:
    """Say what Ctrl-C leaves behind.

    Raises:
        StoppedError: Ctrl-C was pressed in the block.
    """
    try:
        yield
    except KeyboardInterrupt:
        raise StoppedError(f"stopped: {consequence}") from None


def explain(error: BotoCoreError | ClientError, *, is_aws: bool = False) -> str:
    """Say in one line what AWS, or the way to it, refused, and what to do about it.

    Args:
        error: What boto3 raised.
        is_aws: Whether AWS was asked for by name, so that no local cloud can be meant.
    """
    if isinstance(error, NoCredentialsError | NoRegionError) and not is_aws:
        return (
            "no local cloud is running here: start it with `make run`, or for your own plays with "
            "`plays local up --empty`; or, for AWS, set AWS_PROFILE and AWS_REGION"
        )
    if isinstance(error, NoRegionError):
        return "no AWS region is set: set AWS_REGION, or a region in the profile of AWS_PROFILE"
    if isinstance(error, NoCredentialsError):
        return (
            "no AWS credentials are found: set AWS_PROFILE to a profile that has some "
            "(`aws configure list-profiles`), or get some with `aws login`"
        )
    if isinstance(error, EndpointConnectionError):
        url = error.kwargs["endpoint_url"]
        if urlsplit(url).hostname in LOOPBACK and not is_aws:
            return f"nothing answers at {url}: start the local cloud again with `make run`"
        return f"nothing answers at {url}: check the network, and the region in AWS_REGION"
    return " ".join(str(error).split())
