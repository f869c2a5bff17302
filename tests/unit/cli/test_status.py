import json
from datetime import date, timedelta
from types import SimpleNamespace

import pytest
from botocore.exceptions import EndpointConnectionError
from typer.testing import CliRunner

from cli.commands.status import show_figures, show_verdict
from cli.deployment_status import Coverage, DayCoverage, LastPoll
from cli.listeners import Trouble
from cli.main import app
from cli.pending_features import PendingFeatures
from cli.queues import QueueDepth
from cli.uploads import UploadsInTrouble
from cli.verdict import judge
from infra.local.state import LocalCloudError
from shared.errors import DatabaseError
from tests.unit.cli.statuses import NOW, a_status

PAGE = "http://127.0.0.1:8100/"
DASHBOARD = (
    "https://eu-west-1.console.aws.amazon.com/cloudwatch/home?region=eu-west-1"
    "#dashboards:name=spotify-pipeline"
)


RETRIED = QueueDepth(visible=0, in_flight=5, awaiting_retry=3, next_retry_at=NOW)
WORKING = QueueDepth(visible=0, in_flight=1, awaiting_retry=0)


def raised(value):
    """Raise an exception; return any other value."""
    if isinstance(value, BaseException):
        raise value
    return value


def figures(capsys, **changes):
    show_figures(a_status(**changes), NOW)
    return " ".join(capsys.readouterr().out.split())


def test_without_postgres_the_queues_are_still_shown(plays, target):
    dead = target.output("CollectedPlaysDlqUrl")
    target.client("sqs").send_message(QueueUrl=dead, MessageBody="dead")

    result = plays("status", "--json")

    found = json.loads(result.stdout)
    assert result.exit_code == 2
    assert found["verdict"] == "critical"
    assert found["postgres_error"] == "Postgres is unavailable: connection refused"
    assert [found[name] for name in ("rows", "gaps", "open_gaps", "coverage")] == [None] * 4
    assert found["dead_letters"] == 1
    assert found["bucket"] == "archive"
    assert found["dashboard_url"] == DASHBOARD
    assert found["report_url"] == "postgresql://report_reader@database.example:5432/spotify"
    assert found["queues"]["spotify-pipeline-collected-plays-dlq"] == {
        "visible": 1,
        "in_flight": 0,
        "oldest_age_s": None,
        "retried_within_s": 30,
        "awaiting_retry": None,
        "next_retry_at": None,
    }


def test_without_permission_to_read_postgres_status_prints_the_rest(plays, target):
    object.__setattr__(target, "fault", DatabaseError("allow it lambda:InvokeFunction"))

    result = plays("status", "--json")

    found = json.loads(result.stdout)
    assert (result.exit_code, found["rows"]) == (2, None)
    assert found["problems"][0]["message"].startswith("allow it lambda:InvokeFunction")


@pytest.mark.parametrize("page_url", [PAGE, None], ids=["page", "earlier release"])
def test_dashboard_url_is_the_local_clouds_page(plays, target, monkeypatch, tmp_path, page_url):
    state = SimpleNamespace(
        aws_endpoint="http://127.0.0.1:1", page_url=page_url, log_dir=tmp_path, simulated=False
    )
    monkeypatch.setitem(vars(target), "state", state)

    assert json.loads(plays("status", "--json").stdout)["dashboard_url"] == page_url


@pytest.mark.parametrize(("state", "expected"), [("ENABLED", True), ("DISABLED", False)])
def test_polls_are_scheduled_only_if_the_collectors_schedule_is_enabled(
    plays, target, state, expected
):
    scheduler = target.client("scheduler")
    scheduler.create_schedule_group(Name="spotify-pipeline")
    for function, its_state in (("collector", state), ("healer", "ENABLED")):
        scheduler.create_schedule(
            Name=function,
            GroupName="spotify-pipeline",
            ScheduleExpression="rate(1 minute)",
            FlexibleTimeWindow={"Mode": "OFF"},
            State=its_state,
            Target={
                "Arn": f"arn:aws:lambda:eu-west-1:123456789012:function:{function}",
                "RoleArn": "arn:aws:iam::123456789012:role/scheduler",
            },
        )

    assert json.loads(plays("status", "--json").stdout)["polls_scheduled"] is expected


