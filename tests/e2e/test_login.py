"""Logging in: at the simulator for a try, and at the real Spotify for good."""

import json
import os
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.local.deploy import COMMAND
from infra.local.ports import any_free
from infra.local.state import REPOSITORY
from tests.e2e.conftest import LocalCloud, remember_ports

pytestmark = pytest.mark.e2e

REAL = ("https://api.spotify.com", "https://accounts.spotify.com", "https://api.reccobeats.com")
CONSENT_S = 30


@pytest.fixture
def own_cloud() -> Iterator[LocalCloud]:
    """A local cloud that a test may turn to the real Spotify."""
    if not COMMAND.exists():
        pytest.skip("the CDK command line is not installed: run `make setup`")
    with tempfile.TemporaryDirectory(prefix="plays-", ignore_cleanup_errors=True) as folder:
        local = LocalCloud(Path(folder) / "home")
        remember_ports(local.home)
        try:
            local.told("local", "up", "--detach", "--empty")
            yield local
        finally:
            local.plays("local", "reset", "--yes")


def logged_in(local: LocalCloud) -> dict:
    """Log in at the simulator, saying yes to its consent page as a browser would."""
    words = ("login", "--simulated", "--no-browser", "--port", str(any_free()), "--json")
    with subprocess.Popen(  # noqa: S603 - the command is ours
        [sys.executable, "-m", "cli.main", *words],
        cwd=REPOSITORY,
        env=os.environ | {"PLAYS_LOCAL_DIR": str(local.home), "PLAYS_TARGET": "local"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as command:
        address = next(line for line in command.stderr if "/authorize?" in line).strip()
        with urllib.request.urlopen(f"{address}&auto=allow", timeout=CONSENT_S) as page:  # noqa: S310 - on the loopback
            assert "Spotify said yes" in page.read().decode()
        out, err = command.communicate(timeout=CONSENT_S)
    assert command.returncode == 0, err
    return json.loads(out)


def polled_services(local: LocalCloud) -> tuple[str, ...]:
    """Tell where the deployed functions go."""
    variables: dict[str, str] = {}
    for name in ("CollectorFunction", "EnricherFunction"):
        told = local.client("lambda").get_function_configuration(FunctionName=local.output(name))
        variables |= told["Environment"]["Variables"]
    return tuple(
        variables[name] for name in ("SPOTIFY_API_URL", "SPOTIFY_ACCOUNTS_URL", "RECCOBEATS_URL")
    )


def test_a_poll_works_with_the_login_that_a_consent_gave(local_cloud):
    before = local_cloud.told("status")["token_days_left"]["me"]

    done = logged_in(local_cloud)
    result = local_cloud.told("poll", "--wait", "--timeout", "60")["result"]

    assert (done["listener"], done["plays_shown"], done["trouble"]) == ("me", 50, None)
    assert result["returned"] == 50
    assert local_cloud.told("status")["token_days_left"]["me"] >= before


def test_a_real_login_wants_no_simulated_plays_and_is_remembered(own_cloud):
    own_cloud.told("poll", "--wait", "--timeout", "60")
    login = ("login", "--no-browser", "--client-id", "app", "--port", str(any_free()))

    refused = own_cloud.plays(*login)
    rows_after_refusal = own_cloud.count("me")
    begun = own_cloud.plays(*login, "--start-over", "--timeout", "0.1")
    rows_after_turn, services_after_turn = own_cloud.count("me"), polled_services(own_cloud)
    own_cloud.told("local", "down")
    own_cloud.told("local", "up", "--detach", "--empty")

    assert "must not be mixed" in refused.stderr
    assert rows_after_refusal > 0
    # Nobody says yes in this test, but by then the cloud has turned.
    assert "no answer from Spotify's consent page within 0.1 s" in begun.stderr
    assert (rows_after_turn, services_after_turn) == (0, REAL)
    assert polled_services(own_cloud) == REAL
    assert "me has not logged in yet: run `plays login" in own_cloud.plays("poll").stderr
