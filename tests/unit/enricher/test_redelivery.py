"""The track cache is away: plays go on, SQS retries their messages, and no track is forgotten."""

import pytest
import requests
from botocore.exceptions import ClientError, EndpointConnectionError

from services.enricher.domain.join import CollectedBatch
from services.enricher.handler import LONGEST_ASKING
from tests.unit.enricher.examples import a_batch, uris
from tests.unit.enricher.pipeline import MemoryTable, Pipeline, a_play_of

TRACKS = uris(60)
MESSAGES = {str(n): TRACKS[n * 20 : n * 20 + 20] for n in range(3)}


def unreachable(call, items):
    raise EndpointConnectionError(endpoint_url="DynamoDB")


def throttled(call, items):
    raise ClientError({"Error": {"Code": "ThrottlingException"}}, "BatchWriteItem")


def keys_unprocessed(call, items):
    return {"Responses": {}, "UnprocessedKeys": items}


def items_unprocessed(call, items):
    return {"UnprocessedItems": items}


def working(call, items):
    return call(items)


AWAY = (unreachable, unreachable)
UNREADABLE = (keys_unprocessed, working)
UNWRITABLE = (working, items_unprocessed)
THROTTLED = (working, throttled)
WORKING = (working, working)


class FrailTable(MemoryTable):
    """A table whose reads and writes can be made to fail."""

    def __init__(self):
        super().__init__()
        self.state = WORKING

    def batch_get_item(self, RequestItems):
        return self.state[0](super().batch_get_item, RequestItems)

    def batch_write_item(self, RequestItems):
        return self.state[1](super().batch_write_item, RequestItems)


class Stage(Pipeline):
    """A pipeline with a frail table, and an enricher that receives messages."""

    def __init__(self, reccobeats, session, clock):
        self.table = FrailTable()
        super().__init__(reccobeats, session, clock, self.table)
        self._now = clock
        self.replace_container()

    def replace_container(self):
        self._enricher = self.new_enricher()

    def deliver(self, message_ids=MESSAGES):
        """Deliver messages; return the ids of those that SQS retries."""
        batches = {
            message_id: CollectedBatch.model_validate(
                a_batch(*map(a_play_of, MESSAGES[message_id]), number=int(message_id)).model_dump()
            )
            for message_id in message_ids
        }
        return self._enricher.enrich(batches, self._now() + LONGEST_ASKING)


@pytest.fixture
def stage(reccobeats, clock):
    with requests.Session() as session:
        yield Stage(reccobeats, session, clock)


@pytest.fixture(params=["same container", "new container"])
def visibility_timeout(request, stage, clock):
    """Wait until SQS delivers a failed message again, to this container or another."""

    def wait():
        clock.move(minutes=12)
        if request.param == "new container":
            stage.replace_container()

    return wait


CACHE_FAILURES = pytest.mark.parametrize(
    "failure",
    [AWAY, UNREADABLE, UNWRITABLE, THROTTLED],
    ids=["away", "unreadable", "unwritable", "throttled"],
)


@CACHE_FAILURES
def test_no_pending_track_is_lost_while_the_cache_is_away(
    stage, visibility_timeout, reccobeats, failure
):
    reccobeats.fail(503)
    stage.table.state = failure
    failed = stage.deliver()
    visibility_timeout()
    stage.table.state = WORKING
    failed_again = stage.deliver(failed)
    reccobeats.recover()
    visibility_timeout()
    visibility_timeout()

    stage.heal()

    assert (failed, failed_again) == ([*MESSAGES], [])
    assert set(stage.loaded_at) == set(TRACKS)
    assert set(stage.features) == set(TRACKS)


@CACHE_FAILURES
def test_plays_go_on_at_once_while_the_cache_is_away(stage, reccobeats, clock, failure):
    reccobeats.fail(503)
    stage.table.state = failure

    stage.deliver()

    assert stage.loaded_at == dict.fromkeys(TRACKS, clock())


def test_messages_fail_for_as_long_as_the_cache_is_away(stage, visibility_timeout, reccobeats):
    reccobeats.fail(503)
    stage.table.state = AWAY

    failed = [(stage.deliver(), visibility_timeout()) for _ in range(5)]

    assert failed == [(list(MESSAGES), None)] * 5


def test_an_unreadable_cache_causes_no_call_to_a_source(stage, reccobeats):
    stage.table.state = UNREADABLE

    failed = stage.deliver()

    assert failed == [*MESSAGES]
    assert reccobeats.calls == []


def test_a_retry_brings_the_features_that_the_first_attempt_lacked(stage, visibility_timeout):
    stage.table.state = UNREADABLE
    failed = stage.deliver()
    visibility_timeout()
    stage.table.state = WORKING

    stage.deliver(failed)

    assert set(stage.features) == set(TRACKS)


@pytest.mark.parametrize("failure", [UNWRITABLE, THROTTLED], ids=["unwritable", "throttled"])
def test_only_messages_with_pending_tracks_fail(stage, reccobeats, failure):
    reccobeats.unknown = {"track0"}
    stage.table.state = failure

    failed = stage.deliver()

    assert failed == ["0"]
    assert set(stage.features) == {*TRACKS[1:]}


def test_a_failing_cache_is_logged_as_an_error(stage, reccobeats, caplog):
    reccobeats.fail(503)
    stage.table.state = THROTTLED

    stage.deliver()

    (error,) = [record for record in caplog.records if record.levelname == "ERROR"]
    assert error.message == "findings cannot be saved"
    assert "ThrottlingException" in error.error
