import json
from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace

import pytest

from cli.commands.status import show_status
from cli.database_status import Coverage, DayCoverage, KnownGap, LastPoll
from cli.deployment import Status
from cli.listeners import Trouble
from cli.queues import QueueDepth
from shared.errors import DatabaseError

NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)
AN_HOUR_AGO = datetime(2026, 7, 1, 11, tzinfo=UTC)


PAGE = "http://127.0.0.1:8100/"
DASHBOARD = (
    "https://eu-west-1.console.aws.amazon.com/cloudwatch/home?region=eu-west-1"
    "#dashboards:name=spotify-pipeline"
)


def a_status(**changes):
    return Status(
        **{
            "target": "local",
            "stack": "SpotifyPipeline",
            "database_url": "postgresql://reader@127.0.0.1:5432/spotify",
            "report_url": None,
            "aws_endpoint": "http://127.0.0.1:4566",
            "bucket": "archive",
            "dashboard_url": None,
            "queues": {"plays": QueueDepth(visible=1_500, in_flight=2, oldest_age_s=90)},
            "dead_letters": 0,
            "failed_ticks": 0,
            "rows": {"listening_history": 12_345, "gap": 3},
            "last_poll": None,
            "gaps": [],
            "open_gaps": 0,
            "coverage": {},
            "token_days_left": {"me": None},
            "blocked_until": {"me": None},
            "block_unknown": {"me": None},
            "needs_login_since": {"me": None},
            "answered_at": {"me": None},
            "last_error": {"me": None},
            **changes,
        }
    )


def a_gap(**changes):
    told = {"listener": "me", "started_at": AN_HOUR_AGO, "ended_at": NOW, "is_open": True}
    return KnownGap(**{**told, "reason": "50 new plays at once", **changes})


def test_while_postgres_is_away_the_queues_are_told_all_the_same(plays, target):
    dead = target.output("CollectedPlaysDlqUrl")
    target.client("sqs").send_message(QueueUrl=dead, MessageBody="dead")

    result = plays("status", "--json")

    found = json.loads(result.stdout)
    assert result.exit_code == 1
    assert result.stderr == "plays: Postgres cannot be read: nobody listens\n"
    assert [found[name] for name in ("rows", "gaps", "open_gaps", "coverage")] == [None] * 4
    assert found["dead_letters"] == 1
    assert found["bucket"] == "archive"
    assert found["dashboard_url"] == DASHBOARD
    assert found["report_url"] == "postgresql://report_reader@database.example:5432/spotify"
    assert found["queues"]["spotify-pipeline-collected-plays-dlq"] == {
        "visible": 1,
        "in_flight": 0,
        "oldest_age_s": None,
    }


def test_a_missing_right_to_read_postgres_hides_no_queues(plays, target):
    object.__setattr__(target, "fault", DatabaseError("allow it lambda:InvokeFunction"))

    result = plays("status", "--json")

    assert result.exit_code == 1
    assert result.stderr == "plays: allow it lambda:InvokeFunction\n"
    assert json.loads(result.stdout)["rows"] is None


@pytest.mark.parametrize("page_url", [PAGE, None], ids=["served", "of an earlier release"])
def test_the_dashboard_of_a_local_cloud_is_its_page(plays, target, monkeypatch, page_url):
    state = SimpleNamespace(aws_endpoint="http://127.0.0.1:4566", page_url=page_url)
    monkeypatch.setitem(vars(target), "state", state)
    # Its AWS is moto's all the same.
    monkeypatch.setitem(vars(target), "client", target.session.client)

    assert json.loads(plays("status", "--json").stdout)["dashboard_url"] == page_url


@pytest.mark.parametrize(
    ("target", "line"),
    [("local", f"page           {PAGE}\n"), ("aws", f"dashboard      {PAGE}\n")],
)
def test_a_person_sees_where_the_page_or_the_dashboard_is(capsys, target, line):
    show_status(a_status(target=target, dashboard_url=PAGE))

    assert line in capsys.readouterr().out


def test_a_failed_tick_is_counted_apart_from_dead_letters(plays, target):
    url = target.output("FailedTicksQueueUrl")
    target.client("sqs").send_message(QueueUrl=url, MessageBody="tick")

    found = json.loads(plays("status", "--json").stdout)
    assert (found["failed_ticks"], found["dead_letters"]) == (1, 0)


def test_a_person_sees_rows_queues_and_what_needs_them(capsys):
    poll = LastPoll(listener="me", polled_at=NOW, returned=50, new=3)

    show_status(a_status(dead_letters=7, last_poll=poll, gaps=[a_gap()], open_gaps=3))

    shown = " ".join(capsys.readouterr().out.split())
    assert "plays 1,500 2 0:01:30" in shown
    assert "listening_history 12,345" in shown
    assert "dead letters 7: see `plays dlq list`" in shown
    assert "last poll 2026-07-01T12:00:00.000Z of me: 50 plays shown, 3 new" in shown
    assert (
        "gaps 3 open, the newest 2026-07-01T11:00:00.000Z to 2026-07-01T12:00:00.000Z: "
        "50 new plays at once"
    ) in shown
    assert "login of me not logged in" in shown


