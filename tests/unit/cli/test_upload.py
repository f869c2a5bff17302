import json
import signal
import threading
import time

import awscrt.s3
import pytest

from cli.commands.upload import SENDING_STOPPED, await_result
from cli.errors import CommandError
from cli.upload_report import Upload, add_up, judge, show_report
from cli.upload_results import ImportResult
from services.collector.backfill.domain.rows import ACCOUNT_DATA, NO_URI_LAYOUT
from shared.errors import DatabaseError
from shared.models import FileProblem

pytestmark = pytest.mark.usefixtures("listeners")


@pytest.fixture
def archive(target):
    return target.client("s3")


@pytest.fixture
def history(tmp_path):
    path = tmp_path / "my_spotify_data.zip"
    path.write_bytes(b"first export")
    return path


def a_result(**changes):
    return ImportResult(
        **{
            "rows_in": 10,
            "published": 7,
            "inserted": 4,
            "upgraded": 1,
            "duplicates": 2,
            "skipped": {"podcast": 2},
            "quarantined": {"no time": 1},
            "files": ("endsong_0.json",),
            "problems": (),
            "first_played_at": None,
            "last_played_at": None,
            "api_rows": 0,
            "api_rows_without_partner": 0,
            "offset_p50_s": None,
            "offset_p90_s": None,
            "offset_p99_s": None,
            "unusual_ids": 0,
            **changes,
        }
    )


def an_upload(result=None, file="a.zip"):
    return Upload(file=file, key="history/me/a.zip", origin="o", size_bytes=1, result=result)


def test_an_upload_lands_under_its_listener_and_tells_its_origin(plays, archive, history):
    result = plays("upload", str(history), "--listener", "anna", "--json")

    assert result.exit_code == 0
    stored = archive.get_object(Bucket="archive", Key="history/anna/my_spotify_data.zip")
    assert stored["Body"].read() == b"first export"
    assert json.loads(result.stdout) == {
        "listener": "anna",
        "uploads": [
            {
                "file": str(history),
                "key": "history/anna/my_spotify_data.zip",
                "origin": f"history/anna/my_spotify_data.zip?versionId={stored['VersionId']}",
                "size_bytes": 12,
                "result": None,
            }
        ],
    }


def test_the_same_file_uploaded_again_is_another_origin(plays, history):
    first, second = (
        json.loads(plays("upload", str(history), "--json").stdout)["uploads"][0]["origin"]
        for _ in range(2)
    )

    assert first != second


def test_a_file_sent_in_parts_tells_its_origin_too(plays, archive, tmp_path):
    large = tmp_path / "large.json"
    large.write_bytes(b"0" * (9 << 20))

    result = plays("upload", str(large), "--json")

    stored = archive.head_object(Bucket="archive", Key="history/me/large.json")
    (sent,) = json.loads(result.stdout)["uploads"]
    assert sent["origin"].endswith(f"?versionId={stored['VersionId']}")
    assert stored["ContentLength"] == sent["size_bytes"] == 9 << 20


def test_a_person_is_told_that_the_files_load_by_themselves(plays, history):
    result = plays("upload", str(history))

    assert "history/me/my_spotify_data.zip" in result.stdout
    assert "They load by themselves" in result.stdout


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param("missing.zip does not exist", id="missing"),
        pytest.param("folder.zip is not a file", id="folder"),
        pytest.param("notes.txt is neither .zip nor .json", id="suffix"),
    ],
)
def test_one_wrong_file_is_refused_before_any_is_sent(plays, archive, history, tmp_path, fault):
    (tmp_path / "folder.zip").mkdir()
    (tmp_path / "notes.txt").write_text("notes")

    result = plays("upload", str(history), str(tmp_path / fault.split()[0]))

    assert result.exit_code == 1
    assert result.stderr.startswith(f"plays: {tmp_path / fault}")
    assert archive.list_objects_v2(Bucket="archive")["KeyCount"] == 0


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        pytest.param("new\nline.zip", r"'new\nline.zip'", id="line break"),
        pytest.param("\x1b[31m.json", r"'\x1b[31m.json'", id="escape"),
        pytest.param("caf\udce9.zip", r"'caf\udce9.zip'", id="Latin-1"),
    ],
)
def test_a_name_that_no_upload_can_have_is_refused(plays, archive, tmp_path, name, shown):
    result = plays("upload", str(tmp_path / name))

    assert result.exit_code == 1
    assert result.stderr == f"plays: {shown} holds a character that no upload can: rename it\n"
    assert archive.list_objects_v2(Bucket="archive")["KeyCount"] == 0


def test_a_name_of_any_language_is_sent(plays, archive, tmp_path):
    file = tmp_path / "Mes écoutes\u00a0(2025) 🎧.json"
    file.write_text("[]")

    result = plays("upload", str(file))

    assert result.exit_code == 0
    assert archive.list_objects_v2(Bucket="archive")["KeyCount"] == 1


