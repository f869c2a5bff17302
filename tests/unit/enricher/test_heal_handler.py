from datetime import timedelta

import pytest

from services.enricher.domain.entry import Entry
from services.enricher.heal import handler, wire
from shared.errors import MessageError, SettingsError
from tests.fakes.reccobeats import AUDIO, METADATA
from tests.unit.enricher.examples import START, TABLE, a_context, some_features, uri, uris

CONTEXT = a_context(remaining_s=300)
DUE = Entry(retry_at=START)


@pytest.fixture
def pending(environment, new_container):
    """Write due tracks to the cache."""
    return lambda *tracks: new_container().write(dict.fromkeys(tracks, DUE))


def test_a_scheduled_event_requests_features_of_due_tracks(pending, published, reccobeats):
    pending(*uris(41))
    reccobeats.unknown = {"track0"}

    result = handler({}, CONTEXT)

    features = {one.track_uri: one for batch in published() for one in batch.features}
    assert result == {"asked": 41, "learned": 40, "missed": 1, "postponed": 0, "remaining": 0}
    assert set(features) == set(uris(41)) - {uri("track0")}
    assert features[uri("track1")].popularity == 69
    assert [call.path for call in reccobeats.calls] == [AUDIO, METADATA] * 2


def test_a_heal_event_can_name_tracks_to_request_even_if_their_features_are_known(
    environment, new_container, published
):
    known, pending, unseen = uri("known"), uri("pending"), uri("unseen")
    new_container().write({known: Entry(some_features("known")), uri("other"): DUE})
    new_container().write({pending: Entry(misses=3, retry_at=START + timedelta(days=9_000))})

    result = handler({"tracks": [known, pending, unseen, known]}, CONTEXT)

    (batch,) = published()
    assert (result["asked"], result["learned"], result["remaining"]) == (3, 3, 0)
    assert [(f.track_uri, f.source) for f in batch.features] == [
        (track, "reccobeats") for track in (known, pending, unseen)
    ]


@pytest.mark.parametrize(
    ("event", "remaining"),
    [({}, 4), ({"most": 2}, 7), ({"most": 500}, 4), ({"tracks": uris(8)}, 3)],
    ids=["schedule", "fewer", "more than deployed", "named tracks"],
)
def test_healing_requests_at_most_the_configured_number_of_tracks(
    pending, monkeypatch, event, remaining
):
    pending(*uris(9))
    monkeypatch.setenv("TRACKS_PER_HEALING", "5")

    assert handler(event, CONTEXT)["remaining"] == remaining


def test_healing_continues_past_a_cache_item_that_is_not_a_track(pending, dynamodb, reccobeats):
    numbers = {"misses": {"N": "0"}, "retry_at": {"N": "1"}}
    dynamodb.put_item(TableName=TABLE, Item={"track_uri": {"S": "poison"}, **numbers})
    pending(uri("Boats"))

    result = handler({}, CONTEXT)

    assert (result["learned"], result["missed"], result["remaining"]) == (1, 1, 0)
    assert [call.ids for call in reccobeats.calls] == [[uri("Boats")[-22:]]] * 2


def test_healing_reports_when_a_failing_source_can_be_called_again(pending, reccobeats):
    pending(*uris(50))
    reccobeats.fail(503, Retry_After="120")

    result = handler({}, CONTEXT)

    assert (result["postponed"], result["remaining"]) == (40, 10)
    assert result["blocked_until"].endswith("Z")


@pytest.mark.parametrize(
    "event",
    [{"tracks": ["spotify:episode:1"]}, {"tracks": "spotify:track:1"}, {"most": 0}, []],
    ids=str,
)
def test_a_malformed_heal_event_is_refused(environment, event):
    with pytest.warns(UserWarning, match="No application metrics"), pytest.raises(MessageError):
        handler(event, CONTEXT)


def test_metrics_and_log_contain_the_counts_of_a_heal_run(pending, reccobeats, counted, caplog):
    pending(*uris(5))
    reccobeats.unknown = {"track0"}

    handler({}, CONTEXT)

    (record,) = [record for record in caplog.records if record.message == "healed"]
    assert counted() == ([4.0], [1.0])
    assert (record.asked, record.learned, record.missed, record.remaining) == (5, 4, 1, 0)


def test_without_remaining_lambda_time_healing_calls_no_source(pending):
    pending(uri("Boats"))

    assert handler({}, a_context(remaining_s=0))["remaining"] == 1


def test_an_invalid_environment_variable_is_named_in_the_error(environment, monkeypatch):
    monkeypatch.setenv("TRACKS_PER_HEALING", "many")

    with pytest.raises(SettingsError, match="TRACKS_PER_HEALING"):
        wire()
