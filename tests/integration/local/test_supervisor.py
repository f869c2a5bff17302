"""How a supervisor starts and stops; its servers, AWS and the CDK are stand-ins."""

import json
import os
import signal
from types import SimpleNamespace

import pytest

from infra.local import ending, supervisor, turn
from infra.local.memory import FILE as MEMORY
from infra.local.memory import Memory
from infra.local.pidfile import holder
from infra.local.state import FILE, SUPERVISOR, LocalCloudError
from infra.local.wishes import Wishes

EMPTY = Wishes(empty=True)
REAL = Wishes(
    spotify_api_url="https://api.spotify.com",
    spotify_accounts_url="https://accounts.spotify.com",
)


class Stage:
    """What a supervisor does, told in order; a scene may happen at each of its acts."""

    def __init__(self):
        self.acts = []
        self.contexts = []
        self.lookups = []
        self.sent = []
        self.zones = []
        self.scenes = {}
        self.stacks = set()
        self.is_left_behind = False
        self.is_deploying = False
        self.has_forgotten = False

    def act(self, name):
        self.acts.append(name)
        return self.scenes.get(name, lambda: None)()

    def parts(self, _home):
        ministack = SimpleNamespace(
            child=SimpleNamespace(is_running=self.is_left_behind),
            has_forgotten=self.has_forgotten,
            note_changes=lambda: self.act("note"),
            restart=lambda: self.act("restart"),
        )
        return SimpleNamespace(
            ministack=ministack,
            start=lambda *_, **__: self.act("start"),
            is_deploying=self.is_deploying,
            stop=lambda *, discard_change: self.act("discard" if discard_change else "stop"),
            failures=lambda: self.act("watch") or (),
        )

    def cdk(self, *_):
        def deploy(context):
            self.contexts.append(context)
            self.act("deploy")
            self.stacks |= {"SpotifyData", "SpotifyPipeline"}
            return {
                "ArchiveBucket": "archive",
                "UploadedFilesQueueUrl": "uploads",
                "DeriveFunction": "derive",
            }

        return SimpleNamespace(
            has_stack=lambda name: name in self.stacks,
            bootstrap=lambda: self.act("bootstrap"),
            deploy=deploy,
        )

    def pause(self, _endpoint, _say, is_hurried):
        self.act("pause")
        if is_hurried():
            self.act("hurry")


def interrupt():
    os.kill(os.getpid(), signal.SIGINT)


def hang_up():
    os.kill(os.getpid(), signal.SIGHUP)


@pytest.fixture
def stage(monkeypatch):
    stage = Stage()
    stage.scenes["watch"] = interrupt
    monkeypatch.setattr(supervisor, "Parts", stage.parts)
    monkeypatch.setattr(supervisor, "Cdk", stage.cdk)
    monkeypatch.setattr(supervisor.consumers, "pause", stage.pause)
    monkeypatch.setattr(supervisor.consumers, "resume", lambda _: stage.act("resume"))
    monkeypatch.setattr(supervisor.forgotten, "send_again", lambda *_: stage.act("send again") or 2)
    monkeypatch.setattr(supervisor, "Arrivals", lambda _: SimpleNamespace(news=lambda: None))
    for name in ("put_database", "put_simulated_login", "drop_simulated_login"):
        monkeypatch.setattr(
            supervisor.lookups, name, lambda *_, name=name: stage.lookups.append(name)
        )
    monkeypatch.setattr(
        supervisor.time_zone, "set_default", lambda _, *words: stage.zones.append(words[:-1])
    )
    s3 = SimpleNamespace(upload_file=lambda *words: stage.sent.append(words[-1]))
    monkeypatch.setattr(supervisor, "client", lambda *_: s3)
    monkeypatch.setattr(supervisor, "SAMPLE_PLAYS", 1)
    return stage


@pytest.fixture
def deployed(home, stage):
    """A home that has run before."""
    Memory().save(home)
    stage.stacks |= {"CDKToolkit", "SpotifyData", "SpotifyPipeline"}
    return home


def test_a_stop_feeds_the_functions_no_more_before_it_stops_the_servers(deployed, stage):
    said = []

    supervisor.run(deployed, EMPTY, said.append)

    assert stage.acts == ["stop", "start", "deploy", "note", "resume", "watch", "pause", "stop"]
    assert said[-1].endswith("stopped")
    assert not (deployed / FILE).exists()
    assert holder(deployed / SUPERVISOR) is None


