import json
from datetime import UTC, datetime

import pytest

from cli.queues import QueueDepth
from cli.status import KnownGap, LastPoll, Status, show_status, token_days_left

PREFIX = "spotify-pipeline/listener/"
NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)


@pytest.fixture
def secrets(aws):
    return aws.client("secretsmanager")


def log_in(secrets, listener, authorized_at):
    secret = {"client_id": "app", "refresh_token": "hidden", "authorized_at": authorized_at}
    secrets.create_secret(Name=f"{PREFIX}{listener}", SecretString=json.dumps(secret))


def a_status(**changes):
    return Status(
        **{
            "target": "local",
            "stack": "SpotifyPipeline",
            "database_url": "postgresql://reader@127.0.0.1:5432/spotify",
            "aws_endpoint": "http://127.0.0.1:4566",
            "bucket": "archive",
            "queues": {"plays": QueueDepth(visible=1_500, in_flight=2, oldest_age_s=90)},
            "dead_letters": 0,
            "failed_ticks": 0,
            "rows": {"listening_history": 12_345, "gap": 3},
            "last_poll": None,
            "gaps": [],
            "token_days_left": {"me": None},
            **changes,
        }
    )


def test_a_login_has_180_days_from_the_day_of_consent(secrets):
    log_in(secrets, "me", authorized_at="2026-06-30T12:00:00Z")

    assert token_days_left(secrets, PREFIX, NOW) == {"me": 179}


def test_an_expired_login_has_no_days_left(secrets):
    log_in(secrets, "me", authorized_at="2025-12-31T12:00:00Z")

    assert token_days_left(secrets, PREFIX, NOW) == {"me": 0}


@pytest.mark.parametrize(
    "value", ["{}", '{"refresh_token": "hidden"}', "not json"], ids=["empty", "half", "unreadable"]
)
def test_without_a_readable_login_the_days_are_unknown(secrets, value):
    secrets.create_secret(Name=f"{PREFIX}me", SecretString=value)

    assert token_days_left(secrets, PREFIX, NOW) == {"me": None}


def test_a_secret_without_a_value_is_a_login_to_come(secrets):
    secrets.create_secret(Name=f"{PREFIX}me")

    assert token_days_left(secrets, PREFIX, NOW) == {"me": None}


def test_secrets_of_others_are_no_logins(secrets):
    log_in(secrets, "me", authorized_at="2026-06-30T12:00:00Z")
    secrets.create_secret(Name="spotify-pipeline/database/reader", SecretString="{}")

    assert set(token_days_left(secrets, PREFIX, NOW)) == {"me"}


def test_while_postgres_is_away_the_queues_are_told_all_the_same(plays, target):
    dead = target.output("CollectedPlaysDlqUrl")
    target.client("sqs").send_message(QueueUrl=dead, MessageBody="dead")

    result = plays("status", "--json")

    found = json.loads(result.stdout)
    assert result.exit_code == 1
    assert result.stderr == "plays: Postgres does not answer: nobody listens\n"
    assert found["rows"] is None
    assert found["dead_letters"] == 1
    assert found["bucket"] == "archive"
    assert found["queues"]["spotify-pipeline-collected-plays-dlq"] == {
        "visible": 1,
        "in_flight": 0,
        "oldest_age_s": None,
    }


def test_a_failed_tick_is_counted_apart_from_dead_letters(plays, target):
    url = target.output("FailedTicksQueueUrl")
    target.client("sqs").send_message(QueueUrl=url, MessageBody="tick")

    found = json.loads(plays("status", "--json").stdout)
    assert (found["failed_ticks"], found["dead_letters"]) == (1, 0)


def test_a_person_sees_rows_queues_and_what_needs_them(capsys):
    gap = KnownGap(listener="me", started_at=NOW, ended_at=NOW, reason="50 new plays at once")
    poll = LastPoll(listener="me", polled_at=NOW, returned=50, new=3)

    show_status(a_status(dead_letters=7, last_poll=poll, gaps=[gap]))

    shown = " ".join(capsys.readouterr().out.split())
    assert "plays 1,500 2 0:01:30" in shown
    assert "listening_history 12,345" in shown
    assert "dead letters 7: see `plays dlq list`" in shown
    assert "last poll 2026-07-01T12:00:00.000Z of me: 50 plays shown, 3 new" in shown
    assert "gaps 3, the newest 2026-07-01T12:00:00.000Z to " in shown
    assert "login of me not logged in" in shown


def test_a_person_sees_failed_ticks_and_what_becomes_of_them(capsys):
    show_status(a_status(failed_ticks=2))

    shown = " ".join(capsys.readouterr().out.split())
    assert "dead letters none failed ticks 2: the next one makes good for them" in shown


def test_a_person_sees_that_nothing_needs_them(capsys):
    show_status(a_status(token_days_left={"me": 42}))

    shown = " ".join(capsys.readouterr().out.split())
    assert "dead letters none last poll none yet gaps none login of me 42 days left" in shown