def test_an_empty_file_is_sent_since_the_report_tells_of_it(plays, archive, tmp_path):
    (tmp_path / "empty.json").touch()

    result = plays("upload", str(tmp_path / "empty.json"))

    assert result.exit_code == 0
    assert archive.head_object(Bucket="archive", Key="history/me/empty.json")["ContentLength"] == 0


def test_a_suffix_is_stored_as_the_backfill_is_started_by(plays, archive, tmp_path):
    (tmp_path / "x.jSON").write_text("[]")

    result = plays("upload", str(tmp_path / "x.jSON"), "--json")

    (sent,) = json.loads(result.stdout)["uploads"]
    assert sent["key"] == "history/me/x.json"
    assert archive.head_object(Bucket="archive", Key="history/me/x.json")["ContentLength"] == 2


@pytest.mark.parametrize("name", ["my_spotify_data.zip", "my_spotify_data.ZIP"])
def test_two_files_of_one_name_are_refused_before_any_is_sent(
    plays, archive, history, tmp_path, name
):
    second = tmp_path / "second" / name
    second.parent.mkdir()
    second.write_bytes(b"second export")

    result = plays("upload", str(history), str(second))

    assert result.exit_code == 1
    assert (
        result.stderr == f"plays: {history} and {second} have the same name: rename one of them\n"
    )
    assert archive.list_objects_v2(Bucket="archive")["KeyCount"] == 0


def test_a_file_that_is_named_twice_is_sent_once(plays, archive, history, tmp_path):
    (tmp_path / "link").symlink_to(tmp_path)
    again = tmp_path / "link" / history.name

    result = plays("upload", str(history), str(history), str(again), "--json")

    assert result.exit_code == 0
    assert [sent["file"] for sent in json.loads(result.stdout)["uploads"]] == [str(history)]
    assert len(archive.list_object_versions(Bucket="archive")["Versions"]) == 1


def test_an_upload_for_an_unknown_listener_is_refused(plays, archive, history):
    result = plays("upload", str(history), "--listener", "nobody")

    assert result.exit_code == 1
    assert "plays: nobody is no listener here: take anna or me, or add nobody" in result.stderr
    assert archive.list_objects_v2(Bucket="archive")["KeyCount"] == 0


def test_a_name_that_cannot_be_a_listener_is_refused(plays, archive, history):
    result = plays("upload", str(history), "--listener", "../Anna")

    assert result.exit_code == 1
    assert result.stderr.startswith("plays: '../Anna' cannot name a listener")
    assert archive.list_objects_v2(Bucket="archive")["KeyCount"] == 0


def test_with_wait_nothing_is_sent_while_postgres_is_away(plays, archive, history):
    result = plays("upload", str(history), "--wait")

    assert result.exit_code == 1
    assert result.stderr.startswith("plays: nobody listens")
    assert result.stderr.endswith("; nothing was sent\n")
    assert archive.list_objects_v2(Bucket="archive")["KeyCount"] == 0


def test_with_wait_nothing_is_sent_without_the_right_to_read(plays, target, archive, history):
    object.__setattr__(target, "fault", DatabaseError("allow it lambda:InvokeFunction"))

    result = plays("upload", str(history), "--wait")

    assert result.exit_code == 1
    assert result.stderr == "plays: allow it lambda:InvokeFunction; nothing was sent\n"
    assert archive.list_objects_v2(Bucket="archive")["KeyCount"] == 0


def test_uploads_know_their_origin_where_boto3_prefers_awscrt(plays, history, monkeypatch):
    monkeypatch.setattr(awscrt.s3, "is_optimized_for_system", lambda: True)

    result = plays("upload", str(history), "--json")

    assert result.exit_code == 0
    assert "versionId=" in json.loads(result.stdout)["uploads"][0]["origin"]


def test_ctrl_c_while_sending_says_what_is_not_stored(plays, target, history, heard):
    def interrupt(**_):
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
        # The upload itself must not be faster than the thread that is to hear of it.
        time.sleep(0.5)

    target.session.events.register("before-call.s3.PutObject", interrupt)

    result = plays("upload", str(history))

    assert result.exit_code == 130
    assert result.stderr.endswith(f"\nplays: stopped: {SENDING_STOPPED}\n")


class Loaded:
    """A wait, and a database, for three plays that are loaded."""

    def wait_for(self, look, _what):
        look(self)
        return a_result()

    def run(self, _statement, **_):
        return [(3, None)]


def test_the_bar_of_what_is_loaded_names_the_file_without_its_folders(capsys):
    done = await_result(Loaded(), an_upload(file="/home/anna/Downloads/a.zip"))

    assert done.result == a_result()
    assert capsys.readouterr().err.startswith("a.zip ")


