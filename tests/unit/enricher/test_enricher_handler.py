import json
import time
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import boto3
import pytest

from services.enricher.handler import handler, time_for_features, wire
from services.enricher.settings import EnricherSettings
from shared.errors import SettingsError
from shared.models import EnrichedBatch
from tests.fakes.spotify import Reply, a_spotify_server
from tests.unit.enricher.conftest import AUDIO, METADATA, TABLE, an_audio_row
from tests.unit.enricher.examples import a_batch, a_play, uri

CONTEXT = SimpleNamespace(
    function_name="enricher",
    memory_limit_in_mb=512,
    invoked_function_arn="arn:aws:lambda:us-east-1:123456789012:function:enricher",
    aws_request_id="request-1",
    get_remaining_time_in_millis=lambda: 120_000,
)


@pytest.fixture
def enrich(environment):
    """Invoke the enricher with messages; return the ids of the failed ones."""

    def invoke(*messages, context=CONTEXT):
        bodies = [
            m if isinstance(m, str) else m.model_dump_json(exclude_none=True) for m in messages
        ]
        records = [{"messageId": str(n), "body": body} for n, body in enumerate(bodies)]
        answer = handler({"Records": records}, context)
        return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]

    return invoke


@pytest.fixture
def enriched(environment):
    """Receive all batches from the queue, in order of their numbers."""
    sqs = boto3.client("sqs")

    def take():
        batches = []
        while found := sqs.receive_message(QueueUrl=environment, MaxNumberOfMessages=10).get(
            "Messages"
        ):
            batches += [EnrichedBatch.model_validate_json(m["Body"]) for m in found]
        return sorted(batches, key=lambda batch: batch.number)

    return take


def numbered_plays(count, prefix="track"):
    return [a_play(f"{prefix}{number}") for number in range(count)]


def emf(capsys):
    """Return the metrics that CloudWatch reads from standard output."""
    (line,) = [line for line in capsys.readouterr().out.splitlines() if '"_aws"' in line]
    return json.loads(line)


def test_a_collected_batch_becomes_an_enriched_one(enrich, enriched):
    failed = enrich(a_batch(a_play("Boats"), number=3))

    (batch,) = enriched()
    assert failed == []
    assert (batch.origin, batch.number) == ("history/me/a.zip", 3)
    assert batch.plays == (a_play("Boats", popularity=69),)
    assert [(f.track_uri, f.energy, f.source) for f in batch.features] == [
        (uri("Boats"), 0.715, "reccobeats")
    ]


@pytest.mark.parametrize("track_id", ["null", "a-b"])
def test_a_track_with_an_unusual_id_is_never_asked_for(enrich, enriched, reccobeats, track_id):
    odd = a_play("Boats").model_copy(update={"track_uri": f"spotify:track:{track_id}"})

    failed = enrich(a_batch(odd, a_play("Coats")))

    (batch,) = enriched()
    assert failed == []
    assert batch.plays[0] == odd
    assert [f.track_uri for f in batch.features] == [uri("Coats")]
    assert {one for call in reccobeats.calls for one in call.ids} == {
        uri("Coats").rpartition(":")[2]
    }


@pytest.mark.parametrize(("tracks", "calls"), [(1, 2), (40, 2), (41, 4), (100, 6)])
def test_an_invocation_makes_two_calls_per_forty_unknown_tracks(enrich, reccobeats, tracks, calls):
    plays = numbered_plays(tracks)
    overlapping = [a_batch(*plays[n:], number=n) for n in range(3)]

    enrich(*overlapping)

    assert len(reccobeats.calls) == calls
    assert len({one for call in reccobeats.calls for one in call.ids}) == tracks


def test_a_track_is_not_asked_for_by_a_second_invocation_or_container(enrich, reccobeats):
    enrich(a_batch(a_play("Boats")))
    enrich(a_batch(a_play("Boats")))
    wire.cache_clear()
    enrich(a_batch(a_play("Boats")))

    assert len(reccobeats.calls) == 2


def test_every_batch_of_a_track_carries_its_features(enrich, enriched):
    enrich(a_batch(a_play("Boats"), number=0), a_batch(a_play("Boats"), number=1))
    enrich(a_batch(a_play("Boats"), number=2))

    assert [[f.track_uri for f in b.features] for b in enriched()] == [[uri("Boats")]] * 3


