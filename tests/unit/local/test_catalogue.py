import re

import pytest

from infra.local import catalogue

MANY = range(20_000)


def test_a_track_is_found_by_its_id():
    tracks = [catalogue.track(number) for number in (0, 1, 4_095, 4_096, 350_000, 10_000_000)]

    assert [catalogue.find_track(track.track_id) for track in tracks] == tracks


@pytest.mark.parametrize(
    "unknown",
    [
        pytest.param("1AAAAAAAAAAAAAAAAAAAAA", id="well formed"),
        pytest.param("z" * 22, id="beyond 128 bits"),
        pytest.param("ByldUG3s4eKuqGm60JdDGi", id="track 7 and 2**128"),
        pytest.param("0" * 22, id="zero"),
        pytest.param("short", id="too short"),
        pytest.param("1AAAAAAAAAAAAAAAAAAAA-", id="no base 62"),
        pytest.param(catalogue.id_of("album", 0), id="an album"),
        pytest.param("", id="empty"),
    ],
)
def test_an_unknown_id_finds_no_track(unknown):
    assert catalogue.find_track(unknown) is None


def test_tracks_have_unique_ids_isrcs_and_titles_per_artist():
    tracks = list(map(catalogue.track, (*MANY, 100_000, 2_700_000, 67_600_000)))

    names = {(track.name.casefold(), track.artists[0].name.casefold()) for track in tracks}
    isrcs = {track.isrc for track in tracks if re.fullmatch(r"QZ[A-Z]{3}\d{7}", track.isrc)}
    ids = {one.track_id for one in tracks if re.fullmatch(r"[0-9A-Za-z]{22}", one.track_id)}

    assert len(names) == len(isrcs) == len(ids) == len(tracks)


def test_track_3_of_the_catalogue_keeps_its_id_title_and_length():
    track = catalogue.track(3)

    assert (track.uri, track.name, track.artists[0].name, track.duration_ms) == (
        "spotify:track:25qndUqtIUHaLEoeYbBkpI",
        "My Unwritten Pianos",
        "The Ishgorra Rivers",
        248_605,
    )


def test_titles_include_non_ascii_characters_quotes_and_lengths_over_255():
    titles = [catalogue.track(number).name for number in range(3_000)]

    assert {mark for mark in 'ü夜🌙"é' if mark not in "".join(titles)} == set()
    assert max(map(len, titles)) > 255


def test_three_to_ten_percent_of_albums_are_by_various_artists():
    albums = {catalogue.track(number).album for number in range(4_096)}

    various = [album for album in albums if album.artist.name == "Various Artists"]

    assert 0.03 < len(various) / len(albums) < 0.1
