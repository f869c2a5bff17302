"""No command mixes simulated and real plays without confirmation."""

from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from cli.main import app
from infra.local.memory import Memory
from infra.local.state import local_home
from tests.unit.cli.conftest import BUCKET

pytestmark = pytest.mark.usefixtures("listeners")


@pytest.fixture
def export(tmp_path):
    path = tmp_path / "my_spotify_data.zip"
    path.write_bytes(b"an export")
    return str(path)


@pytest.fixture
def cloud(target, home, monkeypatch):
    """A local cloud that polls a simulated Spotify."""
    monkeypatch.setitem(vars(target), "state", SimpleNamespace(simulated=True))
    return target


def polled():
    """Record that the collector polled the simulator for me."""
    Memory(simulated={"me"}).save(local_home())


def uploads(target):
    found = target.session.client("s3").list_objects_v2(Bucket=BUCKET)
    return [item["Key"] for item in found.get("Contents", [])]


@pytest.mark.parametrize("simulated", [True, False], ids=["simulated", "after a switch"])
def test_an_upload_into_simulated_plays_is_refused_without_a_terminal(
    plays, cloud, export, simulated
):
    polled()
    cloud.state.simulated = simulated

    result = plays("upload", export)

    assert (result.exit_code, result.stdout) == (1, "")
    assert "this upload would mix yours with them: pass --yes" in result.stderr
    assert "`plays local reset` (deletes everything in this local cloud)" in result.stderr
    assert "`plays local up --empty`" in result.stderr
    assert uploads(cloud) == []


def test_option_yes_allows_an_upload_into_simulated_plays(plays, cloud, export):
    polled()

    result = plays("upload", export, "--yes")

    assert result.exit_code == 0, result.stderr
    assert uploads(cloud) == ["history/me/my_spotify_data.zip"]


@pytest.mark.parametrize("answer", ["y", "n", ""])
def test_an_upload_into_simulated_plays_asks_for_confirmation(
    plays, cloud, export, at_terminal, answer
):
    polled()
    at_terminal(answer)

    result = plays("upload", export)

    assert "this upload would mix yours" in result.stderr
    assert bool(uploads(cloud)) is (answer == "y")


def test_an_upload_for_another_listener_needs_no_confirmation(plays, cloud, export):
    polled()

    result = plays("upload", export, "--listener", "anna")

    assert result.exit_code == 0
    assert "also holds simulated plays (of me), but none of anna" in result.stderr
    assert uploads(cloud) == ["history/anna/my_spotify_data.zip"]


def test_an_upload_without_simulated_plays_needs_no_confirmation(plays, cloud, export):
    result = plays("upload", export)

    assert result.exit_code == 0
    assert "simulated" not in result.stderr


def test_an_upload_on_aws_needs_no_confirmation(plays, target, home, export):
    polled()

    assert plays("upload", export).exit_code == 0


def invoked(target, *words):
    """Run `plays poll` up to the collector, which does not run here; return its stderr."""
    return CliRunner().invoke(app, ["poll", *words], obj=lambda: target).stderr


MIXES = "the poll would add simulated plays to those of me"


def test_a_simulated_poll_after_an_upload_is_refused(plays, cloud, export):
    plays("upload", export)

    said = invoked(cloud)

    assert MIXES in said
    assert "`plays login` switches to the real Spotify" in said


@pytest.mark.parametrize(
    ("simulated", "listener", "words"),
    [(True, "anna", []), (False, "me", []), (True, "me", ["--yes"])],
    ids=["plays of another listener", "the real Spotify", "--yes"],
)
def test_a_poll_with_option_yes_or_that_mixes_no_plays_is_not_refused(
    plays, cloud, export, *, simulated, listener, words
):
    plays("upload", export, "--listener", listener)
    cloud.state.simulated = simulated

    assert MIXES not in invoked(cloud, *words)


def test_a_poll_is_not_refused_if_plays_are_mixed_already(plays, cloud, export):
    polled()
    plays("upload", export, "--yes")

    assert MIXES not in invoked(cloud)


def test_a_simulated_poll_after_local_up_empty_is_refused(cloud, home):
    Memory(empty=True).save(home)

    assert MIXES in invoked(cloud)
    assert Memory.load(home).simulated == set()


def test_after_a_switch_to_the_real_spotify_an_upload_warns_of_simulated_plays(
    plays, cloud, home, export
):
    Memory(empty=True).save(home)
    invoked(cloud, "--yes")
    cloud.state.simulated = False

    result = plays("upload", export)

    assert "me has simulated plays here" in result.stderr


def test_a_real_poll_is_not_recorded_as_simulated(cloud, home):
    cloud.state.simulated = False
    invoked(cloud)

    assert Memory.load(home).simulated == frozenset()
