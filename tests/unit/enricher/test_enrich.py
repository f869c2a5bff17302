"""Plays never wait for features, and no pending track is forgotten."""

from contextlib import contextmanager
from datetime import timedelta

import pytest
from botocore.exceptions import ClientError

from services.enricher.cache.pending import DueTracks
from services.enricher.domain.join import CollectedBatch
from services.enricher.enrich import Enricher
from services.enricher.handler import LONGEST_ASKING
from services.enricher.lookup import Lookup
from services.enricher.sources.reccobeats import TIMEOUT_S
from services.enricher.sources.source import Answer
from shared.errors import FeatureSourceError
from shared.queues import Queue
from tests.unit.enricher.examples import START, TABLE, a_batch, plays_of, uris
from tests.unit.enricher.fake_source import Source, failing, known_except

TRACKS = uris(60)
MESSAGES = {str(n): TRACKS[n * 20 : n * 20 + 20] for n in range(3)}
DOWN = failing(FeatureSourceError("503"))


@pytest.fixture
def new_enricher(new_container, clock, loader):
    """Return a function that delivers messages to a container that has just started.

    It returns the ids of the failed ones, which SQS retries.
    """

    def start(answer):
        lookup = Lookup(new_container(), {"source": Source(answer)}, clock)
        enricher = Enricher(lookup=lookup, queue=Queue(loader, "enriched-plays"))

        def deliver(messages=MESSAGES):
            batches = {
                message_id: CollectedBatch.model_validate(
                    a_batch(*plays_of(messages[message_id]), number=int(message_id)).model_dump()
                )
                for message_id in messages
            }
            return enricher.enrich(batches, clock() + LONGEST_ASKING)

        return deliver

    return start


@contextmanager
def failing_cache(dynamodb, operation):
    """Let an operation of the table fail."""

    def throttled(**_):
        raise ClientError({"Error": {"Code": "ThrottlingException"}}, operation)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dynamodb, operation, throttled)
        yield


CACHE_FAILURES = pytest.mark.parametrize("operation", ["batch_get_item", "batch_write_item"])


@CACHE_FAILURES
def test_plays_are_published_while_the_track_cache_fails(
    new_enricher, dynamodb, loader, caplog, operation
):
    deliver = new_enricher(DOWN)

    with failing_cache(dynamodb, operation):
        failed = [deliver() for _ in range(5)]

    errors = [record.error for record in caplog.records if record.levelname == "ERROR"]
    assert failed == [[*MESSAGES]] * 5
    assert [play.track_uri for play in loader.plays] == TRACKS * 5
    assert ["ThrottlingException" in error for error in errors] == [True] * 5


@CACHE_FAILURES
@pytest.mark.parametrize("is_replaced", [False, True], ids=["same container", "new container"])
def test_a_retry_saves_pending_tracks_that_the_cache_failed_to_store(
    new_enricher, dynamodb, clock, operation, is_replaced
):
    deliver = new_enricher(DOWN)
    with failing_cache(dynamodb, operation):
        deliver()
    clock.move(minutes=12)
    deliver = new_enricher(DOWN) if is_replaced else deliver

    failed_again = deliver()

    tracks, _ = DueTracks(dynamodb, TABLE).read(clock() + timedelta(minutes=15), 100)
    assert failed_again == []
    assert set(tracks) == set(TRACKS)


def test_a_retry_publishes_the_features_missing_in_the_first_attempt(
    new_enricher, dynamodb, loader
):
    deliver = new_enricher(known_except())
    with failing_cache(dynamodb, "batch_get_item"):
        deliver()
    before = loader.tracks

    deliver()

    assert (before, loader.tracks) == ([], TRACKS)


def test_while_the_cache_is_unwritable_only_messages_with_pending_tracks_fail(
    new_enricher, dynamodb, loader
):
    deliver = new_enricher(known_except(TRACKS[0]))

    with failing_cache(dynamodb, "batch_write_item"):
        failed = deliver()

    assert failed == ["0"]
    assert loader.tracks == TRACKS[1:]


@pytest.mark.parametrize("failure", [None, FeatureSourceError("timeout")], ids=["slow", "hangs"])
def test_a_slow_feature_source_delays_plays_by_less_than_a_minute(
    new_enricher, clock, loader, failure
):
    longest_fetch = timedelta(seconds=2 * sum(TIMEOUT_S))
    durations = iter([LONGEST_ASKING - timedelta(milliseconds=1), longest_fetch])

    def slow(tracks):
        clock.time += next(durations)
        failed = failure and clock.time > START + LONGEST_ASKING
        return Answer(failure=failure) if failed else Answer(missing=frozenset(tracks))

    new_enricher(slow)({"0": uris(500)})

    waited = clock.time - START
    assert [play.track_uri for play in loader.plays] == uris(500)
    assert LONGEST_ASKING + longest_fetch - timedelta(seconds=1) < waited < timedelta(minutes=1)
