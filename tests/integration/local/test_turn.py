import pytest

from infra.local import cloud, turn
from infra.local.data import INGESTED
from infra.local.memory import Memory
from infra.local.state import FILE, SUPERVISOR, CloudState, LocalCloudError

# Obeys one turn as a supervisor does: its state goes away first and comes back last.
OBEDIENT = f"""
import sys, time
from pathlib import Path
from infra.local import turn
from infra.local.memory import Memory
from infra.local.pidfile import held
from infra.local.state import write_private
home = Path(sys.argv[1])
with held(home / {SUPERVISOR!r}):
    print("ready", flush=True)
    while not turn.is_asked_for(home):
        time.sleep(0.01)
    state = (home / {FILE!r}).read_text()
    (home / {FILE!r}).unlink()
    turn.obey(home, Memory.load(home))
    time.sleep(0.3)
    if "--fails" not in sys.argv:
        # Whole or not at all: whoever asked looks for the file, then reads it.
        write_private(home / {FILE!r}, state)
        time.sleep(60)
"""


def a_state(pid, home):
    urls = dict.fromkeys(("spotify_api_url", "spotify_accounts_url", "reccobeats_url"), "http://x")
    return CloudState(
        pid=pid,
        aws_endpoint="http://127.0.0.1:1",
        region="us-east-1",
        access_key="000000000000",
        secret_key="test",  # noqa: S106 - no real one
        bucket="archive",
        database_url="postgresql://reader:p@127.0.0.1:1/spotify",
        **urls,
        log_dir=home / "logs",
    )


@pytest.fixture
def ingested(home):
    """All that a home can hold of plays, and one thing that is not ours."""
    for name in INGESTED:
        (home / name).mkdir()
        (home / name / "play").touch()
    (home / "diary.txt").write_text("not ours")
    return home


def test_a_home_that_was_not_asked_to_turn_stays_as_it_is(home):
    memory = Memory(sampled=True)

    assert turn.obey(home, memory) is memory


def test_a_turn_is_remembered_and_done_once(home):
    turn.ask_for(home, start_over=False)

    memory = turn.obey(home, Memory())

    assert memory.real_spotify
    assert Memory.load(home) == memory
    assert not turn.is_asked_for(home)


def test_a_turn_keeps_what_nobody_wants_deleted(ingested):
    turn.ask_for(ingested, start_over=False)

    turn.obey(ingested, Memory())

    assert [name for name in INGESTED if not (ingested / name / "play").exists()] == []


def test_starting_over_deletes_every_play_and_nothing_else(ingested):
    turn.ask_for(ingested, start_over=True)
    memory = Memory(sampled=True, simulated={"me", "anna"})

    after = turn.obey(ingested, memory)

    left = {path.name for path in ingested.iterdir()}
    assert left == {"diary.txt", "logs", "memory.json"}
    assert (after.sampled, after.simulated, after.real_spotify) == (False, frozenset(), True)
    # Bookmarks and passwords of people go on to be right.
    assert (after.ports, after.reader_password) == (memory.ports, memory.reader_password)


def test_reset_forgets_the_turn_and_that_one_was_asked_for(home):
    Memory(real_spotify=True).save(home)
    turn.ask_for(home, start_over=True)

    cloud.reset(home)

    assert not turn.is_asked_for(home)
    assert not Memory.load(home).real_spotify


def test_whoever_asks_waits_until_the_cloud_has_turned(home, run_python):
    supervisor = run_python(OBEDIENT, str(home))
    a_state(supervisor.pid, home).save(home)

    cloud.turn_to_real_spotify(home, start_over=False)

    assert Memory.load(home).real_spotify
    assert CloudState.load(home).pid == supervisor.pid


def test_a_cloud_that_ends_over_its_turn_is_told(home, run_python):
    supervisor = run_python(OBEDIENT, str(home), "--fails")
    a_state(supervisor.pid, home).save(home)

    with pytest.raises(
        LocalCloudError, match=r"it ended, see .* `make run` finishes this; then run `plays login`"
    ):
        cloud.turn_to_real_spotify(home, start_over=False)


def test_a_turn_has_a_time_limit_and_says_what_it_will_still_delete(home, monkeypatch, run_python):
    supervisor = run_python(
        f"""
import sys, time
from pathlib import Path
from infra.local.pidfile import held
with held(Path(sys.argv[1]) / {SUPERVISOR!r}):
    print("ready", flush=True)
    time.sleep(60)
""",
        str(home),
    )
    a_state(supervisor.pid, home).save(home)
    monkeypatch.setattr(cloud, "TURN_S", 0.2)

    with pytest.raises(
        LocalCloudError, match=r"not ready after 0\.2 s.*deletes all that is in this"
    ):
        cloud.turn_to_real_spotify(home, start_over=True)


def test_a_cloud_that_does_not_run_cannot_turn(home):
    with pytest.raises(LocalCloudError, match="no local cloud runs"):
        cloud.turn_to_real_spotify(home, start_over=False)

    assert not turn.is_asked_for(home)