@pytest.mark.parametrize("status", [403, 404, 429, 500])
def test_a_failing_source_delays_no_play(enrich, enriched, reccobeats, status):
    reccobeats.fail(status)

    failed = enrich(a_batch(*numbered_plays(50)))

    (batch,) = enriched()
    assert failed == []
    assert (list(batch.plays), batch.features) == (numbered_plays(50), ())
    assert len(reccobeats.calls) == 1


def test_without_the_table_plays_go_on_but_their_message_fails(enrich, enriched, dynamodb):
    dynamodb.delete_table(TableName=TABLE)

    failed = enrich(a_batch(a_play("Boats")), a_batch(number=1))

    assert failed == ["0"]
    assert [batch.plays for batch in enriched()] == [(a_play("Boats"),), ()]


def test_a_message_that_fails_twice_is_reported_once(enrich, environment, dynamodb, reccobeats):
    dynamodb.delete_table(TableName=TABLE)
    boto3.client("sqs").delete_queue(QueueUrl=environment)
    reccobeats.fail(503)

    failed = enrich(a_batch(a_play("Boats")), a_batch(a_play("Coats"), number=1))

    assert failed == ["0", "1"]


def test_without_remaining_time_plays_go_on_without_features(enrich, enriched, reccobeats):
    context = SimpleNamespace(**vars(CONTEXT) | {"get_remaining_time_in_millis": lambda: 0})

    enrich(a_batch(a_play("Boats")), context=context)

    (batch,) = enriched()
    assert (batch.plays, batch.features) == ((a_play("Boats"),), ())
    assert reccobeats.calls == []


def test_sources_may_take_two_thirds_of_the_remaining_time(enrich, enriched, reccobeats):
    def slow(call):
        time.sleep(2.1)
        return an_audio_row(call)

    reccobeats.rows[AUDIO] = slow
    reccobeats.unknown = {f"track{number}" for number in range(1, 40)}
    context = SimpleNamespace(**vars(CONTEXT) | {"get_remaining_time_in_millis": lambda: 3_000})

    enrich(a_batch(*numbered_plays(41)), context=context)

    (batch,) = enriched()
    assert len(batch.plays) == 41
    assert [call.path for call in reccobeats.calls] == [AUDIO, METADATA]


@pytest.mark.parametrize(
    "poison",
    [
        "",
        "no JSON",
        "[]",
        '{"schema_version": 2}',
        a_batch(a_play("Boats")).model_dump_json().replace("The Example", "\\u0000"),
        a_batch(a_play("Boats")).model_dump_json().replace("The Example", "\\ud800"),
        "[" * 100_000,
    ],
    ids=["empty", "no JSON", "no batch", "schema", "NUL", "lone surrogate", "deep"],
)
def test_a_message_that_is_not_a_batch_fails_alone(enrich, enriched, poison):
    failed = enrich(a_batch(a_play("a"), number=0), poison, a_batch(a_play("b"), number=2))

    assert failed == ["1"]
    assert [batch.number for batch in enriched()] == [0, 2]


def test_the_log_of_a_poison_message_omits_its_content(enrich, caplog):
    enrich('{"listener": "SECRET NAME"}')

    (error,) = [record for record in caplog.records if record.levelname == "ERROR"]
    assert (error.message, error.id) == ("message does not fit its model", "0")
    assert "source: Field required" in error.faults
    assert "SECRET" not in str(vars(error))


def test_a_batch_that_the_queue_refuses_fails_alone(enrich, enriched, caplog):
    huge = a_batch(*(a_play(album_name="x" * 2_000, platform="x" * 2_000) for _ in range(300)))

    failed = enrich(huge, a_batch(a_play("Boats"), number=1))

    assert failed == ["0"]
    assert [batch.number for batch in enriched()] == [1]
    assert "batch cannot be published" in caplog.messages


def test_features_of_an_unpublished_batch_are_saved(enrich, environment, reccobeats):
    sqs = boto3.client("sqs")
    sqs.delete_queue(QueueUrl=environment)
    enrich(a_batch(a_play("Boats")))
    sqs.create_queue(QueueName="enriched-plays")
    wire.cache_clear()

    failed = enrich(a_batch(a_play("Boats")))

    assert failed == []
    assert len(reccobeats.calls) == 2


