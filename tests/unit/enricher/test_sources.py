import pytest

from services.enricher.sources import choose
from shared.errors import SettingsError

MAKERS = {"one": lambda: "first", "two": lambda: "second"}


def test_sources_are_chosen_in_the_order_of_their_names():
    assert list(choose(["two", "one"], MAKERS).items()) == [("two", "second"), ("one", "first")]


def test_only_the_chosen_sources_are_made():
    assert choose(["one"], {**MAKERS, "two": pytest.fail}) == {"one": "first"}


def test_an_unknown_source_is_named():
    with pytest.raises(SettingsError, match=r"FEATURE_SOURCES: no source is named 'tunes'"):
        choose(["one", "tunes"], MAKERS)
