import json
import socket
from datetime import timedelta

import pytest
import requests

from services.enricher.sources.reccobeats import LONGEST_CALL_S, TIMEOUT_S, ReccoBeats
from services.enricher.sources.source import RequestRefusedError
from shared.answers import LONGEST_S
from shared.models import TrackFeatures
from tests.unit.enricher.conftest import METADATA, SOUNDS, a_metadata_row, a_sound_row
from tests.unit.enricher.examples import START, uri, uris
from tests.unit.slow_server import a_slow_server, endless, trickling


@pytest.fixture
def source(reccobeats, clock):
    with requests.Session() as session:
        yield ReccoBeats(reccobeats.url, session, clock)


def test_a_track_is_told_with_all_that_both_calls_know(source):
    answer = source.fetch([uri("Boats")])

    assert answer.features == {
        uri("Boats"): TrackFeatures(
            track_uri=uri("Boats"),
            acousticness=0.0755,
            danceability=0.679,
            energy=0.715,
            instrumentalness=0.0,
            key=9,
            liveness=0.271,
            loudness=-6.383,
            mode=1,
            speechiness=0.0407,
            tempo=127.435,
            valence=0.571,
            duration_ms=201_333,
            popularity=69,
            source="reccobeats",
            fetched_at=START,
        )
    }
    assert (answer.missing, answer.failure) == (frozenset(), None)


def test_forty_tracks_cost_one_call_of_each_kind(source, reccobeats):
    tracks = uris(40)

    answer = source.fetch(tracks)

    ids = [track.rpartition(":")[2] for track in tracks]
    assert [(call.path, call.ids) for call in reccobeats.calls] == [(SOUNDS, ids), (METADATA, ids)]
    assert set(answer.features) == set(tracks)


def test_the_address_may_have_a_path_and_end_with_a_slash(reccobeats, clock):
    reccobeats.rows = {f"/mirror{path}": row for path, row in reccobeats.rows.items()}

    with requests.Session() as session:
        answer = ReccoBeats(f"{reccobeats.url}/mirror/", session, clock).fetch([uri("Boats")])

    assert answer.failure is None
    assert [call.path for call in reccobeats.calls] == [f"/mirror{SOUNDS}", f"/mirror{METADATA}"]


def test_calls_name_an_agent_that_is_not_pythons_own(source, reccobeats):
    source.fetch([uri("Boats")])

    agents = {call.user_agent for call in reccobeats.calls}
    assert len(agents) == 1
    assert not agents.pop().lower().startswith(("python", "urllib"))


def test_rows_belong_to_the_track_in_their_href_whatever_their_order(source, reccobeats):
    first, second = a_sound_row("first"), a_sound_row("second")
    reccobeats.answer_rows(SOUNDS, second | {"energy": 0.2}, first | {"energy": 0.1})

    answer = source.fetch([uri("first"), uri("second")])

    energies = {track: features.energy for track, features in answer.features.items()}
    assert energies == {uri("first"): 0.1, uri("second"): 0.2}


def test_a_row_of_another_recording_is_nobodys(source, reccobeats):
    reccobeats.answer_rows(SOUNDS, a_sound_row("other"))
    reccobeats.answer_rows(METADATA, a_metadata_row("other"))

    answer = source.fetch([uri("Boats")])

    assert (answer.features, answer.missing) == ({}, {uri("Boats")})


def test_of_two_rows_of_a_track_the_first_counts(source, reccobeats):
    row = a_sound_row("Boats")
    reccobeats.answer_rows(SOUNDS, row | {"energy": 0.1}, row | {"energy": 0.9})

    answer = source.fetch([uri("Boats")])

    assert answer.features[uri("Boats")].energy == 0.1


@pytest.mark.parametrize(
    "href",
    [
        "https://open.spotify.com/track/{}?si=abc",
        "https://open.spotify.com/intl-de/track/{}",
        "http://open.spotify.com/track/{}/",
    ],
)
def test_a_row_is_found_by_any_spelling_of_the_tracks_address(source, reccobeats, href):
    track_uri = uri("Boats")
    row = a_sound_row("Boats") | {"href": href.format(track_uri.rpartition(":")[2])}
    reccobeats.answer_rows(SOUNDS, row)

    answer = source.fetch([track_uri])

    assert answer.missing == frozenset()


@pytest.mark.parametrize(
    "row",
    [None, "row", [], {}, {"href": None}, {"href": 5}, {"href": "https://open.spotify.com/"}],
    ids=str,
)
def test_a_row_that_names_no_track_is_passed_over(source, reccobeats, row):
    reccobeats.answer_rows(SOUNDS, row, a_sound_row("Boats"))

    answer = source.fetch([uri("Boats")])

    assert answer.features[uri("Boats")].energy == 0.715


def test_a_track_that_neither_call_knows_is_missing(source, reccobeats):
    reccobeats.unknown = {"new"}

    answer = source.fetch([uri("new"), uri("Boats")])

    assert (set(answer.features), answer.missing) == ({uri("Boats")}, {uri("new")})