def test_a_report_adds_up_the_rows_of_all_files():
    other = a_result(rows_in=1, inserted=0, upgraded=0, duplicates=0, skipped={"podcast": 1})

    report = add_up("me", [an_upload(a_result()), an_upload(other)])

    assert (report.rows_in, report.inserted, report.upgraded, report.duplicates) == (11, 4, 1, 2)
    assert report.skipped == {"podcast": 3}
    assert report.quarantined == {"no time": 2}


def test_rows_that_add_up_are_reconciled():
    report = add_up("me", [an_upload(a_result())])

    judge(report)

    assert report.reconciled


@pytest.mark.parametrize(
    "changes",
    [{"inserted": 3}, {"upgraded": 0}, {"duplicates": 3}, {"skipped": {}}, {"quarantined": {}}],
    ids=str,
)
def test_rows_that_do_not_add_up_fail_the_upload(changes):
    report = add_up("me", [an_upload(a_result()), an_upload(a_result(**changes), file="b.zip")])

    assert not report.reconciled
    with pytest.raises(CommandError, match=r"the rows of b\.zip do not add up: 10 were read, "):
        judge(report)


NOTHING = {
    "rows_in": 0,
    "published": 0,
    "inserted": 0,
    "upgraded": 0,
    "duplicates": 0,
    "skipped": {},
    "quarantined": {},
}


def test_an_upload_in_which_nothing_could_be_read_fails():
    problems = (FileProblem(file="a.zip", reason="not a zip"),)
    report = add_up("me", [an_upload(a_result(**NOTHING, problems=problems))])

    with pytest.raises(CommandError, match=r"nothing in a\.zip could be read: a\.zip: not a zip"):
        judge(report)


def test_an_upload_whose_rows_were_all_quarantined_fails():
    problems = (FileProblem(file="b.json", reason="truncated"),)
    counts = {"rows_in": 10, "quarantined": {"not UTF-8 text": 9, "no time": 1}}
    report = add_up("me", [an_upload(a_result(**NOTHING | counts, problems=problems))])

    with pytest.raises(CommandError) as raised:
        judge(report)

    assert str(raised.value) == (
        "nothing in a.zip could be read: "
        "b.json: truncated; rows quarantined: not UTF-8 text (9), no time (1)"
    )


@pytest.mark.parametrize("reason", [ACCOUNT_DATA, NO_URI_LAYOUT])
def test_an_upload_of_another_package_fails_and_names_the_right_one(reason):
    counts = {"rows_in": 12_000, "skipped": {reason: 12_000}}
    report = add_up("me", [an_upload(a_result(**NOTHING | counts))])

    with pytest.raises(CommandError) as raised:
        judge(report)

    assert str(raised.value) == f"nothing in a.zip could be read: rows skipped: {reason} (12,000)"


@pytest.mark.parametrize(
    "counts",
    [
        pytest.param({"rows_in": 2, "skipped": {"podcast": 2}}, id="podcasts alone"),
        pytest.param(
            {"rows_in": 2, "skipped": {"podcast": 1}, "quarantined": {"no time": 1}},
            id="a podcast and a row without a time",
        ),
        pytest.param({}, id="an empty list"),
    ],
)
def test_an_upload_that_could_be_read_but_holds_no_play_is_no_failure(counts):
    judge(add_up("me", [an_upload(a_result(**NOTHING | counts))]))


def test_a_problem_with_one_file_of_a_zip_does_not_fail_the_rest(capsys):
    problems = (FileProblem(file="endsong_1.json", reason="truncated"),)
    report = add_up("me", [an_upload(a_result(problems=problems))])

    judge(report)
    show_report(report)

    assert "not read: endsong_1.json: truncated" in capsys.readouterr().out


def test_the_report_shows_where_every_row_went(capsys):
    show_report(add_up("me", [an_upload(a_result(rows_in=1_234))]))

    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["inserted", "4"] in lines
    assert ["skipped:", "podcast", "2"] in lines
    assert ["quarantined:", "no", "time", "1"] in lines
    assert ["read", "1,234"] in lines


def test_the_report_shows_how_many_ids_are_unusual(capsys):
    show_report(add_up("me", [an_upload(a_result(unusual_ids=1_234)), an_upload(a_result())]))

    assert capsys.readouterr().out.count("unusual track id") == 1


def test_without_any_result_there_is_no_report(capsys):
    show_report(add_up("me", [an_upload(), an_upload(file="b.zip")]))

    assert capsys.readouterr().out == ""


def test_one_result_is_shown_though_others_are_missing(capsys):
    show_report(add_up("me", [an_upload(a_result()), an_upload(file="b.zip")]))

    assert "quarantined: no time" in capsys.readouterr().out
