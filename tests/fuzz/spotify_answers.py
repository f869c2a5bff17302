"""Spotify's answers over real HTTP: plays, features of tracks, and tokens."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import requests

from services.collector.domain.batches import Batches
from services.collector.domain.window import compare
from services.collector.state import ListenerState
from services.enricher.sources.source import Answer
from services.enricher.sources.spotify import SpotifyFeatures
from shared.errors import FeatureSourceError, SpotifyError, SpotifyRateLimitError
from shared.models import EnrichedBatch, iso
from shared.spotify.api import LONGEST_WAIT_S, SpotifyAccounts, SpotifyApi
from shared.spotify.login import keep
from shared.spotify.wire import RecentlyPlayed
from tests.fakes.spotify import a_row, a_sound, a_track
from tests.fuzz.harness import NoValueError, Target
from tests.fuzz.http_answers import SECRET, an_answer, asking
from tests.fuzz.queues import collected_plays
from tests.fuzz.tape import Tape

URL = "http://127.0.0.1:1"
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
TRACKS = [f"spotify:track:{number:022}" for number in (1, 2)]
PLAYS = {
    "items": [
        a_row(name="1AAAAAAAAAAAAAAAAAAAAA"),
        a_row("2026-11-23T08:17:00.5Z", "2AAAAAAAAAAAAAAAAAAAAA"),
        a_row("2026-11-23T08:10:00Z", "3AAAAAAAAAAAAAAAAAAAAA", uri="spotify:local:a:b:c:1"),
    ],
    "next": None,
    "cursors": {"after": "1", "before": "2"},
    "limit": 50,
}
CATALOGUE = {
    "audio_features": [a_sound("1"), a_sound("2")],
    "tracks": [a_track("1"), a_track("2")],
}
GRANT = {"access_token": SECRET, "expires_in": 3600, "refresh_token": SECRET, "scope": "a b"}


def read_plays(session: requests.Session) -> None:
    """Poll twice; what the first poll publishes and stores, the others can read."""
    with checked_refusals():
        answer = SpotifyApi(session, URL).recently_played(SECRET)
    state = poll(ListenerState(), answer, NOW)
    poll(state, answer, NOW + timedelta(minutes=20))
    assert answer.returned >= len(answer.plays)
    if answer.hides_plays:
        raise NoValueError


def poll(before: ListenerState, answer: RecentlyPlayed, now: datetime) -> ListenerState:
    found = compare(before.window, answer, now, before.outage)
    queue, _ = collected_plays()
    batches = Batches(queue.publish_json, "me", "recently-played", f"polls/me/{iso(now)}.json.gz")
    batches.add(found.plays)
    batches.finish(lambda _: found.report)
    state = ListenerState(window=found.window, polled_at=now, outage=found.outage)
    return ListenerState.model_validate_json(state.model_dump_json())


def read_tracks(session: requests.Session) -> None:
    features = SpotifyFeatures(SpotifyApi(session, URL), Calls(), lambda: NOW)  # type: ignore[arg-type]  # it needs `make` alone
    check_features(features.fetch(TRACKS))


def check_features(answer: Answer) -> None:
    """The loader can read the features; raise NoValueError for a failure."""
    batch = EnrichedBatch(origin="healing", number=0, features=tuple(answer.features.values()),
                          listener=None, source=None)  # fmt: skip
    EnrichedBatch.model_validate_json(batch.model_dump_json(exclude_none=True))
    assert set(answer.features) | answer.missing <= set(TRACKS)
    if answer.failure:
        wait_s = answer.failure.retry_after_s
        assert wait_s is None or 1 <= wait_s <= LONGEST_WAIT_S
        raise NoValueError


class Calls:
    """Makes calls without a limit, as `SpotifyCalls` does within one."""

    def make(self, call: Callable[[str], Any], *, forbids_all: bool = False) -> Any:
        try:
            with checked_refusals():
                return call(SECRET)
        except SpotifyError as error:
            raise FeatureSourceError(str(error)) from error


def read_tokens(session: requests.Session) -> None:
    with checked_refusals():
        grant = SpotifyAccounts(session, URL).refresh("app", "", "AQ-1")
    assert SECRET not in repr(grant)
    token = keep(grant, "app", NOW)
    assert token.usable_until >= NOW
    # As a header of the next call.
    requests.Request("GET", URL, {"Authorization": f"Bearer {token.text}"}).prepare()


@contextmanager
def checked_refusals() -> Iterator[None]:
    """Check that no error holds a secret, and that each wait has a bound."""
    try:
        yield
    except SpotifyError as error:
        check_refusal(error)
        raise


def check_refusal(error: SpotifyError) -> None:
    seen: BaseException | None = error
    while seen is not None:
        assert SECRET not in repr(seen)
        seen = seen.__cause__ or seen.__context__
    if isinstance(error, SpotifyRateLimitError) and error.retry_after_s is not None:
        assert 1 <= error.retry_after_s <= LONGEST_WAIT_S


def answering(value: Any) -> Callable[[Tape], bytes]:
    return lambda tape: an_answer(tape, value)


REASONS = (SpotifyError, NoValueError)
TARGETS = (
    Target("spotify-plays", answering(PLAYS), asking(read_plays), REASONS),
    Target("spotify-tracks", answering(CATALOGUE), asking(read_tracks), REASONS),
    Target("spotify-tokens", answering(GRANT), asking(read_tokens), REASONS),
)