def test_metrics_count_learned_and_missed_tracks(enrich, reccobeats, capsys):
    reccobeats.unknown = {"track0", "track1"}

    enrich(a_batch(*numbered_plays(5)))

    metrics = emf(capsys)
    assert (metrics["TracksEnriched"], metrics["EnrichMisses"]) == ([3.0], [2.0])


def test_metrics_of_an_empty_batch_are_zero(enrich, capsys):
    enrich(a_batch())

    metrics = emf(capsys)
    assert (metrics["TracksEnriched"], metrics["EnrichMisses"]) == ([0.0], [0.0])


def test_an_invocation_logs_its_counts(enrich, reccobeats, caplog):
    reccobeats.fail(500, AUDIO)

    enrich(a_batch(*numbered_plays(5)), a_batch(a_play("track0"), number=1))

    (record,) = [record for record in caplog.records if record.message == "enriched"]
    assert (record.batches, record.plays) == (2, 6)
    assert (record.learned, record.missed, record.postponed) == (0, 0, 5)


def test_an_unknown_source_is_named_in_the_error(environment, monkeypatch):
    monkeypatch.setenv("FEATURE_SOURCES", "reccobeats, tunes")

    with pytest.raises(SettingsError, match="'tunes'"):
        wire()


@pytest.fixture
def spotify(environment, monkeypatch):
    """A legacy app, as which Spotify is asked before ReccoBeats."""
    with a_spotify_server() as server:
        monkeypatch.setenv("FEATURE_SOURCES", "spotify,reccobeats")
        monkeypatch.setenv("SPOTIFY_API_URL", server.url)
        monkeypatch.setenv("SPOTIFY_ACCOUNTS_URL", server.url)
        monkeypatch.setenv("SPOTIFY_APP_SECRET", "login")
        login = json.dumps({"client_id": "client-1", "client_secret": "secret-1"})
        boto3.client("secretsmanager").create_secret(Name="login", SecretString=login)
        yield server


def test_a_legacy_app_asks_spotify_first(enrich, enriched, spotify, reccobeats):
    enrich(a_batch(a_play("Boats")))

    (features,) = enriched()[0].features
    assert (features.source, features.popularity) == ("spotify", 69)
    assert reccobeats.calls == []


def test_a_forbidden_app_calls_spotify_once(enrich, enriched, spotify):
    spotify.features = [Reply(b'{"error":{"status":403}}', 403)]

    enrich(a_batch(a_play("Boats"), number=0))
    wire.cache_clear()
    enrich(a_batch(a_play("Coats"), number=1))

    assert [batch.features[0].source for batch in enriched()] == ["reccobeats"] * 2
    assert spotify.paths == ["/api/token", "/v1/audio-features"]


def test_without_sources_plays_pass_unchanged(enrich, enriched, reccobeats, monkeypatch):
    monkeypatch.setenv("FEATURE_SOURCES", "")

    enrich(a_batch(a_play("Boats")))

    assert enriched()[0].plays == (a_play("Boats"),)
    assert reccobeats.calls == []


def test_sources_are_separated_by_commas_and_may_have_spaces(environment, monkeypatch):
    monkeypatch.setenv("FEATURE_SOURCES", " spotify , reccobeats,")

    settings = EnricherSettings.from_environment()

    assert settings.source_names == ["spotify", "reccobeats"]


@pytest.mark.parametrize(("left_s", "asking_s"), [(3, 2), (30, 20), (120, 20), (900, 20)])
def test_plays_wait_twenty_seconds_at_most_for_features(left_s, asking_s):
    context: Any = SimpleNamespace(get_remaining_time_in_millis=lambda: left_s * 1_000)

    assert time_for_features(context) == timedelta(seconds=asking_s)


def test_missing_variables_are_named_in_the_error(environment, monkeypatch):
    monkeypatch.delenv("TRACK_CACHE_TABLE")
    monkeypatch.setenv("RECCOBEATS_URL", "reccobeats.example")

    with pytest.raises(SettingsError, match=r"TRACK_CACHE_TABLE: .*; RECCOBEATS_URL: "):
        wire()
