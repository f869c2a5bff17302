"""Outages: polls without an answer for so long that plays may be missing."""

from contextlib import suppress
from datetime import timedelta

import pytest

from services.collector.domain.gaps import UNREADABLE
from shared.errors import SpotifyError
from shared.models import OutageReport, PlayBatch, iso
from tests.fakes.aws import CrashError
from tests.fakes.spotify import Reply, a_grant, a_page, json_reply

DEAD = json_reply({"error": "invalid_grant", "error_description": "Refresh token revoked"}, 400)
BUSY = Reply(b"Too many requests", 429, {"Retry-After": "52531"})
DOWN = Reply(b"bad gateway", 502)


@pytest.fixture
def listened(capture, spotify):
    """A listener whose last play ended two hours ago, and who was last polled an hour ago."""
    capture.pass_time(hours=-1)
    spotify.pages = [capture.page(60)]
    capture.poll()
    capture.received()
    capture.restart()
    capture.pass_time(hours=1)
    return capture


def poll(capture) -> list[PlayBatch]:
    """Poll, even if it fails, and return the published batches."""
    with suppress(SpotifyError):
        capture.poll()
    return capture.received()


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
    vars(spotify).update(script)
    return reason


def test_polls_failing_for_an_hour_open_one_gap(listened, cause):
    covered_until = listened.state().window.covered_until
    archived = set(listened.aws.objects)

    (batch,) = poll(listened)
    counted = listened.metrics()["GapDetected"]
    again = poll(listened)

    assert isinstance(batch.report, OutageReport)
    assert (batch.plays, batch.number, batch.source) == ((), 0, "recently-played")
    assert batch.origin == f"outages/me/{iso(covered_until)}"
    gap = batch.report.gap
    assert (gap.started_at, gap.ended_at, gap.is_closed) == (covered_until, None, False)
    assert gap.reason.startswith(cause)
    assert (again, counted, listened.metrics()["GapDetected"]) == ([], [1], [0])
    assert set(listened.aws.objects) == archived


def test_polls_failing_for_24_minutes_open_no_gap(listened, cause):
    listened.pass_time(minutes=24 - 60)

    batches = poll(listened)

    assert (batches, listened.metrics()["GapDetected"]) == ([], [0])


def test_a_failing_first_poll_opens_no_gap(capture, spotify):
    spotify.pages = [DOWN]

    assert (poll(capture), capture.metrics()["GapDetected"]) == ([], [0])


def test_a_removed_login_opens_a_gap(listened):
    listened.aws.secrets["listener/me"] = "{}"

    (batch,) = poll(listened)

    assert batch.report.gap.reason == "the listener is not logged in"


def test_only_the_poll_that_opened_a_gap_returns_gap_true(listened, spotify):
    spotify.pages = [BUSY]

    assert [listened.poll().gap, listened.poll().gap] == [True, False]


CRASHES = pytest.mark.parametrize(
    "crash",
    [(call, moment) for call in ("send_message", "put_item") for moment in ("before", "after")],
    ids=" ".join,
)


@CRASHES
def test_after_a_crash_the_next_poll_reports_the_opened_gap_again(listened, spotify, crash):
    spotify.pages = [DOWN]
    with pytest.raises(CrashError):
        listened.poll(crash=crash)

    origins = [batch.origin for batch in poll(listened)]

    assert len(origins) >= 1
    assert len(set(origins)) == 1
    assert listened.state().outage.reason == "Spotify fails"


# The first answer after an outage


@pytest.fixture
def resumed(listened, spotify):
    """Spotify answers again after a reported gap."""
    spotify.pages = [DOWN]
    poll(listened)
    return listened


def test_a_poll_that_reaches_the_last_known_play_closes_the_gap(resumed, spotify):
    opened = resumed.state().outage
    spotify.pages = [resumed.page(1, 120)]

    (batch,) = poll(resumed)

    gap = batch.report.gap
    assert (gap.started_at, gap.ended_at, gap.is_closed) == (opened.started_at, resumed.now, True)
    assert "reached back" in gap.reason
    assert resumed.metrics()["GapDetected"] == [0]
    assert resumed.state().outage is None


