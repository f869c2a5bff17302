"""Simulated plays and a person's own: no command mixes them unasked."""

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
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("PLAYS_LOCAL_DIR", str(tmp_path))
    return tmp_path


@pytest.fixture
def cloud(target, home, monkeypatch):
    """A local cloud whose AWS is moto's, and which polls a simulated Spotify."""
    monkeypatch.setitem(vars(target), "state", SimpleNamespace(simulated=True))
    monkeypatch.setitem(vars(target), "client", target.session.client)
    return target


def polled():
    """The collector has polled the simulator for a listener."""
    Memory(simulated={"me"}).save(local_home())


def uploads(target):
    found = target.session.client("s3").list_objects_v2(Bucket=BUCKET)
    return [item["Key"] for item in found.get("Contents", [])]


def test_an_upload_into_simulated_plays_is_refused_without_a_terminal(plays, cloud, export):
    polled()

    result = plays("upload", export, "--json")

    assert (result.exit_code, result.stdout) == (1, "")
    assert "me has simulated plays here, and yours would be mixed in: pass --yes" in result.stderr
    assert "`plays local reset` (deletes all that is in this local cloud)" in result.stderr
    assert "`plays local up --empty`" in result.stderr
    assert uploads(cloud) == []


def test_simulated_plays_count_though_another_spotify_is_polled_now(plays, cloud, export):
    polled()
    cloud.state.simulated = False

    result = plays("upload", export)

    assert "pass --yes" in result.stderr
    assert uploads(cloud) == []


def test_yes_uploads_all_the_same(plays, cloud, export):
    polled()

    result = plays("upload", export, "--yes")

    assert result.exit_code == 0, result.stderr
    assert uploads(cloud) == ["history/me/my_spotify_data.zip"]


@pytest.mark.parametrize("answer", ["y", "n", ""])
def test_a_person_is_asked_before_an_upload_mixes(plays, cloud, export, at_terminal, answer):
    polled()
    at_terminal(answer)

    result = plays("upload", export)

    assert "yours would be mixed in" in result.stderr
    assert bool(uploads(cloud)) is (answer == "y")


def test_an_upload_for_another_listener_is_not_mixed_and_says_so(plays, cloud, export):
    polled()

    result = plays("upload", export, "--listener", "anna")

    assert result.exit_code == 0
    assert "also holds simulated plays, of me: anna has none" in result.stderr
    assert uploads(cloud) == ["history/anna/my_spotify_data.zip"]


def test_nothing_is_asked_where_nothing_was_simulated(plays, cloud, export):
    result = plays("upload", export)

    assert result.exit_code == 0
    assert "simulated" not in result.stderr


def test_nothing_is_asked_on_aws(plays, target, home, export):
    polled()

    assert plays("upload", export).exit_code == 0


def invoked(target, *words):
    """Poll, as far as the collector, which moto does not run; gives what is said."""
    target.session.client("secretsmanager").put_secret_value(
        SecretId="spotify-pipeline/listener/me", SecretString="{}"
    )
    return CliRunner().invoke(app, ["poll", *words], obj=lambda: target).stderr


MIXES = "the Spotify that is polled is simulated"


def test_a_poll_of_the_simulator_into_own_plays_is_refused(plays, cloud, export):
    plays("upload", export)

    said = invoked(cloud)

    assert MIXES in said
    assert "`plays login` turns to the real Spotify" in said


@pytest.mark.parametrize(
    ("simulated", "listener"),
    [(True, "anna"), (False, "me")],
    ids=["plays of another listener", "the real Spotify"],
)
def test_a_poll_that_mixes_nothing_is_not_asked_about(plays, cloud, export, simulated, listener):
    plays("upload", export, "--listener", listener)
    cloud.state.simulated = simulated

    assert MIXES not in invoked(cloud)


def test_yes_polls_all_the_same(plays, cloud, export):
    plays("upload", export)

    assert MIXES not in invoked(cloud, "--yes")


def test_a_poll_goes_on_where_simulated_plays_are_already(plays, cloud, export):
    polled()
    plays("upload", export, "--yes")

    assert MIXES not in invoked(cloud)


def test_a_poll_of_the_simulator_into_a_home_without_plays_is_not_asked_about(cloud, home):
    Memory(empty=True).save(home)

    assert MIXES not in invoked(cloud)
    assert Memory.load(home).simulated == {"me"}


def test_a_poll_of_the_simulator_is_remembered_when_real_ones_follow(plays, cloud, home, export):
    Memory(empty=True).save(home)
    invoked(cloud)
    cloud.state.simulated = False

    result = plays("upload", export)

    assert "me has simulated plays here" in result.stderr


def test_a_poll_of_the_real_spotify_is_not_simulated(cloud, home):
    cloud.state.simulated = False
    invoked(cloud)

    assert Memory.load(home).simulated == frozenset()
