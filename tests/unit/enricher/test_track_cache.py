from datetime import timedelta
from types import SimpleNamespace

import pytest
from botocore.exceptions import EndpointConnectionError

from services.enricher.cache.table import TrackCache
from services.enricher.domain.entry import Entry
from tests.unit.enricher.conftest import PLAIN_TABLE, TABLE
from tests.unit.enricher.examples import START, known_features, some_features, uri, uris

SETTLED = Entry(known_features("Boats", energy=0.1 + 0.2))
WAITING = Entry(misses=2, retry_at=START + timedelta(days=7))
AGAIN = Entry(misses=3, retry_at=START + timedelta(days=37))
HALF_KNOWN = Entry(known_features("Boats", energy=None), 0, START + timedelta(minutes=15))
HALF_AGAIN = Entry(known_features("Boats", energy=None), 1, START + timedelta(days=1))
UNPOPULAR = Entry(known_features("Boats", popularity=0))
UNRATED = Entry(known_features("Boats", popularity=None))


def counting(dynamodb, calls):
    """Pass calls on, and note how many keys or items each had."""

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
    """Process just the first few keys or items of each call."""

    def get(RequestItems):
        keys = RequestItems[TABLE]["Keys"]
        answer = {"Responses": {}, "UnprocessedKeys": {TABLE: {"Keys": keys[share:]}}}
        if share:
            answer = answer | {
                "Responses": dynamodb.batch_get_item(RequestItems={TABLE: {"Keys": keys[:share]}})[
                    "Responses"
                ]
            }
        return answer

    def write(RequestItems):
        requests = RequestItems[TABLE]
        if share:
            dynamodb.batch_write_item(RequestItems={TABLE: requests[:share]})
        return {"UnprocessedItems": {TABLE: requests[share:]} if requests[share:] else {}}

    return SimpleNamespace(batch_get_item=get, batch_write_item=write)


def stored(dynamodb, track):
    return dynamodb.get_item(TableName=TABLE, Key={"track_uri": {"S": track}})["Item"]


@pytest.mark.parametrize("entry", [SETTLED, WAITING, HALF_KNOWN, UNPOPULAR, UNRATED])
def test_another_container_recalls_exactly_what_one_remembered(new_container, entry):
    new_container().write({uri("Boats"): entry})

    recalled = new_container().read([uri("Boats"), uri("other")], START)

    assert recalled.entries == {uri("Boats"): entry}
    assert recalled.unread == set()


def test_a_settled_track_is_in_no_index_of_those_that_wait(new_container, dynamodb):
    new_container().write({uri("Boats"): SETTLED})

    assert stored(dynamodb, uri("Boats")).keys() == {"track_uri", "features"}


@pytest.mark.parametrize(
    "attributes",
    [
        {"features": {"S": "no JSON"}},
        {"features": {"S": some_features("other").model_dump_json()}},
        {"features": {"N": "5"}},
        {"retry_at": {"N": "1.5"}, "misses": {"N": "0"}},
        {"retry_at": {"N": "1" + "0" * 30}, "misses": {"N": "0"}},
        {"retry_at": {"S": "soon"}},
        {"retry_at": {"N": "5"}},
        {"retry_at": {"N": "5"}, "misses": {"N": "-9"}},
        {"retry_at": {"N": "5"}, "misses": {"N": "5"}},
        {"retry_at": {"N": "253402300799"}, "misses": {"N": "0"}},
        {"retry_at": {"NULL": True}, "misses": {"N": "0"}},
    ],
    ids=[
        *("text", "other track", "type", "fraction", "far", "word", "no misses"),
        *("negative misses", "too many misses", "year 9999", "null"),
    ],
)
def test_an_item_that_is_none_of_ours_is_as_good_as_none(dynamodb, caplog, attributes):
    # An index holds the types of its keys, but a table without one takes any.
    dynamodb.put_item(TableName=PLAIN_TABLE, Item={"track_uri": {"S": uri("odd")}, **attributes})

    recalled = TrackCache(dynamodb, PLAIN_TABLE).read([uri("odd")], START)

    assert (recalled.entries, recalled.unread) == ({}, set())
    assert [(record.message, record.track) for record in caplog.records] == [
        ("track cache holds an unreadable item", uri("odd"))
    ]


def test_a_waiting_track_has_numbers_that_an_index_can_sort(new_container, dynamodb):
    new_container().write({uri("Boats"): WAITING})

    item = stored(dynamodb, uri("Boats"))
    due_at = int((START + timedelta(days=7)).timestamp())
    assert (item["misses"], item["retry_at"]) == ({"N": "2"}, {"N": str(due_at)})


