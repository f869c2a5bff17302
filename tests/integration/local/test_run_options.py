import pytest

from infra.cdk.config import PipelineConfig
from infra.local.memory import Memory
from infra.local.ports import Ports
from infra.local.run_options import RunOptions, configuration
from shared.errors import SettingsError

PORTS = Ports(spotify=1001, reccobeats=1002)
URL = "https://example.com"


def test_a_service_is_simulated_unless_its_url_is_given():
    context = RunOptions(reccobeats_url=URL).deployment(PORTS)

    assert context["spotify_api_url"] == "http://127.0.0.1:1001"
    assert context["spotify_accounts_url"] == "http://127.0.0.1:1001"
    assert context["reccobeats_url"] == URL


@pytest.mark.parametrize(
    ("given", "simulators", "simulated_listener"),
    [
        ((), True, True),
        (("reccobeats_url",), True, True),
        (("spotify_api_url", "spotify_accounts_url"), True, False),
        (("spotify_api_url",), True, False),
        (("spotify_api_url", "spotify_accounts_url", "reccobeats_url"), False, False),
    ],
    ids=["none given", "reccobeats", "spotify", "half of spotify", "all"],
)
def test_no_simulator_is_used_for_a_service_whose_url_is_given(
    given, simulators, simulated_listener
):
    options = RunOptions(**dict.fromkeys(given, URL))

    assert options.simulators == simulators
    assert options.simulated_listener == simulated_listener


@pytest.mark.parametrize("empty", [True, False])
def test_polling_is_enabled_unless_the_option_empty_is_set(empty):
    config = configuration(RunOptions(empty=empty).deployment(PORTS))

    assert config.polling_enabled is not empty
    assert config.target == "local"
    assert config.poll_minutes == 1


def test_context_options_override_all_other_options():
    options = RunOptions(
        empty=True, context={"loader.visibility_s": "61", "polling_enabled": "true"}
    )

    config = configuration(options.deployment(PORTS))

    assert config.loader.visibility_timeout_s == 61
    assert config.polling_enabled


def test_a_misspelt_context_option_is_refused_before_deployment():
    with pytest.raises(SettingsError, match="pol_minutes"):
        configuration(RunOptions(context={"pol_minutes": "2"}).deployment(PORTS))


def test_run_options_reach_the_background_process_unchanged():
    options = RunOptions(empty=True, spotify_api_url=URL, context={"a": "b"})

    assert RunOptions.model_validate_json(options.model_dump_json()) == options


def test_no_service_is_simulated_if_the_real_spotify_is_used():
    options = RunOptions(spotify_api_url=URL).at_real_spotify()
    context = options.deployment(PORTS)

    assert context["spotify_api_url"] == URL
    assert context["spotify_accounts_url"] == "https://accounts.spotify.com"
    assert context["reccobeats_url"] == "https://api.reccobeats.com"
    assert not options.simulators
    assert not options.simulated_listener


def test_the_real_spotify_is_polled_as_often_as_in_aws():
    options = RunOptions().at_real_spotify()

    assert configuration(options.deployment(PORTS)).poll_minutes == PipelineConfig().poll_minutes


def test_a_given_poll_interval_overrides_the_default():
    options = RunOptions(context={"poll_minutes": "5"}).at_real_spotify()

    assert configuration(options.deployment(PORTS)).poll_minutes == 5


def test_a_local_cloud_created_with_option_empty_does_not_poll_the_simulator():
    options = RunOptions().within(Memory(empty=True))

    assert configuration(options.deployment(PORTS)).polling_enabled is False


def test_a_local_cloud_that_polled_the_real_spotify_keeps_polling_it():
    options = RunOptions().within(Memory(real_spotify=True))

    assert options.deployment(PORTS)["spotify_api_url"] == "https://api.spotify.com"
    assert not options.empty


def test_run_options_stay_unchanged_for_a_local_cloud_with_simulated_plays():
    options = RunOptions(empty=True)

    assert options.within(Memory(simulated={"me"})) is options


def test_saved_listeners_are_deployed_unless_others_are_given():
    memory = Memory(listeners=("me", "anna"))

    kept = RunOptions().within(memory).deployment(PORTS)
    given = RunOptions(context={"listeners": "ben"}).within(memory).deployment(PORTS)

    assert kept["listeners"] == "me,anna"
    assert given["listeners"] == "ben"
