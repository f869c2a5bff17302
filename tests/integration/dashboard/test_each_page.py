"""Every page over no play, one play and a sample history."""

import re

import pytest

from tests.integration.dashboard.site import (
    KINDS,
    PATHS,
    STATES,
    assert_complete,
    plain,
    with_query,
)


@pytest.mark.parametrize("path", [*PATHS, "/artist/1", "/track/-1", "/album/1"])
def test_each_page_of_an_empty_database_shows_the_first_steps(path, get):
    assert "plays upload my_spotify_data.zip" in plain(get(path).text)


@pytest.mark.parametrize("path", PATHS)
def test_every_page_works_with_a_single_play(path, get, one_play):
    for state in STATES:
        assert_complete(get(with_query(path, state)))


def test_every_page_works_with_a_sample_history(get, sample):
    for path in PATHS:
        for state in STATES[-3:]:
            assert_complete(get(with_query(path, state)))


def test_every_item_page_works_with_a_sample_history(get, sample, owner):
    for kind in KINDS:
        ((item, name),) = owner.run(
            f"SELECT {kind}_id, {kind}_name FROM reporting.{kind}s "  # noqa: S608 - our own words
            "ORDER BY plays_30s DESC LIMIT 1"
        )
        for state in STATES[-3:]:
            answer = get(with_query(f"/{kind}/{item}", state))
            assert_complete(answer)
            assert re.sub(r"\s+", " ", name) in plain(answer.text)


def test_the_health_page_works_for_a_listener_with_polls_but_no_plays(empty_site):
    empty_site.poll("2025-07-13 10:00")

    text = empty_site.text("/health")

    assert "last play \N{EN DASH} none yet" in text
    assert "last poll 10:00 Sun 13 Jul 2025" in text
    assert "No upload yet" in text
