import json
from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace

import pytest

from cli.commands.status import show_status
from cli.deployment_status import Coverage, DayCoverage, KnownGap, LastPoll, Status
from cli.listeners import PollingState, Trouble
from cli.queues import QueueDepth
from shared.errors import DatabaseError

NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)
AN_HOUR_AGO = datetime(2026, 7, 1, 11, tzinfo=UTC)


PAGE = "http://127.0.0.1:8100/"
DASHBOARD = (
    "https://eu-west-1.console.aws.amazon.com/cloudwatch/home?region=eu-west-1"
    "#dashboards:name=spotify-pipeline"
)

FORBIDDEN = Trouble(kind="forbidden", message="User not registered", at=NOW)


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
            "rows": {"listening_history": 12_345, "gap": 3},
            "last_poll": None,
            "gaps": [],
            "coverage": {},
            **dict.fromkeys(("dead_letters", "failed_ticks", "open_gaps"), 0),
            **{name: {"me": None} for name in PollingState.model_fields},
            **changes,
        }
    )


def a_gap(**changes):
    fields = {"listener": "me", "started_at": AN_HOUR_AGO, "ended_at": NOW, "is_open": True}
    return KnownGap(**{**fields, "reason": "50 new plays at once", **changes})


def test_without_postgres_the_queues_are_still_shown(plays, target):
    dead = target.output("CollectedPlaysDlqUrl")
    target.client("sqs").send_message(QueueUrl=dead, MessageBody="dead")

    result = plays("status", "--json")

    found = json.loads(result.stdout)
    assert result.exit_code == 1
    assert result.stderr == "plays: Postgres is unavailable: connection refused\n"
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


def test_a_refusal_to_read_postgres_is_quoted(plays, target):
    object.__setattr__(target, "fault", DatabaseError("allow it lambda:InvokeFunction"))

    result = plays("status", "--json")

    assert result.stderr == "plays: allow it lambda:InvokeFunction\n"
    assert json.loads(result.stdout)["rows"] is None


@pytest.mark.parametrize("page_url", [PAGE, None], ids=["page", "earlier release"])
def test_the_dashboard_of_a_local_cloud_is_its_page(plays, target, monkeypatch, page_url):
    state = SimpleNamespace(aws_endpoint="http://127.0.0.1:4566", page_url=page_url)
    monkeypatch.setitem(vars(target), "state", state)

    assert json.loads(plays("status", "--json").stdout)["dashboard_url"] == page_url


@pytest.mark.parametrize(
    ("target", "line"),
    [("local", f"page           {PAGE}\n"), ("aws", f"dashboard      {PAGE}\n")],
)
def test_the_address_of_the_page_or_dashboard_is_shown(capsys, target, line):
    show_status(a_status(target=target, dashboard_url=PAGE))

    assert line in capsys.readouterr().out


def test_failed_polls_are_not_counted_as_dead_letters(plays, target):
    url = target.output("FailedTicksQueueUrl")
    target.client("sqs").send_message(QueueUrl=url, MessageBody="tick")

    found = json.loads(plays("status", "--json").stdout)
    assert (found["failed_ticks"], found["dead_letters"]) == (1, 0)


def test_rows_queues_and_problems_are_shown(capsys):
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


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({}, "dead letters none last poll none yet gaps none login of me not logged in"),
        ({"failed_ticks": 2}, "failed polls 2: the next poll fetches their plays"),
        (
            {"gaps": [a_gap(ended_at=None, reason="no answer")], "open_gaps": 1},
            "1 open, the newest 2026-07-01T11:00:00.000Z to now: no answer",
        ),
        ({"gaps": [a_gap(is_open=False)]}, "gaps none open login"),
        (
            {"blocked_until": {"zoe": None, "me": NOW}},
            "rate limit of me until 2026-07-01T12:00:00.000Z: polls continue after that database",
        ),
        (
            {"block_unknown": {"zoe": None, "me": "the state cannot be read"}},
            "rate limit of me is unknown: the state cannot be read database",
        ),
        (
            {"token_days_left": {"me": 42}, "needs_login_since": {"me": AN_HOUR_AGO}},
            "login of me refused by Spotify since 2026-07-01T11:00:00.000Z: `plays login`",
        ),
        ({"token_days_left": {"me": 31}}, "login of me 31 days left database"),
        ({"token_days_left": {"me": 30}}, "login of me 30 days left: `plays login` database"),
        ({"token_days_left": {"me": 0}}, "login of me no days left: `plays login` database"),
        (
            {"last_error": {"me": FORBIDDEN, "zoe": None}},
            "error of me forbidden, 2026-07-01T12:00:00.000Z: User not registered database",
        ),
    ],
    ids=[
        *("healthy", "failed polls", "lasting gap", "closed gap", "rate limit"),
        *("unknown rate limit", "refused login", "login", "expiring login", "expired login"),
        "error",
    ],
)
def test_each_state_has_its_line(capsys, changes, line):
    show_status(a_status(**changes))

    assert line in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    ("share", "shown"),
    [(1, "100 %"), (0.99999, "99.9 %"), (0.57, "57 %"), (0, "0 %")],
    ids=["all", "nearly all", "some", "none"],
)
def test_coverage_is_rounded_down(capsys, share, shown):
    show_status(a_status(coverage={"me": Coverage(days_7=share, days_30=0.5, by_day=())}))

    line = " ".join(capsys.readouterr().out.split())
    assert f"coverage me {shown} of the last 7 days, 50 % of 30" in line


def test_coverage_is_shown_by_day(capsys):
    days = tuple(
        DayCoverage(day=date(2026, 6, 30) + timedelta(days=n), coverage=share, open_gap_s=0)
        for n, share in enumerate([1, 0.57, 0])
    )
    coverage = Coverage(days_7=0.5, days_30=0.5, by_day=days)

    show_status(a_status(coverage={"me": coverage}))

    assert "days of me     06-30 100 %, 07-01 57 %, 07-02 0 %\n" in capsys.readouterr().out