def test_a_track_of_which_only_the_sound_is_unknown_is_missing_yet_told_in_part(source, reccobeats):
    reccobeats.answer_rows(SOUNDS)

    answer = source.fetch([uri("Boats")])

    assert answer.missing == {uri("Boats")}
    assert answer.features[uri("Boats")].popularity == 69


def test_a_track_whose_sound_is_all_null_is_missing(source, reccobeats):
    reccobeats.answer_rows(SOUNDS, dict.fromkeys(a_sound_row("")) | {"href": "/track/Boats"})

    answer = source.fetch([uri("Boats")])

    assert answer.missing == {uri("Boats")}


def test_a_track_without_metadata_is_settled(source, reccobeats):
    reccobeats.answer_rows(METADATA)

    answer = source.fetch([uri("Boats")])

    features = answer.features[uri("Boats")]
    assert (features.energy, features.popularity, features.duration_ms) == (0.715, None, None)
    assert answer.missing == frozenset()


@pytest.mark.parametrize("body", [b'{"content": []}', b'{"content": null}'])
def test_an_answer_without_rows_means_that_no_track_is_known(source, reccobeats, body):
    reccobeats.answer(SOUNDS, body)
    reccobeats.answer(METADATA, body)

    answer = source.fetch([uri("Boats")])

    assert (answer.features, answer.missing, answer.failure) == ({}, {uri("Boats")}, None)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("energy", 1.01),
        ("energy", -0.1),
        ("energy", "loud"),
        ("loudness", float("nan")),
        ("loudness", float("-inf")),
        ("tempo", -1),
        ("key", 12),
        ("key", 3.5),
        ("mode", 2),
        ("mode", None),
    ],
)
def test_an_impossible_value_is_unknown_and_its_neighbours_stay(source, reccobeats, name, value):
    reccobeats.answer_rows(SOUNDS, a_sound_row("Boats") | {name: value})

    features = source.fetch([uri("Boats")]).features[uri("Boats")]

    assert getattr(features, name) is None
    assert (features.valence, features.popularity) == (0.571, 69)


@pytest.mark.parametrize("popularity", [None, -1, 101, 45.5, "many"])
def test_a_popularity_that_cannot_be_is_unknown_not_zero(source, reccobeats, popularity):
    reccobeats.answer_rows(METADATA, a_metadata_row("Boats") | {"popularity": popularity})

    features = source.fetch([uri("Boats")]).features[uri("Boats")]

    assert features.popularity is None
    assert (features.popularity_source, features.popularity_fetched_at) == (None, None)


def test_a_popularity_of_zero_stays_since_unknown_is_null(source, reccobeats):
    reccobeats.answer_rows(METADATA, a_metadata_row("Boats") | {"popularity": 0})

    features = source.fetch([uri("Boats")]).features[uri("Boats")]

    assert features.popularity == 0


def test_the_key_minus_one_stays_for_a_track_without_key(source, reccobeats):
    reccobeats.answer_rows(SOUNDS, a_sound_row("Boats") | {"key": -1})

    features = source.fetch([uri("Boats")]).features[uri("Boats")]

    assert features.key == -1


def test_a_track_of_which_every_value_is_impossible_is_missing(source, reccobeats):
    reccobeats.answer_rows(SOUNDS, {"href": "/track/Boats", "energy": 2})
    reccobeats.answer_rows(METADATA)

    answer = source.fetch([uri("Boats")])

    assert (answer.features, answer.missing) == ({}, {uri("Boats")})


@pytest.mark.parametrize("status", [301, 400, 401, 403, 404, 414, 422, 429, 500, 502, 503])
def test_a_refusal_is_a_failure_and_no_track_is_missing(source, reccobeats, status):
    reccobeats.fail(status)

    answer = source.fetch([uri("Boats")])

    assert (answer.features, answer.missing) == ({}, frozenset())
    assert str(answer.failure) == f"/v1/audio-features answered {status}"


def test_a_redirect_is_not_followed(source, reccobeats):
    reccobeats.fail(302, Location=f"{reccobeats.url}{METADATA}")

    answer = source.fetch([uri("Boats")])

    assert str(answer.failure) == "/v1/audio-features answered 302"
    assert len(reccobeats.calls) == 1


def test_after_a_refused_first_call_there_is_no_second(source, reccobeats):
    reccobeats.fail(500)

    source.fetch([uri("Boats")])

    assert [call.path for call in reccobeats.calls] == [SOUNDS]


@pytest.mark.parametrize("status", [400, 414, 422])
def test_a_refusal_of_what_a_request_says_is_told_apart(source, reccobeats, status):
    reccobeats.fail(status)

    answer = source.fetch([uri("Boats")])

    assert isinstance(answer.failure, RequestRefusedError)


@pytest.mark.parametrize("status", [401, 403, 404, 429, 500])
def test_a_refusal_of_us_concerns_every_request(source, reccobeats, status):
    reccobeats.fail(status)

    answer = source.fetch([uri("Boats")])

    assert not isinstance(answer.failure, RequestRefusedError)


