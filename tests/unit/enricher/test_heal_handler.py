import json
from types import SimpleNamespace

import boto3
import pytest

from services.enricher.domain.entry import Entry
from services.enricher.heal import handler, wire
from shared.errors import MessageError, SettingsError
from shared.models import EnrichedBatch
from tests.unit.enricher.conftest import METADATA, SOUNDS
from tests.unit.enricher.examples import START, known_features, uri, uris

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
    """Let tracks wait for an answer."""
    return lambda *tracks: new_container().write(dict.fromkeys(tracks, DUE))


@pytest.fixture
def healed(environment):
    """Take the tracks out of the queue whose features were published."""
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


def test_a_tick_heals_what_is_due(environment, waiting, healed, reccobeats):
    waiting(*uris(41))
    reccobeats.unknown = {"track0"}

    told = handler({}, CONTEXT)

    features = healed()
    assert told == {"asked": 41, "learned": 40, "missed": 1, "postponed": 0, "remaining": 0}
    assert set(features) == set(uris(41)) - {uri("track0")}
    assert features[uri("track1")].popularity == 69
    assert [call.path for call in reccobeats.calls] == [SOUNDS, METADATA] * 2


def test_an_event_may_name_tracks(environment, new_container, healed):
    new_container().write({uri("known"): Entry(known_features("known"))})

    told = handler({"tracks": [uri("known"), uri("new")]}, CONTEXT)

    assert (told["asked"], told["learned"]) == (2, 2)
    assert set(healed()) == {uri("known"), uri("new")}


def test_an_event_may_set_a_lower_bound_than_the_deployment(environment, waiting, monkeypatch):
    waiting(*uris(9))
    monkeypatch.setenv("TRACKS_PER_HEALING", "5")

    assert handler({"most": 2}, CONTEXT)["remaining"] == 7
    assert handler({}, CONTEXT)["remaining"] == 2


def test_a_source_that_is_down_is_told_of_with_the_time_of_its_block(
    environment, waiting, reccobeats
):
    waiting(*uris(50))
    reccobeats.fail(503, Retry_After="120")

    told = handler({}, CONTEXT)

    assert (told["postponed"], told["remaining"]) == (40, 10)
    assert told["blocked_until"].endswith("Z")


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
def test_an_event_that_names_no_tracks_is_refused(environment, event):
    with pytest.warns(UserWarning, match="No application metrics"), pytest.raises(MessageError):
        handler(event, CONTEXT)


def test_metrics_and_a_log_line_count_what_a_healing_came_to(
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


def test_a_third_of_the_time_is_left_for_what_follows_the_asking(environment, waiting):
    waiting(uri("Boats"))
    context = SimpleNamespace(**vars(CONTEXT) | {"get_remaining_time_in_millis": lambda: 0})

    assert handler({}, context)["remaining"] == 1


def test_a_healer_without_its_variables_is_told_their_names(environment, monkeypatch):
    monkeypatch.setenv("TRACKS_PER_HEALING", "many")

    with pytest.raises(SettingsError, match="TRACKS_PER_HEALING"):
        wire()
