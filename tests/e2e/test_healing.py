"""`plays heal` brings the features of pending tracks."""

import time
from itertools import islice

import pytest

from infra.local import catalogue

pytestmark = pytest.mark.e2e

FEATURES = "SELECT tempo, source FROM track_features WHERE track_uri = :uri"
UNKNOWN = "spotify:track:0000000000000000000000"


@pytest.fixture(scope="module")
def known():
    """The URIs of tracks that the feature source knows and no test plays."""
    numbers = (n for n in range(90_000, 91_000) if catalogue.known_to_reccobeats(n))
    return [f"spotify:track:{catalogue.id_of('track', n)}" for n in islice(numbers, 250)]


@pytest.fixture
def make_due(local_cloud):
    """Write due tracks to the cache, as the enricher does after its source failed."""
    table, dynamodb = local_cloud.output("TrackCacheTable"), local_cloud.client("dynamodb")

    def write(tracks):
        due = {"misses": {"N": "0"}, "retry_at": {"N": str(int(time.time()) - 60)}}
        for track in tracks:
            dynamodb.put_item(TableName=table, Item={"track_uri": {"S": track}, **due})

    return write


def test_heal_loads_the_features_of_every_due_track(local_cloud, eventually, make_due, known):
    make_due([*known, UNKNOWN])

    answer = local_cloud.run_json("heal")

    # The missed track, and those of other tests that no source knows.
    waiting = answer.pop("pending")
    assert waiting["tracks"] == waiting["unknown_to_sources"] >= 1
    assert answer == {
        "asked": 251,
        "learned": 250,
        "missed": 1,
        "postponed": 0,
        "remaining": 0,
        "blocked_until": None,
    }
    rows = [eventually(lambda uri=uri: local_cloud.rows(FEATURES, uri=uri), 30) for uri in known]
    assert all(tempo > 0 and source == "reccobeats" for ((tempo, source),) in rows)


def test_a_second_heal_run_finds_no_due_track(local_cloud):
    answer = local_cloud.run_json("heal")

    assert answer["asked"] == 0


def test_heal_with_a_track_requests_its_features_even_if_known(local_cloud, known):
    link = f"https://open.spotify.com/track/{known[0].rpartition(':')[2]}?si=1"

    answer = local_cloud.run_json("heal", "--track", link, "--track", UNKNOWN)

    assert (answer["asked"], answer["learned"], answer["missed"]) == (2, 1, 1)


def test_heal_skips_a_cache_item_that_is_not_a_track(local_cloud, make_due, known):
    make_due(["poison", known[0]])

    answer = local_cloud.run_json("heal")

    assert (answer["asked"], answer["learned"], answer["remaining"]) == (1, 1, 0)
