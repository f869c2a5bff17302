"""The source of features is down for a day, in which 10,000 tracks are played that nobody knows."""

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
"""For what the schedule brings meanwhile."""

WAITED = """
SELECT batch.loaded_at - poll.polled_at
FROM poll JOIN loaded_batch AS batch USING (origin)
WHERE poll.listener = :listener
"""
PLAYS_AND_SOUNDS = """
SELECT count(*), count(DISTINCT h.track_uri), count(f.tempo)
FROM listening_history h LEFT JOIN track_features f USING (track_uri)
WHERE h.listener = :listener
"""


@pytest.fixture(scope="module")
def tracks():
    """Give tracks that the source knows, and that no other test has played."""
    numbers = filter(catalogue.known_to_reccobeats, range(200_000, 300_000))
    return [catalogue.track(number) for number in islice(numbers, 10_000)]


@pytest.fixture
def source_is_down(local_cloud):
    local_cloud.told("local", "scenario", "reccobeats-down")
    yield
    local_cloud.told("local", "scenario", NORMAL)


def test_plays_are_rows_within_a_minute_of_their_poll(
    local_cloud, source_is_down, eventually, tracks
):
    queue = Queue(local_cloud.client("sqs"), local_cloud.output("CollectedPlaysQueueUrl"))
    polls = [tracks[at : at + PLAYS_PER_POLL] for at in range(0, len(tracks), PLAYS_PER_POLL)]
    for number, played in enumerate(polls):
        queue.publish(a_poll(number, played))

    waits = eventually(lambda: all_loaded(local_cloud, len(polls)), within_s=90)

    assert max(waits) < timedelta(minutes=1)
    assert local_cloud.rows(PLAYS_AND_SOUNDS, listener=LISTENER) == [[10_000, 10_000, 0]]


def test_once_the_source_is_back_healing_fills_all_in_two_calls_for_40(
    local_cloud, eventually, tracks
):
    # A track is written down after its plays were published.
    eventually(lambda: {track.uri for track in tracks} <= waiting(local_cloud))
    let_wait_no_longer(local_cloud, tracks)
    before = local_cloud.feature_calls()

    told = local_cloud.told("heal")

    assert (told["learned"], told["remaining"]) == (10_000, 0)
    assert local_cloud.feature_calls() - before <= 2 * 10_000 / 40 + CALLS_OF_OTHERS
    healed = [[10_000, 10_000, 10_000]]
    eventually(lambda: local_cloud.rows(PLAYS_AND_SOUNDS, listener=LISTENER) == healed, 60)


def a_poll(number, played):
    """Write what the collector publishes of a poll that brought these tracks, just now."""
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


def all_loaded(local_cloud, polls):
    """Tell how long each poll waited to be rows, once all are."""
    waits = [waited for (waited,) in local_cloud.rows(WAITED, listener=LISTENER)]
    return waits if len(waits) == polls else None


def waiting(local_cloud):
    """Name the tracks that healing is to ask for, once it is time."""
    pages = (
        local_cloud.client("dynamodb")
        .get_paginator("scan")
        .paginate(TableName=local_cloud.output("TrackCacheTable"), IndexName=INDEX)
    )
    return {item["track_uri"]["S"] for page in pages for item in page["Items"]}


def let_wait_no_longer(local_cloud, tracks):
    """Let the quarter of an hour be over for which a source that failed is left alone."""
    dynamodb, table = local_cloud.client("dynamodb"), local_cloud.output("TrackCacheTable")
    due = {"misses": {"N": "0"}, "retry_at": {"N": str(int(time.time()))}}
    items = [{"PutRequest": {"Item": {"track_uri": {"S": one.uri}, **due}}} for one in tracks]
    for at in range(0, len(items), 25):
        left = dynamodb.batch_write_item(RequestItems={table: items[at : at + 25]})
        assert not left.get("UnprocessedItems")
