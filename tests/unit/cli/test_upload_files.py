import json
import zipfile

import pytest

from cli.upload_files import NOTED

pytestmark = pytest.mark.usefixtures("listeners")

AUDIO = "Streaming_History_Audio_2024_1.json"


@pytest.fixture
def folder(tmp_path):
    """A folder as Spotify's package is unpacked, and what a person keeps beside it."""
    package = tmp_path / "mine" / "Spotify Extended Streaming History"
    package.mkdir(parents=True)
    (package / AUDIO).write_text("[]")
    (package / "ReadMeFirst.pdf").write_text("read me")
    for name, member in (("my_spotify_data.zip", AUDIO), ("photos.zip", "photo.jpg")):
        with zipfile.ZipFile(tmp_path / "mine" / name, "w") as archive:
            archive.writestr(member, "[]")
    (tmp_path / "mine" / "broken.zip").write_bytes(b"PK")
    return tmp_path / "mine"


def test_upload_sends_the_histories_in_a_folder_and_names_other_files(plays, folder):
    (folder / "broken.zip").unlink()

    result = plays("upload", str(folder), "--json")

    assert result.exit_code == 0
    sent = [each["key"] for each in json.loads(result.stdout)["uploads"]]
    assert sent == [f"history/me/{AUDIO}", "history/me/my_spotify_data.zip"]
    lines = [line for line in result.stderr.splitlines() if line.startswith("not uploaded: ")]
    assert [line.removeprefix(f"not uploaded: {folder}/") for line in lines] == [
        "Spotify Extended Streaming History/ReadMeFirst.pdf: no streaming history",
        "photos.zip: no streaming history",
    ]


def test_a_damaged_zip_in_a_folder_fails_after_the_others_are_sent(plays, folder):
    result = plays("upload", str(folder), "--json")

    assert result.exit_code == 1
    assert result.stderr.splitlines()[-1] == (
        f"plays: not uploaded, because damaged: {folder}/broken.zip: not a readable zip "
        "(File is not a zip file): "
        "download it again"
    )
    sent = [each["key"] for each in json.loads(result.stdout)["uploads"]]
    assert sent == [f"history/me/{AUDIO}", "history/me/my_spotify_data.zip"]


def test_json_lists_the_files_that_were_not_uploaded(plays, folder):
    result = json.loads(plays("upload", str(folder), "--json").stdout)

    names = [each["file"].rpartition("/")[2] for each in result["left_out"]]
    assert names == ["ReadMeFirst.pdf", "broken.zip", "photos.zip"]


def test_a_folder_without_history_is_refused(plays, tmp_path):
    (tmp_path / "notes.txt").write_text("notes")

    result = plays("upload", str(tmp_path))

    assert result.exit_code == 1
    assert result.stderr.startswith(f"plays: there is no streaming history in {tmp_path}: pass")


def test_only_the_first_files_that_were_not_uploaded_are_named(plays, folder):
    for number in range(NOTED):
        (folder / f"{number}.txt").touch()

    shown = plays("upload", str(folder)).stderr.splitlines()

    named = [line for line in shown if line.startswith("not uploaded: /")]
    assert len(named) == NOTED
    assert "not uploaded: 3 more files, see them with --json" in shown
