import json
import os
import subprocess

import pytest
from typer.testing import CliRunner

from cli.main import app
from infra.local.pidfile import held
from infra.local.state import SUPERVISOR
from tests.unit.cli.cloud_state import NOWHERE, a_cloud_state


@pytest.fixture
def env(tmp_path, monkeypatch):
    """Run `plays local env`."""
    monkeypatch.setenv("PLAYS_LOCAL_DIR", str(tmp_path))
    return lambda *arguments: CliRunner().invoke(app, ["local", "env", *arguments])


@pytest.fixture
def running(tmp_path):
    """A local cloud that runs, with characters in its key that a shell would obey."""
    state = a_cloud_state(access_key="key; $(exit 3)", secret_key="it's")  # noqa: S106 - an example
    state.save(tmp_path)
    with held(tmp_path / SUPERVISOR):
        yield state


def test_a_shell_that_evaluates_the_output_reaches_only_the_local_cloud(env, running):
    names = ("AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_CONFIG_FILE")
    script = (
        f'{env().stdout}printf "%s\\n" "${{AWS_PROFILE-none}}" "${{AWS_DEFAULT_PROFILE-none}}" '
    )
    script += " ".join(f'"${name}"' for name in names)

    shell = subprocess.run(  # noqa: S603 - the script is what is tested
        ["bash", "-euc", script],  # noqa: S607 - any bash
        env={
            "PATH": os.environ["PATH"],
            "AWS_CONFIG_FILE": "/real",
            "AWS_PROFILE": "real",
            "AWS_DEFAULT_PROFILE": "real",
        },
        capture_output=True,
        text=True,
        check=True,
    )

    exports = [NOWHERE, "key; $(exit 3)", "it's", os.devnull]
    assert shell.stdout.splitlines() == ["none", "none", *exports]


def test_json_lists_the_variables_to_set_and_to_unset(env, running):
    document = json.loads(env("--json").stdout)

    assert document["set"]["AWS_ENDPOINT_URL"] == NOWHERE
    assert document["set"]["BUCKET"] == "archive"
    assert "AWS_PROFILE" in document["unset"]


def test_without_a_local_cloud_stdout_is_empty_so_a_shell_evaluates_nothing(env):
    result = env()

    assert (result.exit_code, result.stdout) == (1, "")
    assert "no local cloud runs in" in result.stderr