@pytest.mark.parametrize("zone", ["Asia/Kolkata", None])
def test_each_start_gives_the_machines_zone_to_listeners_without_one(deployed, stage, zone):
    supervisor.run(deployed, EMPTY.model_copy(update={"time_zone": zone}), lambda _: None)

    assert stage.zones == [("derive", zone)]


def test_the_last_line_of_a_start_names_the_page(deployed, stage):
    said = []
    state = {}
    stage.scenes["watch"] = lambda: (
        state.update(json.loads((deployed / FILE).read_text()), last=said[-1]) or interrupt()
    )

    supervisor.run(deployed, EMPTY, said.append)

    url = f"http://127.0.0.1:{Memory.load(deployed).ports.page}/"
    assert state["page_url"] == url
    assert state["last"].endswith(f"  the page: {url}")


def test_what_a_home_holds_is_for_its_owner_alone(deployed, stage):
    (deployed / "cdk").mkdir(mode=0o755)
    stage.scenes["deploy"] = lambda: (deployed / "outputs.json").write_text("{}") and None
    before = os.umask(0o022)
    os.umask(before)

    supervisor.run(deployed, EMPTY, lambda _: None)

    names = ("cdk", "cdk.out", "logs", "outputs.json")
    modes = {name: oct((deployed / name).stat().st_mode & 0o077) for name in names}
    assert modes == dict.fromkeys(names, "0o0")
    assert os.umask(before) == before


def test_a_second_signal_hurries_the_stop_and_breaks_nothing_off(deployed, stage):
    stage.scenes["pause"] = interrupt
    stage.scenes["hurry"] = interrupt

    supervisor.run(deployed, EMPTY, lambda _: None)

    assert stage.acts[-3:] == ["pause", "hurry", "stop"]


def test_a_stop_goes_on_where_nobody_hears_of_it(deployed, stage):
    def say(_):
        if "pause" in stage.acts or stage.acts[-1:] == ["watch"]:
            raise OSError(5, "Input/output error")

    stage.scenes["watch"] = hang_up

    supervisor.run(deployed, EMPTY, say)

    assert stage.acts[-2:] == ["pause", "stop"]


def test_where_a_server_ended_by_itself_the_others_end_their_work(deployed, stage):
    def fail():
        raise LocalCloudError("postgres ended")

    stage.scenes["watch"] = fail

    with pytest.raises(LocalCloudError, match="postgres ended"):
        supervisor.run(deployed, EMPTY, lambda _: None)

    assert stage.acts[-2:] == ["pause", "stop"]


def test_a_change_of_the_deployment_is_not_interrupted_in_the_middle(deployed, stage):
    def deploy():
        interrupt()
        stage.act("deployed")

    stage.scenes["deploy"] = deploy
    said = []

    supervisor.run(deployed, EMPTY, said.append)

    assert stage.acts == ["stop", "start", "deploy", "deployed", "pause", "stop"]
    assert any("stopping once the deployment is through" in line for line in said)


def test_a_change_of_the_deployment_that_a_second_signal_breaks_off_is_undone(deployed, stage):
    def deploy():
        interrupt()
        interrupt()
        stage.act("deployed")

    stage.scenes["deploy"] = deploy

    supervisor.run(deployed, EMPTY, lambda _: None)

    assert stage.acts == ["stop", "start", "deploy", "discard"]
    assert Memory.load(deployed).crashed


def test_a_change_that_a_killed_supervisor_left_half_done_is_undone(deployed, stage):
    stage.is_left_behind = stage.is_deploying = True

    supervisor.run(deployed, EMPTY, lambda _: None)

    assert stage.acts[:2] == ["discard", "start"]
    assert "send again" in stage.acts


def test_a_first_deployment_that_was_interrupted_is_begun_anew(home, stage):
    stage.scenes["deploy"] = interrupt
    supervisor.run(home, EMPTY, lambda _: None)
    for name in ("ministack", "s3"):
        (home / name).mkdir()
        (home / name / "half").touch()
    stage.stacks.clear()
    del stage.scenes["deploy"]
    stage.acts.clear()

    supervisor.run(home, EMPTY, lambda _: None)

    assert not (home / "ministack").exists()
    assert not (home / "s3").exists()
    assert stage.acts == [
        *("stop", "start", "bootstrap", "deploy", "pause", "restart", "note", "resume"),
        *("watch", "pause", "stop"),
    ]


