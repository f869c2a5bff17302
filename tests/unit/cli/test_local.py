import json

import pytest
from typer.testing import CliRunner

from cli.main import app
from infra.local.memory import Memory


@pytest.fixture
def local(home):
    return lambda *arguments: CliRunner().invoke(app, ["local", *arguments])


def test_down_without_a_running_cloud_succeeds(local, tmp_path):
    shown, result = local("down"), local("down", "--json")

    assert shown.exit_code == 0
    assert shown.stdout == f"no local cloud is running in {tmp_path}\n"
    assert json.loads(result.stdout) == {"home": str(tmp_path), "was_running": False}


def test_reset_deletes_only_the_data_of_the_cloud(local, tmp_path):
    (tmp_path / "logs").mkdir()
    (tmp_path / "mine.txt").write_text("mine")

    result = local("reset", "--yes")

    assert result.exit_code == 0
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_without_a_terminal_reset_requires_option_yes(local, tmp_path):
    (tmp_path / "s3").mkdir()
    (tmp_path / "s3" / "upload.zip").write_bytes(bytes(3_000_000))

    result = local("reset")

    assert (result.exit_code, result.stdout) == (1, "")
    assert f"this deletes the local cloud in {tmp_path} (3 MB on disk)" in result.stderr
    assert "pass --yes to agree" in result.stderr
    assert (tmp_path / "s3" / "upload.zip").exists()


def test_reset_shows_the_last_known_number_of_plays(local, tmp_path):
    Memory(plays=4_820).save(tmp_path)

    result = local("reset")

    assert "(4,820 plays at its last stop, 0 MB on disk)" in result.stderr


def test_reset_deletes_temporary_files_of_interrupted_writes(local, tmp_path):
    for name in ("memory.json.new", "cloud.json.new", "turn.json.new"):
        (tmp_path / name).write_text("{")

    local("reset", "--yes")

    assert not tmp_path.exists()


@pytest.mark.parametrize(
    ("keys", "left"), [("y", []), ("Yes", []), ("", ["logs"]), ("n", ["logs"]), ("what?", ["logs"])]
)
def test_reset_asks_for_confirmation(local, tmp_path, at_terminal, keys, left):
    (tmp_path / "logs").mkdir()
    at_terminal(keys)

    result = local("reset")

    assert [path.name for path in tmp_path.glob("*")] == left
    assert result.exit_code == (1 if left else 0)
    assert "Continue? [y/N] " in result.stderr


def test_reset_reports_whether_a_cloud_was_running(local, tmp_path):
    result = local("reset", "--json")
    (tmp_path / "logs").mkdir(parents=True)
    shown = local("reset", "--yes")

    assert json.loads(result.stdout) == {"home": str(tmp_path), "was_running": False}
    assert shown.stdout == f"deleted the data in {tmp_path}\n"


@pytest.mark.parametrize("folder", ["", "never/made"], ids=["empty", "missing"])
def test_reset_without_data_says_so(local, tmp_path, monkeypatch, folder):
    monkeypatch.setenv("PLAYS_LOCAL_DIR", str(tmp_path / folder))

    result = local("reset")

    assert result.exit_code == 0
    assert result.stdout == f"there is nothing to delete in {tmp_path / folder}\n"


def test_up_with_json_requires_detach(local):
    result = local("up", "--json")

    assert result.exit_code == 1
    assert "add --detach" in result.stderr


def test_option_c_without_a_value_is_refused(local):
    result = local("up", "-c", "poll_minutes")

    assert result.exit_code == 1
    assert result.stderr == "plays: -c poll_minutes has no value: use -c poll_minutes=VALUE\n"
