"""What ends a command of `plays`: one line for a person, and an exit code.

HistoryError
└── CommandError         exit 1: it cannot be done; the message tells what to do about it
    ├── UnfinishedError  what was waited for did not come (in `cli.waiting`)
    └── StoppedError     exit 130: a person pressed Ctrl-C; the message tells what goes on alone
"""

from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    EndpointConnectionError,
    NoCredentialsError,
    NoRegionError,
)

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


def explain(error: BotoCoreError | ClientError) -> str:
    """Tell in one line what AWS, or the way to it, refused, and what to do about it."""
    if isinstance(error, NoCredentialsError | NoRegionError):
        return (
            "no local cloud is running here: start it with `make run`; "
            "or, for AWS, set AWS_PROFILE and AWS_REGION"
        )
    if isinstance(error, EndpointConnectionError):
        return (
            f"nothing answers at {error.kwargs['endpoint_url']}: "
            "if it is the local cloud's, start that again with `make run`"
        )
    return " ".join(str(error).split())