def test_failed_polls_are_not_counted_as_dead_letters(plays, target):
    url = target.output("FailedTicksQueueUrl")
    target.client("sqs").send_message(QueueUrl=url, MessageBody="tick")

    found = json.loads(plays("status", "--json").stdout)
    assert (found["failed_ticks"], found["dead_letters"]) == (1, 0)


def test_option_short_prints_only_the_verdict(plays, listeners):
    result = plays("status", "--short")

    assert result.exit_code == 2
    lines = [line.rstrip() for line in result.stdout.splitlines()]
    assert lines[0] == "3 things need you:"
    assert lines[-2:] == [
        "warning   Listener me is not logged in, so no new play is collected.",
        "          → plays login --listener me",
    ]


def test_without_a_problem_the_status_begins_with_ok(capsys):
    poll = LastPoll(listener="me", polled_at=NOW, returned=50, new=3)
    found = a_status(last_poll=poll)

    show_verdict(found, judge(found, NOW), NOW)

    assert capsys.readouterr().out == "OK: 12,345 plays, last poll just now\n"


@pytest.mark.parametrize("options", [["--short"], ["--json"]], ids=["text", "JSON"])
def test_option_watch_goes_on_after_a_failure(target, monkeypatch, options):
    looks = iter([LocalCloudError("no cloud"), EndpointConnectionError(endpoint_url=PAGE), target])
    pauses = iter([None, None, KeyboardInterrupt()])
    monkeypatch.setattr("cli.commands.status.time.sleep", lambda _: raised(next(pauses)))

    arguments = ["status", "--watch", "3", *options]
    result = CliRunner().invoke(app, arguments, obj=lambda: raised(next(looks)))

    assert result.exit_code == 130
    *failures, stopped = result.stderr.splitlines()
    assert failures[0] == "plays: no cloud"
    assert failures[1].startswith(f"plays: nothing answers at {PAGE}")
    assert stopped.startswith("plays: stopped")
    assert ("2 things need you:" in result.stdout) == ("--short" in options)
    assert result.stdout.count('{"error":') == (2 if "--json" in options else 0)


def test_option_watch_keeps_the_target_that_it_found_first(plays, target, monkeypatch):
    targets = iter([target])
    monkeypatch.setattr("cli.commands.status.target_of", lambda _: next(targets))
    pauses = iter([None, KeyboardInterrupt()])
    monkeypatch.setattr("cli.commands.status.time.sleep", lambda _: raised(next(pauses)))

    result = plays("status", "--short", "--watch", "3")

    assert result.exit_code == 130
    assert result.stdout.count("2 things need you:") == 2


