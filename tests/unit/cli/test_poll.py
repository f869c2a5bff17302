import pytest

from cli.commands.poll import Poll, PollResult, line_of, run_collector
from cli.errors import CommandError
from tests.unit.cli.conftest import InvokedTarget


def a_target(answer):
    return InvokedTarget("CollectorFunction", answer)


def an_outcome(**changes):
    return {
        "listener": "anna",
        "status": "polled",
        "new": 3,
        "origin": "polls/anna/x.json.gz",
        "batches": 1,
        **changes,
    }


def test_the_collector_is_invoked_with_the_listener():
    target = a_target(an_outcome())

    done = run_collector(target, "anna")

    assert (done.origin, done.batches, done.new) == ("polls/anna/x.json.gz", 1, 3)
    assert target.events == [{"listener": "anna"}]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        pytest.param(
            {"status": "blocked", "blocked_until": "2026-07-01T12:00:00Z"},
            "Spotify rate-limits the app of listener anna until 2026-07-01T12:00:00.000Z",
            id="blocked",
        ),
        pytest.param(
            {"status": "needs-login"},
            "no longer accepts the login of listener anna: run `plays login --listener anna`",
            id="needs-login",
        ),
        pytest.param(
            {"status": "forbidden", "reason": "User not registered"},
            "the account of listener anna: User not registered; the pipeline retries",
            id="forbidden",
        ),
        pytest.param(
            {"status": "not-logged-in"},
            "listener anna has not logged in yet: run `plays login --listener anna`",
            id="no login",
        ),
    ],
)
def test_a_skipped_poll_is_an_error_with_the_reason(changes, reason):
    target = a_target(an_outcome(origin=None, **changes))

    with pytest.raises(CommandError, match=reason):
        run_collector(target, "anna")


@pytest.mark.usefixtures("listeners")
def test_an_unknown_listener_is_refused_with_the_known_names(plays):
    result = plays("poll", "--listener", "zoe")

    assert result.exit_code == 1
    assert result.stderr == (
        "plays: there is no listener zoe: use anna or me, "
        "or add this one with `plays listener add zoe`\n"
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
        pytest.param({}, "1 of them new rows, 49 already known", id="the collector knew the rest"),
        pytest.param(
            {"new": 3, "duplicates": 2},
            "1 of them new rows, 49 already known",
            id="Postgres knew more than the collector",
        ),
        pytest.param(
            {"new": 4, "upgraded": 3},
            "1 of them new rows, 46 already known, 3 known from an upload",
            id="in an export",
        ),
        pytest.param(
            {"unreadable": 2},
            "1 of them new rows, 47 already known, 2 not readable as tracks",
            id="an episode and a local file",
        ),
    ],
)
def test_the_printed_line_counts_every_returned_play(counts, line):
    assert line_of(a_poll(**counts)) == f"polled for anna: 50 plays shown, {line}"