def test_what_is_deployed_stays_over_the_next_start(deployed, stage):
    (deployed / "ministack").mkdir()

    supervisor.run(deployed, EMPTY, lambda _: None)

    assert (deployed / "ministack").exists()


def test_what_a_killed_supervisor_left_ends_its_work_before_it_is_stopped(deployed, stage):
    stage.is_left_behind = True

    supervisor.run(deployed, EMPTY, lambda _: None)

    assert stage.acts[:3] == ["pause", "stop", "start"]


@pytest.mark.parametrize(
    ("is_deploying", "acts"),
    [(False, ["pause", "pause", "stop"]), (True, ["discard", "discard"])],
    ids=["work", "half a change"],
)
def test_a_start_that_is_interrupted_ends_what_was_left_as_well(
    deployed, stage, is_deploying, acts
):
    stage.is_left_behind, stage.is_deploying = True, is_deploying

    def once():
        del stage.scenes[acts[0]]
        interrupt()

    stage.scenes[acts[0]] = once

    supervisor.run(deployed, EMPTY, lambda _: None)

    assert stage.acts == acts
    assert Memory.load(deployed).crashed is is_deploying


def test_servers_that_have_nothing_in_work_yet_are_not_waited_for(deployed, stage):
    stage.is_left_behind = True
    stage.scenes["start"] = interrupt

    supervisor.run(deployed, EMPTY, lambda _: None)

    assert stage.acts == ["pause", "stop", "start", "stop"]


def test_what_a_killed_first_start_left_is_not_waited_for(home, stage):
    stage.is_left_behind = True

    supervisor.run(home, EMPTY, lambda _: None)

    assert stage.acts[:2] == ["stop", "start"]


def test_after_a_crash_of_aws_it_is_reminded_of_uploads_once(deployed, stage):
    stage.has_forgotten = True
    said = []
    supervisor.run(deployed, EMPTY, said.append)
    stage.has_forgotten = False
    first = list(stage.acts)

    supervisor.run(deployed, EMPTY, said.append)

    assert first.index("resume") < first.index("send again") < first.index("watch")
    assert stage.acts.count("send again") == 1
    assert any("uploads begun again after a crash: 2" in line for line in said)


def test_a_start_that_is_broken_off_after_a_crash_does_not_hide_it(deployed, stage):
    stage.has_forgotten = True
    stage.scenes["deploy"] = interrupt
    supervisor.run(deployed, EMPTY, lambda _: None)
    # As it is after a clean stop.
    stage.has_forgotten = False
    del stage.scenes["deploy"]

    supervisor.run(deployed, EMPTY, lambda _: None)

    assert "send again" in stage.acts


def test_nothing_simulated_joins_what_a_home_began_with_empty(home, stage):
    supervisor.run(home, EMPTY, lambda _: None)
    said = []

    supervisor.run(home, Wishes(), said.append)

    assert [context["polling_enabled"] for context in stage.contexts] == ["false", "false"]
    assert any("is for your own plays: nothing simulated is added" in line for line in said)
    assert any("upload my_spotify_data.zip" in line for line in said)


def test_empty_is_said_not_to_remove_simulated_plays(home, stage):
    supervisor.run(home, Wishes(), lambda _: None)
    said = []

    supervisor.run(home, EMPTY, said.append)

    assert any("--empty does not remove them" in line for line in said)


def test_a_login_lets_a_home_that_began_with_empty_be_polled(home, stage):
    def turning():
        turn.ask_for(home, start_over=False)
        stage.scenes["watch"] = interrupt

    stage.scenes["watch"] = turning

    supervisor.run(home, EMPTY, lambda _: None)

    assert [context["polling_enabled"] for context in stage.contexts] == ["false", "true"]
    assert stage.contexts[-1]["spotify_api_url"] == "https://api.spotify.com"


def test_a_home_with_simulated_plays_says_how_to_come_to_own_ones(deployed, stage):
    Memory(sampled=True, simulated={"me"}).save(deployed)
    said = []

    supervisor.run(deployed, Wishes(), said.append)

    assert not any("upload my_spotify_data.zip" in line for line in said)
    assert any(
        "`.venv/bin/plays login --start-over` (deletes all that is in" in line for line in said
    )


