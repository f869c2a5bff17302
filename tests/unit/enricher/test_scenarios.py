"""Both sources against the simulators: every known kind of answer."""

import json
from datetime import timedelta
from itertools import islice

import boto3
import pytest
import requests

from infra.local import catalogue
from infra.local.simulators.account import CLIENT_ID, CLIENT_SECRET
from services.enricher.lookup import Lookup
from services.enricher.sources.reccobeats import ReccoBeats
from services.enricher.sources.spotify import SpotifyFeatures
from services.enricher.sources.spotify_calls import SpotifyCalls
from shared.spotify.api import SpotifyAccounts, SpotifyApi, open_session
from shared.spotify.rate_limits import SpotifyApps
from tests.fakes.simulators import simulators
from tests.unit.enricher.conftest import APPS

TRACKS = [
    catalogue.track(number).uri
    for number in islice(filter(catalogue.known_to_reccobeats, range(1_000)), 90)
]
SPOTIFY_REFUSALS = (
    *("invalid-client", "accounts-down", "access-token-refused", "forbidden", "no-premium"),
    *("rate-limited", "rate-limited-without-header", "rate-limited-in-plain-text"),
    *("quota-exceeded", "bad-gateway", "unavailable"),
)
RECCOBEATS_REFUSALS = (
    *("reccobeats-rate-limited", "reccobeats-forbidden", "reccobeats-error", "reccobeats-down"),
)


@pytest.fixture
def simulated():
    with simulators() as running:
        yield running


@pytest.fixture
def reccobeats(simulated):
    with requests.Session() as session:
        yield ReccoBeats(simulated.reccobeats_url, session, simulated.now)


