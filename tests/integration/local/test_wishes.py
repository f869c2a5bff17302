import pytest

from infra.cdk.config import PipelineConfig
from infra.local.memory import Memory
from infra.local.ports import Ports
from infra.local.wishes import Wishes, configuration
from shared.errors import SettingsError

PORTS = Ports(spotify=1001, reccobeats=1002)
URL = "https://example.com"


def test_a_simulator_is_used_where_no_url_is_given():
    context = Wishes(reccobeats_url=URL).deployment(PORTS)

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
def test_given_urls_replace_simulators(given, simulators, simulated_listener):
    wishes = Wishes(**dict.fromkeys(given, URL))

    assert wishes.simulators == simulators
    assert wishes.simulated_listener == simulated_listener


@pytest.mark.parametrize("empty", [True, False])
def test_an_empty_cloud_does_not_poll(empty):
    config = configuration(Wishes(empty=empty).deployment(PORTS))

    assert config.polling_enabled is not empty
    assert config.target == "local"
    assert config.poll_minutes == 1


def test_further_context_wins():
    wishes = Wishes(empty=True, context={"loader.visibility_s": "61", "polling_enabled": "true"})

    config = configuration(wishes.deployment(PORTS))

    assert config.loader.visibility_timeout_s == 61
    assert config.polling_enabled


def test_a_misspelt_context_is_refused_before_anything_is_deployed():
    with pytest.raises(SettingsError, match="pol_minutes"):
        configuration(Wishes(context={"pol_minutes": "2"}).deployment(PORTS))


def test_options_reach_the_background_process_unchanged():
    wishes = Wishes(empty=True, spotify_api_url=URL, context={"a": "b"})

    assert Wishes.model_validate_json(wishes.model_dump_json()) == wishes


def test_after_a_login_the_real_services_replace_the_simulators():
    wishes = Wishes(spotify_api_url=URL).at_real_spotify()
    context = wishes.deployment(PORTS)

    assert context["spotify_api_url"] == URL
    assert context["spotify_accounts_url"] == "https://accounts.spotify.com"
    assert context["reccobeats_url"] == "https://api.reccobeats.com"
    assert not wishes.simulators
    assert not wishes.simulated_listener


def test_the_real_spotify_is_polled_no_more_often_than_in_aws():
    wishes = Wishes().at_real_spotify()

    assert configuration(wishes.deployment(PORTS)).poll_minutes == PipelineConfig().poll_minutes


def test_a_given_pace_for_the_real_spotify_wins():
    wishes = Wishes(context={"poll_minutes": "5"}).at_real_spotify()

    assert configuration(wishes.deployment(PORTS)).poll_minutes == 5


def test_nothing_simulated_joins_a_home_that_began_empty():
    wishes = Wishes().within(Memory(empty=True))

    assert configuration(wishes.deployment(PORTS)).polling_enabled is False


def test_no_simulator_joins_a_home_that_polled_the_real_spotify():
    wishes = Wishes().within(Memory(real_spotify=True))

    assert wishes.deployment(PORTS)["spotify_api_url"] == "https://api.spotify.com"
    assert not wishes.empty


def test_a_home_with_simulated_plays_keeps_the_given_options():
    wishes = Wishes(empty=True)

    assert wishes.within(Memory(simulated={"me"})) is wishes


def test_the_listeners_of_a_home_are_deployed_unless_others_are_given():
    memory = Memory(listeners=("me", "anna"))

    kept = Wishes().within(memory).deployment(PORTS)
    given = Wishes(context={"listeners": "ben"}).within(memory).deployment(PORTS)

    assert kept["listeners"] == "me,anna"
    assert given["listeners"] == "ben"
