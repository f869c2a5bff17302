"""`plays local env`: print variables that point the AWS CLI at the local cloud."""

import os
import shlex

from cli.options import JsonOption
from cli.output import Document, emit, show
from infra.local.state import CloudState, local_home

UNSET = ("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL_S3")
"""What a shell may hold for a real account, and what would win over the exports."""


class Environment(Document):
    """The environment variables to set, by name, and the names of those to unset."""

    set: dict[str, str]
    unset: tuple[str, ...] = UNSET


def env(*, as_json: JsonOption = False) -> None:
    """Print shell exports that point the AWS CLI at the local cloud; they contain its access key.

    They need version 2 of the AWS CLI. They apply to one shell, which then reaches no real AWS
    account:

    \b
    eval "$(plays local env)"
    aws s3 ls "s3://$BUCKET/history/" --recursive
    """  # noqa: D301 - click reads the control character as: keep these lines
    variables = _variables(CloudState.load(local_home()))
    if as_json:
        emit(Environment(set=variables))
        return
    show(f"unset {' '.join(UNSET)}")
    for name, value in variables.items():
        show(f"export {name}={shlex.quote(value)}")


def _variables(state: CloudState) -> dict[str, str]:
    return {
        "AWS_ENDPOINT_URL": state.aws_endpoint,
        "AWS_ACCESS_KEY_ID": state.access_key,
        "AWS_SECRET_ACCESS_KEY": state.secret_key,
        "AWS_REGION": state.region,
        "AWS_DEFAULT_REGION": state.region,
        # So that no profile of a real account is read.
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "BUCKET": state.bucket,
    }