@pytest.fixture
def spotify(simulated, dynamodb):
    app = json.dumps({"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET})
    secretsmanager = boto3.client("secretsmanager")
    secretsmanager.create_secret(Name="login", SecretString=app)
    with open_session() as session:
        calls = SpotifyCalls(
            secretsmanager=secretsmanager,
            secret="login",  # noqa: S106 - a name
            accounts=SpotifyAccounts(session, simulated.spotify_url),
            apps=SpotifyApps(dynamodb, APPS),
            daily_calls=200,
            now=simulated.now,
        )
        yield SpotifyFeatures(SpotifyApi(session, simulated.spotify_url), calls, simulated.now)


@pytest.fixture
def new_container(new_container, simulated):
    """Return the invocation of a new container that asks these sources."""

    def start(*sources):
        lookup = Lookup(
            new_container(),
            {str(place): source for place, source in enumerate(sources)},
            simulated.now,
        )

        def find(tracks):
            findings = lookup.find(tracks, simulated.now() + timedelta(minutes=1))
            lookup.save(findings)
            return findings

        return find

    return start


@pytest.mark.parametrize("scenario", RECCOBEATS_REFUSALS)
def test_a_refusal_of_reccobeats_postpones_the_tracks(
    simulated, reccobeats, new_container, scenario
):
    simulated.scenario(scenario)

    find = new_container(reccobeats)

    first, second = find(TRACKS[:80]), find(TRACKS[80:])
    refused_calls = simulated.counts()
    simulated.scenario("normal")
    simulated.pass_s(901)
    healed = find(TRACKS)

    assert (first.counts["missed"], first.counts["postponed"]) == (0, 80)
    assert (second.counts["missed"], second.counts["postponed"]) == (0, 10)
    assert refused_calls == {"/v1/audio-features": 1}
    assert simulated.blocked_calls() == 0
    assert (healed.counts["learned"], healed.counts["missed"], healed.counts["postponed"]) == (
        90,
        0,
        0,
    )


@pytest.mark.parametrize(
    ("scenario", "missed"), [("reccobeats-empty", 90), ("reccobeats-missing-rows", 49)]
)
def test_missing_rows_are_misses(simulated, reccobeats, new_container, scenario, missed):
    simulated.scenario(scenario)

    findings = new_container(reccobeats)(TRACKS)

    assert (findings.counts["missed"], findings.counts["learned"]) == (missed, 90 - missed)


@pytest.mark.parametrize(
    ("scenario", "popularities"),
    [("reccobeats-popularity-unknown", {None}), ("reccobeats-popularity-zero", {0})],
)
def test_a_popularity_of_zero_is_known_but_null_is_not(
    simulated, reccobeats, new_container, scenario, popularities
):
    simulated.scenario(scenario)

    findings = new_container(reccobeats)(TRACKS)

    assert {known.popularity for known in findings.features.values()} == popularities
    assert findings.counts["missed"] == 0


@pytest.mark.parametrize("scenario", SPOTIFY_REFUSALS)
def test_reccobeats_replaces_a_spotify_that_refuses(
    simulated, spotify, reccobeats, new_container, scenario
):
    simulated.scenario("legacy-app")
    simulated.scenario(scenario, also=True)

    findings = new_container(spotify, reccobeats)(TRACKS)

    assert (
        findings.counts["learned"],
        findings.counts["missed"],
        findings.counts["postponed"],
    ) == (90, 0, 0)
    assert {known.source for known in findings.features.values()} == {"reccobeats"}
    assert simulated.blocked_calls() == 0


@pytest.mark.parametrize("scenario", SPOTIFY_REFUSALS)
def test_a_refusal_of_spotify_alone_is_no_miss(simulated, spotify, new_container, scenario):
    simulated.scenario("legacy-app")
    simulated.scenario(scenario, also=True)

    first, second = new_container(spotify)(TRACKS[:50]), new_container(spotify)(TRACKS[50:])
    simulated.pass_s(901)
    third = new_container(spotify)(TRACKS)

    assert [findings.counts["missed"] for findings in (first, second, third)] == [0, 0, 0]
    assert [findings.counts["learned"] for findings in (first, second, third)] == [0, 0, 0]
    assert simulated.blocked_calls() == 0


@pytest.mark.parametrize("scenario", ["normal", "new-app", "old-app", "forbidden"])
def test_an_app_without_features_is_asked_for_them_once_a_day(
    simulated, spotify, new_container, scenario
):
    simulated.scenario(scenario)

    new_container(spotify)(TRACKS)
    simulated.pass_s(80_000)
    new_container(spotify)(TRACKS)

    counts = simulated.counts()
    assert (counts["/v1/audio-features"], counts.get("/v1/tracks", 0)) == (1, 0)


def test_paying_for_premium_again_restores_the_features(simulated, spotify, new_container):
    simulated.scenario("no-premium")
    find = new_container(spotify)
    refused = find(TRACKS)
    simulated.scenario("normal")
    simulated.scenario("legacy-app")
    simulated.pass_s(6 * 3_600 + 1)

    healed = find(TRACKS)

    assert (refused.counts["missed"], refused.counts["postponed"]) == (0, 90)
    assert (healed.counts["learned"], healed.counts["postponed"]) == (90, 0)


def test_a_legacy_app_gets_all_features(simulated, spotify, new_container):
    simulated.scenario("legacy-app")

    findings = new_container(spotify)(TRACKS)

    features = list(findings.features.values())
    assert len(features) == 90
    assert all(one.time_signature and one.tempo and one.duration_ms for one in features)
    assert {one.source for one in features if one.popularity is not None} == {"spotify"}
    assert simulated.counts() == {"/api/token": 1, "/v1/audio-features": 3, "/v1/tracks": 3}


def test_an_unknown_id_is_missing_at_both_sources(simulated, spotify, reccobeats, new_container):
    simulated.scenario("legacy-app")

    findings = new_container(spotify, reccobeats)(["spotify:track:" + "0" * 22])

    assert (findings.counts["learned"], findings.counts["missed"]) == (0, 1)


def test_a_source_that_hangs_is_a_failure(simulated, reccobeats, new_container, monkeypatch):
    monkeypatch.setattr("services.enricher.sources.reccobeats.TIMEOUT_S", (0.2, 0.2))
    simulated.scenario("reccobeats-hangs", hang_s=1)

    findings = new_container(reccobeats)(TRACKS)

    assert (findings.counts["missed"], findings.counts["postponed"]) == (0, 90)
