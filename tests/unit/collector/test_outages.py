"""Outages: polls without an answer for so long that plays may be missing."""

import json
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest

from services.collector.domain.gaps import UNREADABLE
from services.collector.handler import wire
from shared.errors import SpotifyError
from shared.models import OutageReport, PlayBatch
from tests.unit.collector.crashes import AwsIsAwayError, fail_at
from tests.unit.spotify_server import Reply, a_grant, a_page, a_row, json_reply

DEAD = json_reply({"error": "invalid_grant", "error_description": "Refresh token revoked"}, 400)
BUSY = Reply(b"Too many requests", 429, {"Retry-After": "52531"})
DOWN = Reply(b"bad gateway", 502)


def ago(**span: float) -> str:
    return (datetime.now(UTC) - timedelta(**span)).isoformat()


def page_of(*minutes_ago: float) -> Reply:
    return a_page(*[a_row(ago(minutes=m), name=f"T{m}") for m in minutes_ago])


def full_page_since(minutes_ago: int) -> Reply:
    return a_page(*[a_row(ago(minutes=minutes_ago - n / 2), name=f"F{n}") for n in range(50)])


@pytest.fixture
def listened(pipeline, spotify):
    """A listener whose last play ended two hours ago, and who was last polled an hour ago."""
    spotify.pages = [page_of(120)]
    pipeline.poll()
    pipeline.published()
    pipeline.change_state(polled_at=ago(minutes=60))
    return pipeline


def poll(pipeline) -> list[PlayBatch]:
    """Poll, even if it fails, and return the published batches."""
    with suppress(SpotifyError):
        pipeline.poll()
    return pipeline.published()


CAUSES = {
    "429": ({"pages": [BUSY]}, "Spotify takes no calls until 20"),
    "429 of the token endpoint": ({"tokens": [BUSY]}, "Spotify takes no calls until 20"),
    "dead grant": ({"tokens": [DEAD]}, "Spotify refuses the login"),
    "403": ({"pages": [Reply(b"", 403)]}, "Spotify forbids the app or the account"),
    "401": ({"pages": [Reply(b"", 401)]}, "Spotify fails"),
    "502": ({"pages": [DOWN]}, "Spotify fails"),
    "503 of the token endpoint": ({"tokens": [Reply(b"", 503)]}, "Spotify fails"),
}


@pytest.fixture(params=CAUSES.values(), ids=list(CAUSES))
def cause(request, listened, spotify):
    script, reason = request.param
    wire.cache_clear()
    vars(spotify).update(script)
    return reason


def test_a_long_outage_opens_one_gap(listened, cause):
    covered_until = listened.state()["window"]["covered_until"]
    archived = listened.archived()

    (batch,) = poll(listened)
    counted = listened.metrics()["GapDetected"]
    again = poll(listened)

    assert isinstance(batch.report, OutageReport)
    assert (batch.plays, batch.number, batch.source) == ((), 0, "recently-played")
    gap = batch.report.gap
    assert gap.started_at == datetime.fromisoformat(covered_until)
    assert (gap.ended_at, gap.is_closed) == (None, False)
    assert gap.reason.startswith(cause)
    assert (again, counted, listened.metrics()["GapDetected"]) == ([], [1], [0])
    assert listened.archived() == archived


def test_a_short_outage_opens_no_gap(listened, cause):
    listened.change_state(polled_at=ago(minutes=24))

    batches = poll(listened)

    assert (batches, listened.metrics()["GapDetected"]) == ([], [0])


def test_a_first_poll_opens_no_gap(pipeline, spotify):
    spotify.pages = [DOWN]

    assert (poll(pipeline), pipeline.metrics()["GapDetected"]) == ([], [0])


def test_a_removed_login_opens_a_gap(listened, spotify):
    listened.put_secret("{}")

    (batch,) = poll(listened)

    assert batch.report.gap.reason == "the listener is not logged in"


def test_a_gap_of_an_outage_has_its_own_origin(listened, spotify):
    spotify.pages = [DOWN]

    (batch,) = poll(listened)

    started_at = batch.report.gap.started_at
    assert batch.origin == f"outages/me/{started_at:%Y-%m-%dT%H:%M:%S}.{started_at:%f}"[:-3] + "Z"


def test_the_outcome_says_if_the_poll_opened_a_gap(listened, spotify):
    spotify.pages = [BUSY]

    assert [listened.poll()["gap"], listened.poll()["gap"]] == [True, False]


@pytest.mark.parametrize("moment", ["before-call", "after-call"])
@pytest.mark.parametrize("operation", ["SendMessage", "PutItem"])
def test_the_poll_after_a_crash_reports_the_gap_again(listened, spotify, operation, moment):
    spotify.pages = [DOWN]
    fail_at(operation, moment)
    with pytest.raises(AwsIsAwayError):
        wire().poll("me")

    origins = [batch.origin for batch in poll(listened)]

    assert len(origins) >= 1
    assert len(set(origins)) == 1
    assert listened.state()["outage"]["reason"] == "Spotify fails"


# The first answer after an outage


@pytest.fixture
def resumed(listened, spotify):
    """Spotify answers again after a reported gap."""
    spotify.pages = [DOWN]
    poll(listened)
    return listened