def test_a_poll_of_50_new_plays_ends_the_gap_at_the_oldest_of_them(resumed, spotify):
    opened = resumed.state().outage
    spotify.pages = [resumed.page(*(40 - n / 2 for n in range(50)))]

    (batch,) = poll(resumed)

    gap = batch.report.gap
    assert (gap.started_at, gap.ended_at) == (opened.started_at, batch.plays[0].played_at)
    assert not gap.is_closed
    assert "Spotify fails" in gap.reason
    assert resumed.metrics()["GapDetected"] == [0]
    assert resumed.state().outage is None


def test_a_second_outage_opens_another_gap(resumed, spotify):
    first = resumed.state().outage
    spotify.pages = [resumed.page(120), DOWN]
    poll(resumed)
    resumed.pass_time(hours=1)

    (batch,) = poll(resumed)

    assert batch.report.gap.started_at > first.started_at
    assert resumed.metrics()["GapDetected"] == [1]


@CRASHES
def test_after_a_crash_the_next_poll_still_closes_the_gap(resumed, spotify, crash):
    spotify.pages = [resumed.page(120)]
    with pytest.raises(CrashError):
        resumed.poll(crash=crash)

    poll(resumed)

    assert resumed.state().outage is None


def test_a_new_login_after_a_refused_one_closes_the_gap(listened, spotify):
    spotify.tokens = [DEAD, a_grant()]
    poll(listened)
    listened.log_in("AQ-9")

    (batch,) = poll(listened)

    assert batch.report.gap.is_closed
    assert listened.state().needs_login is None


# Unreadable plays


def unreadable_page(capture, rows: int) -> Reply:
    """Return a page of plays in an unknown format."""
    shown = [capture.row(3 * n + 3) for n in range(rows)]
    return a_page(*[{"played_at": row["played_at"], "item": row["track"]} for row in shown])


@pytest.mark.parametrize("rows", [1, 50])
@pytest.mark.parametrize("start", ["capture", "listened"], ids=["the first poll", "a later poll"])
def test_a_poll_without_readable_plays_opens_a_gap(request, spotify, rows, start):
    capture = request.getfixturevalue(start)
    spotify.pages = [unreadable_page(capture, rows)]
    archived = len(capture.aws.objects)

    (batch,) = poll(capture)
    counted = capture.metrics()["GapDetected"]
    state = capture.state()
    again = poll(capture)

    gap = batch.report.gap
    assert (gap.reason, gap.ended_at, gap.is_closed) == (UNREADABLE, None, False)
    assert (batch.report.returned, batch.report.unreadable, batch.plays) == (rows, rows, ())
    assert counted == [1]
    assert len(capture.aws.objects) == archived + 1
    assert f"shows {rows} plays, and none can be read" in state.last_error.message
    assert [later.report.gap for later in again] == [None]
    assert capture.metrics()["GapDetected"] == [0]


def test_the_next_readable_poll_closes_a_gap_opened_by_unreadable_plays(capture, spotify):
    spotify.pages = [
        capture.page(120),
        unreadable_page(capture, 3),
        capture.page(3, 6, 9, 120),
    ]
    poll(capture)

    (opened,) = poll(capture)
    (closed,) = poll(capture)

    assert closed.report.gap.started_at == opened.report.gap.started_at
    assert closed.report.gap.is_closed
    assert capture.state().last_error is None
    assert closed.report.new == 3


def test_an_unreadable_row_opens_a_gap_between_the_plays_before_and_after_it(capture, spotify):
    broken = capture.row(6) | {"track": None}
    spotify.pages = [
        capture.page(120),
        a_page(capture.row(3), broken, capture.row(9), capture.row(120)),
    ]
    poll(capture)

    (batch,) = poll(capture)

    gap = batch.report.gap
    assert (gap.reason, gap.is_closed) == (UNREADABLE, False)
    assert [play.track_name for play in batch.plays] == ["T9", "T3"]
    assert gap.ended_at == capture.now - timedelta(minutes=3)
    assert capture.metrics()["GapDetected"] == [1]
    assert capture.state().last_error is None
