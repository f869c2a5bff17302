import json
from types import SimpleNamespace
from urllib.parse import urlsplit

import pytest
import requests
from typer.testing import CliRunner

from cli.main import app
from infra.local.memory import Memory
from infra.local.pidfile import held
from infra.local.ports import Ports, any_free
from infra.local.simulators.scenarios_reccobeats import RECCOBEATS
from infra.local.simulators.scenarios_spotify import SPOTIFY
from infra.local.state import SUPERVISOR
from tests.fakes.simulators import simulators
from tests.unit.cli.cloud_state import a_cloud_state

REAL = "https://api.spotify.com"


@pytest.fixture
def simulated():
    with simulators() as running:
        yield running


@pytest.fixture
def running_home(home):
    """A home in which a local cloud seems to run."""
    with held(home / SUPERVISOR):
        yield home


@pytest.fixture
def clearings(monkeypatch):
    """Record each clearing of Spotify's refusals, because no pipeline is running here."""
    times = []
    monkeypatch.setattr(
        "cli.commands.scenario.Listeners",
        lambda _: SimpleNamespace(clear_refusals=lambda: times.append(1)),
    )
    return times


@pytest.fixture
def runs(running_home, simulated, clearings):
    """Let a local cloud run that uses the simulators, or other services."""

    def run(**urls):
        usual = {
            "spotify_api_url": simulated.spotify_url,
            "spotify_accounts_url": simulated.spotify_url,
            "reccobeats_url": simulated.reccobeats_url,
        }
        spotify, _, reccobeats = (urlsplit(url).port for url in usual.values())
        Memory(ports=Ports(spotify=spotify, reccobeats=reccobeats)).save(running_home)
        a_cloud_state(simulated=not urls, **usual | urls).save(running_home)

    return run


@pytest.fixture
def local_cloud(runs):
    runs()


def scenario(*arguments):
    return CliRunner().invoke(app, ["local", "scenario", *arguments])


def playing(url):
    return requests.get(f"{url}/_control/scenario", timeout=5).json()["name"]


def test_a_scenario_is_switched_on_only_in_the_simulator_that_has_it(local_cloud, simulated):
    result = scenario("reccobeats-down")

    assert (result.exit_code, result.stdout) == (0, "ReccoBeats: reccobeats-down\n")
    assert playing(simulated.reccobeats_url) == "reccobeats-down"
    assert playing(simulated.spotify_url) == "normal"


