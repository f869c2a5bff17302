import json
from datetime import timedelta

import boto3
import pytest

from services.enricher.handler import handler, time_for_features, wire
from services.enricher.settings import EnricherSettings
from shared.errors import SettingsError
from tests.fakes.spotify import Reply, a_spotify_server
from tests.unit.enricher.examples import TABLE, a_batch, a_context, a_play, plays_of, uri, uris


@pytest.fixture
def enrich(environment):
    """Invoke the enricher with messages; return the ids of the failed ones."""

    def invoke(*messages, remaining_s=120):
        bodies = [
            m if isinstance(m, str) else m.model_dump_json(exclude_none=True) for m in messages
        ]
        records = [{"messageId": str(n), "body": body} for n, body in enumerate(bodies)]
        answer = handler({"Records": records}, a_context(remaining_s))
        return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]

    return invoke


def test_a_collected_batch_is_published_with_features(enrich, published):
    failed = enrich(a_batch(a_play("Boats"), number=3))

    (batch,) = published()
    assert failed == []
    assert (batch.origin, batch.number) == ("history/me/a.zip", 3)
    assert batch.plays == (a_play("Boats", popularity=69),)
    assert [(f.track_uri, f.energy, f.source) for f in batch.features] == [
        (uri("Boats"), 0.715, "reccobeats")
    ]


def test_no_features_are_requested_for_a_track_id_that_is_not_22_base_62_digits(
    enrich, published, reccobeats
):
    odd = a_play("Boats").model_copy(update={"track_uri": "spotify:track:null"})

    failed = enrich(a_batch(odd, a_play("Coats")))

    (batch,) = published()
    assert failed == []
    assert batch.plays[0] == odd
    assert [f.track_uri for f in batch.features] == [uri("Coats")]
    assert {one for call in reccobeats.calls for one in call.ids} == {uri("Coats")[-22:]}


@pytest.mark.parametrize(("tracks", "calls"), [(1, 2), (40, 2), (41, 4), (100, 6)])
def test_an_invocation_makes_two_calls_per_40_tracks_not_in_the_cache(
    enrich, published, reccobeats, tracks, calls
):
    plays = plays_of(uris(tracks))
    overlapping = [a_batch(*plays[n:], number=n) for n in range(3)]

    enrich(*overlapping)

    assert len(reccobeats.calls) == calls
    assert {f.track_uri for f in published()[0].features} == {*uris(tracks)}


def test_features_of_a_track_are_requested_once_across_containers(enrich, published, reccobeats):
    enrich(a_batch(a_play("Boats"), number=0), a_batch(a_play("Boats"), number=1))
    enrich(a_batch(a_play("Boats"), number=2))
    wire.cache_clear()
    enrich(a_batch(a_play("Boats"), number=3))

    assert len(reccobeats.calls) == 2
    assert [[f.track_uri for f in b.features] for b in published()] == [[uri("Boats")]] * 4


@pytest.mark.parametrize("status", [403, 404, 429, 500])
def test_a_failing_feature_source_delays_no_play(enrich, published, reccobeats, status):
    reccobeats.fail(status)

    failed = enrich(a_batch(*plays_of(uris(50))))

    (batch,) = published()
    assert failed == []
    assert (list(batch.plays), batch.features) == (plays_of(uris(50)), ())
    assert len(reccobeats.calls) == 1


def test_without_the_cache_plays_are_published_but_the_message_is_retried(
    enrich, published, reccobeats, dynamodb
):
    dynamodb.delete_table(TableName=TABLE)

    failed = enrich(a_batch(a_play("Boats")), a_batch(number=1))

    assert failed == ["0"]
    assert [batch.plays for batch in published()] == [(a_play("Boats"),), ()]
    assert reccobeats.calls == []


def test_a_message_that_fails_at_cache_and_queue_is_reported_once(enrich, environment, dynamodb):
    dynamodb.delete_table(TableName=TABLE)
    boto3.client("sqs").delete_queue(QueueUrl=environment)

    failed = enrich(a_batch(a_play("Boats")), a_batch(a_play("Coats"), number=1))

    assert failed == ["0", "1"]


def test_without_remaining_lambda_time_plays_are_published_without_features(
    enrich, published, reccobeats
):
    enrich(a_batch(a_play("Boats")), remaining_s=0)

    (batch,) = published()
    assert (batch.plays, batch.features) == ((a_play("Boats"),), ())
    assert reccobeats.calls == []


@pytest.mark.parametrize(("left_s", "asking_s"), [(3, 2), (30, 20), (120, 20), (900, 20)])
def test_feature_sources_get_two_thirds_of_the_remaining_time_at_most_20_s(left_s, asking_s):
    assert time_for_features(a_context(left_s)) == timedelta(seconds=asking_s)