def test_option_watch_prints_the_status_until_ctrl_c(plays, monkeypatch):
    pauses = iter([None, KeyboardInterrupt()])

    def pause(seconds):
        assert seconds == 3
        raised(next(pauses))

    monkeypatch.setattr("cli.commands.status.time.sleep", pause)

    result = plays("status", "--short", "--watch", "3")

    assert result.exit_code == 130
    assert result.stdout.count("2 things need you:") == 2


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({}, "me just now 150 days left – –"),
        ({"token_days_left": {"me": None}, "answered_at": {"me": None}}, "me never none – –"),
        ({"needs_login_since": {"me": NOW}}, "me just now refused – –"),
        ({}, "plays 1,500 0 90 s"),
        ({}, "features no track waits for them"),
        (
            {"pending_features": PendingFeatures(tracks=9, unknown_to_sources=0, due_at=NOW)},
            (
                "features 9 tracks wait (9 whose source failed); the first is asked for again "
                "within the hour"
            ),
        ),
        (
            {
                "pending_features": PendingFeatures(
                    tracks=9, unknown_to_sources=4, due_at=NOW + timedelta(days=1)
                )
            },
            (
                "9 tracks wait (5 whose source failed, 4 unknown to every source); the first is "
                "asked for again 2026"
            ),
        ),
        ({}, "rows listening_history 12,345, gap 3 last poll none yet open gaps none database"),
        ({"rows": None}, "features no track waits for them database"),
        ({"open_gaps": 3}, "open gaps 3 "),
        (
            {
                "uploads": UploadsInTrouble(
                    in_progress=2, stuck=0, failed=0, partly_loaded=0, newest_problem=None
                )
            },
            "uploads 2 in progress: see `plays uploads`",
        ),
        ({"failed_ticks": 2}, "failed polls 2: the next poll fetches their plays"),
        (
            {"last_poll": LastPoll(listener="me", polled_at=NOW, returned=50, new=3)},
            "last poll just now of me: 50 plays, 3 new",
        ),
        (
            {"queues": {"q": QueueDepth(visible=0, in_flight=2, retried_within_s=5_400)}},
            (
                "in flight processed now, or failed and tried again within 90 min; SQS does not "
                "say which"
            ),
        ),
        ({"queues": {"p-plays": RETRIED, "p-other": WORKING}}, "plays 0 2 other 0 1"),
        (
            {"queues": {"p-plays": RETRIED, "p-other": WORKING}},
            (
                "other 0 1 retry 3 in p-plays: the last attempt failed, the next is at 2026-07-01 "
                "12:00 UTC; `plays logs --errors` says why features"
            ),
        ),
        (
            {"polls_scheduled": False},
            "polls off (--empty, or polling_enabled is false): `plays poll` polls once",
        ),
        (
            {"polls_scheduled": False, "simulated": True},
            "is false): `plays login` turns them on, `plays poll` polls once",
        ),
        ({"dashboard_url": PAGE}, f"page {PAGE} database"),
        ({"dashboard_url": PAGE, "target": "aws"}, f"dashboard {PAGE} database"),
        ({"aws_endpoint": None}, "bucket archive AWS the real one"),
    ],
)
def test_each_figure_is_printed_with_its_label(capsys, changes, line):
    assert line in figures(capsys, **changes)


@pytest.mark.parametrize(
    ("share", "shown"),
    [(1, "100 %"), (0.99999, "99.9 %"), (0.57, "57 %"), (0, "0 %")],
    ids=["all", "nearly all", "some", "none"],
)
def test_coverage_percentages_are_rounded_down(capsys, share, shown):
    coverage = {"me": Coverage(days_7=share, days_30=0.5, by_day=())}

    assert f"150 days left {shown} 50 %" in figures(capsys, coverage=coverage)


def test_time_that_no_poll_upload_or_gap_covers_is_shown_as_not_watched(capsys):
    # A full day without a poll, a day with a gap of six hours, and noon of today.
    days = [(date(2026, 6, 29), 0, 0), (date(2026, 6, 30), 0.5, 6 * 3_600), (NOW.date(), 0.5, 0)]
    by_day = tuple(
        DayCoverage(day=day, coverage=share, open_gap_s=gap_s) for day, share, gap_s in days
    )
    coverage = {"me": Coverage(days_7=0.3, days_30=0.3, by_day=by_day)}

    # 24 h, 12 h less the gap of 6 h, and half of 12 h.
    line = "not watched 36 h of the last 7 days of listener me: before"
    assert line in figures(capsys, coverage=coverage)


def test_long_urls_are_not_wrapped_in_a_narrow_terminal(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")

    show_figures(a_status(dashboard_url=DASHBOARD), NOW)

    assert f"page         {DASHBOARD}\n" in capsys.readouterr().out


def test_control_characters_in_spotifys_message_are_escaped(capsys):
    error = Trouble(kind="forbidden", message="said \x1b[2J\u202e", at=NOW)
    found = a_status(last_error={"me": error})

    show_verdict(found, judge(found, NOW), NOW)

    shown = capsys.readouterr().out
    assert "\\u001b[2J\\u202e" in shown
    assert not {"\x1b", "\u202e"} & set(shown)
