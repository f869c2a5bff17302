import json
from pathlib import Path

import pytest

from infra.local.aws import LocalAws
from infra.local.deploy import Cdk
from infra.local.state import LocalCloudError

# Stands in for the CDK command line: records its arguments, and writes outputs.
FAKE = """
const fs = require("fs"), words = process.argv.slice(2);
fs.writeFileSync(%r, JSON.stringify({ words, env: process.env }));
const at = words.indexOf("--outputs-file");
if (at >= 0) fs.writeFileSync(words[at + 1], '{"SpotifyPipeline": {"ArchiveBucket": "archive"}}');
"""
FAILING = 'console.log("Resource Queue failed: name is taken"); process.exit(1)'


@pytest.fixture
def call(home):
    """What the fake was called with."""
    return home / "call.json"


@pytest.fixture
def make_cdk(home):
    def make(script: str) -> Cdk:
        command = home / "cdk.js"
        command.write_text(script)
        return Cdk(home, LocalAws("http://127.0.0.1:4566", "AKIAHOME"), command)

    return make


def test_cdk_deploy_returns_the_stack_outputs(make_cdk, call):
    cdk = make_cdk(FAKE % str(call))

    assert cdk.deploy({"target": "local", "poll_minutes": "2"}) == {"ArchiveBucket": "archive"}

    words = " ".join(json.loads(call.read_text())["words"])
    assert words.startswith("deploy SpotifyPipeline ")
    assert "-c target=local -c poll_minutes=2" in words


def test_cdk_gets_only_the_endpoint_and_key_of_the_local_cloud(make_cdk, call, monkeypatch):
    monkeypatch.setenv("AWS_PROFILE", "my-employer")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAREAL")

    make_cdk(FAKE % str(call)).bootstrap()

    seen = json.loads(call.read_text())["env"]
    assert seen["AWS_ENDPOINT_URL"] == seen["AWS_ENDPOINT_URL_S3"] == "http://127.0.0.1:4566"
    assert seen["AWS_ACCESS_KEY_ID"] == "AKIAHOME"
    assert "AWS_PROFILE" not in seen


def test_the_error_of_a_failed_cdk_deploy_quotes_its_output_and_names_its_log(make_cdk, home):
    with pytest.raises(LocalCloudError, match="Resource Queue failed: name is taken") as failure:
        make_cdk(FAILING).deploy({})

    assert str(home / "logs" / "cdk.log") in str(failure.value)


def test_the_error_says_to_run_make_install_if_the_cdk_is_not_installed(home):
    with pytest.raises(LocalCloudError, match="make install"):
        Cdk(home, LocalAws("http://127.0.0.1:4566", "AKIAHOME"), Path("/nowhere/cdk")).bootstrap()
