"""ReccoBeats: audio features and popularity by Spotify id, without a key.

It knows all that Spotify measured but `time_signature`. Whence and how fresh its popularity is
nobody documents, so who told it and when travel along. A popularity of 0 is kept: where
ReccoBeats knows none it writes null, and on Spotify's scale 0 is a value.

Source:
    https://reccobeats.com/docs
    https://reccobeats.com/docs/documentation/rate-limiting
    The limit of 40 ids, the refusal of Python's own user agents and the order of rows are not
    documented; users of the service measured them.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from functools import partial
from http import HTTPStatus
from typing import Any

import requests

from services.enricher.domain.features import SOUND, told
from services.enricher.sources.source import Answer, RequestRefusedError
from shared.answers import LONGEST_S, whole_answer
from shared.errors import FeatureSourceError
from shared.json_answers import read_json
from shared.retry_after import retry_after_s

NAME = "reccobeats"
USER_AGENT = "spotify-listening-history/1 (personal listening statistics)"
TIMEOUT_S = (2, 5)
"""To connect, and between two bytes of an answer."""

LONGEST_CALL_S = LONGEST_S + TIMEOUT_S[1]
"""No call takes longer, nor one that is made again: two times `TIMEOUT_S` are less."""

MOST_PATIENCE_S = 86_400
"""The longest wait that we accept from a source, which may ask for any."""

_TRACK_ID = re.compile(r"/track/([0-9A-Za-z]+)")
# Bad request, URI too long, unprocessable: what the request says, not who asks or how often.
_REFUSALS = frozenset({400, 414, 422})

Row = dict[str, Any]


class ReccoBeats:
    """A client of the two batch calls."""

    def __init__(self, url: str, session: requests.Session, now: Callable[[], datetime]) -> None:
        self._url = url.rstrip("/")
        self._session = session
        self._now = now

    def fetch(self, track_uris: Sequence[str], /) -> Answer:
        """Ask for at most 40 tracks, in two calls; the second only if the first was answered."""
        ids = {uri.rpartition(":")[2]: uri for uri in track_uris}
        failure = None
        try:
            heard = self._rows("/v1/audio-features", ids)
        except FeatureSourceError as error:
            return Answer(failure=error)
        try:
            metadata = self._rows("/v1/track", ids)
        except FeatureSourceError as error:
            metadata, failure = {}, error
        fetched_at = self._now()
        known = (
            told(uri, NAME, fetched_at, _values(heard.get(one, {}), metadata.get(one, {})))
            for one, uri in ids.items()
        )
        return Answer.about(track_uris, known, failure)

    def _rows(self, path: str, ids: Iterable[str]) -> dict[str, Row]:
        """Fetch the rows of one call, by Spotify id.

        Raises:
            RequestRefusedError: The request itself was refused.
            FeatureSourceError: No answer, or any other than the documented one. What the body
                of an error says is not documented, so only its status counts.
        """
        try:
            # Ids need no quoting, and quoting their commas is what a call would cost most.
            url = f"{self._url}{path}?ids={','.join(ids)}"
            response = whole_answer(partial(self._get, url), LONGEST_S)
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
            # A kept connection dies while the container is frozen; the second one is new.
            return ask()

    def _check(self, response: requests.Response, path: str) -> None:
        status = response.status_code
        if status in _REFUSALS:
            raise RequestRefusedError(f"{path} answered {status}")
        if status != HTTPStatus.OK:
            header = response.headers.get("Retry-After", "")
            wait_s = retry_after_s(header, self._now(), MOST_PATIENCE_S)
            raise FeatureSourceError(f"{path} answered {status}", wait_s)


def _content(response: requests.Response, path: str) -> list[Any]:
    """Read the rows; null is how some servers write an empty list."""
    answer = read_json(response.content)
    # Without the key it is another answer; its null is an empty list.
    content = answer.get("content", "") if isinstance(answer, dict) else ""
    if content is not None and not isinstance(content, list):
        raise FeatureSourceError(f"{path} answered no list of tracks")
    return content or []


def _by_track_id(rows: list[Any]) -> dict[str, Row]:
    """Sort rows by the Spotify id in `href`: `id` is ReccoBeats' own, and the order says nothing.

    One recording may come several times; its first row counts.
    """
    found: dict[str, Row] = {}
    for row in rows:
        href = row.get("href") if isinstance(row, dict) else None
        if isinstance(href, str) and (match := _TRACK_ID.search(href)):
            found.setdefault(match[1], row)
    return found


def _values(sound: Row, metadata: Row) -> dict[str, Any]:
    """Name the values of a track's two rows as `TrackFeatures` does."""
    values = {name: sound.get(name) for name in SOUND}
    values["duration_ms"] = metadata.get("durationMs")
    values["popularity"] = metadata.get("popularity")
    return values
