from datetime import timedelta
from types import SimpleNamespace

import pytest

from services.enricher.cache.table import TrackCache, TrackCacheError
from services.enricher.domain.entry import Entry
from tests.unit.enricher.conftest import PLAIN_TABLE, TABLE
from tests.unit.enricher.examples import START, some_features, uri, uris

KNOWN = Entry(some_features("Boats", energy=0.1 + 0.2))
PENDING = Entry(misses=2, retry_at=START + timedelta(days=7))
AGAIN = Entry(misses=3, retry_at=START + timedelta(days=37))
INCOMPLETE = Entry(some_features("Boats", energy=None), 0, START + timedelta(minutes=15))
UNPOPULAR = Entry(some_features("Boats", popularity=0))
UNRATED = Entry(some_features("Boats", popularity=None))


def counting(dynamodb, calls):
    """Pass calls on, and record the number of keys or items of each."""

    def passed_on(name):
        def call(RequestItems):
            (content,) = RequestItems.values()
            calls.append(len(content["Keys"] if name == "batch_get_item" else content))
            return getattr(dynamodb, name)(RequestItems=RequestItems)

        return call

    return SimpleNamespace(
        batch_get_item=passed_on("batch_get_item"), batch_write_item=passed_on("batch_write_item")
    )


def reluctant(dynamodb, share):
    """Process only the first few keys or items of each call."""

    def get(RequestItems):
        keys = RequestItems[TABLE]["Keys"]
        answer = dynamodb.batch_get_item(RequestItems={TABLE: {"Keys": keys[:share]}})
        unprocessed = {TABLE: {"Keys": keys[share:]}} if keys[share:] else {}
        return {"Responses": answer["Responses"], "UnprocessedKeys": unprocessed}

    def write(RequestItems):
        requests = RequestItems[TABLE]
        dynamodb.batch_write_item(RequestItems={TABLE: requests[:share]})
        return {"UnprocessedItems": {TABLE: requests[share:]} if requests[share:] else {}}

    return SimpleNamespace(batch_get_item=get, batch_write_item=write)


def stored(dynamodb, track):
    return dynamodb.get_item(TableName=TABLE, Key={"track_uri": {"S": track}})["Item"]


@pytest.mark.parametrize("entry", [KNOWN, PENDING, INCOMPLETE, UNPOPULAR, UNRATED])
def test_another_container_reads_exactly_what_was_written(new_container, entry):
    new_container().write({uri("Boats"): entry})

    entries_read = new_container().read([uri("Boats"), uri("other")], START)

    assert entries_read == {uri("Boats"): entry}


def test_a_known_track_is_not_in_the_index(new_container, dynamodb):
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
def test_an_unreadable_item_counts_as_missing(dynamodb, caplog, attributes):
    # An index enforces the types of its keys; a table without one takes any.
    dynamodb.put_item(TableName=PLAIN_TABLE, Item={"track_uri": {"S": uri("odd")}, **attributes})

    entries_read = TrackCache(dynamodb, PLAIN_TABLE).read([uri("odd")], START)

    assert entries_read == {}
    assert [(record.message, record.track) for record in caplog.records] == [
        ("track cache holds an unreadable item", uri("odd"))
    ]


def test_a_pending_track_has_numbers_for_the_index(new_container, dynamodb):
    new_container().write({uri("Boats"): PENDING})

    item = stored(dynamodb, uri("Boats"))
    due_at = int((START + timedelta(days=7)).timestamp())
    assert (item["misses"], item["retry_at"]) == ({"N": "2"}, {"N": str(due_at)})


def test_rounding_never_shortens_a_delay(new_container):
    retry_at = START + timedelta(seconds=5, milliseconds=1)
    new_container().write({uri("Boats"): Entry(retry_at=retry_at)})

    entry = new_container().read([uri("Boats")], START)[uri("Boats")]

    assert entry.retry_at == START + timedelta(seconds=6)


@pytest.mark.parametrize(("tracks", "calls"), [(0, []), (100, [100]), (250, [100, 100, 50])])
def test_a_hundred_tracks_are_read_in_one_call(dynamodb, tracks, calls):
    made: list[int] = []

    TrackCache(counting(dynamodb, made), TABLE).read(uris(tracks), START)

    assert made == calls


