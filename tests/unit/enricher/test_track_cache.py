from datetime import timedelta

import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError

from services.enricher.cache.items import entry_of
from services.enricher.cache.table import TrackCache, TrackCacheError
from services.enricher.domain.entry import Entry
from tests.unit.enricher.examples import START, TABLE, some_features, uri, uris

KNOWN = Entry(some_features("Boats", energy=0.1 + 0.2))
PENDING = Entry(misses=2, retry_at=START + timedelta(days=7))
AGAIN = Entry(misses=3, retry_at=START + timedelta(days=37))
INCOMPLETE = Entry(some_features("Boats", energy=None), 0, START + timedelta(minutes=15))
UNPOPULAR = Entry(some_features("Boats", popularity=0))
UNRATED = Entry(some_features("Boats", popularity=None))


class Metered:
    """Passes calls on, records the size of each, and processes only its first keys or items."""

    def __init__(self, dynamodb, share=100):
        self._dynamodb = dynamodb
        self._share = share
        self.sizes = []

    def batch_get_item(self, RequestItems):
        keys, rest = self._split(RequestItems[TABLE]["Keys"])
        answer = self._dynamodb.batch_get_item(RequestItems={TABLE: {"Keys": keys}})
        unprocessed = {TABLE: {"Keys": rest}} if rest else {}
        return {"Responses": answer["Responses"], "UnprocessedKeys": unprocessed}

    def batch_write_item(self, RequestItems):
        items, rest = self._split(RequestItems[TABLE])
        self._dynamodb.batch_write_item(RequestItems={TABLE: items})
        return {"UnprocessedItems": {TABLE: rest} if rest else {}}

    def _split(self, requests):
        self.sizes.append(len(requests))
        return requests[: self._share], requests[self._share :]


def stored(dynamodb, track):
    return dynamodb.get_item(TableName=TABLE, Key={"track_uri": {"S": track}})["Item"]


@pytest.mark.parametrize(
    "entry",
    [KNOWN, PENDING, INCOMPLETE, UNPOPULAR, UNRATED],
    ids=["known", "pending", "incomplete", "unpopular", "unrated"],
)
def test_another_container_reads_the_cache_entries_unchanged(new_container, entry):
    new_container().write({uri("Boats"): entry})

    entries_read = new_container().read([uri("Boats"), uri("other")], START)

    assert entries_read == {uri("Boats"): entry}


def test_a_known_track_is_stored_without_the_keys_of_the_due_index(new_container, dynamodb):
    new_container().write({uri("Boats"): KNOWN})

    assert stored(dynamodb, uri("Boats")).keys() == {"track_uri", "features"}


@pytest.mark.parametrize(
    "attributes",
    [
        {"features": {"S": "no JSON"}},
        {"features": {"S": some_features("other").model_dump_json()}},
        {"features": {"N": "5"}},
        {"retry_at": {"N": "1.5"}, "misses": {"N": "0"}},
        {"retry_at": {"N": "1" + "0" * 17}, "misses": {"N": "0"}},
        {"retry_at": {"N": "1" + "0" * 30}, "misses": {"N": "0"}},
        {"retry_at": {"S": "soon"}},
        {"retry_at": {"N": "5"}},
        {"retry_at": {"N": "5"}, "misses": {"N": "-9"}},
        {"retry_at": {"N": "5"}, "misses": {"N": "5"}},
        {"retry_at": {"N": "253402300799"}, "misses": {"N": "0"}},
        {"retry_at": {"NULL": True}, "misses": {"N": "0"}},
    ],
    ids=[
        *("text", "other track", "type", "fraction", "far", "too long", "word", "no misses"),
        *("negative misses", "too many misses", "year 9999", "null"),
    ],
)
def test_a_damaged_cache_item_is_read_as_none(attributes):
    assert entry_of({"track_uri": {"S": uri("odd")}, **attributes}) is None


def test_a_damaged_cache_item_counts_as_absent_and_is_logged(dynamodb, new_container, caplog):
    damaged = {"track_uri": {"S": uri("odd")}, "features": {"S": "no JSON"}}
    dynamodb.put_item(TableName=TABLE, Item=damaged)

    assert new_container().read([uri("odd")], START) == {}
    assert [(record.message, record.track) for record in caplog.records] == [
        ("track cache holds an unreadable item", uri("odd"))
    ]


def test_a_pending_track_is_stored_with_numeric_misses_and_retry_at(new_container, dynamodb):
    new_container().write({uri("Boats"): PENDING})

    item = stored(dynamodb, uri("Boats"))
    due_at = int((START + timedelta(days=7)).timestamp())
    assert (item["misses"], item["retry_at"]) == ({"N": "2"}, {"N": str(due_at)})


def test_retry_at_is_rounded_up_to_a_whole_second(new_container):
    retry_at = START + timedelta(seconds=5, milliseconds=1)
    new_container().write({uri("Boats"): Entry(retry_at=retry_at)})

    entry = new_container().read([uri("Boats")], START)[uri("Boats")]

    assert entry.retry_at == START + timedelta(seconds=6)