def test_a_home_of_the_release_before_that_began_with_empty_gets_nothing_simulated(deployed, stage):
    memory = json.loads((deployed / MEMORY).read_text())
    # That release wrote neither of them.
    del memory["empty"], memory["simulated"]
    (deployed / MEMORY).write_text(json.dumps(memory))

    supervisor.run(deployed, Wishes(), lambda _: None)

    assert stage.contexts[-1]["polling_enabled"] == "false"
    assert not stage.sent


def test_a_home_that_was_polled_at_another_spotify_gets_no_simulator(home, stage):
    supervisor.run(home, REAL, lambda _: None)
    supervisor.run(home, Wishes(), lambda _: None)

    assert [one["spotify_api_url"] for one in stage.contexts] == ["https://api.spotify.com"] * 2
    assert not stage.sent
    assert "put_simulated_login" not in stage.lookups


def test_a_home_with_simulated_plays_stays_one_whatever_spotify_it_is_started_with(home, stage):
    said = []
    supervisor.run(home, Wishes(), lambda _: None)
    supervisor.run(home, REAL, said.append)

    memory = Memory.load(home)
    assert (memory.simulated, memory.real_spotify) == ({"me"}, False)
    assert len(stage.sent) == 1
    # The login at the simulator is none at the real Spotify.
    assert stage.lookups[-1] == "drop_simulated_login"
    (line,) = [line for line in said if "next: " in line]
    assert line.endswith("next: `.venv/bin/plays status`")


def test_a_home_for_own_plays_that_polled_the_simulator_says_what_works(deployed, stage):
    Memory(empty=True, simulated={"me"}).save(deployed)
    said = []

    supervisor.run(deployed, EMPTY, said.append)

    (line,) = [line for line in said if "next: " in line]
    assert "upload" not in line
    assert "login" not in line


def test_simulated_polls_count_before_the_first_one(home, stage):
    polled = Wishes(empty=True, context={"polling_enabled": "true"})

    supervisor.run(home, polled, lambda _: None)

    assert Memory.load(home).simulated == {"me"}
    assert not stage.sent


def test_a_start_over_an_interrupted_first_one_holds_nothing_simulated(home, stage):
    stage.scenes["deploy"] = interrupt
    supervisor.run(home, Wishes(), lambda _: None)
    del stage.scenes["deploy"]
    stage.stacks.clear()

    supervisor.run(home, EMPTY, lambda _: None)

    assert Memory.load(home).simulated == frozenset()


def test_what_commands_remember_while_it_runs_is_kept(deployed, stage):
    def poll_and_turn():
        Memory.load(deployed).model_copy(update={"simulated": frozenset({"anna"})}).save(deployed)
        turn.ask_for(deployed, start_over=False)
        stage.scenes["watch"] = interrupt

    stage.scenes["watch"] = poll_and_turn

    supervisor.run(deployed, EMPTY, lambda _: None)

    assert Memory.load(deployed).simulated == {"anna"}


def test_a_stop_notes_how_many_plays_there_are_once_all_are_loaded(deployed, stage, monkeypatch):
    def count(_address):
        stage.act("count")
        return 4_820

    monkeypatch.setattr(ending, "count_plays", count)

    supervisor.run(deployed, EMPTY, lambda _: None)

    assert Memory.load(deployed).plays == 4_820
    assert stage.acts[-3:] == ["pause", "count", "stop"]


def test_a_home_of_an_earlier_release_is_told_what_to_do(deployed, stage):
    stage.stacks.remove("SpotifyData")

    with pytest.raises(LocalCloudError, match="plays local reset"):
        supervisor.run(deployed, EMPTY, lambda _: None)

    assert stage.acts == ["stop", "start", "stop"]


@pytest.mark.parametrize(("start_over", "acts"), [(True, ["stop"]), (False, ["pause", "stop"])])
def test_a_turn_waits_for_what_is_in_work_unless_its_data_go(deployed, stage, start_over, acts):
    def turning():
        turn.ask_for(deployed, start_over=start_over)
        stage.scenes["watch"] = interrupt

    stage.scenes["watch"] = turning

    supervisor.run(deployed, EMPTY, lambda _: None)

    turned = stage.acts.index("watch") + 1
    assert stage.acts[turned : turned + len(acts)] == acts
    assert Memory.load(deployed).real_spotify
