import pytest

from infra.local.memory import Memory
from infra.local.next_steps import next_steps
from infra.local.run_options import RunOptions


def test_next_steps_of_a_new_home_directory_are_an_upload_and_a_login():
    (line,) = next_steps(Memory(), RunOptions())

    assert "upload my_spotify_data.zip" in line
    assert "login" in line


@pytest.mark.parametrize("simulated", [frozenset(), frozenset({"anna"})])
def test_next_steps_name_a_listener_if_the_default_one_was_removed(simulated):
    options = RunOptions(context={"listeners": "anna,ben"})

    shown = " ".join(next_steps(Memory(simulated=simulated), options))

    assert "plays login --listener anna`" in shown or "--start-over --listener anna`" in shown
    assert "plays login`" not in shown


@pytest.mark.parametrize(
    ("options", "polls_simulator"), [(RunOptions(), True), (RunOptions().at_real_spotify(), False)]
)
def test_next_steps_with_simulated_plays_show_the_command_login_start_over(
    options, polls_simulator
):
    line, own = next_steps(Memory(simulated=frozenset({"me"})), options)

    assert "upload" not in line
    assert ("local scenario" in line) is polls_simulator
    assert "`.venv/bin/plays login --start-over` (deletes all that is in" in own
