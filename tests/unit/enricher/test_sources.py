from typing import Any

import pytest

from services.enricher.sources.source import Answer, UsualIdsOnly, choose
from shared.errors import FeatureSourceError, SettingsError

USUAL = "spotify:track:1AAAAAAAAAAAAAAAAAAAAA"
UNUSUAL = ("spotify:track:null", "spotify:track:a-b", "spotify:track:" + "1" * 21 + "_")
FIRST: Any = object()
SECOND: Any = object()
MAKERS = {"one": lambda: FIRST, "two": lambda: SECOND}


def test_sources_are_chosen_in_the_order_of_their_names():
    assert list(choose(["two", "one"], MAKERS).items()) == [("two", SECOND), ("one", FIRST)]


def test_only_the_chosen_sources_are_built():
    assert choose(["one"], {**MAKERS, "two": pytest.fail}) == {"one": FIRST}


def test_an_unknown_source_is_named():
    with pytest.raises(SettingsError, match=r"FEATURE_SOURCES: no source is named 'tunes'"):
        choose(["one", "tunes"], MAKERS)


class Recording:
    """A source that answers the same to every call, and records what it is asked for."""

    def __init__(self, answer):
        self.answer = answer
        self.asked = []

    def fetch(self, track_uris, /):
        self.asked.append(list(track_uris))
        return self.answer


FAILED = FeatureSourceError("down")


@pytest.mark.parametrize("answer", [Answer(), Answer(missing=frozenset({USUAL})),
                                    Answer(failure=FAILED)])  # fmt: skip
def test_an_unusual_id_is_missing_and_never_asked_for(answer):
    source = Recording(answer)

    result = UsualIdsOnly(source).fetch([UNUSUAL[0], USUAL, *UNUSUAL[1:]])

    assert source.asked == [[USUAL]]
    assert result.missing == answer.missing | frozenset(UNUSUAL)
    assert result.failure is answer.failure


def test_without_a_usual_id_no_call_is_made():
    source = Recording(Answer(failure=FAILED))

    assert UsualIdsOnly(source).fetch(UNUSUAL) == Answer(missing=frozenset(UNUSUAL))
    assert source.asked == []