def test_a_wait_is_never_cut_short_by_rounding(new_container):
    retry_at = START + timedelta(seconds=5, milliseconds=1)
    new_container().write({uri("Boats"): Entry(retry_at=retry_at)})

    entry = new_container().read([uri("Boats")], START).entries[uri("Boats")]

    assert entry.retry_at == START + timedelta(seconds=6)


@pytest.mark.parametrize(("tracks", "calls"), [(0, []), (100, [100]), (250, [100, 100, 50])])
def test_a_hundred_tracks_are_read_in_one_call(dynamodb, tracks, calls):
    made = []

    TrackCache(counting(dynamodb, made), TABLE).read(uris(tracks), START)

    assert made == calls


@pytest.mark.parametrize(("tracks", "calls"), [(0, []), (25, [25]), (60, [25, 25, 10])])
def test_twenty_five_tracks_are_written_in_one_call(dynamodb, tracks, calls):
    made = []

    TrackCache(counting(dynamodb, made), TABLE).write(dict.fromkeys(uris(tracks), SETTLED))

    assert made == calls


def test_what_waits_is_written_first(dynamodb):
    written = []

    def write(RequestItems):
        (puts,) = RequestItems.values()
        written.extend(put["PutRequest"]["Item"]["track_uri"]["S"] for put in puts)
        return dynamodb.batch_write_item(RequestItems=RequestItems)

    table = SimpleNamespace(batch_get_item=dynamodb.batch_get_item, batch_write_item=write)
    known = {track: Entry(known_features(track.rpartition(":")[2])) for track in uris(30)}

    TrackCache(table, TABLE).write(known | dict.fromkeys(uris(3, "waits"), Entry(retry_at=START)))

    assert written == [*uris(3, "waits"), *uris(30)]


def test_of_a_hundred_tracks_that_wait_one_call_makes_sure_that_nobody_learnt_more(dynamodb):
    made = []
    entries = {**dict.fromkeys(uris(10, "known"), SETTLED), **dict.fromkeys(uris(110), WAITING)}

    TrackCache(counting(dynamodb, made), TABLE).write(entries)

    assert made == [100, 10, 25, 25, 25, 25, 20]


@pytest.mark.parametrize(
    ("mine", "theirs", "kept"),
    [
        (WAITING, SETTLED, SETTLED),
        (HALF_KNOWN, SETTLED, SETTLED),
        (WAITING, HALF_KNOWN, HALF_KNOWN),
        (SETTLED, HALF_KNOWN, SETTLED),
        (SETTLED, UNPOPULAR, SETTLED),
        (HALF_KNOWN, WAITING, HALF_KNOWN),
        (AGAIN, WAITING, AGAIN),
        (HALF_AGAIN, HALF_KNOWN, HALF_AGAIN),
    ],
    ids=[
        *("none/all", "part/all", "none/part", "all/part"),
        *("all/all", "part/none", "none/none", "part/part"),
    ],
)
def test_what_another_container_learnt_meanwhile_is_not_overwritten_with_less(
    new_container, mine, theirs, kept
):
    cache = new_container()
    cache.read([uri("Boats")], START)
    new_container().write({uri("Boats"): theirs})

    refused = cache.write({uri("Boats"): mine})

    assert refused == set()
    recalled = [one.read([uri("Boats")], START).entries for one in (cache, new_container())]
    assert recalled == [{uri("Boats"): kept}] * 2


def test_all_of_many_tracks_are_recalled(new_container):
    entries = dict.fromkeys(uris(130), WAITING)
    new_container().write(entries)

    assert new_container().read(uris(130), START).entries == entries


def test_what_this_container_saw_is_not_read_again(dynamodb):
    made = []
    cache = TrackCache(counting(dynamodb, made), TABLE)
    cache.write({uri("written"): SETTLED})
    TrackCache(dynamodb, TABLE).write({uri("read"): WAITING})
    cache.read([uri("read")], START)
    made.clear()

    recalled = cache.read([uri("written"), uri("read")], START)

    assert recalled.entries == {uri("written"): SETTLED, uri("read"): WAITING}
    assert made == []


def test_a_track_that_is_due_is_read_again_as_another_may_have_learnt_of_it(new_container):
    cache = new_container()
    cache.write({uri("Boats"): WAITING})
    new_container().write({uri("Boats"): SETTLED})

    early = cache.read([uri("Boats")], START)
    due = cache.read([uri("Boats")], WAITING.retry_at)

    assert early.entries == {uri("Boats"): WAITING}
    assert due.entries == {uri("Boats"): SETTLED}


