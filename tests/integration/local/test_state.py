import json
import os
from pathlib import Path

import pytest

from infra.local.pidfile import held
from infra.local.state import FILE, REPOSITORY, SUPERVISOR, CloudState, LocalCloudError, local_home


@pytest.fixture
def state(tmp_path):
    return CloudState(
        pid=os.getpid(),
        aws_endpoint="http://127.0.0.1:4566",
        region="us-east-1",
        access_key="000000000000",
        secret_key="test",  # noqa: S106 - opens nothing
        bucket="archive",
        database_url="postgresql://reader:hush@127.0.0.1:54329/spotify",
        spotify_api_url="http://127.0.0.1:8701",
        spotify_accounts_url="http://127.0.0.1:8701",
        reccobeats_url="http://127.0.0.1:8702",
        log_dir=tmp_path / "logs",
    )


def test_another_process_can_load_the_state_of_a_running_cloud(home, state):
    with held(home / SUPERVISOR):
        state.save(home)

        assert CloudState.load(home) == state


def test_cloud_state_without_a_report_url_still_loads(home, state):
    earlier = json.loads(state.model_dump_json(exclude={"report_url"}))
    (home / FILE).write_text(json.dumps(earlier))

    with held(home / SUPERVISOR):
        assert CloudState.load(home).report_url is None


def test_cloud_state_left_by_a_crash_is_rejected(home, state):
    with held(home / SUPERVISOR):
        state.save(home)

    with pytest.raises(LocalCloudError, match="plays local up"):
        CloudState.load(home)


def test_the_error_of_a_running_cloud_without_state_says_it_is_starting(home):
    with held(home / SUPERVISOR), pytest.raises(LocalCloudError, match="starting or stopping"):
        CloudState.load(home)


def test_cloud_state_of_an_earlier_run_is_rejected(home, state):
    with held(home / SUPERVISOR):
        state.model_copy(update={"pid": 1}).save(home)

        with pytest.raises(LocalCloudError):
            CloudState.load(home)


@pytest.mark.parametrize("text", [None, "{", "{}"], ids=["missing", "torn", "incomplete"])
def test_an_incomplete_cloud_state_file_is_rejected(home, text):
    (home / FILE).write_text(text) if text else None

    with held(home / SUPERVISOR), pytest.raises(LocalCloudError):
        CloudState.load(home)


def test_only_the_owner_can_read_the_cloud_state_file(home, state):
    (home / FILE).write_text("old, and open to all")
    state.save(home)

    assert (home / FILE).stat().st_mode & 0o777 == 0o600
    assert "hush" not in repr(state)


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, REPOSITORY / ".local"),
        ({"PLAYS_LOCAL_DIR": ""}, REPOSITORY / ".local"),
        ({"PLAYS_LOCAL_DIR": "/somewhere/else"}, Path("/somewhere/else")),
        ({"PLAYS_LOCAL_DIR": "here"}, Path.cwd() / "here"),
    ],
    ids=["unset", "empty", "absolute", "relative"],
)
def test_plays_local_dir_sets_the_home_directory(variables, expected):
    assert local_home(variables) == expected
