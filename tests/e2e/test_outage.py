"""The feature source is down for a day, during which 10,000 unknown tracks are played."""

import time
from datetime import UTC, datetime, timedelta
from itertools import islice

import pytest

from infra.local import catalogue
from infra.local.simulators.scenarios import NORMAL
from services.enricher.cache.pending import INDEX
from shared.models import Play, PlayBatch, PollReport
from shared.queues import Queue

pytestmark = pytest.mark.e2e

LISTENER = "outage"
PLAYS_PER_POLL = 50
CALLS_OF_OTHERS = 10
"""An allowance for tracks of scheduled polls meanwhile."""

WAITED = """
SELECT batch.loaded_at - poll.polled_at
FROM poll JOIN loaded_batch AS batch USING (origin)
WHERE poll.listener = :listener
"""
PLAYS_AND_FEATURES = """
SELECT count(*), count(DISTINCT h.track_uri), count(f.tempo)
FROM listening_history h LEFT JOIN track_features f USING (track_uri)
WHERE h.listener = :listener
"""


@pytest.fixture(scope="module")
def tracks():
    """Return tracks that the source knows and other tests do not play."""
    numbers = filter(catalogue.known_to_reccobeats, range(200_000, 300_000))
    return [catalogue.track(number) for number in islice(numbers, 10_000)]


@pytest.fixture
def source_is_down(local_cloud):
    local_cloud.run_json("local", "scenario", "reccobeats-down")
    yield
    local_cloud.run_json("local", "scenario", NORMAL)


def test_plays_load_within_a_minute_of_their_poll_while_the_feature_source_is_down(
    local_cloud, source_is_down, eventually, tracks
):
    queue = Queue(local_cloud.client("sqs"), local_cloud.output("CollectedPlaysQueueUrl"))
    polls = [tracks[at : at + PLAYS_PER_POLL] for at in range(0, len(tracks), PLAYS_PER_POLL)]
    for number, played in enumerate(polls):
        queue.publish(a_poll(number, played))

    waits = eventually(lambda: delays_if_loaded(local_cloud, len(polls)), within_s=90)

    assert max(waits) < timedelta(minutes=1)
    assert local_cloud.rows(PLAYS_AND_FEATURES, listener=LISTENER) == [[10_000, 10_000, 0]]


def test_healing_after_a_source_outage_takes_two_calls_per_40_tracks(
    local_cloud, eventually, tracks
):
    # A track is recorded as pending after its plays were published.
    eventually(lambda: {track.uri for track in tracks} <= pending_tracks(local_cloud))
    make_due(local_cloud, tracks)
    before = local_cloud.feature_calls()

    answer = local_cloud.run_json("heal")

    assert (answer["learned"], answer["remaining"]) == (10_000, 0)
    assert local_cloud.feature_calls() - before <= 2 * 10_000 / 40 + CALLS_OF_OTHERS
    healed = [[10_000, 10_000, 10_000]]
    eventually(lambda: local_cloud.rows(PLAYS_AND_FEATURES, listener=LISTENER) == healed, 60)


def a_poll(number, played):
    """Return the batch that the collector would publish for a poll of these tracks now."""
    first = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=3 * number)
    plays = tuple(
        Play(
            track_uri=track.uri,
            track_name=track.name,
            artist_name=track.artists[0].name,
            played_at=first + timedelta(minutes=3 * place),
        )
        for place, track in enumerate(played)
    )
    return PlayBatch(
        listener=LISTENER,
        source="recently-played",
        origin=f"polls/{LISTENER}/{number}.json.gz",
        number=0,
        plays=plays,
        report=PollReport(
            polled_at=datetime.now(UTC), returned=len(plays), new=len(plays), late=0, moved=0
        ),
    )


def delays_if_loaded(local_cloud, polls):
    """Return the delay of each poll once all are loaded, else None."""
    waits = [waited for (waited,) in local_cloud.rows(WAITED, listener=LISTENER)]
    return waits if len(waits) == polls else None


def pending_tracks(local_cloud):
    """Return the URIs of the pending tracks."""
    pages = (
        local_cloud.client("dynamodb")
        .get_paginator("scan")
        .paginate(TableName=local_cloud.output("TrackCacheTable"), IndexName=INDEX)
    )
    return {item["track_uri"]["S"] for page in pages for item in page["Items"]}


def make_due(local_cloud, tracks):
    """Set `retry_at` to now, which ends the wait of 15 minutes after a failure."""
    dynamodb, table = local_cloud.client("dynamodb"), local_cloud.output("TrackCacheTable")
    due = {"misses": {"N": "0"}, "retry_at": {"N": str(int(time.time()))}}
    items = [{"PutRequest": {"Item": {"track_uri": {"S": one.uri}, **due}}} for one in tracks]
    for at in range(0, len(items), 25):
        left = dynamodb.batch_write_item(RequestItems={table: items[at : at + 25]})
        assert not left.get("UnprocessedItems")
