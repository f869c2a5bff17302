"""Neither the source nor the track cache can be reached: plays go on, and no track is forgotten."""

import pytest
import requests
from botocore.exceptions import ClientError, EndpointConnectionError

from services.enricher.domain.join import CollectedBatch
from services.enricher.handler import LONGEST_ASKING
from tests.unit.enricher.examples import a_batch, uris
from tests.unit.enricher.test_outage import MemoryTable, Pipeline, a_play_of

TRACKS = uris(60)
MESSAGES = {str(n): TRACKS[n * 20 : n * 20 + 20] for n in range(3)}


class FrailTable(MemoryTable):
    """A table that has a trouble until it is given another."""

    def __init__(self):
        super().__init__()
        self.trouble = Sound()

    def batch_get_item(self, RequestItems):
        return self.trouble.get(super().batch_get_item, RequestItems)

    def batch_write_item(self, RequestItems):
        return self.trouble.write(super().batch_write_item, RequestItems)


class Sound:
    """No trouble."""

    def get(self, call, items):
        return call(items)

    def write(self, call, items):
        return call(items)


class Away(Sound):
    """The table does not answer."""

    def get(self, call, items):
        raise EndpointConnectionError(endpoint_url="DynamoDB")

    def write(self, call, items):
        raise EndpointConnectionError(endpoint_url="DynamoDB")


class Unread(Sound):
    """The table takes what it is given, and processes no key that it is asked for."""

    def get(self, call, items):
        return {"Responses": {}, "UnprocessedKeys": items}


class Unwritten(Sound):
    """The table tells what it has, and processes no item."""

    def write(self, call, items):
        return {"UnprocessedItems": items}


class Throttled(Sound):
    """The table refuses all writes but the first, which holds 25 tracks."""

    def __init__(self):
        self._writes = 0

    def write(self, call, items):
        self._writes += 1
        if self._writes > 1:
            raise ClientError({"Error": {"Code": "ThrottlingException"}}, "BatchWriteItem")
        return call(items)


class Stage(Pipeline):
    """A pipeline whose table can be given a trouble, and an enricher that gets messages."""

    def __init__(self, reccobeats, session, clock):
        self.table = FrailTable()
        super().__init__(reccobeats, session, clock, self.table)
        self._now = clock
        self.replace_container()

    def replace_container(self):
        self._enricher = self.new_enricher()

    def deliver(self, message_ids=MESSAGES):
        """Deliver messages; gives the ids of those that come again."""
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
def between(request, stage, clock):
    """Let the time pass until a message is seen again, by this container or another."""
    replace = {"same container": lambda: None, "new container": stage.replace_container}

    def wait():
        clock.move(minutes=12)
        replace[request.param]()

    return wait


@pytest.mark.parametrize(
    ("trouble", "again"),
    [
        (Away, ["0", "1", "2"]),
        (Unread, ["0", "1", "2"]),
        (Unwritten, ["0", "1", "2"]),
        (Throttled, ["1", "2"]),
    ],
)
def test_what_is_neither_told_nor_written_down_comes_again_until_it_is_and_heals(
    stage, between, reccobeats, trouble, again
):
    reccobeats.fail(503)
    stage.table.trouble = trouble()
    failed = stage.deliver()
    between()
    stage.table.trouble = Sound()
    failed_again = stage.deliver(failed)
    reccobeats.recover()
    between()
    between()

    stage.heal()

    assert (failed, failed_again) == (again, [])
    assert set(stage.loaded_at) == set(TRACKS)
    assert set(stage.features) == set(TRACKS)


def test_plays_go_on_at_once_though_their_messages_come_again(stage, reccobeats, clock):
    reccobeats.fail(503)
    stage.table.trouble = Away()

    stage.deliver()

    assert stage.loaded_at == dict.fromkeys(TRACKS, clock())


def test_messages_come_again_for_as_long_as_the_table_is_away(stage, between, reccobeats):
    reccobeats.fail(503)
    stage.table.trouble = Away()

    failed = [(stage.deliver(), between()) for _ in range(5)]

    assert failed == [(list(MESSAGES), None)] * 5


@pytest.mark.parametrize("trouble", [Away, Unread, Unwritten])
def test_tracks_that_no_source_knows_come_again_as_well(stage, reccobeats, clock, trouble):
    reccobeats.unknown = {"track0"}
    stage.table.trouble = trouble()
    failed = stage.deliver()
    stage.table.trouble = Sound()
    failed_again = stage.deliver(failed)
    reccobeats.unknown = set()
    clock.move(days=1)

    stage.heal()

    assert (failed, failed_again) == (["0"], [])
    assert set(stage.features) == set(TRACKS)


@pytest.mark.parametrize("trouble", [Away, Unread, Unwritten, Throttled])
def test_what_was_learnt_is_on_its_way_and_need_not_come_again(stage, trouble):
    stage.table.trouble = trouble()

    failed = stage.deliver()

    assert failed == []
    assert set(stage.features) == set(TRACKS)


def test_what_stands_in_the_table_already_need_not_be_read_to_be_safe(stage, reccobeats, clock):
    reccobeats.fail(503)
    stage.deliver()
    clock.move(hours=1)
    stage.table.trouble = Unread()

    assert stage.deliver() == []


def test_messages_that_come_again_are_logged(stage, reccobeats, caplog):
    reccobeats.fail(503)
    stage.table.trouble = Throttled()

    stage.deliver()

    (error,) = [record for record in caplog.records if record.levelname == "ERROR"]
    assert (error.tracks, error.messages) == (35, 2)
