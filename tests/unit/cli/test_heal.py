import json
from functools import partial

import pytest

from cli.commands.heal import STEP_TRACKS

UNTIL = "2026-11-23T09:00:00Z"
TRACK_ID = "1AAAAAAAAAAAAAAAAAAAAA"


def a_healing(**counts):
    return dict.fromkeys(("asked", "learned", "missed", "postponed", "remaining"), 0) | counts


@pytest.fixture
def heal(invoking):
    """Run `plays heal` against healings that come to this."""
    return partial(invoking, "heal", "HealerFunction")


def uris(count):
    return [f"spotify:track:{number:022}" for number in range(count)]


def options(uris_):
    return [word for uri in uris_ for word in ("--track", uri)]


def test_it_heals_until_nothing_remains_and_tells_the_sum(heal):
    result, events = heal(
        a_healing(asked=200, learned=190, missed=10, remaining=250),
        a_healing(asked=200, learned=200, remaining=50),
        a_healing(asked=50, learned=49, postponed=1),
    )

    assert result.exit_code == 0
    assert events == [{"most": STEP_TRACKS}] * 3
    assert result.stdout == (
        "asked for 450 tracks: 439 learnt, 10 known to no source yet, 1 to be asked for again\n"
    )


def test_it_answers_in_json(heal):
    result, _ = heal(
        a_healing(asked=2, learned=1, missed=1, remaining=1),
        a_healing(asked=1, learned=1),
        arguments=["--json"],
    )

    told = {"asked": 3, "learned": 2, "missed": 1, "postponed": 0, "remaining": 0}
    assert json.loads(result.stdout) == told | {"blocked_until": None}


def test_progress_goes_to_stderr_with_a_time_left(heal):
    result, _ = heal(a_healing(asked=200, remaining=50), a_healing(asked=50))

    assert "250/250" in result.stderr
    assert "left" in result.stderr


def test_with_nothing_due_it_says_so(heal):
    result, events = heal(a_healing())

    assert (result.exit_code, len(events)) == (0, 1)
    assert result.stdout.startswith("nothing is due")


@pytest.mark.parametrize(
    "text",
    [
        f"spotify:track:{TRACK_ID}",
        f"https://open.spotify.com/track/{TRACK_ID}",
        f"https://open.spotify.com/track/{TRACK_ID}?si=0123456789abcdef",
        f"https://open.spotify.com/intl-de/track/{TRACK_ID}",
        f" {TRACK_ID} ",
    ],
)
def test_a_track_may_be_named_as_spotify_shows_it(heal, text):
    _, events = heal(a_healing(asked=1, learned=1), arguments=["--track", text])

    assert events == [{"tracks": [f"spotify:track:{TRACK_ID}"]}]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Paper Boats",
        "spotify:episode:1AAAAAAAAAAAAAAAAAAAAA",
        "https://open.spotify.com/album/1AAAAAAAAAAAAAAAAAAAAA",
        "1AAAAAAAAAAAAAAAAAAAA",
        "https://example.org/track/1AAAAAAAAAAAAAAAAAAAAA",
    ],
)
def test_what_is_no_track_is_refused_with_what_to_give(heal, text):
    result, events = heal(a_healing(), arguments=["--track", text])

    assert result.exit_code == 1
    assert "is no track: give spotify:track:" in result.stderr
    assert events == []


def test_many_named_tracks_are_asked_for_step_by_step_each_once(heal):
    named = uris(STEP_TRACKS + 10)

    result, events = heal(
        a_healing(asked=STEP_TRACKS - 5, learned=STEP_TRACKS - 5, remaining=5),
        a_healing(asked=15, learned=15),
        arguments=options([*named, named[0]]),
    )

    assert result.exit_code == 0
    assert [event["tracks"] for event in events] == [named[:STEP_TRACKS], named[-15:]]


def test_a_source_that_takes_no_calls_is_told_of_with_its_time(heal):
    result, events = heal(
        a_healing(asked=200, learned=160, postponed=40, remaining=900, blocked_until=UNTIL)
    )

    assert (result.exit_code, len(events)) == (1, 1)
    assert result.stderr.splitlines()[-1] == (
        "plays: no source of features takes calls until 2026-11-23T09:00:00.000Z "
        "(after 160 were learnt): 940 tracks wait, and heal by themselves after that"
    )
    assert result.stdout == ""


def test_without_any_source_it_ends_and_says_where_to_look(heal):
    result, events = heal(a_healing(remaining=7), a_healing(remaining=7))

    assert (result.exit_code, len(events)) == (1, 2)
    assert "7 tracks go on waiting: is a source named in feature_sources" in result.stderr


def test_tracks_that_another_healing_took_are_no_reason_to_give_up(heal):
    result, events = heal(
        a_healing(remaining=300), a_healing(remaining=100), a_healing(asked=100, learned=100)
    )

    assert (result.exit_code, len(events)) == (0, 3)


def test_a_healer_that_failed_says_why(heal):
    failure = {"errorMessage": "the track cache takes nothing: healing stops"}

    result, _ = heal(failure | {"response": {"FunctionError": "Unhandled"}})

    assert result.exit_code == 1
    assert "plays: the healer failed: the track cache takes nothing" in result.stderr


def test_ctrl_c_says_what_stays_and_what_goes_on(heal):
    result, _ = heal(a_healing(asked=200, learned=200, remaining=50), KeyboardInterrupt())

    assert result.exit_code == 130
    assert result.stderr.splitlines()[-1] == (
        "plays: stopped: what was learnt is kept, and healing goes on by itself every hour"
    )
