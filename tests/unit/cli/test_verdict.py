"""What needs a person, and what to do about it."""

from datetime import timedelta

import pytest

from cli.alarms import Alarm
from cli.deployment_status import KnownGap
from cli.listeners import Trouble
from cli.pending_features import PendingFeatures
from cli.queues import QueueDepth
from cli.uploads import UploadProblem, UploadsInTrouble
from cli.verdict import judge
from tests.unit.cli.statuses import NOW, a_status

HOUR = timedelta(hours=1)
LONG_AGO = NOW - 2 * HOUR


def a_gap(**changes):
    fields = {"listener": "me", "started_at": LONG_AGO, "ended_at": NOW, "is_open": True}
    return KnownGap(**{**fields, "reason": "50 new plays at once", **changes})


def trouble(kind):
    return {"me": Trouble(kind=kind, message="Spotify said no", at=NOW)}


def a_queue(name, age_s):
    return {name: QueueDepth(visible=1, in_flight=0, oldest_age_s=age_s)}


def uploads(stuck=0, failed=0, partly=0):
    newest = UploadProblem(
        number=4, uploaded_at=NOW, listener="me", file="a.zip", state="failed", reason="damaged"
    )
    return UploadsInTrouble(
        in_progress=1, stuck=stuck, failed=failed, partly_loaded=partly, newest_problem=newest
    )


def waiting(due_at):
    return PendingFeatures(tracks=7, unknown_to_sources=2, due_at=due_at)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"failed_ticks": 3},
        {
            "uploads": UploadsInTrouble(
                in_progress=3, stuck=0, failed=0, partly_loaded=0, newest_problem=None
            )
        },
        {"gaps": [a_gap(is_open=False)]},
        {"token_days_left": {"me": 31}},
        {"answered_at": {"me": NOW - HOUR}},
        {"answered_at": {"me": LONG_AGO}, "polls_scheduled": False},
        {"answered_at": {"me": None}},
        {"last_error": trouble("failed")},
        {"queues": a_queue("plays", 3_600)},
        {"queues": a_queue("plays-dlq", 99_999) | a_queue("failed-ticks", 99_999)},
        {"pending_features": waiting(NOW - 2 * HOUR)},
        {"features_failing_since": LONG_AGO},
        {"gaps": [a_gap()], "open_gaps": 1, "simulated": True},
        {"free_bytes": None},
        {"free_bytes": 10**9},
    ],
    ids=[
        *(
            "all well",
            "failed polls",
            "uploads in progress",
            "closed gap",
            "a month left",
            "answered an hour ago",
            "polls off",
        ),
        *("no poll yet", "one failed poll", "an hour old message", "old dead letters"),
        *("features due", "features failing", "simulated gap", "AWS", "enough space"),
    ],
)
def test_the_verdict_is_ok_if_no_person_needs_to_act(changes):
    assert judge(a_status(**changes), NOW).model_dump() == {"verdict": "ok", "problems": ()}


