"""Login at the simulator, and the permanent switch to the real Spotify."""

import json
import os
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest

from infra.local.deploy import COMMAND
from infra.local.ports import any_free
from infra.local.state import REPOSITORY, CloudState
from tests.e2e.conftest import LocalCloud, remember_ports
from tests.fakes.spotify import SpotifyServer, a_grant, a_page, a_row, a_spotify_server

pytestmark = pytest.mark.e2e

REAL = ("https://api.spotify.com", "https://accounts.spotify.com", "https://api.reccobeats.com")
CONSENT_S = 30
TURN_S = 180
APP = "0123456789abcdef" * 2


@pytest.fixture
def real_spotify() -> Iterator[SpotifyServer]:
    """A fake of the real Spotify."""
    with a_spotify_server() as server:
        server.tokens = [a_grant(rotated_to="AQ-secret")]
        server.pages = [a_page(a_row(), a_row("2026-11-23T08:25:01Z", name="Oars"))]
        yield server


@pytest.fixture
def own_cloud(real_spotify) -> Iterator[LocalCloud]:
    """A local cloud that a test may switch to the real Spotify."""
    if not COMMAND.exists():
        pytest.skip("the CDK command line is not installed: run `make setup`")
    with tempfile.TemporaryDirectory(prefix="plays-", ignore_cleanup_errors=True) as folder:
        local = LocalCloud(Path(folder) / "home")
        remember_ports(local.home)
        try:
            services = ("spotify_api_url", "spotify_accounts_url")
            settings = [word for name in services for word in ("-c", f"{name}={real_spotify.url}")]
            local.run_json("local", "up", "--detach", "--empty", *settings)
            yield local
        finally:
            local.plays("local", "reset", "--yes")


def logged_in(local: LocalCloud) -> dict[str, Any]:
    """Log in at the simulator; accept its consent page as a browser does."""
    words = ("login", "--simulated", "--no-browser", "--port", str(any_free()), "--json")
    with subprocess.Popen(  # noqa: S603 - the command is ours
        [sys.executable, "-m", "cli", *words],
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
    """Return the addresses of the services that the deployed functions call."""
    variables: dict[str, str] = {}
    for name in ("CollectorFunction", "EnricherFunction"):
        configuration = local.client("lambda").get_function_configuration(
            FunctionName=local.output(name)
        )
        variables |= configuration["Environment"]["Variables"]
    return tuple(
        variables[name] for name in ("SPOTIFY_API_URL", "SPOTIFY_ACCOUNTS_URL", "RECCOBEATS_URL")
    )


def test_a_poll_works_after_a_login_on_the_consent_page(local_cloud):
    before = local_cloud.run_json("status")["token_days_left"]["me"]

    done = logged_in(local_cloud)
    result = local_cloud.run_json("poll", "--wait", "--timeout", "60")["result"]

    assert (done["listener"], done["plays_shown"], done["trouble"]) == ("me", 50, None)
    assert result["returned"] == 50
    assert local_cloud.run_json("status")["token_days_left"]["me"] >= before


def log_in_at_the_fake(local: LocalCloud, *words: str) -> str:
    """Log in at the fake of the real Spotify, which consents; return stderr."""
    with subprocess.Popen(  # noqa: S603 - the command is ours
        [sys.executable, "-m", "cli", *words],
        cwd=REPOSITORY,
        env=os.environ | {"PLAYS_LOCAL_DIR": str(local.home), "PLAYS_TARGET": "local"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as command:
        address = next(line for line in command.stderr if "/authorize?" in line).strip()
        asked = dict(parse_qsl(urlsplit(address).query))
        answer = urlencode({"code": "AQC", "state": asked["state"]})
        with urllib.request.urlopen(f"{asked['redirect_uri']}?{answer}", timeout=CONSENT_S):  # noqa: S310 - on the loopback
            pass
        _, said = command.communicate(timeout=TURN_S)
    assert command.returncode == 0, said
    return said


def is_simulated(local: LocalCloud) -> bool:
    return CloudState.load(local.home).simulated


def test_a_real_login_switches_the_cloud_permanently_to_real_spotify(own_cloud):
    own_cloud.run_json("poll", "--yes", "--wait", "--timeout", "60")
    login = ("login", "--no-browser", "--client-id", APP, "--port", str(any_free()))

    refused = own_cloud.plays(*login)
    unanswered = own_cloud.plays(*login, "--start-over", "--timeout", "0.1")
    rows_before, was_simulated = own_cloud.count("me"), is_simulated(own_cloud)
    log_in_at_the_fake(own_cloud, *login, "--start-over")
    rows_after = own_cloud.count("me")
    schedules = own_cloud.client("scheduler").list_schedules()["Schedules"]
    is_polled = {"ENABLED"} == {one["State"] for one in schedules}
    own_cloud.run_json("local", "down")
    own_cloud.run_json("local", "up", "--detach", "--empty")

    assert "must not be mixed" in refused.stderr
    assert "no answer from Spotify's consent page within 0.1 s" in unanswered.stderr
    assert (rows_before, was_simulated) == (2, True)
    assert rows_after == 0
    # The new login is polled even though the cloud started with --empty.
    assert is_polled
    assert not is_simulated(own_cloud)
    assert polled_services(own_cloud) == REAL
    assert own_cloud.run_json("status")["token_days_left"]["me"] >= 179
