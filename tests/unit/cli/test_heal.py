import json
from functools import partial

import pytest

from cli.commands.heal import STEP_TRACKS
from tests.fakes.track_cache import NOON, wait_for_features

UNTIL = "2026-11-23T09:00:00Z"
TRACK_ID = "1AAAAAAAAAAAAAAAAAAAAA"


def a_healing(**counts):
    return dict.fromkeys(("asked", "learned", "missed", "postponed", "remaining"), 0) | counts


@pytest.fixture
def heal(invoking):
    """Run `plays heal` against a healer that returns these results."""
    return partial(invoking, "heal", "HealerFunction")


def uris(count):
    return [f"spotify:track:{number:022}" for number in range(count)]


def options(uris_):
    return [word for uri in uris_ for word in ("--track", uri)]


def test_heal_continues_until_no_track_remains_and_prints_sums(heal):
    result, events = heal(
        a_healing(asked=200, learned=190, missed=10, remaining=250),
        a_healing(asked=200, learned=200, remaining=50),
        a_healing(asked=50, learned=49, postponed=1),
    )

    assert result.exit_code == 0
    assert events == [{"most": STEP_TRACKS}] * 3
    assert result.stdout == (
        "asked for 450 tracks: features of 439 found, 10 known to no source yet, 1 postponed\n"
        "no track waits for features\n"
    )


def test_json_contains_the_sums_of_all_calls(heal):
    result, _ = heal(
        a_healing(asked=2, learned=1, missed=1, remaining=1),
        a_healing(asked=1, learned=1),
        arguments=["--json"],
    )

    sums = {"asked": 3, "learned": 2, "missed": 1, "postponed": 0, "remaining": 0}
    pending = {"tracks": 0, "unknown_to_sources": 0, "due_at": None}
    assert json.loads(result.stdout) == sums | {"blocked_until": None, "pending": pending}


def test_progress_and_time_left_go_to_stderr(heal):
    result, _ = heal(a_healing(asked=200, remaining=50), a_healing(asked=50))

    assert "250/250" in result.stderr
    assert "left" in result.stderr


def test_heal_says_if_no_track_is_due(heal):
    result, events = heal(a_healing())

    assert (result.exit_code, len(events)) == (0, 1)
    assert result.stdout == "no track is due\nno track waits for features\n"
    assert "0/0" not in result.stderr


def test_heal_counts_the_tracks_that_still_wait(heal, target):
    wait_for_features(target, 1, 0, NOON)
    wait_for_features(target, 2, 2, NOON)

    result, _ = heal(a_healing())

    assert result.stdout == (
        "no track is due\n"
        "2 tracks wait for features: 1 that no source knows, 1 whose source failed. The first is "
        "asked for again at 2026-07-01 12:00 UTC; `plays heal --all` asks for all now.\n"
    )


def test_option_all_asks_for_tracks_that_are_not_due(heal, target):
    wait_for_features(target, 1, 4, NOON.replace(year=2099))

    result, events = heal(a_healing(asked=1, learned=1), arguments=["--all"])

    assert result.exit_code == 0
    assert events == [{"tracks": [f"spotify:track:{1:022}"]}]


def test_option_all_without_pending_tracks_asks_for_due_tracks_only(heal):
    _, events = heal(a_healing(), arguments=["--all"])

    assert events == [{"most": STEP_TRACKS}]


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
def test_a_track_can_be_a_uri_link_or_id(heal, text):
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
def test_a_malformed_track_is_refused_with_the_valid_forms(heal, text):
    result, events = heal(a_healing(), arguments=["--track", text])

    assert result.exit_code == 1
    assert "is not a track: use spotify:track:" in result.stderr
    assert events == []


def test_many_tracks_are_sent_in_steps_without_duplicates(heal):
    named = uris(STEP_TRACKS + 10)

    result, events = heal(
        a_healing(asked=STEP_TRACKS - 5, learned=STEP_TRACKS - 5, remaining=5),
        a_healing(asked=15, learned=15),
        arguments=options([*named, named[0]]),
    )

    assert result.exit_code == 0
    assert [event["tracks"] for event in events] == [named[:STEP_TRACKS], named[-15:]]


def test_heal_fails_if_every_source_is_rate_limited(heal):
    result, events = heal(
        a_healing(asked=200, learned=160, postponed=40, remaining=900, blocked_until=UNTIL)
    )

    assert (result.exit_code, len(events)) == (1, 1)
    assert result.stderr.splitlines()[-1] == (
        "plays: no source of features can be asked before 2026-11-23 09:00 UTC (after features of "
        "160 tracks were found), because each failed or is rate-limited (see `plays logs healer`): "
        "940 tracks wait, and heal automatically after that"
    )
    assert result.stdout == ""


def test_heal_without_a_configured_source_fails_with_advice(heal):
    result, events = heal(a_healing(remaining=7), a_healing(remaining=7))

    assert (result.exit_code, len(events)) == (1, 2)
    assert "no progress with 7 tracks: check that feature_sources" in result.stderr


def test_heal_continues_while_another_healer_handles_the_due_tracks(heal):
    result, events = heal(
        a_healing(remaining=300), a_healing(remaining=100), a_healing(asked=100, learned=100)
    )

    assert (result.exit_code, len(events)) == (0, 3)


def test_the_error_of_a_failed_healer_is_printed(heal):
    failure = {"errorMessage": "the track cache takes nothing: healing stops"}

    result, _ = heal(failure | {"response": {"FunctionError": "Unhandled"}})

    assert result.exit_code == 1
    assert "plays: the function healer failed: the track cache takes nothing" in result.stderr


def test_ctrl_c_says_that_found_features_are_kept(heal):
    result, _ = heal(a_healing(asked=200, learned=200, remaining=50), KeyboardInterrupt())

    assert result.exit_code == 130
    assert result.stderr.splitlines()[-1] == (
        "plays: stopped: the features found so far are kept, and healing continues every hour"
    )
