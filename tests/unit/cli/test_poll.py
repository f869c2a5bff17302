import io
import json

import pytest

from cli.commands.poll import Poll, collect, told
from cli.errors import CommandError
from cli.upload_results import PollResult


class CollectorTarget:
    """A target whose collector answers what it is given."""

    def __init__(self, answer, **response):
        self.asked = []
        self._response = {"Payload": io.BytesIO(json.dumps(answer).encode()), **response}

    def client(self, _service):
        return self

    def output(self, key):
        return key

    def invoke(self, **request):
        self.asked.append(request)
        return self._response


def an_outcome(**changes):
    return {
        "listener": "anna",
        "status": "polled",
        "new": 3,
        "origin": "polls/anna/x.json.gz",
        "batches": 1,
        **changes,
    }


def test_the_collector_is_asked_for_the_listener_and_tells_the_origin():
    target = CollectorTarget(an_outcome())

    done = collect(target, "anna")

    assert (done.origin, done.batches, done.new) == ("polls/anna/x.json.gz", 1, 3)
    assert target.asked == [
        {"FunctionName": "CollectorFunction", "Payload": b'{"listener": "anna"}'}
    ]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        pytest.param(
            {"status": "blocked", "blocked_until": "2026-07-01T12:00:00Z"},
            "Spotify takes no calls for anna until 2026-07-01T12:00:00.000Z",
            id="blocked",
        ),
        pytest.param(
            {"status": "needs-login"},
            "no longer accepts the login of anna: run `plays login --listener anna`",
            id="needs-login",
        ),
        pytest.param(
            {"status": "forbidden", "reason": "User not registered"},
            "forbids the app or the account of anna: User not registered; it is asked again",
            id="forbidden",
        ),
        pytest.param(
            {"status": "not-logged-in"},
            "anna has not logged in yet: run `plays login --listener anna`",
            id="no login",
        ),
    ],
)
def test_a_collector_that_had_a_reason_not_to_poll_tells_it(changes, reason):
    target = CollectorTarget(an_outcome(origin=None, **changes))

    with pytest.raises(CommandError, match=reason):
        collect(target, "anna")


def test_a_collector_that_failed_says_why():
    failure = {"errorType": "SpotifyError", "errorMessage": "Spotify answered 500"}
    target = CollectorTarget(failure, FunctionError="Unhandled")

    with pytest.raises(CommandError, match="the collector failed: Spotify answered 500"):
        collect(target, "anna")


@pytest.mark.usefixtures("listeners")
def test_who_is_no_listener_is_told_who_is(plays):
    result = plays("poll", "--listener", "nobody")

    assert result.exit_code == 1
    assert result.stderr == (
        "plays: nobody is no listener here: take anna or me, "
        "or add nobody to the listeners in cdk.json and deploy\n"
    )


def a_poll(**counts):
    counts = {"returned": 50, "new": 1, "inserted": 1} | counts
    others = ("late", "moved", "unreadable", "upgraded", "duplicates")
    result = PollResult(
        listener="anna",
        polled_at="2026-07-01T12:00:00Z",
        **dict.fromkeys(others, 0) | counts,
    )
    return Poll(listener="anna", origin="o", batches=1, new=result.new, result=result)


@pytest.mark.parametrize(
    ("counts", "line"),
    [
        pytest.param({}, "1 of them new rows, 49 known already", id="the collector knew the rest"),
        pytest.param(
            {"new": 3, "duplicates": 2},
            "1 of them new rows, 49 known already",
            id="Postgres knew more than the collector",
        ),
        pytest.param(
            {"new": 4, "upgraded": 3},
            "1 of them new rows, 46 known already, 3 known from an upload",
            id="in an export, too",
        ),
        pytest.param(
            {"unreadable": 2},
            "1 of them new rows, 47 known already, 2 not readable as tracks",
            id="an episode and a local file",
        ),
    ],
)
def test_every_play_that_was_shown_is_told_of_once(counts, line):
    assert told(a_poll(**counts)) == f"polled for anna: 50 plays shown, {line}"
