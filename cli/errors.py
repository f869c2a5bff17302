"""Errors that end a command of `plays` with one line and an exit code.

HistoryError
└── CommandError            exit 1: the command cannot do it; the message says what to do
    ├── UnfinishedError     the expected result did not arrive (in `cli.waiting`)
    ├── BadResultError      the result is printed, and it is not a success
    ├── UnknownStatusError  exit 2: the status cannot be read (in `cli.commands.status`)
    └── StoppedError        exit 130: Ctrl-C; the message says what continues in the cloud
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
    ReadTimeoutError,
)

from infra.local.environment import LOOPBACK
from shared.errors import HistoryError


class CommandError(HistoryError):
    """A command cannot do what was asked."""

    exit_code = 1


class BadResultError(CommandError):
    """The command printed its result (with --json, a document), but the result is a failure."""


class StoppedError(CommandError):
    """Ctrl-C stopped a command."""

    exit_code = 130
    """128 + SIGINT, the exit code that shells use after Ctrl-C."""


@contextmanager
def interruptible(consequence: str) -> Iterator[None]:
    """Turn Ctrl-C in the block into an error whose message says what continues or is kept.

    Raises:
        StoppedError: Ctrl-C was pressed in the block.
    """
    try:
        yield
    except KeyboardInterrupt:
        raise StoppedError(f"stopped: {consequence}") from None


@contextmanager
def as_command_error(*, is_aws: bool) -> Iterator[None]:
    """Turn an error that a person can act on into a CommandError; a bug keeps its traceback.

    Args:
        is_aws: As in `explain`.

    Raises:
        CommandError: The block failed; the message is one line.
    """
    try:
        yield
    except CommandError:
        raise
    except HistoryError as error:
        raise CommandError(str(error)) from error
    except (BotoCoreError, ClientError) as error:
        raise CommandError(explain(error, is_aws=is_aws)) from error
    except OSError as error:
        # An error without a file name is a bug, or a closed pipe, which typer handles quietly.
        if error.filename is None:
            raise
        raise CommandError(
            f"{error.filename} cannot be read or written: {error.strerror}"
        ) from error


def explain(error: BotoCoreError | ClientError, *, is_aws: bool = False) -> str:
    """Return one line that says why a call of AWS failed, and what to do.

    Args:
        error: What boto3 raised.
        is_aws: True if the person chose AWS; the advice then does not mention the local cloud.
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
    if isinstance(error, EndpointConnectionError | ReadTimeoutError):
        return _explain_silence(error, is_aws=is_aws)
    return " ".join(str(error).split())


def _explain_silence(error: EndpointConnectionError | ReadTimeoutError, *, is_aws: bool) -> str:
    url = error.kwargs["endpoint_url"]
    if is_aws or urlsplit(url).hostname not in LOOPBACK:
        return f"nothing answers at {url}: check the network, and the region in AWS_REGION"
    if isinstance(error, ReadTimeoutError):
        restart = "restart it with `plays local down`, then `make run`"
        return f"the local cloud hangs, nothing answers at {url}: {restart}"
    return f"nothing answers at {url}: start the local cloud again with `make run`"
