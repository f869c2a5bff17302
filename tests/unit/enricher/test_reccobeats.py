import json
from typing import Any

import pytest
import requests

from services.enricher.sources.reccobeats import ReccoBeats
from services.enricher.sources.source import Answer, RequestRejectedError
from shared.answers import MAX_BYTES
from shared.models import TrackFeatures
from tests.fakes.reccobeats import AUDIO, METADATA, a_metadata_row, an_audio_row
from tests.unit.enricher.examples import START, uri, uris

BOATS = uri("Boats")
ADDRESS = an_audio_row("Boats")["href"]
ROWS_WITHOUT_A_TRACK: tuple[Any, ...] = (
    *(None, "row", [], {}, {"href": None}, {"href": 5}, {"href": "/album/x"}),
)


@pytest.fixture
def source(reccobeats, clock):
    with requests.Session() as session:
        yield ReccoBeats(reccobeats.url, session, clock)


def test_features_and_popularity_of_the_two_calls_are_combined(source):
    features = TrackFeatures(
        track_uri=BOATS,
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

    assert source.fetch([BOATS]) == Answer({BOATS: features})


def test_forty_tracks_take_one_audio_features_and_one_metadata_call(source, reccobeats):
    tracks = uris(40)

    answer = source.fetch(tracks)

    ids = [track.rpartition(":")[2] for track in tracks]
    assert [(call.path, call.ids) for call in reccobeats.calls] == [(AUDIO, ids), (METADATA, ids)]
    assert set(answer.features) == set(tracks)


def test_the_reccobeats_url_can_have_a_path_and_a_trailing_slash(reccobeats, clock):
    with requests.Session() as session:
        answer = ReccoBeats(f"{reccobeats.url}/mirror/", session, clock).fetch([BOATS])

    assert answer.failure is None
    assert [call.path for call in reccobeats.calls] == [f"/mirror{AUDIO}", f"/mirror{METADATA}"]


def test_reccobeats_is_not_called_with_pythons_default_user_agent(source, reccobeats):
    source.fetch([BOATS])

    (agent,) = {call.user_agent for call in reccobeats.calls}
    assert not agent.lower().startswith(("python", "urllib"))


@pytest.mark.parametrize(
    ("rows", "energy"),
    [
        pytest.param(
            [an_audio_row("Coats", energy=0.2), an_audio_row("Boats", energy=0.1)],
            0.1,
            id="in another order",
        ),
        pytest.param(
            [an_audio_row("Boats", energy=0.1), an_audio_row("Boats", energy=0.9)],
            0.1,
            id="the first of two",
        ),
        pytest.param([an_audio_row("other")], None, id="another recording"),
        pytest.param([an_audio_row("Boats", href=f"{ADDRESS}?si=abc")], 0.715, id="with a query"),
        pytest.param([an_audio_row("Boats", href=f"{ADDRESS}/")], 0.715, id="with a slash"),
        pytest.param(
            [an_audio_row("Boats", href=ADDRESS.replace("/track", "/intl-de/track"))],
            0.715,
            id="with a language",
        ),
        *(
            pytest.param([row, an_audio_row("Boats")], 0.715, id=f"after {row}")
            for row in ROWS_WITHOUT_A_TRACK
        ),
    ],
)
def test_a_reccobeats_row_is_matched_to_the_track_in_its_href(source, reccobeats, rows, energy):
    reccobeats.answer_rows(AUDIO, *rows)

    answer = source.fetch([BOATS])

    assert answer.features[BOATS].energy == energy
    assert answer.missing == (frozenset() if energy else {BOATS})


WITHOUT_VALUES = dict.fromkeys(an_audio_row("")) | {"href": ADDRESS}


@pytest.mark.parametrize(
    ("audio", "metadata", "is_missing", "popularity"),
    [
        pytest.param([], [a_metadata_row("Boats")], True, 69, id="only metadata"),
        pytest.param([WITHOUT_VALUES], [a_metadata_row("Boats")], True, 69, id="null features"),
        pytest.param([an_audio_row("Boats")], [], False, None, id="only features"),
    ],
)
def test_a_track_counts_as_missing_only_without_audio_features(
    source, reccobeats, *, audio, metadata, is_missing, popularity
):
    reccobeats.answer_rows(AUDIO, *audio)
    reccobeats.answer_rows(METADATA, *metadata)

    answer = source.fetch([BOATS])

    assert answer.features[BOATS].popularity == popularity
    assert answer.missing == ({BOATS} if is_missing else frozenset())


@pytest.mark.parametrize(
    ("audio", "metadata"),
    [
        pytest.param({"content": []}, {"content": []}, id="no rows"),
        pytest.param({"content": None}, {"content": None}, id="null"),
        pytest.param(
            {"content": [{"href": ADDRESS, "energy": 2}]}, {"content": []}, id="an impossible value"
        ),
    ],
)
def test_a_track_without_any_valid_value_counts_as_missing(source, reccobeats, audio, metadata):
    reccobeats.answer(AUDIO, json.dumps(audio).encode())
    reccobeats.answer(METADATA, json.dumps(metadata).encode())

    assert source.fetch([BOATS]) == Answer(missing=frozenset({BOATS}))


@pytest.mark.parametrize(
    ("name", "sent", "read"),
    [
        ("energy", 1.01, None),
        ("energy", "loud", None),
        ("loudness", float("nan"), None),
        ("loudness", float("-inf"), None),
        ("tempo", -1, None),
        ("key", 12, None),
        ("key", 3.5, None),
        ("key", -1, -1),
        ("mode", 2, None),
        ("mode", None, None),
        ("popularity", None, None),
        ("popularity", -1, None),
        ("popularity", 101, None),
        ("popularity", 45.5, None),
        ("popularity", "many", None),
        ("popularity", 0, 0),
    ],
)
def test_an_out_of_range_value_is_unknown_and_the_others_are_kept(
    source, reccobeats, name, sent, read
):
    reccobeats.answer_rows(AUDIO, an_audio_row("Boats", **{name: sent}))
    reccobeats.answer_rows(METADATA, a_metadata_row("Boats", **{name: sent}))

    features = source.fetch([BOATS]).features[BOATS]

    assert getattr(features, name) == read
    assert (features.valence, features.duration_ms) == (0.571, 201_333)


@pytest.mark.parametrize(
    ("status", "is_rejected"),
    [
        *((status, False) for status in (301, 401, 403, 404, 429, 500, 502, 503)),
        *((status, True) for status in (400, 414, 422)),
    ],
)
def test_an_error_status_is_a_failure_and_no_track_counts_as_missing(
    source, reccobeats, status, is_rejected
):
    reccobeats.fail(status, Location=f"{reccobeats.url}{METADATA}")

    answer = source.fetch([BOATS])

    assert str(answer.failure) == f"{AUDIO} answered {status}"
    assert isinstance(answer.failure, RequestRejectedError) == is_rejected
    assert answer == Answer(failure=answer.failure)
    assert [call.path for call in reccobeats.calls] == [AUDIO]


def test_audio_features_are_kept_if_the_metadata_call_fails(source, reccobeats):
    reccobeats.unknown = {"new"}
    reccobeats.fail(500, METADATA)

    answer = source.fetch([BOATS, uri("new")])

    assert answer.features[BOATS].energy == 0.715
    assert (answer.missing, str(answer.failure)) == (frozenset(), f"{METADATA} answered 500")


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
def test_a_response_without_a_list_of_rows_is_a_failure(source, reccobeats, body):
    reccobeats.answer(AUDIO, body)

    answer = source.fetch([BOATS])

    assert str(answer.failure) == f"the answer of {AUDIO} holds no list of tracks"


@pytest.mark.parametrize(
    ("headers", "wait_s"),
    [
        ({"Retry-After": "7"}, 7),
        ({"Retry-After": "Mon, 23 Nov 2026 08:10:00 GMT"}, 600),
        ({"Retry-After": "9999999999"}, 86_400),
        ({"Retry-After": "soon"}, None),
        ({}, None),
    ],
)
def test_a_retry_after_in_seconds_or_as_a_date_is_capped_at_one_day(
    source, reccobeats, headers, wait_s
):
    reccobeats.fail(429, **headers)

    assert source.fetch([BOATS]).failure.retry_after_s == wait_s


@pytest.mark.parametrize(
    ("body", "headers", "error"),
    [
        (b"{}", {"Content-Length": "12"}, "ChunkedEncodingError"),
        (bytes(MAX_BYTES + 1), {}, "HugeAnswerError"),
    ],
    ids=["incomplete", "huge"],
)
def test_an_incomplete_or_too_large_response_is_a_failure(source, reccobeats, body, headers, error):
    reccobeats.answer(AUDIO, body, **headers)

    answer = source.fetch([BOATS])

    assert str(answer.failure) == f"{AUDIO} gave no answer: {error}"


class Frozen(requests.adapters.HTTPAdapter):
    """Fails first, as a kept connection that died does, then sends normally."""

    def __init__(self, *failures: Exception) -> None:
        super().__init__()
        self.failures = list(failures)

    def send(self, *args: Any, **kwargs: Any) -> requests.Response:
        if self.failures:
            raise self.failures.pop(0)
        return super().send(*args, **kwargs)


@pytest.mark.parametrize(
    ("failures", "failure"),
    [
        pytest.param([requests.ConnectionError()], None, id="dead once"),
        pytest.param([requests.ConnectionError()] * 2, "ConnectionError", id="dead twice"),
        pytest.param([requests.ConnectTimeout()], "ConnectTimeout", id="no connection in time"),
        pytest.param([requests.ReadTimeout()], "ReadTimeout", id="no answer in time"),
    ],
)
def test_a_call_is_retried_once_after_a_connection_error_but_not_after_a_timeout(
    reccobeats, clock, failures, failure
):
    with requests.Session() as session:
        session.mount(reccobeats.url, Frozen(*failures))

        answer = ReccoBeats(reccobeats.url, session, clock).fetch([BOATS])

    expected = failure and f"{AUDIO} gave no answer: {failure}"
    assert (answer.failure and str(answer.failure)) == expected
    assert len(answer.features) == (0 if failure else 1)