def test_what_the_first_call_told_outlives_a_failure_of_the_second(source, reccobeats):
    reccobeats.unknown = {"new"}
    reccobeats.fail(500, METADATA)

    answer = source.fetch([uri("Boats"), uri("new")])

    assert answer.features[uri("Boats")].energy == 0.715
    assert (answer.missing, str(answer.failure)) == (frozenset(), "/v1/track answered 500")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>maintenance</html>",
        b"\xff",
        b"[]",
        b'"content"',
        b"{}",
        b'{"content": {}}',
        b'{"content": "none"}',
        b"[" * 100_000,
    ],
    ids=lambda body: body[:20].decode(errors="replace"),
)
def test_an_answer_that_is_no_list_of_rows_is_a_failure(source, reccobeats, body):
    reccobeats.answer(SOUNDS, body)

    answer = source.fetch([uri("Boats")])

    assert str(answer.failure) == "/v1/audio-features answered no list of tracks"


IN_TEN_MINUTES = (START + timedelta(minutes=10)).strftime("%a, %d %b %Y %H:%M:%S")


@pytest.mark.parametrize(
    ("header", "wait_s"),
    [
        ("7", 7),
        ("0", None),
        ("52531", 52_531),
        ("9999999999", 86_400),
        ("9" * 5_000, 86_400),
        (f"{IN_TEN_MINUTES} GMT", 600),
        (f"{IN_TEN_MINUTES} -0000", 600),
        ("Wed, 21 Oct 2015 07:28:00 GMT", None),
        ("Wed, 21 Oct 9999 07:28:00 GMT", 86_400),
        ("Wed, 21 Oct 99999999999999999999 07:28:00 GMT", None),
        ("-5", None),
        ("\u00b2", None),
        ("soon", None),
        ("", None),
    ],
    ids=lambda value: str(value)[:30],
)
def test_the_wait_is_what_retry_after_says_up_to_a_day(source, reccobeats, header, wait_s):
    reccobeats.fail(429, Retry_After=header)

    answer = source.fetch([uri("Boats")])

    assert answer.failure.retry_after_s == wait_s


def test_a_refusal_without_retry_after_leaves_the_wait_open(source, reccobeats):
    reccobeats.fail(429)

    answer = source.fetch([uri("Boats")])

    assert answer.failure.retry_after_s is None


def test_no_answer_at_all_is_a_failure(clock):
    with socket.socket() as reserved, requests.Session() as session:
        reserved.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{reserved.getsockname()[1]}"

        answer = ReccoBeats(url, session, clock).fetch([uri("Boats")])

    assert str(answer.failure) == "/v1/audio-features gave no answer: ConnectionError"


def test_an_answer_that_breaks_off_is_a_failure(source, reccobeats):
    body = json.dumps({"content": []}).encode()
    reccobeats.replies[SOUNDS] = (200, {"Content-Length": str(len(body) + 10)}, body)

    answer = source.fetch([uri("Boats")])

    assert str(answer.failure) == "/v1/audio-features gave no answer: ChunkedEncodingError"


@pytest.mark.parametrize(
    ("pieces", "pause_s", "longest_s", "error"),
    [(trickling, 0.01, 0.3, "ReadTimeout"), (endless, 0, LONGEST_S, "HugeAnswerError")],
)
def test_an_answer_without_an_end_is_a_failure(
    clock, monkeypatch, *, pieces, pause_s, longest_s, error
):
    monkeypatch.setattr("services.enricher.sources.reccobeats.LONGEST_S", longest_s)
    with a_slow_server() as server, requests.Session() as session:
        server.pieces, server.pause_s = pieces, pause_s

        answer = ReccoBeats(server.url, session, clock).fetch([uri("Boats")])

    assert str(answer.failure) == f"/v1/audio-features gave no answer: {error}"
    assert server.connections == 1


def test_no_call_takes_longer_than_it_is_said_to():
    made_twice, read_to_the_last = 2 * sum(TIMEOUT_S), LONGEST_S + TIMEOUT_S[1]

    assert max(made_twice, read_to_the_last) <= LONGEST_CALL_S


class Frozen(requests.adapters.HTTPAdapter):
    """Sends as ever, but first fails as a connection does that died while nobody used it."""

    def __init__(self, *failures):
        super().__init__()
        self.failures = list(failures)

    def send(self, *args, **kwargs):
        if self.failures:
            raise self.failures.pop(0)
        return super().send(*args, **kwargs)


@pytest.mark.parametrize(
    ("failures", "told"),
    [
        pytest.param([requests.ConnectionError()], 1, id="dead once"),
        pytest.param([requests.ConnectionError(), requests.ConnectionError()], 0, id="dead twice"),
        pytest.param([requests.ConnectTimeout()], 0, id="nobody there"),
        pytest.param([requests.ReadTimeout()], 0, id="no answer in time"),
    ],
)
def test_a_call_is_made_again_only_where_a_kept_connection_died(reccobeats, clock, failures, told):
    with requests.Session() as session:
        session.mount(reccobeats.url, Frozen(*failures))

        answer = ReccoBeats(reccobeats.url, session, clock).fetch([uri("Boats")])

    assert len(answer.features) == told
    assert (answer.failure is None) == bool(told)