def test_scenario_names_do_not_wrap_in_80_columns(local_cloud, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")

    shown = {line.split(" ")[0] for line in scenario().stdout.splitlines()}

    assert {*SPOTIFY, *RECCOBEATS} - shown == set()


def test_the_output_shows_parameters_and_end_time_of_a_scenario(local_cloud):
    result = scenario("rate-limited", "for_s=60", "--json")
    shown = scenario("rate-limited", "retry_after_s=60", "times=2", "for_s=60")

    switched = json.loads(result.stdout)["playing"]
    assert [(one["simulator"], one["name"]) for one in switched] == [("Spotify", "rate-limited")]
    assert switched[0]["scenarios"][0]["parameters"] == {"retry_after_s": 5}
    assert switched[0]["scenarios"][0]["ends_at"].endswith("Z")
    assert shown.stdout.startswith(
        "Spotify: rate-limited retry_after_s=60 (times left: 2) (until 20"
    )


def test_option_also_keeps_other_scenarios_on(local_cloud):
    scenario("old-app")

    result = scenario("unavailable", "--also")

    assert result.stdout == "Spotify: old-app popularity=1 several_tracks=1, unavailable\n"


def test_scenario_normal_resets_every_simulator_and_clears_refusals(
    local_cloud, simulated, clearings
):
    scenario("reccobeats-down")
    scenario("unavailable")
    assert clearings == []

    result = scenario("normal")

    assert clearings == [1]
    assert result.stdout == "Spotify: normal\nReccoBeats: normal\n"
    assert playing(simulated.reccobeats_url) == playing(simulated.spotify_url) == "normal"


def test_without_a_name_all_scenarios_are_listed(local_cloud):
    scenario("reccobeats-down")

    result = scenario()

    assert result.exit_code == 0
    assert "quota-exceeded" in result.stdout
    assert "retry_after_s=52531" in result.stdout
    assert result.stdout.endswith("\nSpotify: normal\nReccoBeats: reccobeats-down\n")


def test_scenarios_can_be_listed_as_json(local_cloud):
    scenario("unavailable")

    listed = json.loads(scenario("--json").stdout)

    assert [(one["simulator"], one["name"]) for one in listed["playing"]] == [
        ("Spotify", "unavailable"),
        ("ReccoBeats", "normal"),
    ]
    assert {
        "simulator": "Spotify",
        "name": "late-plays",
        "summary": "One play in `every` appears `delay_s` late, with a played_at older than known "
        "ones.",
        "parameters": {"every": 4, "delay_s": 600},
    } in listed["offered"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["quotas"],
            "there is no scenario quotas: did you mean quota?",
        ),
        (["xyz"], "there is no scenario xyz: list them with `plays local scenario`"),
        (
            ["rate-limited", "wait=3"],
            "rate-limited has no parameter wait: it takes times, for_s, retry_after_s",
        ),
        (
            ["rate-limited", "retry_after_s=soon"],
            "retry_after_s needs a whole number: use retry_after_s=NUMBER",
        ),
        (
            ["rate-limited", f"times={'9' * 5_000}"],
            "times needs a whole number: use times=NUMBER",
        ),
        (["rate-limited", "times"], "times needs a whole number: use times=NUMBER"),
        (
            ["rate-limited", "retry_after_s=99999999999999999999"],
            "bad scenario: retry_after_s: Input should be less than or equal to 31536000",
        ),
    ],
)
def test_an_unknown_scenario_or_parameter_is_refused_with_advice(
    local_cloud, simulated, arguments, message
):
    result = scenario(*arguments)

    assert (result.exit_code, result.stderr) == (1, f"plays: {message}\n")
    assert playing(simulated.spotify_url) == "normal"


def test_with_the_real_spotify_only_reccobeats_has_scenarios(runs, clearings):
    runs(spotify_api_url=REAL, spotify_accounts_url="https://accounts.spotify.com")

    refused, listed, normal = scenario("unavailable"), scenario("--json"), scenario("normal")

    assert refused.stderr == (
        "plays: unavailable is a scenario of the simulated Spotify, but this local cloud uses "
        f"{REAL}: start a local cloud without that URL\n"
    )
    assert {one["simulator"] for one in json.loads(listed.stdout)["offered"]} == {"ReccoBeats"}
    assert normal.stdout == "ReccoBeats: normal\n"
    assert clearings == []


def test_scenarios_work_if_only_the_accounts_service_is_simulated(runs):
    runs(spotify_api_url=REAL)

    assert scenario("refresh-token-revoked").exit_code == 0


def test_the_command_uses_no_proxy_for_the_simulators(local_cloud, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{any_free()}")

    assert scenario("normal").exit_code == 0


def test_without_a_local_cloud_a_scenario_is_refused(home):
    result = scenario("normal")

    assert result.exit_code == 1
    assert result.stderr == (
        f"plays: no local cloud runs in {home}: start it with `plays local up`\n"
    )


def test_an_error_names_the_simulator_that_does_not_answer(running_home):
    url = f"http://127.0.0.1:{any_free()}"
    Memory(ports=Ports(spotify=urlsplit(url).port)).save(running_home)
    urls = {"spotify_api_url": url, "spotify_accounts_url": url, "reccobeats_url": REAL}
    a_cloud_state(**urls).save(running_home)

    result = scenario("normal")

    assert result.exit_code == 1
    assert result.stderr.startswith(f"plays: the simulated Spotify does not answer at {url}: ")


def test_help_has_examples():
    result = scenario("--help")

    assert "plays local scenario rate-limited retry_after_s=60 times=1" in " ".join(
        result.stdout.replace("│", "").split()
    )