def test_the_memory_forgets_the_track_that_was_wanted_longest_ago(dynamodb):
    made = []
    cache = TrackCache(counting(dynamodb, made), TABLE, size=2)
    cache.write({uri("a"): SETTLED, uri("b"): SETTLED})
    cache.read([uri("a")], START)
    cache.write({uri("c"): SETTLED})
    made.clear()

    cache.read([uri("a"), uri("c")], START)
    assert made == []

    cache.read([uri("b")], START)
    assert made == [1]


def test_what_dynamodb_leaves_unprocessed_is_read_in_further_calls(dynamodb, new_container):
    entries = dict.fromkeys(uris(9), WAITING)
    new_container().write(entries)

    recalled = TrackCache(reluctant(dynamodb, 3), TABLE).read(uris(9), START)

    assert (recalled.entries, recalled.unread) == (entries, set())


def test_what_dynamodb_never_processes_is_told_apart_from_what_it_does_not_have(dynamodb):
    recalled = TrackCache(reluctant(dynamodb, 2), TABLE).read(uris(10), START)

    assert recalled.unread == set(uris(10)[8:])


def test_what_dynamodb_leaves_unprocessed_is_written_in_further_calls(dynamodb, new_container):
    entries = dict.fromkeys(uris(9), WAITING)

    TrackCache(reluctant(dynamodb, 3), TABLE).write(entries)

    assert new_container().read(uris(9), START).entries == entries


@pytest.mark.parametrize(
    ("entry", "remembered"),
    [(SETTLED, set(uris(3))), (WAITING, set()), (HALF_KNOWN, set())],
    ids=["settled", "waiting", "half known"],
)
def test_of_what_dynamodb_never_writes_only_what_waits_for_nothing_stays_in_memory(
    dynamodb, caplog, entry, remembered
):
    cache = TrackCache(reluctant(dynamodb, 0), TABLE)

    refused = cache.write(dict.fromkeys(uris(3), entry))

    (warning,) = caplog.records
    assert refused == set(uris(3))
    assert (warning.message, warning.tracks) == ("track cache did not take all", 3)
    assert set(cache.read(uris(3), START).entries) == remembered


def test_what_dynamodb_leaves_unwritten_is_told_apart_from_what_it_took(dynamodb, new_container):
    refused = TrackCache(reluctant(dynamodb, 2), TABLE).write(dict.fromkeys(uris(10), WAITING))

    assert refused == set(uris(10)[8:])
    assert set(new_container().read(uris(10), START).entries) == set(uris(8))


def test_what_was_written_before_a_refused_call_is_told_apart(dynamodb, new_container):
    calls = []

    def write(RequestItems):
        calls.append(RequestItems)
        if len(calls) > 1:
            raise EndpointConnectionError(endpoint_url="DynamoDB")
        return dynamodb.batch_write_item(RequestItems=RequestItems)

    half_away = SimpleNamespace(batch_get_item=dynamodb.batch_get_item, batch_write_item=write)

    refused = TrackCache(half_away, TABLE).write(dict.fromkeys(uris(60), WAITING))

    assert refused == set(uris(60)[25:])
    assert set(new_container().read(uris(60), START).entries) == set(uris(25))
    assert len(calls) == 2


def test_a_track_that_waits_in_vain_for_its_new_time_keeps_the_one_it_had(dynamodb):
    cache = TrackCache(dynamodb, TABLE)
    cache.write({uri("Boats"): WAITING})
    dynamodb.delete_table(TableName=TABLE)

    cache.write({uri("Boats"): AGAIN})

    assert cache.read([uri("Boats")], START).entries == {uri("Boats"): WAITING}


def test_a_table_that_cannot_be_read_is_logged_and_memory_still_serves(
    dynamodb, new_container, caplog
):
    cache = new_container()
    cache.write({uri("Boats"): SETTLED})
    dynamodb.delete_table(TableName=TABLE)

    recalled = cache.read([uri("Boats"), uri("new")], START)

    assert recalled.entries == {uri("Boats"): SETTLED}
    assert recalled.unread == {uri("new")}
    assert caplog.messages == ["track cache cannot be read"]


def test_a_table_that_cannot_be_written_is_logged(dynamodb, new_container, caplog):
    dynamodb.delete_table(TableName=TABLE)

    refused = new_container().write({uri("Boats"): SETTLED})

    assert refused == {uri("Boats")}
    assert caplog.messages == ["track cache cannot be written"]
