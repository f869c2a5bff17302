"""The pages with charts without scripts, over no play, one play and a sample history."""

import pytest

from tests.integration.dashboard.site import plain

PATHS = (
    "/when",
    "/discovery",
    "/rank",
    "/sessions",
    "/skips",
    "/mood",
    "/review",
    "/counts",
    "/health",
    "/plays",
)
STATES = (
    "",
    "?period=all",
    "?period=2025-03",
    "?period=30d",
    "?period=2031",
    "?period=2024-12-30..2025-03-02",
    "?period=2025&measure=minutes&rule=done",
    "?period=all&measure=minutes&rule=all",
)
NO_WORDS = {"None", "nan", "inf", "Undefined"}


@pytest.mark.parametrize("path", PATHS)
def test_an_empty_database_shows_the_first_steps(path, get):
    assert "plays upload my_spotify_data.zip" in plain(get(path).text)


@pytest.mark.parametrize("path", PATHS)
def test_every_page_works_with_one_play(path, get, one_play):
    for state in STATES:
        answer = get(path + state)
        assert answer.status_code == 200
        assert not NO_WORDS & set(plain(answer.text).split())


def test_every_page_shows_a_sample_history(get, sample):
    for path in PATHS:
        for state in ("?period=all", "?period=2025&measure=minutes&rule=done"):
            answer = get(path + state)
            assert answer.status_code == 200
            assert not NO_WORDS & set(plain(answer.text).split())


def test_a_listener_with_polls_only_has_a_health_page(get, owner, database):
    owner.run("INSERT INTO poll VALUES ('a', 'me', '2025-07-13 10:00Z', 0, 0, 0, 0, 0)")

    text = plain(get("/health").text)

    assert "last play \N{EN DASH} none yet" in text
    assert "last poll 10:00 Sun 13 Jul 2025" in text
    assert "No upload yet" in text
