"""ReccoBeats' answers over real HTTP."""

import requests

from services.enricher.sources.reccobeats import ReccoBeats
from tests.fakes.reccobeats import a_metadata_row, an_audio_row
from tests.fuzz.harness import Target
from tests.fuzz.http_answers import an_answer, asking
from tests.fuzz.spotify_answers import NOW, TRACKS, URL, check_features
from tests.fuzz.tape import Tape

ROWS = [an_audio_row(f"{number:022}") | a_metadata_row(f"{number:022}") for number in (1, 2, 3)]


def make(tape: Tape) -> bytes:
    return an_answer(tape, {"content": ROWS})


def ask(session: requests.Session) -> None:
    check_features(ReccoBeats(URL, session, lambda: NOW).fetch(TRACKS))


TARGET = Target("reccobeats", make, asking(ask))
