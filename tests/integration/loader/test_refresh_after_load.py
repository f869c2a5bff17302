"""The refresh of the derived tables after a load."""

from types import SimpleNamespace

import pytest

from services.loader.handler import handler
from services.loader.refresh import MONTHS_AFTER_A_POLL
from shared.models import UploadReport
from tests.unit.loader.loader_examples import (
    CONTEXT,
    EXPORT,
    a_batch,
    a_play,
    an_event,
    failures,
    features,
)

A_YEAR_S = 365 * 24 * 3_600
UPLOAD = {"source": EXPORT, "origin": "history/me/a.zip"}
IN_A_HURRY = SimpleNamespace(**{**vars(CONTEXT), "get_remaining_time_in_millis": lambda: 400})


def run(*bodies, context=CONTEXT):
    return failures(handler(an_event(*bodies), context))


def an_upload(number, **fields):
    """A batch with a play in each of five months."""
    plays = [a_play(-number * A_YEAR_S - month * 31 * 24 * 3_600, ms_played=200_000)
             for month in range(5)]  # fmt: skip
    return a_batch(*plays, number=number, **UPLOAD, **fields)


A_REPORT = UploadReport(rows_in=10, published=10, batches=2)


@pytest.fixture(autouse=True)
def function(database, deployment):
    """Deploy the function; no month is stale."""
    database.run("SELECT derived.refresh(1000)")
    deployment.know("loader")


@pytest.fixture
def waiting(database):
    """Count the stale months."""

    def count():
        ((months,),) = database.run("SELECT months FROM derived.waiting(now())")
        return months

    return count


@pytest.fixture
def stored(database, waiting):
    """Count the plays, and the stale months with plays."""

    def count():
        ((plays,),) = database.run("SELECT count(*) FROM listening_history")
        return plays, waiting()

    return count


@pytest.fixture
def newest_wait(owner):
    """Return, for each of the newest months with plays, whether it is stale."""

    def ask(months):
        return [waits for (waits,) in owner.run(
            "SELECT m IN (SELECT listened_month FROM derived.stale_month) FROM ("
            "  SELECT DISTINCT date_trunc('month', played_at AT TIME ZONE 'UTC')::date AS m"
            "  FROM listening_history ORDER BY m DESC LIMIT :months) newest ORDER BY m DESC",
            months=months,
        )]  # fmt: skip

    return ask


def test_loading_a_poll_refreshes_the_derived_tables(waiting):
    run(a_batch(a_play()))

    assert waiting() == 0


def test_loading_features_refreshes_the_newest_months_of_their_track(waiting, newest_wait):
    run(an_upload(0, report=A_REPORT), an_upload(1))

    run(a_batch(features=(features(duration_ms=201_000),)))

    assert waiting() == 10 - MONTHS_AFTER_A_POLL
    assert newest_wait(MONTHS_AFTER_A_POLL + 1) == [False, False, False, True]


@pytest.mark.parametrize("reported", [0, 1], ids=["report first", "report last"])
def test_derived_tables_are_refreshed_when_an_upload_is_complete(waiting, reported):
    first, last = (an_upload(number, report=A_REPORT if number == reported else None)
                   for number in range(2))  # fmt: skip

    run(first)
    before = waiting()
    run(last)

    assert before >= 5
    assert waiting() == 0


def test_loading_a_poll_refreshes_nothing_while_an_upload_is_incomplete(waiting):
    run(an_upload(0))

    run(a_batch(a_play()))
    before = waiting()
    run(an_upload(1, report=A_REPORT))

    assert before >= 5
    assert waiting() == 0


@pytest.mark.parametrize("reported", [True, False])
def test_loading_a_poll_refreshes_if_an_upload_is_incomplete_for_ten_minutes(
    owner, waiting, newest_wait, reported
):
    run(an_upload(0, report=A_REPORT if reported else None))
    owner.run("UPDATE loaded_batch SET loaded_at = loaded_at - interval '10 minutes'")

    run(a_batch(a_play()))

    assert waiting() > 0
    assert newest_wait(1) == [False]


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("RAISE EXCEPTION 'no such luck';", "no such luck (P0001)"),
        ("PERFORM 1 / 0; RETURN 0;", "division by zero (22012)"),
        ("PERFORM pg_sleep(30); RETURN 0;", "statement timeout (57014)"),
        ("PERFORM pg_terminate_backend(pg_backend_pid()); RETURN 0;", "no connection to Postgres"),
    ],
    ids=["error", "refusal", "too long", "dead connection"],
)
def test_a_failed_refresh_keeps_the_loaded_plays_and_the_stale_months(
    stored, caplog, instead_of_refresh, fault, reason
):
    with instead_of_refresh(fault):
        assert run(a_batch(a_play()), context=IN_A_HURRY) == []

    (warning,) = (record for record in caplog.records if record.levelname == "WARNING")
    assert warning.msg == "derived tables were not refreshed"
    assert reason in warning.error
    assert stored() == (1, 1)

    assert run(a_batch(a_play(3_600), origin="polls/me/2")) == []
    assert stored() == (2, 0)
