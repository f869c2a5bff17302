"""ReccoBeats: audio features and popularity by Spotify id, without an API key.

It knows all of Spotify's audio features except `time_signature`. The origin and age of its
popularity are not documented, so the source and time of each popularity are stored. A popularity of
0 is kept: an unknown one is null, and 0 is a value on Spotify's scale.

Source:
    https://reccobeats.com/docs
    https://reccobeats.com/docs/documentation/rate-limiting
    The limit of 40 ids, the rejection of Python's default user agents and the order of rows are
    not documented; users of the service measured them.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from functools import partial
from http import HTTPStatus
from typing import Any

import requests

from services.enricher.domain.features import AUDIO_FEATURES, read_features
from services.enricher.sources.source import Answer, RequestRejectedError
from shared.answers import read_body
from shared.errors import FeatureSourceError
from shared.json_answers import read_json
from shared.retry_after import retry_after_s

NAME = "reccobeats"
USER_AGENT = "spotify-listening-history/1 (personal listening statistics)"
TIMEOUT_S = (2, 5)
"""To connect, and between two bytes of an answer, in seconds."""

MAX_RETRY_AFTER_S = 86_400
"""The longest accepted `Retry-After`: a day, in seconds."""

_TRACK_ID = re.compile(r"/track/([0-9A-Za-z]+)")
# Bad request, URI too long, unprocessable content: the request itself is at fault.
_REJECTIONS = frozenset({400, 414, 422})

Row = dict[str, Any]


class ReccoBeats:
    """A client of ReccoBeats' two batch calls: audio features, and track metadata."""

    def __init__(self, url: str, session: requests.Session, now: Callable[[], datetime]) -> None:
        self._url = url.rstrip("/")
        self._session = session
        self._now = now

    def fetch(self, track_uris: Sequence[str], /) -> Answer:
        """Ask for at most 40 tracks, in two calls; if the first fails, the second is not made."""
        ids = {uri.rpartition(":")[2]: uri for uri in track_uris}
        failure = None
        try:
            audio = self._rows("/v1/audio-features", ids)
        except FeatureSourceError as error:
            return Answer(failure=error)
        try:
            metadata = self._rows("/v1/track", ids)
        except FeatureSourceError as error:
            metadata, failure = {}, error
        fetched_at = self._now()
        known = (
            read_features(uri, NAME, fetched_at, _values(audio.get(id_, {}), metadata.get(id_, {})))
            for id_, uri in ids.items()
        )
        return Answer.about(track_uris, known, failure)

    def _rows(self, path: str, ids: Iterable[str]) -> dict[str, Row]:
        """Fetch the rows of one call, by Spotify id.

        Raises:
            RequestRejectedError: ReccoBeats rejected the ids: status 400, 414 or 422.
            FeatureSourceError: ReccoBeats gave no answer, another status than 200, or no list. The
                bodies of errors are not documented, so only the status counts.
        """
        try:
            # Ids need no quoting, and requests spends most of a call on quoting their commas.
            url = f"{self._url}{path}?ids={','.join(ids)}"
            response = read_body(self._get(url))
        except requests.RequestException as error:
            raise FeatureSourceError(f"{path} gave no answer: {type(error).__name__}") from error
        self._check(response, path)
        return _by_track_id(_content(response, path))

    def _get(self, url: str) -> requests.Response:
        ask = partial(
            self._session.get,
            url,
            headers={"User-Agent": USER_AGENT},
            timeout=TIMEOUT_S,
            allow_redirects=False,
            stream=True,
        )
        try:
            return ask()
        except requests.ConnectTimeout:
            raise
        except requests.ConnectionError:
            # A kept connection dies while the container is frozen; the retry opens a new one.
            return ask()

    def _check(self, response: requests.Response, path: str) -> None:
        status = response.status_code
        if status in _REJECTIONS:
            raise RequestRejectedError(f"{path} answered {status}")
        if status != HTTPStatus.OK:
            header = response.headers.get("Retry-After", "")
            wait_s = retry_after_s(header, self._now(), MAX_RETRY_AFTER_S)
            raise FeatureSourceError(f"{path} answered {status}", wait_s)


def _content(response: requests.Response, path: str) -> list[Any]:
    """Return the rows in an answer; some servers write `"content": null` if there are none."""
    answer = read_json(response.content)
    # Without the key it is not an answer of this call; with null it is an empty list.
    content = answer.get("content", "") if isinstance(answer, dict) else ""
    if content is not None and not isinstance(content, list):
        raise FeatureSourceError(f"the answer of {path} holds no list of tracks")
    return content or []


def _by_track_id(rows: list[Any]) -> dict[str, Row]:
    """Index rows by the Spotify id in `href`, because `id` is ReccoBeats' own id.

    The rows come in any order. If a track has several rows, the first is kept.
    """
    found: dict[str, Row] = {}
    for row in rows:
        href = row.get("href") if isinstance(row, dict) else None
        if isinstance(href, str) and (match := _TRACK_ID.search(href)):
            found.setdefault(match[1], row)
    return found


def _values(audio: Row, metadata: Row) -> dict[str, Any]:
    """Combine a track's rows of both calls into values under the field names of `TrackFeatures`."""
    values = {name: audio.get(name) for name in AUDIO_FEATURES}
    values["duration_ms"] = metadata.get("durationMs")
    values["popularity"] = metadata.get("popularity")
    return values
