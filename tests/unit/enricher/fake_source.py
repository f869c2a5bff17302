"""A source of audio features that answers by a function of the test."""

from services.enricher.sources.source import Answer
from tests.unit.enricher.examples import some_features


def all_known(tracks):
    return known_except()(tracks)


def none_known(tracks):
    return Answer(missing=frozenset(tracks))


def known_except(*missing):
    """Return a function that knows all tracks except these."""
    return lambda tracks: Answer(
        {t: some_features(t.rpartition(":")[2]) for t in tracks if t not in missing},
        frozenset(missing).intersection(tracks),
    )


def failing(failure):
    return lambda tracks: Answer(failure=failure)


class Source:
    """Answers by a function of the test, and records what it is asked for."""

    def __init__(self, answer=all_known):
        self.answer = answer
        self.asked = []

    def fetch(self, tracks, /):
        self.asked.append(list(tracks))
        return self.answer(tracks)