def test_one_dynamodb_call_writes_25_tracks_or_reads_100(dynamodb):
    entries = dict.fromkeys(uris(130), PENDING)
    table = Metered(dynamodb)
    TrackCache(table, TABLE).write(entries)
    TrackCache(table, TABLE).write({})

    entries_read = TrackCache(table, TABLE).read(uris(130), START)

    assert entries_read == entries
    assert table.sizes == [25, 25, 25, 25, 25, 5, 100, 30]


def test_the_last_of_two_containers_to_write_a_track_wins(new_container):
    new_container().write({uri("Boats"): KNOWN})

    new_container().write({uri("Boats"): PENDING})

    assert new_container().read([uri("Boats")], START) == {uri("Boats"): PENDING}


def test_tracks_in_memory_are_not_read_from_dynamodb_again(dynamodb):
    table = Metered(dynamodb)
    cache = TrackCache(table, TABLE)
    cache.write({uri("written"): KNOWN})
    TrackCache(dynamodb, TABLE).write({uri("read"): PENDING})
    cache.read([uri("read")], START)
    table.sizes.clear()

    entries_read = cache.read([uri("written"), uri("read")], START)

    assert entries_read == {uri("written"): KNOWN, uri("read"): PENDING}
    assert table.sizes == []


def test_a_due_track_is_read_from_dynamodb_even_if_in_memory(new_container):
    cache = new_container()
    cache.write({uri("Boats"): PENDING})
    new_container().write({uri("Boats"): KNOWN})

    early = cache.read([uri("Boats")], START)
    due = cache.read([uri("Boats")], PENDING.retry_at)

    assert early == {uri("Boats"): PENDING}
    assert due == {uri("Boats"): KNOWN}


def test_the_in_memory_cache_drops_the_least_recently_used_track(dynamodb):
    table = Metered(dynamodb)
    cache = TrackCache(table, TABLE, size=2)
    cache.write({uri("a"): KNOWN, uri("b"): KNOWN})
    cache.read([uri("a")], START)
    cache.write({uri("c"): KNOWN})
    table.sizes.clear()

    cache.read([uri("a"), uri("c")], START)
    assert table.sizes == []

    cache.read([uri("b")], START)
    assert table.sizes == [1]


def test_unprocessed_items_of_dynamodb_are_sent_again(dynamodb):
    entries = dict.fromkeys(uris(9), PENDING)
    table = Metered(dynamodb, share=3)

    TrackCache(table, TABLE).write(entries)
    entries_read = TrackCache(table, TABLE).read(uris(9), START)

    assert entries_read == entries
    assert table.sizes == [9, 6, 3] * 2


def test_a_read_fails_if_dynamodb_keeps_returning_unprocessed_keys(dynamodb):
    with pytest.raises(TrackCacheError, match=r"batch_get_item .* unprocessed after 4 calls"):
        TrackCache(Metered(dynamodb, share=2), TABLE).read(uris(10), START)


def test_a_write_fails_if_dynamodb_keeps_returning_unprocessed_items(dynamodb, new_container):
    with pytest.raises(TrackCacheError, match=r"batch_write_item .* unprocessed after 4 calls"):
        TrackCache(Metered(dynamodb, share=2), TABLE).write(dict.fromkeys(uris(10), PENDING))

    assert set(new_container().read(uris(10), START)) == set(uris(8))


def test_a_failed_write_does_not_change_the_in_memory_cache(dynamodb):
    cache = TrackCache(dynamodb, TABLE)
    cache.write({uri("Boats"): PENDING})
    dynamodb.delete_table(TableName=TABLE)

    with pytest.raises(TrackCacheError, match=r"batch_write_item.*ResourceNotFoundException"):
        cache.write({uri("Boats"): AGAIN})

    assert cache.read([uri("Boats")], START) == {uri("Boats"): PENDING}


@pytest.mark.parametrize(
    "error",
    [
        ClientError({"Error": {"Code": "Throttling"}}, "BatchGetItem"),
        ConnectTimeoutError(endpoint_url=""),
    ],
    ids=["refused", "no connection"],
)
def test_an_unreachable_cache_table_raises_a_track_cache_error(
    new_container, dynamodb, monkeypatch, error
):
    def fail(**_):
        raise error

    monkeypatch.setattr(dynamodb, "batch_get_item", fail)

    with pytest.raises(TrackCacheError, match="batch_get_item of the track cache failed"):
        new_container().read([uri("new")], START)


def test_tracks_in_memory_stay_known_while_the_table_is_unreachable(dynamodb, new_container):
    cache = new_container()
    cache.write({uri("Boats"): KNOWN})
    dynamodb.delete_table(TableName=TABLE)

    assert cache.read([uri("Boats")], START) == {uri("Boats"): KNOWN}
