"""`plays report`: one file that loads nothing and names no one."""

import json
import re
from fnmatch import fnmatch

import pytest

from infra.local.memory import Memory
from infra.local.state import REPOSITORY, CloudState
from tests.integration.dashboard.site import Site, plain

IGNORED = REPOSITORY / ".gitignore"


@pytest.fixture
def history(database, address_of, monkeypatch, tmp_path):
    """Store two years of plays, and change to an empty folder."""
    site = Site(database, address_of, listener="zq7")
    site.two_years()
    site.refresh()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_report_covers_the_last_complete_year_by_default(plays, history):
    run = plays("report", "--listener", "zq7")

    assert run.exit_code == 0, run.output
    text = plain((history / "listening-2025.html").read_text())
    assert "Listening of zq7 in 2025 2025 against 2024" in text
    assert "plays 5 ▲ 400 % 1 in 2024" in text
    written = re.escape(str(history / "listening-2025.html"))
    assert re.search(rf"2025 in review: {written} \(\d+ KB\)", " ".join(run.output.split()))


def test_the_default_listener_gets_a_heading_in_the_first_person(plays, history):
    plays("report", "--listener", "zq7", "--name", "me")

    assert "My listening in 2025" in plain((history / "listening-2025.html").read_text())


def test_the_report_counts_unknown_days_of_its_year_and_the_year_before(plays, history, owner):
    owner.run(
        "INSERT INTO gap (listener, started_at, ended_at, reason, origin) "
        "VALUES ('zq7', '2025-09-01 00:00Z', '2025-09-05 00:00Z', 'outage', 'poll')"
    )

    plays("report", "--listener", "zq7")

    # Until 2 o'clock of the fifth day in Berlin; the first play of 2024 was on 2 January.
    doubt = "5 of 365 days unknown in 2025, 1 of 366 days unknown in 2024"
    assert doubt in plain((history / "listening-2025.html").read_text())


def test_git_ignores_a_report_with_the_default_name(plays, history):
    plays("report", "--listener", "zq7")

    (written,) = history.iterdir()
    assert any(fnmatch(written.name, line) for line in IGNORED.read_text().split())


@pytest.mark.parametrize("target", ["by a forwarded port"], indirect=True)
def test_the_report_marks_simulated_plays(plays, history, target, monkeypatch, home):
    monkeypatch.setitem(vars(target), "state", CloudState.load(home))
    monkeypatch.setenv("PLAYS_LOCAL_DIR", str(home))
    Memory(simulated={"zq7"}).save(home)

    plays("report", "--listener", "zq7", "--out", "one.html")
    Memory(simulated={"me"}).save(home)
    plays("report", "--listener", "zq7", "--out", "other.html")

    said = [
        "These plays are simulated." in plain((history / name).read_text())
        for name in ("one.html", "other.html")
    ]
    assert said == [True, False]


def test_the_report_loads_nothing_from_the_network(plays, history):
    plays("report", "--listener", "zq7")

    source = (history / "listening-2025.html").read_text()
    for word in ("http:", "https:", "//", "<script", "src=", "href=", "url(", "@import", "<link"):
        assert word not in source, word
    assert "default-src 'none'" in source
    # An escaped quotation mark would make the browser drop the font.
    assert '"Segoe UI"' in source


def test_the_report_contains_no_listener_name_or_id_except_option_name(plays, history, owner):
    plays("report", "--listener", "zq7", "--name", "Mo <3")

    source = (history / "listening-2025.html").read_text()
    assert "Listening of Mo &lt;3" in source
    for secret in ("zq7", "spotify:", *ids(owner)):
        assert secret not in source


def ids(owner):
    return [str(found) for (found,) in owner.run("SELECT track_id FROM reporting.tracks")]


def test_an_existing_file_is_replaced_only_with_force(plays, history):
    (history / "mine.html").write_text("dear")

    refused = plays("report", "--listener", "zq7", "--out", "mine.html")

    assert refused.exit_code == 1
    assert "mine.html exists: pass --force" in " ".join(refused.output.split())
    assert (history / "mine.html").read_text() == "dear"

    assert plays("report", "--listener", "zq7", "--out", "mine.html", "--force").exit_code == 0
    assert "Listening of zq7" in (history / "mine.html").read_text()


def test_options_year_and_month_select_one_month(plays, history):
    run = plays("report", "--listener", "zq7", "--year", "2025", "--month", "7", "--json")

    done = json.loads(run.stdout)
    file = history / "listening-2025-07.html"
    assert done == {
        "path": str(file),
        "period": "July 2025",
        "bytes": file.stat().st_size,
    }
    assert "plays 3" in plain(file.read_text())


def test_a_year_without_plays_is_refused(plays, history):
    run = plays("report", "--listener", "zq7", "--year", "2019")

    assert run.exit_code == 1
    assert "zq7 has no plays in 2019" in run.output
    assert list(history.iterdir()) == []


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--rule", "each", "--rule each is unknown: use one of 30s, half, done, all"),
        ("--measure", "hours", "--measure hours is unknown: use one of plays, minutes"),
        ("--listener", "nobody", "There is no such listener. Choose one of: zq7."),
    ],
)
def test_an_unknown_option_value_is_refused(option, value, message, plays, history):
    run = plays("report", "--listener", "zq7", option, value)

    assert run.exit_code == 1
    assert message in " ".join(run.output.split())


def test_a_report_without_any_play_is_refused(plays, database):
    run = plays("report")

    assert run.exit_code == 1
    assert "no play is stored yet" in run.output
