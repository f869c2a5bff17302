"""The page Discovery: new, repeated and forgotten music."""


def test_new_artists_and_tracks_count_in_the_year_of_first_play(site):
    text = site.text("/discovery?period=2025")

    assert "new artists, skips too 1 ±0 % 1 in 2024" in text
    assert "new tracks, skips too 2 ▲ 100 % 1 in 2024" in text
    assert "new albums, skips too 1 ±0 % 1 in 2024" in text


def test_a_track_counts_as_new_even_if_its_first_play_was_skipped(site):
    site.play("2025-09-01 12:00", "Lamps", "Bo", 5_000)

    for path in ("/?period=2025", "/discovery?period=2025&rule=done", "/review?period=2025"):
        assert "new artists, skips too 2 " in site.text(path), path


def test_discovery_highlights_plays_of_new_artists(site):
    text = site.text("/discovery?period=2025")

    # 2 of 6 plays, skips included; both in July, of 3.
    assert "plays of new artists 33 % in the month of their first play; whole months only" in text
    assert "New and known whole months · every play, whatever the rule" in text
    assert "Jul 2025: 3 plays, 67 % of new artists (1 artist)" in text


def test_discovery_lists_new_artists_with_their_later_plays(site):
    text = site.text("/discovery?period=2025")

    assert "1 Wren since 13 Jul 2025 2 ≈ 7 min" in text
    assert "Ada since" not in text


def test_a_track_played_five_times_in_a_day_is_listed_as_an_obsession(site):
    for minute in range(0, 25, 5):
        site.play(f"2025-08-01 12:{minute:02}", "Kites", "Wren", 200_000)

    text = site.text("/discovery?period=2025")

    assert "Kites Wren 5× 1 Aug 2025" in text  # noqa: RUF001 - the sign of the page
    assert "/day/2025-08-01" in site.source("/discovery?period=2025")


def test_a_favourite_not_played_for_a_year_is_listed_as_forgotten(site):
    for minute in range(0, 60, 3):
        site.play(f"2023-08-01 12:{minute:02}", "Kites", "Wren", 200_000, track_uri="x")
        site.play(f"2023-08-02 12:{minute:02}", "Salt", "Ada", 200_000)

    text = site.text("/discovery?period=2025")

    # Kites was played again in 2025. Salt was only skipped; no play of it counts since 2023.
    assert "Forgotten favourites" in text
    assert "Kites Wren last" not in text


def test_artists_that_two_listeners_played_are_listed_for_both(site):
    assert "Heard by both" not in site.text("/discovery?period=2025&listener=me")
    site.play("2025-07-01 12:00", "Kites", "Wren", 200_000, listener="you")
    site.play("2025-07-02 12:00", "Kites", "Wren", 10_000)

    text = site.text("/discovery?period=2025&listener=me")

    assert "Heard by both" in text
    assert "plays of me · of the other" in text
    assert "Wren with you 2 1" in text
    assert "Wren with you 3 1" in site.text("/discovery?period=2025&listener=me&rule=all")
