import json
import os
import signal
import threading
import time
from typing import Any

import pytest

from cli.commands.upload import UPLOAD_STOPPED, wait_for_report
from cli.errors import CommandError
from cli.upload_report import Upload, UploadReport, require_success, show_summary, summarize
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


def a_report(**changes):
    return UploadReport(
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
            **dict.fromkeys(("first_played_at", "last_played_at")),
            **dict.fromkeys(("offset_p50_s", "offset_p90_s", "offset_p99_s")),
            **dict.fromkeys(("api_rows", "api_rows_without_partner", "unusual_ids"), 0),
            **changes,
        }
    )


def an_upload(result=None, file="a.zip"):
    return Upload(file=file, key="history/me/a.zip", origin="o", size_bytes=1, result=result)


def test_an_upload_is_stored_under_its_listener(plays, archive, history):
    result = plays("upload", str(history), "--listener", "anna", "--json")

    assert result.exit_code == 0
    stored = archive.get_object(Bucket="archive", Key="history/anna/my_spotify_data.zip")
    assert stored["Body"].read() == b"first export"
    assert json.loads(result.stdout) == {
        "listener": "anna",
        "left_out": [],
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


def test_the_same_file_uploaded_again_has_another_origin(plays, history):
    first, second = (
        json.loads(plays("upload", str(history), "--json").stdout)["uploads"][0]["origin"]
        for _ in range(2)
    )

    assert first != second


def test_the_output_says_that_files_load_automatically(plays, history):
    result = plays("upload", str(history))

    assert "history/me/my_spotify_data.zip" in result.stdout
    assert "They load automatically" in result.stdout


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Change to a folder with files that can and cannot be uploaded."""
    for name in ("folder.zip", "second"):
        (tmp_path / name).mkdir()
    for name in ("a.zip", "notes.txt", "second/a.zip", "second/a.ZIP"):
        (tmp_path / name).write_text("text")
    os.mkfifo(tmp_path / "pipe.zip")
    monkeypatch.chdir(tmp_path)


UNFIT = "has a control character, or is not UTF-8: rename the file"


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("words", "line"),
    [
        pytest.param(["missing.zip"], "missing.zip does not exist: check the path", id="missing"),
        pytest.param(["pipe.zip"], "pipe.zip is not a file", id="pipe"),
        pytest.param(["folder.zip"], "there is no streaming history in folder.zip", id="folder"),
        pytest.param(["notes.txt"], "notes.txt is neither .zip nor .json", id="suffix"),
        pytest.param(["new\nline.zip"], rf"file name 'new\nline.zip' {UNFIT}", id="line break"),
        pytest.param(["\x1b[31m.json"], rf"file name '\x1b[31m.json' {UNFIT}", id="escape"),
        pytest.param(["caf\udce9.zip"], rf"file name 'caf\udce9.zip' {UNFIT}", id="Latin-1"),
        pytest.param(
            ["second/a.zip"],
            "a.zip and second/a.zip have the same name: rename one of them",
            id="one name twice",
        ),
        pytest.param(
            ["second/a.ZIP"],
            "a.zip and second/a.ZIP have the same name: rename one of them",
            id="one name in two cases",
        ),
        pytest.param(
            ["--listener", "zoe"],
            "there is no listener zoe: use anna or me, or add this one with `plays listener add",
            id="unknown listener",
        ),
        pytest.param(
            ["--listener", "../Anna"],
            "'../Anna' is not a valid listener name",
            id="invalid listener",
        ),
        pytest.param(["--wait"], "connection refused; nothing was sent", id="no Postgres"),
    ],
)
def test_a_refused_upload_sends_nothing(plays, archive, words, line):
    result = plays("upload", "a.zip", *words)

    assert result.exit_code == 1
    assert result.stderr.startswith(f"plays: {line}")
    assert archive.list_objects_v2(Bucket="archive")["KeyCount"] == 0


@pytest.mark.parametrize(
    ("name", "key", "content"),
    [
        ("Mes écoutes\u00a0(2025) 🎧.json", "Mes écoutes\u00a0(2025) 🎧.json", b"[]"),
        ("x.jSON", "x.json", b"[]"),
        # Its report names it.
        ("empty.json", "empty.json", b""),
        ("large.json", "large.json", b"0" * (9 << 20)),
    ],
    ids=["any language", "any case of the suffix", "empty", "in several parts"],
)
def test_an_uploaded_file_is_stored_unchanged(plays, archive, tmp_path, *, name, key, content):
    (tmp_path / name).write_bytes(content)

    result = plays("upload", str(tmp_path / name), "--json")

    (sent,) = json.loads(result.stdout)["uploads"]
    stored = archive.head_object(Bucket="archive", Key=f"history/me/{key}")
    assert (sent["key"], sent["size_bytes"]) == (f"history/me/{key}", len(content))
    assert stored["ContentLength"] == len(content)
    assert sent["origin"].endswith(f"?versionId={stored['VersionId']}")


def test_a_file_that_is_passed_twice_is_sent_once(plays, archive, history, tmp_path):
    (tmp_path / "link").symlink_to(tmp_path)
    again = tmp_path / "link" / history.name

    result = plays("upload", str(history), str(history), str(again), "--json")

    assert result.exit_code == 0
    assert [sent["file"] for sent in json.loads(result.stdout)["uploads"]] == [str(history)]
    assert len(archive.list_object_versions(Bucket="archive")["Versions"]) == 1


def test_upload_with_wait_sends_nothing_without_permission_to_read(plays, target, archive, history):
    object.__setattr__(target, "fault", DatabaseError("allow it lambda:InvokeFunction"))

    result = plays("upload", str(history), "--wait")

    assert result.exit_code == 1
    assert result.stderr == "plays: allow it lambda:InvokeFunction; nothing was sent\n"
    assert archive.list_objects_v2(Bucket="archive")["KeyCount"] == 0


def test_ctrl_c_while_sending_says_what_is_not_stored(plays, target, history, ctrl_c):
    def interrupt(**_):
        main_thread = threading.main_thread().ident
        assert main_thread is not None
        signal.pthread_kill(main_thread, signal.SIGINT)
        # The upload must not finish before the main thread gets the signal.
        time.sleep(0.5)

    target.session.events.register("before-call.s3.PutObject", interrupt)

    result = plays("upload", str(history))

    assert result.exit_code == 130
    assert result.stderr.endswith(f"\nplays: stopped: {UPLOAD_STOPPED}\n")


class Loaded:
    """A wait and a database in which three plays are loaded."""

    def wait_for(self, fetch, _what):
        fetch(self)
        return a_report()

    def run(self, _statement, **_):
        return [(3, None)]


def test_the_progress_bar_shows_the_file_name_without_folders(capsys):
    loaded: Any = Loaded()

    done = wait_for_report(loaded, an_upload(file="/home/anna/Downloads/a.zip"))

    assert done.result == a_report()
    assert capsys.readouterr().err.startswith("a.zip ")


def test_the_summary_adds_up_the_rows_of_all_files():
    other = a_report(rows_in=1, inserted=0, upgraded=0, duplicates=0, skipped={"podcast": 1})

    summary = summarize("me", [an_upload(a_report()), an_upload(other)])

    assert (summary.rows_in, summary.inserted) == (11, 4)
    assert (summary.upgraded, summary.duplicates) == (1, 2)
    assert summary.skipped == {"podcast": 3}
    assert summary.quarantined == {"no time": 2}


def test_an_upload_whose_rows_add_up_succeeds():
    summary = summarize("me", [an_upload(a_report())])

    require_success(summary)

    assert summary.reconciled


@pytest.mark.parametrize(
    "changes",
    [{"inserted": 3}, {"upgraded": 0}, {"duplicates": 3}, {"skipped": {}}, {"quarantined": {}}],
    ids=str,
)
def test_rows_that_do_not_add_up_fail_the_upload(changes):
    summary = summarize("me", [an_upload(a_report()), an_upload(a_report(**changes), file="b.zip")])

    assert not summary.reconciled
    with pytest.raises(CommandError, match=r"the rows of b\.zip do not add up: 10 were read, "):
        require_success(summary)


COUNTS = ("rows_in", "published", "inserted", "upgraded", "duplicates")
NO_ROWS = {**dict.fromkeys(COUNTS, 0), "skipped": {}, "quarantined": {}}


NOT_A_ZIP = FileProblem(file="a.zip", reason="not a zip")
TRUNCATED = FileProblem(file="b.json", reason="truncated")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        pytest.param({"problems": (NOT_A_ZIP,)}, "a.zip: not a zip", id="no zip"),
        pytest.param(
            {
                "rows_in": 10,
                "quarantined": {"not UTF-8 text": 9, "no time": 1},
                "problems": (TRUNCATED,),
            },
            "b.json: truncated; rows quarantined: not UTF-8 text (9), no time (1)",
            id="only quarantined rows",
        ),
        *(
            pytest.param(
                {"rows_in": 12_000, "skipped": {package: 12_000}},
                f"rows skipped: {package} (12,000)",
                id="another package",
            )
            for package in (ACCOUNT_DATA, NO_URI_LAYOUT)
        ),
    ],
)
def test_an_upload_fails_if_nothing_in_it_can_be_read(changes, reason):
    summary = summarize("me", [an_upload(a_report(**NO_ROWS | changes))])

    with pytest.raises(CommandError) as raised:
        require_success(summary)

    assert str(raised.value) == f"nothing in a.zip could be read: {reason}"


@pytest.mark.parametrize(
    ("counts", "why"),
    [
        pytest.param(
            {"rows_in": 2, "skipped": {"podcast": 2}},
            r"no play of a track is in a\.zip \(rows skipped: podcast \(2\)\)",
            id="podcasts alone",
        ),
        pytest.param(
            {"rows_in": 2, "skipped": {ACCOUNT_DATA: 1, "podcast": 1}},
            r"nothing in a\.zip could be read: rows skipped: account data",
            id="account data with a podcast",
        ),
        pytest.param({}, r"no play of a track is in a\.zip$", id="no rows"),
    ],
)
def test_an_upload_without_a_play_of_a_track_fails(counts, why):
    with pytest.raises(CommandError, match=why):
        require_success(summarize("me", [an_upload(a_report(**NO_ROWS | counts))]))


def test_a_file_of_podcasts_does_not_fail_an_upload_with_plays():
    podcasts = a_report(**NO_ROWS | {"rows_in": 2, "skipped": {"podcast": 2}})

    require_success(summarize("me", [an_upload(podcasts), an_upload(a_report(), file="b.zip")]))


def test_every_file_that_fails_is_named():
    useless = a_report(**NO_ROWS, problems=(FileProblem(file="x", reason="not a zip"),))
    files = [an_upload(useless), an_upload(useless, file="b.zip")]

    with pytest.raises(CommandError, match=r"nothing in a\.zip .*; nothing in b\.zip "):
        require_success(summarize("me", files))


def test_with_several_files_each_line_of_the_summary_names_its_file(capsys):
    show_summary(
        summarize("me", [an_upload(a_report(unusual_ids=1)), an_upload(a_report(), file="x/b.zip")])
    )
    show_summary(summarize("me", [an_upload(a_report(unusual_ids=1))]))

    remarks = [line for line in capsys.readouterr().out.splitlines() if "unusual" in line]
    assert [line.partition("plays with")[0] for line in remarks] == ["a.zip: ", ""]


def test_one_unreadable_file_in_a_zip_does_not_fail_the_upload(capsys):
    summary = summarize("me", [an_upload(a_report(problems=(TRUNCATED,)))])

    require_success(summary)
    show_summary(summary)

    assert "not read: b.json: truncated" in capsys.readouterr().out


def test_the_summary_accounts_for_every_row(capsys):
    show_summary(summarize("me", [an_upload(a_report(rows_in=1_234))]))

    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["inserted", "4"] in lines
    assert ["skipped:", "podcast", "2"] in lines
    assert ["quarantined:", "no", "time", "1"] in lines
    assert ["read", "1,234"] in lines


def test_the_summary_counts_track_ids_that_are_not_22_letters_and_digits(capsys):
    show_summary(summarize("me", [an_upload(a_report(unusual_ids=1_234)), an_upload(a_report())]))

    assert capsys.readouterr().out.count("unusual track id") == 1


def test_without_any_upload_report_no_summary_is_printed(capsys):
    show_summary(summarize("me", [an_upload(), an_upload(file="b.zip")]))

    assert capsys.readouterr().out == ""


def test_the_summary_is_shown_even_if_one_upload_has_no_report(capsys):
    show_summary(summarize("me", [an_upload(a_report()), an_upload(file="b.zip")]))

    assert "quarantined: no time" in capsys.readouterr().out