@pytest.mark.parametrize(
    ("changes", "severity", "message", "next_"),
    [
        (
            {"postgres_error": "Postgres is unavailable: connection refused"},
            "critical",
            "Postgres is unavailable: connection refused. New plays wait in the queues.",
            "wait a minute, or restart it: plays local down, then make run",
        ),
        (
            {"postgres_error": "no right", "target": "aws"},
            "critical",
            "no right. New plays wait in the queues.",
            "docs/operate.md, The host",
        ),
        (
            {"token_days_left": {"me": None}},
            "warning",
            "Listener me is not logged in, so no new play is collected.",
            "plays login --listener me",
        ),
        (
            {"token_days_left": {"me": 30}},
            "warning",
            "The login of listener me expires in 30 days.",
            "plays login --listener me",
        ),
        (
            {"needs_login_since": {"me": LONG_AGO}},
            "critical",
            (
                "Spotify has refused the login of listener me since 2026-07-01 10:00 UTC, "
                "so no new play is collected."
            ),
            "plays login --listener me",
        ),
        (
            {"last_error": trouble("forbidden")},
            "critical",
            "Spotify forbids the app or the account of listener me: Spotify said no",
            "docs/operate.md, SpotifyForbids",
        ),
        (
            {"blocked_until": {"me": NOW + HOUR}},
            "warning",
            (
                "Spotify has rate-limited the app of listener me until 2026-07-01 13:00 UTC. "
                "Polls continue after that."
            ),
            "docs/operate.md, A long rate limit",
        ),
        (
            {"block_unknown": {"me": "the state cannot be read"}},
            "warning",
            "The rate limit of the app of listener me is unknown: the state cannot be read",
            "plays logs collector",
        ),
        (
            {"answered_at": {"me": LONG_AGO}},
            "critical",
            "Spotify has answered no poll for listener me since 2026-07-01 10:00 UTC.",
            "plays logs collector",
        ),
        (
            {"answered_at": {"me": LONG_AGO}, "last_error": trouble("failed")},
            "critical",
            (
                "Spotify has answered no poll for listener me since 2026-07-01 10:00 UTC: "
                "Spotify said no"
            ),
            "plays logs collector",
        ),
        (
            {"answered_at": {"me": None}, "last_error": trouble("failed")},
            "critical",
            "Spotify has answered no poll for listener me yet: Spotify said no",
            "plays logs collector",
        ),
        (
            {"token_days_left": {"me": 0}},
            "warning",
            "The login of listener me has less than a day left.",
            "plays login --listener me",
        ),
        (
            {"removed_listeners": ["anna"]},
            "warning",
            (
                "anna is not a listener any more, but some of their plays, files or login is "
                "still stored."
            ),
            "plays listener remove anna",
        ),
        (
            {"dead_letters": 1, "queues": a_queue("p-plays-dlq", 5) | a_queue("p-other", 5)},
            "critical",
            (
                "1 dead letter: their plays or uploads are not loaded. Mend the cause, then "
                "`plays dlq replay p-plays`."
            ),
            "plays dlq list",
        ),
        (
            {"queues": a_queue("plays", 9_000)},
            "warning",
            "A message in plays has waited for 2 h.",
            "plays logs --errors",
        ),
        (
            {"uploads": uploads(failed=2)},
            "warning",
            "Uploads: 2 failed. The newest is a.zip of me: damaged",
            "plays uploads show 4",
        ),
        (
            {"uploads": uploads(stuck=1, failed=2, partly=3)},
            "critical",
            "Uploads: 1 stuck and 2 failed and 3 partly loaded. The newest is a.zip of me: damaged",
            "plays uploads show 4",
        ),
        (
            {"gaps": [a_gap(ended_at=None)], "open_gaps": 2},
            "warning",
            (
                "Plays may be missing: 2 open gaps, the newest of listener me from "
                "2026-07-01 10:00 UTC to now: 50 new plays at once. An export of that time closes "
                "it."
            ),
            "plays upload FILE --listener me",
        ),
        (
            {"pending_features": waiting(NOW - 3 * HOUR)},
            "warning",
            "7 tracks wait for audio features, the first one since 2026-07-01 09:00 UTC.",
            "plays heal",
        ),
        (
            {
                "features_failing_since": NOW - 3 * HOUR,
                "pending_features": waiting(NOW - 3 * HOUR),
            },
            "warning",
            (
                "The source of audio features has failed for 5 tracks since 2026-07-01 09:00 UTC. "
                "Their plays are loaded."
            ),
            "plays heal",
        ),
        (
            {"alarms": (Alarm(name="DiskFilling", description="Host: full", since=LONG_AGO),)},
            "warning",
            "The alarm DiskFilling is on since 2026-07-01 10:00 UTC: Host: full",
            "docs/operate.md, DiskFilling",
        ),
        (
            {"free_bytes": 10**9 - 1},
            "critical",
            "The disk has 999 MB left. When it is full, Postgres stops and no play is stored.",
            "df -h .local, and delete what you do not need",
        ),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_each_problem_has_severity_message_and_next_command(changes, severity, message, next_):
    judgement = judge(a_status(**changes), NOW)

    assert [problem.model_dump() for problem in judgement.problems] == [
        {"severity": severity, "message": message, "next": next_}
    ]
    assert judgement.verdict == severity


def test_a_rate_limit_or_a_refused_login_is_reported_as_one_problem():
    status = a_status(answered_at={"me": LONG_AGO}, blocked_until={"me": NOW + HOUR})
    refused = a_status(answered_at={"me": LONG_AGO}, needs_login_since={"me": LONG_AGO})

    assert [len(judge(each, NOW).problems) for each in (status, refused)] == [1, 1]


@pytest.mark.parametrize(
    "changes",
    [
        {"needs_login_since": {"me": LONG_AGO}},
        {"last_error": trouble("forbidden")},
        {"blocked_until": {"me": NOW + HOUR}},
    ],
    ids=["refused", "forbidden", "rate limit"],
)
def test_after_a_refusal_by_the_simulator_the_next_step_is_scenario_normal(changes):
    (problem,) = judge(a_status(simulated=True, **changes), NOW).problems

    assert problem.next == "plays local scenario normal"


def test_the_worst_problem_comes_first_and_sets_the_exit_code():
    judgement = judge(a_status(token_days_left={"me": 3}, dead_letters=1), NOW)

    assert [problem.severity for problem in judgement.problems] == ["critical", "warning"]
    assert judgement.exit_code == 2
    assert judge(a_status(token_days_left={"me": 3}), NOW).exit_code == 1
    assert judge(a_status(), NOW).exit_code == 0
