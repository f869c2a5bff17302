import pytest

from infra.local.next_steps import next_steps


def test_a_new_home_is_offered_an_upload_and_a_login():
    (line,) = next_steps(holds_simulated=False, polls_simulator=False)

    assert "upload my_spotify_data.zip" in line
    assert "login" in line


@pytest.mark.parametrize("polls_simulator", [True, False])
def test_a_home_with_simulated_plays_says_how_to_get_own_ones(polls_simulator):
    line, own = next_steps(holds_simulated=True, polls_simulator=polls_simulator)

    assert "upload" not in line
    assert ("local scenario" in line) is polls_simulator
    assert "`.venv/bin/plays login --start-over` (deletes all that is in" in own
