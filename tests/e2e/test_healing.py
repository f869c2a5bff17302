"""What has no features yet gets them afterwards, by `plays heal` or by the hour."""

import time
from itertools import islice

import pytest

from infra.local import catalogue

pytestmark = pytest.mark.e2e

SOUND = "SELECT tempo, source FROM track_features WHERE track_uri = :uri"
NOBODY_KNOWS = "spotify:track:0000000000000000000000"


@pytest.fixture(scope="module")
def known():
    """Give the uris of tracks that the feature source knows and nobody has played."""
    numbers = (n for n in range(90_000, 91_000) if catalogue.known_to_reccobeats(n))
    return [f"spotify:track:{catalogue.id_of('track', n)}" for n in islice(numbers, 250)]


@pytest.fixture
def let_wait(local_cloud):
    """Leave tracks in the cache as an enricher does whose source failed."""
    table, dynamodb = local_cloud.output("TrackCacheTable"), local_cloud.client("dynamodb")

    def wait(tracks):
        due = {"misses": {"N": "0"}, "retry_at": {"N": str(int(time.time()) - 60)}}
        for track in tracks:
            dynamodb.put_item(TableName=table, Item={"track_uri": {"S": track}, **due})

    return wait


def test_every_track_that_waits_is_healed_and_a_row(local_cloud, eventually, let_wait, known):
    let_wait([*known, NOBODY_KNOWS])

    told = local_cloud.told("heal")

    assert told == {
        "asked": 251,
        "learned": 250,
        "missed": 1,
        "postponed": 0,
        "remaining": 0,
        "blocked_until": None,
    }
    rows = [eventually(lambda uri=uri: local_cloud.rows(SOUND, uri=uri), 30) for uri in known]
    assert all(tempo > 0 and source == "reccobeats" for ((tempo, source),) in rows)


def test_what_is_healed_is_due_no_more_and_what_nobody_knows_not_yet(local_cloud):
    told = local_cloud.told("heal")

    assert told["asked"] == 0


def test_a_track_that_is_named_is_asked_for_though_it_is_known(local_cloud, known):
    link = f"https://open.spotify.com/track/{known[0].rpartition(':')[2]}?si=1"

    told = local_cloud.told("heal", "--track", link, "--track", NOBODY_KNOWS)

    assert (told["asked"], told["learned"], told["missed"]) == (2, 1, 1)


def test_an_item_that_is_no_track_stops_nothing(local_cloud, let_wait, known):
    let_wait(["poison", known[0]])

    told = local_cloud.told("heal")

    assert (told["asked"], told["learned"], told["remaining"]) == (1, 1, 0)