def test_a_person_sees_failed_ticks_and_what_becomes_of_them(capsys):
    show_status(a_status(failed_ticks=2))

    shown = " ".join(capsys.readouterr().out.split())
    assert "dead letters none failed ticks 2: the next one makes good for them" in shown


def test_a_person_sees_that_nothing_needs_them(capsys):
    show_status(a_status(token_days_left={"me": 42}))

    shown = " ".join(capsys.readouterr().out.split())
    assert "dead letters none last poll none yet gaps none login of me 42 days left" in shown


def test_a_person_sees_that_a_gap_goes_on(capsys):
    show_status(a_status(gaps=[a_gap(ended_at=None, reason="no answer")], open_gaps=1))

    shown = " ".join(capsys.readouterr().out.split())
    assert "1 open, the newest 2026-07-01T11:00:00.000Z to now, and it goes on: no answer" in shown


def test_a_person_sees_that_all_gaps_are_closed(capsys):
    show_status(a_status(gaps=[a_gap(is_open=False)]))

    shown = " ".join(capsys.readouterr().out.split())
    assert "gaps none open: all that there were are closed" in shown


@pytest.mark.parametrize(
    ("share", "shown"),
    [(1, "100 %"), (0.99999, "99.9 %"), (0.57, "57 %"), (0, "0 %")],
    ids=["all", "nearly all", "some", "none"],
)
def test_a_person_sees_how_much_is_covered(capsys, share, shown):
    show_status(a_status(coverage={"me": Coverage(days_7=share, days_30=0.5, by_day=())}))

    line = " ".join(capsys.readouterr().out.split())
    assert f"covered me {shown} of the last 7 days, 50 % of 30" in line


def test_a_person_sees_which_days_are_covered(capsys):
    days = tuple(
        DayCoverage(day=date(2026, 6, 30) + timedelta(days=n), coverage=share, open_gap_s=0)
        for n, share in enumerate([1, 0.57, 0])
    )
    coverage = Coverage(days_7=0.5, days_30=0.5, by_day=days)

    show_status(a_status(coverage={"me": coverage}))

    assert "days of me     06-30 100 %, 07-01 57 %, 07-02 0 %\n" in capsys.readouterr().out


def test_a_person_sees_until_when_spotify_wants_no_calls(capsys):
    show_status(a_status(blocked_until={"jane": None, "me": NOW}))

    shown = capsys.readouterr().out
    assert "Spotify        wants no calls for me until 2026-07-01T12:00:00.000Z" in shown
    assert "jane" not in shown


def test_a_person_sees_that_nobody_knows_whether_spotify_wants_calls(capsys):
    show_status(a_status(block_unknown={"jane": None, "me": "the state cannot be read"}))

    shown = capsys.readouterr().out
    assert "Spotify        may want no calls for me: the state cannot be read\n" in shown
    assert "jane" not in shown


def test_a_person_sees_since_when_a_login_is_refused(capsys):
    show_status(a_status(token_days_left={"me": 42}, needs_login_since={"me": AN_HOUR_AGO}))

    shown = " ".join(capsys.readouterr().out.split())
    assert "login of me refused by Spotify since 2026-07-01T11:00:00.000Z: `plays login`" in shown


@pytest.mark.parametrize(
    ("days", "shown"),
    [
        (31, "31 days left"),
        (30, "30 days left: `plays login`"),
        (0, "no days left: `plays login`"),
    ],
    ids=["far", "near", "over"],
)
def test_a_person_sees_when_to_log_in_again(capsys, days, shown):
    show_status(a_status(token_days_left={"me": days}))

    told = " ".join(capsys.readouterr().out.split())
    assert f"login of me {shown} database" in told


def test_a_person_sees_why_spotify_gives_no_plays(capsys):
    error = Trouble(kind="forbidden", message="User not registered", at=NOW)

    show_status(a_status(token_days_left={"me": 170}, last_error={"me": error, "zoe": None}))

    told = " ".join(capsys.readouterr().out.split())
    assert "error of me forbidden, 2026-07-01T12:00:00.000Z: User not registered" in told
    assert "zoe" not in told


def test_a_message_from_outside_moves_no_cursor(capsys):
    error = Trouble(kind="failed", message="said \x1b[2J\u202e", at=NOW)

    show_status(a_status(last_error={"me": error}, gaps=[a_gap(reason="\x9bJ")], open_gaps=1))

    shown = capsys.readouterr().out
    assert "said \\u001b[2J\\u202e" in shown
    assert not {"\x1b", "\u202e", "\x9b"} & set(shown)
