"""The region and profile that the commands use."""

import json
from datetime import UTC, datetime, timedelta
from hashlib import sha256

import pytest

from cli.aws import session

PROFILE = "[profile me]\nregion = eu-central-1\n"
IDENTITY = "arn:aws:iam::111122223333:user/anna"


@pytest.fixture
def shell(tmp_path, monkeypatch):
    """Set the AWS CLI's configuration file and variables."""
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE", "AWS_DEFAULT_PROFILE"):
        monkeypatch.delenv(name, raising=False)

    def configure(config="", **variables):
        (tmp_path / "config").write_text(config)
        monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
        for name, value in variables.items():
            monkeypatch.setenv(name, value)

    return configure


@pytest.mark.parametrize(
    ("variables", "region"),
    [
        ({"AWS_REGION": "eu-west-1"}, "eu-west-1"),
        ({"AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "us-east-1"}, "eu-west-1"),
        ({"AWS_REGION": "eu-west-1", "AWS_PROFILE": "me"}, "eu-west-1"),
        ({"AWS_DEFAULT_REGION": "us-east-1", "AWS_PROFILE": "me"}, "us-east-1"),
        ({"AWS_PROFILE": "me"}, "eu-central-1"),
        ({"AWS_DEFAULT_PROFILE": "me"}, "eu-central-1"),
        ({"AWS_REGION": "", "AWS_PROFILE": "me"}, "eu-central-1"),
        ({}, None),
    ],
    ids=lambda value: " ".join(value) or "nothing" if isinstance(value, dict) else str(value),
)
def test_the_region_is_the_one_that_the_aws_cli_uses(shell, variables, region):
    shell(PROFILE, **variables)

    assert session().region_name == region


def test_a_profile_from_aws_login_provides_credentials(shell, tmp_path, monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    shell(f"[profile me]\nlogin_session = {IDENTITY}\n", AWS_PROFILE="me")
    monkeypatch.setenv("AWS_LOGIN_CACHE_DIRECTORY", str(tmp_path))
    token = {
        "accessToken": {
            "accessKeyId": "AKIDEXAMPLE",
            "secretAccessKey": "of a test",
            "sessionToken": "of a test",
            "accountId": "111122223333",
            "expiresAt": (datetime.now(UTC) + timedelta(hours=1)).isoformat(),
        },
        "tokenType": "aws_sigv4",
        "clientId": "of a test",
        "refreshToken": "of a test",
        "dpopKey": "of a test",
    }
    cached = tmp_path / f"{sha256(IDENTITY.encode()).hexdigest()}.json"
    cached.write_text(json.dumps(token))

    credentials = session().get_credentials()

    assert (credentials.method, credentials.access_key) == ("login", "AKIDEXAMPLE")
