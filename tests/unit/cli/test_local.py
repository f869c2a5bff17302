import json

import pytest
from typer.testing import CliRunner

from cli.main import app


@pytest.fixture
def local(tmp_path, monkeypatch):
    monkeypatch.setenv("PLAYS_LOCAL_DIR", str(tmp_path))
    return lambda *arguments: CliRunner().invoke(app, ["local", *arguments])


def test_down_where_nothing_runs_says_so_and_is_no_failure(local, tmp_path):
    result = local("down")

    assert result.exit_code == 0
    assert result.stdout == f"no local cloud ran in {tmp_path}\n"


def test_down_tells_a_script_whether_a_cloud_was_running(local, tmp_path):
    result = local("down", "--json")

    assert json.loads(result.stdout) == {"home": str(tmp_path), "was_running": False}


def test_reset_deletes_the_data_and_nothing_else_of_the_folder(local, tmp_path):
    (tmp_path / "logs").mkdir()
    (tmp_path / "mine.txt").write_text("mine")

    result = local("reset")

    assert result.exit_code == 0
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_reset_tells_a_script_and_a_person_whether_a_cloud_was_running(local, tmp_path):
    told = local("reset", "--json")
    (tmp_path / "logs").mkdir(parents=True)
    shown = local("reset")

    assert json.loads(told.stdout) == {"home": str(tmp_path), "was_running": False}
    assert shown.stdout == f"its data in {tmp_path} deleted\n"


@pytest.mark.parametrize("folder", ["", "never/made"], ids=["empty", "missing"])
def test_reset_says_so_where_there_was_nothing(local, tmp_path, monkeypatch, folder):
    monkeypatch.setenv("PLAYS_LOCAL_DIR", str(tmp_path / folder))

    result = local("reset")

    assert result.exit_code == 0
    assert result.stdout == f"there was nothing in {tmp_path / folder} to delete\n"


def test_a_cloud_that_stays_in_the_foreground_has_no_document_to_print(local):
    result = local("up", "--json")

    assert result.exit_code == 1
    assert "needs --detach" in result.stderr


def test_configuration_without_a_value_is_refused(local):
    result = local("up", "-c", "poll_minutes")

    assert result.exit_code == 1
    assert result.stderr == "plays: -c poll_minutes has no value: write -c poll_minutes=VALUE\n"
