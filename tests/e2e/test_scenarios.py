"""Known faults of Spotify and ReccoBeats, simulated for the deployed pipeline."""

import json
from datetime import UTC, datetime, timedelta

import pytest

pytestmark = pytest.mark.e2e


@pytest.fixture
def scenario(local_cloud):
    """Switch the simulators' scenario; switch back to normal at the end."""
    yield lambda *words: local_cloud.run_json("local", "scenario", *words)
    local_cloud.run_json("local", "scenario", "normal")


def test_no_spotify_call_is_made_during_a_rate_limit_of_hours(local_cloud, scenario):
    scenario("quota-exceeded")

    first, second = (local_cloud.plays("poll") for _ in range(2))

    assert (first.returncode, second.returncode) == (1, 1)
    assert "rate-limits the app of listener me until" in second.stderr
    assert local_cloud.blocked_calls() == 0
    blocked_until = local_cloud.run_json("status")["blocked_until"]["me"]
    wait = datetime.fromisoformat(blocked_until) - datetime.now(UTC)
    assert wait > timedelta(hours=14)


def test_a_rate_limit_ends_when_the_simulator_scenario_ends(local_cloud, scenario):
    scenario("quota-exceeded")
    refused = local_cloud.plays("poll")

    scenario("normal")

    assert refused.returncode == 1
    assert local_cloud.run_json("status")["blocked_until"]["me"] is None
    assert local_cloud.run_json("poll", "--wait")["result"]["returned"] == 50


def test_a_short_rate_limit_loses_no_play(local_cloud, scenario, eventually):
    scenario("rate-limited", "retry_after_s=3", "times=1")
    refused = local_cloud.plays("poll")

    polled = eventually(lambda: polled_now(local_cloud), within_s=30)

    assert refused.returncode == 1
    assert polled["result"]["returned"] == 50
    assert local_cloud.blocked_calls() == 0
    assert local_cloud.run_json("status")["open_gaps"] == 0


# A batch and its rows are written in one transaction, and so at one instant.
LOADED_SINCE = """
SELECT poll.returned, poll.new, count(history.track_uri) AS rows,
       max(coalesce(history.loaded_at, batch.loaded_at) - poll.polled_at) AS waited
FROM poll
JOIN loaded_batch AS batch USING (origin)
LEFT JOIN listening_history AS history
       ON history.listener = poll.listener AND history.loaded_at = batch.loaded_at
WHERE poll.listener = 'me' AND poll.polled_at >= :since
GROUP BY poll.origin
"""


def test_plays_load_within_a_minute_while_reccobeats_is_down(local_cloud, scenario):
    scenario("reccobeats-down")
    since = datetime.now(UTC)

    done = local_cloud.run_json("poll", "--wait", "--timeout", "60")

    loaded = local_cloud.rows(LOADED_SINCE, since=since)
    assert done["result"]["returned"] == 50
    assert loaded
    assert all(rows >= new for _, new, rows, _ in loaded)
    assert max(waited for *_, waited in loaded) < timedelta(seconds=60)


def polled_now(local_cloud):
    done = local_cloud.plays("poll", "--wait", "--json")
    return None if done.returncode else json.loads(done.stdout)