@pytest.mark.parametrize(
    "poison",
    [
        "no JSON",
        a_batch(a_play("Boats")).model_dump_json().replace("The Example", "\\u0000"),
        a_batch(a_play("Boats")).model_dump_json().replace("The Example", "\\ud800"),
    ],
    ids=["no JSON", "NUL", "lone surrogate"],
)
def test_only_the_message_that_is_not_a_batch_fails(enrich, published, poison):
    failed = enrich(a_batch(a_play("a"), number=0), poison, a_batch(a_play("b"), number=2))

    assert failed == ["1"]
    assert [batch.number for batch in published()] == [0, 2]


def test_only_the_batch_that_the_queue_refuses_fails(enrich, published, caplog):
    huge = a_batch(*(a_play(album_name="x" * 2_000, platform="x" * 2_000) for _ in range(300)))

    failed = enrich(huge, a_batch(a_play("Boats"), number=1))

    assert failed == ["0"]
    assert [batch.number for batch in published()] == [1]
    assert "batch cannot be published" in caplog.messages


def test_features_of_a_batch_that_could_not_be_published_are_cached(
    enrich, environment, reccobeats
):
    sqs = boto3.client("sqs")
    sqs.delete_queue(QueueUrl=environment)
    enrich(a_batch(a_play("Boats")))
    sqs.create_queue(QueueName="enriched-plays")
    wire.cache_clear()

    failed = enrich(a_batch(a_play("Boats")))

    assert failed == []
    assert len(reccobeats.calls) == 2


@pytest.mark.parametrize(("tracks", "counts"), [(5, ([3.0], [2.0])), (0, ([0.0], [0.0]))])
def test_metrics_count_tracks_with_and_without_features_found(
    enrich, reccobeats, counted, tracks, counts
):
    reccobeats.unknown = {"track0", "track1"}

    enrich(a_batch(*plays_of(uris(tracks))))

    assert counted() == counts


def test_an_enricher_invocation_logs_its_counts_of_batches_plays_and_tracks(
    enrich, reccobeats, caplog
):
    reccobeats.fail(500)

    enrich(a_batch(*plays_of(uris(5))), a_batch(a_play("track0"), number=1))

    (record,) = [record for record in caplog.records if record.message == "enriched"]
    assert (record.batches, record.plays) == (2, 6)
    assert (record.learned, record.missed, record.postponed) == (0, 0, 5)


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


def test_spotify_is_called_first_if_it_is_the_first_configured_feature_source(
    enrich, published, spotify, reccobeats
):
    enrich(a_batch(a_play("Boats")))

    (features,) = published()[0].features
    assert (features.source, features.popularity) == ("spotify", 69)
    assert reccobeats.calls == []


def test_after_a_403_for_audio_features_no_container_calls_spotify_again(
    enrich, published, spotify
):
    spotify.features = [Reply(b'{"error":{"status":403}}', 403)]

    enrich(a_batch(a_play("Boats"), number=0))
    wire.cache_clear()
    enrich(a_batch(a_play("Coats"), number=1))

    assert [batch.features[0].source for batch in published()] == ["reccobeats"] * 2
    assert spotify.paths == ["/api/token", "/v1/audio-features"]


def test_without_feature_sources_plays_are_published_unchanged(
    enrich, published, reccobeats, monkeypatch
):
    monkeypatch.setenv("FEATURE_SOURCES", "")

    enrich(a_batch(a_play("Boats")))

    assert published()[0].plays == (a_play("Boats"),)
    assert reccobeats.calls == []


def test_the_feature_sources_variable_is_split_at_commas_and_spaces_are_dropped(
    environment, monkeypatch
):
    monkeypatch.setenv("FEATURE_SOURCES", " spotify , reccobeats,")

    settings = EnricherSettings.from_environment()

    assert settings.source_names == ["spotify", "reccobeats"]


def test_an_unknown_feature_source_is_named_in_the_error(environment, monkeypatch):
    monkeypatch.setenv("FEATURE_SOURCES", "reccobeats, tunes")

    with pytest.raises(SettingsError, match="'tunes'"):
        wire()


def test_missing_variables_are_named_in_the_error(environment, monkeypatch):
    monkeypatch.delenv("TRACK_CACHE_TABLE")
    monkeypatch.setenv("RECCOBEATS_URL", "reccobeats.example")

    with pytest.raises(SettingsError, match=r"TRACK_CACHE_TABLE: .*; RECCOBEATS_URL: "):
        wire()
