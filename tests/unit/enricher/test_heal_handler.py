import json
from types import SimpleNamespace

import boto3
import pytest

from services.enricher.domain.entry import Entry
from services.enricher.heal import handler, wire
from shared.errors import MessageError, SettingsError
from shared.models import EnrichedBatch
from tests.unit.enricher.conftest import AUDIO, METADATA
from tests.unit.enricher.examples import START, some_features, uri, uris

CONTEXT = SimpleNamespace(
    function_name="healer",
    memory_limit_in_mb=256,
    invoked_function_arn="arn:aws:lambda:us-east-1:123456789012:function:healer",
    aws_request_id="request-1",
    get_remaining_time_in_millis=lambda: 300_000,
)
DUE = Entry(retry_at=START)


@pytest.fixture
def waiting(new_container):
    """Write due tracks to the cache."""
    return lambda *tracks: new_container().write(dict.fromkeys(tracks, DUE))


@pytest.fixture
def healed(environment):
    """Receive the published features from the queue, by track."""
    sqs = boto3.client("sqs")

    def take():
        found = sqs.receive_message(QueueUrl=environment, MaxNumberOfMessages=10)
        bodies = [message["Body"] for message in found.get("Messages", ())]
        return {
            features.track_uri: features
            for body in bodies
            for features in EnrichedBatch.model_validate_json(body).features
        }

    return take


def test_a_scheduled_event_heals_due_tracks(environment, waiting, healed, reccobeats):
    waiting(*uris(41))
    reccobeats.unknown = {"track0"}

    result = handler({}, CONTEXT)

    features = healed()
    assert result == {"asked": 41, "learned": 40, "missed": 1, "postponed": 0, "remaining": 0}
    assert set(features) == set(uris(41)) - {uri("track0")}
    assert features[uri("track1")].popularity == 69
    assert [call.path for call in reccobeats.calls] == [AUDIO, METADATA] * 2


def test_an_event_may_name_tracks(environment, new_container, healed):
    new_container().write({uri("known"): Entry(some_features("known"))})

    result = handler({"tracks": [uri("known"), uri("new")]}, CONTEXT)

    assert (result["asked"], result["learned"]) == (2, 2)
    assert set(healed()) == {uri("known"), uri("new")}


def test_an_event_may_lower_the_number_of_tracks(environment, waiting, monkeypatch):
    waiting(*uris(9))
    monkeypatch.setenv("TRACKS_PER_HEALING", "5")

    assert handler({"most": 2}, CONTEXT)["remaining"] == 7
    assert handler({}, CONTEXT)["remaining"] == 2


def test_a_source_that_is_down_is_reported_with_its_delay(environment, waiting, reccobeats):
    waiting(*uris(50))
    reccobeats.fail(503, Retry_After="120")

    result = handler({}, CONTEXT)

    assert (result["postponed"], result["remaining"]) == (40, 10)
    assert result["blocked_until"].endswith("Z")


@pytest.mark.parametrize(
    "event",
    [
        {"tracks": ["spotify:episode:1"]},
        {"tracks": "spotify:track:1"},
        {"tracks": 5},
        {"most": 0},
        [],
    ],
    ids=str,
)
def test_an_event_that_is_not_a_request_is_refused(environment, event):
    with pytest.warns(UserWarning, match="No application metrics"), pytest.raises(MessageError):
        handler(event, CONTEXT)


def test_metrics_and_log_hold_the_counts_of_a_healing(
    environment, waiting, reccobeats, capsys, caplog
):
    waiting(*uris(5))
    reccobeats.unknown = {"track0"}

    handler({}, CONTEXT)

    (line,) = [line for line in capsys.readouterr().out.splitlines() if '"_aws"' in line]
    (record,) = [record for record in caplog.records if record.message == "healed"]
    metrics = json.loads(line)
    assert (metrics["TracksEnriched"], metrics["EnrichMisses"]) == ([4.0], [1.0])
    assert (record.asked, record.learned, record.missed, record.remaining) == (5, 4, 1, 0)


def test_without_remaining_time_nothing_is_asked_for(environment, waiting):
    waiting(uri("Boats"))
    context = SimpleNamespace(**vars(CONTEXT) | {"get_remaining_time_in_millis": lambda: 0})

    assert handler({}, context)["remaining"] == 1


def test_a_wrong_variable_is_named_in_the_error(environment, monkeypatch):
    monkeypatch.setenv("TRACKS_PER_HEALING", "many")

    with pytest.raises(SettingsError, match="TRACKS_PER_HEALING"):
        wire()
