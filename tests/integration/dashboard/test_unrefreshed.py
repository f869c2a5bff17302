"""Each page while the plays are loaded and nothing is derived of them yet."""

import pytest

from tests.integration.dashboard.site import plain
from tests.integration.dashboard.test_each_page import NO_WORDS, PATHS, STATES

INSERT = (
    "INSERT INTO listening_history (listener, source, track_uri, track_name, artist_name, "
    "played_at, ms_played) VALUES ('me', 'extended-history', 'spotify:track:1', 'Salt', "
    "'Ada Quince', '2025-03-05 21:04Z', 180000)"
)


@pytest.mark.parametrize("path", ["/", "/top", "/day/2025-03-05", *PATHS])
def test_plays_that_wait_for_a_refresh_break_no_page(get, owner, database, path):
    owner.run(INSERT)

    for state in STATES:
        answer = get(path + state)
        assert answer.status_code == 200
        assert not NO_WORDS & set(plain(answer.text).split())


def test_a_play_that_waits_for_a_refresh_shows_its_own_names(get, owner, database):
    owner.run(INSERT)

    text = plain(get("/day/2025-03-05").text)

    assert "Salt" in text
    assert "Ada Quince" in text


def test_a_list_counts_at_least_the_plays_that_it_shows(get, owner, database):
    owner.run(
        "INSERT INTO listening_history (listener, source, track_uri, track_name, artist_name, "
        "played_at, ms_played) SELECT 'me', 'extended-history', 'spotify:track:1', 'Salt', "
        "'Ada Quince', '2025-03-05 21:04Z'::timestamptz + n * interval '1 minute', 60000 "
        "FROM generate_series(1, 201) n"
    )

    assert "200 plays" in plain(get("/plays?period=2025").text)