@pytest.mark.parametrize(("tracks", "calls"), [(0, []), (25, [25]), (60, [25, 25, 10])])
def test_twenty_five_tracks_are_written_in_one_call(dynamodb, tracks, calls):
    made: list[int] = []

    TrackCache(counting(dynamodb, made), TABLE).write(dict.fromkeys(uris(tracks), KNOWN))

    assert made == calls


def test_the_last_write_of_two_containers_wins(new_container):
    new_container().write({uri("Boats"): KNOWN})

    new_container().write({uri("Boats"): PENDING})

    assert new_container().read([uri("Boats")], START) == {uri("Boats"): PENDING}


def test_many_tracks_are_read(new_container):
    entries = dict.fromkeys(uris(130), PENDING)
    new_container().write(entries)

    assert new_container().read(uris(130), START) == entries


def test_tracks_in_memory_are_not_read_again(dynamodb):
    made: list[int] = []
    cache = TrackCache(counting(dynamodb, made), TABLE)
    cache.write({uri("written"): KNOWN})
    TrackCache(dynamodb, TABLE).write({uri("read"): PENDING})
    cache.read([uri("read")], START)
    made.clear()

    entries_read = cache.read([uri("written"), uri("read")], START)

    assert entries_read == {uri("written"): KNOWN, uri("read"): PENDING}
    assert made == []


def test_a_due_track_is_read_from_the_table_again(new_container):
    cache = new_container()
    cache.write({uri("Boats"): PENDING})
    new_container().write({uri("Boats"): KNOWN})

    early = cache.read([uri("Boats")], START)
    due = cache.read([uri("Boats")], PENDING.retry_at)

    assert early == {uri("Boats"): PENDING}
    assert due == {uri("Boats"): KNOWN}


def test_the_memory_drops_the_least_recently_used_track(dynamodb):
    made: list[int] = []
    cache = TrackCache(counting(dynamodb, made), TABLE, size=2)
    cache.write({uri("a"): KNOWN, uri("b"): KNOWN})
    cache.read([uri("a")], START)
    cache.write({uri("c"): KNOWN})
    made.clear()

    cache.read([uri("a"), uri("c")], START)
    assert made == []

    cache.read([uri("b")], START)
    assert made == [1]


def test_unprocessed_keys_are_read_in_further_calls(dynamodb, new_container):
    entries = dict.fromkeys(uris(9), PENDING)
    new_container().write(entries)

    entries_read = TrackCache(reluctant(dynamodb, 3), TABLE).read(uris(9), START)

    assert entries_read == entries


def test_a_read_fails_if_dynamodb_never_processes_all(dynamodb):
    with pytest.raises(TrackCacheError, match=r"batch_get_item .* did not process all"):
        TrackCache(reluctant(dynamodb, 2), TABLE).read(uris(10), START)


def test_unprocessed_items_are_written_in_further_calls(dynamodb, new_container):
    entries = dict.fromkeys(uris(9), PENDING)

    TrackCache(reluctant(dynamodb, 3), TABLE).write(entries)

    assert new_container().read(uris(9), START) == entries


def test_a_write_fails_if_dynamodb_never_processes_all(dynamodb, new_container):
    with pytest.raises(TrackCacheError, match=r"batch_write_item .* did not process all"):
        TrackCache(reluctant(dynamodb, 2), TABLE).write(dict.fromkeys(uris(10), PENDING))

    assert set(new_container().read(uris(10), START)) == set(uris(8))


def test_the_memory_keeps_nothing_of_a_failed_write(dynamodb):
    cache = TrackCache(dynamodb, TABLE)
    cache.write({uri("Boats"): PENDING})
    dynamodb.delete_table(TableName=TABLE)

    with pytest.raises(TrackCacheError, match=r"batch_write_item.*ResourceNotFoundException"):
        cache.write({uri("Boats"): AGAIN})

    assert cache.read([uri("Boats")], START) == {uri("Boats"): PENDING}


def test_a_table_that_is_away_cannot_be_read(dynamodb, new_container):
    dynamodb.delete_table(TableName=TABLE)

    with pytest.raises(TrackCacheError, match=r"batch_get_item.*ResourceNotFoundException"):
        new_container().read([uri("new")], START)


def test_tracks_in_memory_are_known_while_the_table_is_away(dynamodb, new_container):
    cache = new_container()
    cache.write({uri("Boats"): KNOWN})
    dynamodb.delete_table(TableName=TABLE)

    assert cache.read([uri("Boats")], START) == {uri("Boats"): KNOWN}