def test_an_answer_that_reaches_back_closes_the_gap(resumed, spotify):
    opened = resumed.state()["outage"]
    spotify.pages = [page_of(1, 120)]

    (batch,) = poll(resumed)

    gap = batch.report.gap
    assert gap.started_at == datetime.fromisoformat(opened["started_at"])
    assert (gap.ended_at, gap.is_closed) == (batch.report.polled_at, True)
    assert "reached back" in gap.reason
    assert resumed.metrics()["GapDetected"] == [0]
    assert resumed.state()["outage"] is None


def test_a_full_answer_that_falls_short_does_not_close_the_gap(resumed, spotify):
    opened = resumed.state()["outage"]
    spotify.pages = [full_page_since(40)]

    (batch,) = poll(resumed)

    gap = batch.report.gap
    assert gap.started_at == datetime.fromisoformat(opened["started_at"])
    assert (gap.ended_at, gap.is_closed) == (batch.plays[0].played_at, False)
    assert "Spotify fails" in gap.reason
    assert resumed.metrics()["GapDetected"] == [0]
    assert resumed.state()["outage"] is None


def test_a_short_answer_leaves_the_gap_open(resumed, spotify):
    spotify.pages = [page_of(1), page_of(1, 120)]

    (shrunken,) = poll(resumed)
    (whole,) = poll(resumed)

    assert shrunken.report.gap is None
    assert whole.report.gap.is_closed


def test_a_second_outage_opens_another_gap(resumed, spotify):
    first = resumed.state()["outage"]
    spotify.pages = [page_of(120), DOWN]
    poll(resumed)
    resumed.change_state(polled_at=ago(minutes=60))

    (batch,) = poll(resumed)

    assert batch.report.gap.started_at > datetime.fromisoformat(first["started_at"])
    assert resumed.metrics()["GapDetected"] == [1]


@pytest.mark.parametrize("moment", ["before-call", "after-call"])
@pytest.mark.parametrize("operation", ["SendMessage", "PutItem"])
def test_the_poll_after_a_crash_closes_the_gap_again(resumed, spotify, operation, moment):
    spotify.pages = [page_of(120)]
    fail_at(operation, moment)
    with pytest.raises(AwsIsAwayError):
        wire().poll("me")

    poll(resumed)

    assert resumed.state()["outage"] is None


def test_a_login_after_a_refused_one_closes_the_gap(listened, spotify):
    wire.cache_clear()
    spotify.tokens = [DEAD, a_grant()]
    poll(listened)
    listened.log_in("AQ-2")

    (batch,) = poll(listened)

    assert batch.report.gap.is_closed
    assert listened.state()["needs_login"] is None


# Unreadable plays


def unreadable_page(rows: int) -> Reply:
    """Return a page of plays in an unknown format."""
    shown = [a_row(ago(minutes=3 * n + 3), name=f"U{n}") for n in range(rows)]
    return a_page(*[{"played_at": row["played_at"], "item": row["track"]} for row in shown])


@pytest.mark.parametrize("rows", [1, 50])
@pytest.mark.parametrize("first", [True, False], ids=["the first poll", "a later poll"])
def test_an_answer_without_readable_plays_opens_a_gap(pipeline, spotify, rows, first):
    if not first:
        spotify.pages = [page_of(120)]
        poll(pipeline)
    spotify.pages = [unreadable_page(rows)]
    archived = pipeline.archived()

    (batch,) = poll(pipeline)
    counted = pipeline.metrics()["GapDetected"]
    state = pipeline.state()
    again = poll(pipeline)

    gap = batch.report.gap
    assert (gap.reason, gap.ended_at, gap.is_closed) == (UNREADABLE, None, False)
    assert (batch.report.returned, batch.report.unreadable, batch.plays) == (rows, rows, ())
    assert counted == [1]
    assert len(pipeline.archived()) == len(archived) + 1
    assert f"shows {rows} plays, and none can be read" in state["last_error"]["message"]
    assert [later.report.gap for later in again] == [None]
    assert pipeline.metrics()["GapDetected"] == [0]


def test_an_outage_of_unreadable_plays_closes_when_an_answer_reaches_back(pipeline, spotify):
    spotify.pages = [page_of(120)]
    poll(pipeline)
    spotify.pages = [unreadable_page(3)]
    (opened,) = poll(pipeline)
    spotify.pages = [page_of(3, 6, 9, 120)]

    (closed,) = poll(pipeline)

    assert closed.report.gap.started_at == opened.report.gap.started_at
    assert closed.report.gap.is_closed
    assert pipeline.state()["last_error"] is None
    assert closed.report.new == 3


def test_one_unreadable_row_among_plays_is_a_gap_around_it(pipeline, spotify):
    spotify.pages = [page_of(120)]
    poll(pipeline)
    page = json.loads(page_of(3, 6, 9, 120).body)
    page["items"][1]["track"] = None
    spotify.pages = [json_reply(page)]

    (batch,) = poll(pipeline)

    gap = batch.report.gap
    assert (gap.reason, gap.is_closed) == (UNREADABLE, False)
    assert {play.track_name for play in batch.plays} >= {"T9", "T3"}
    assert gap.ended_at == batch.plays[-1].played_at
    assert pipeline.metrics()["GapDetected"] == [1]
    assert pipeline.state()["last_error"] is None
