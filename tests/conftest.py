"""No test reaches a real AWS account, whatever the shell that runs it knows of one."""

import os

import pytest

FAKE_ACCOUNT = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
}


@pytest.fixture(autouse=True)
def no_account(monkeypatch):
    inherited = [name for name in os.environ if name.startswith("AWS_")]
    for name in inherited:
        monkeypatch.delenv(name)
    for name, value in FAKE_ACCOUNT.items():
        monkeypatch.setenv(name, value)
