"""Which names are the same artist, track or album, and which spelling is shown."""

from tests.integration.loader.reporting.stage import MINUTE, NOON, a_play


def test_an_artist_name_from_a_poll_replaces_the_placeholder_various_artists(reporting):
    reporting.store(
        a_play("2024-05-15T12:00Z", "one", artist_name="Various Artists"),
        a_play("2019-01-01T12:00Z", "one", artist_name="Nina", listener="zoe", source="both"),
        a_play("2024-05-15T13:00Z", "two", artist_name="Various Artists"),
    )

    assert reporting.shown("plays", "track_name", "artist_name") == [
        ["Title one", "Nina"], ["Title two", "Various Artists"],
    ]  # fmt: skip
    assert reporting.shown("artists", "artist_name", "plays_all") == [
        ["Nina", 1], ["Various Artists", 1],
    ]  # fmt: skip
    assert reporting.shown("together", "artist_name", "other_listener") == [["Nina", "zoe"]]


def test_a_track_takes_its_name_from_its_newest_poll_record(reporting):
    reporting.store(
        a_play("2024-05-15T12:00Z", track_name="Old", ms=None),
        a_play("2024-05-16T12:00Z", track_name="New", album_name="Deluxe", ms=None),
        a_play("2024-05-17T12:00Z", track_name="Export"),
    )

    assert reporting.shown("tracks", "track_name", "plays_all") == [["New", 3]]
    assert reporting.shown("plays", "track_name", "album_name") == [["New", "Deluxe"]] * 3


def test_names_match_in_any_case_and_unicode_normal_form(reporting):
    names = (
        "Tr\u00e4umerei",
        "Tra\u0308umerei",
        "TR\u00c4UMEREI",
        " Tr\u00e4umerei ",
        "Tr\u00e4umerei",
    )
    wide = "\uff34\uff32\u00c4\uff35\uff2d\uff25\uff32\uff25\uff29"
    reporting.store(
        *[a_play(f"2024-05-15T12:0{n}Z", f"uri{n}", track_name=name, artist_name="\u0160umi")
          for n, name in enumerate((*names, wide))]
    )  # fmt: skip

    assert reporting.shown("tracks", "artist_name", "track_name", "plays_all", "track_uri") == [
        ["\u0160umi", "Tr\u00e4umerei", 6, "spotify:track:uri5"]
    ]
    assert reporting.shown("diversity", "artists", "tracks", "albums") == [[1, 1, 6]]


def test_an_artist_is_shown_in_the_spelling_that_most_tracks_use(reporting):
    reporting.store(
        *[a_play(f"2024-05-15T12:0{n}Z", "loud", artist_name="ABBA!", track_name="x")
          for n in range(4)],
        a_play("2024-05-15T12:07Z", "quiet", artist_name="Abba!", track_name="y"),
        a_play("2024-05-15T12:08Z", "quieter", artist_name="Abba!", track_name="Y"),
    )  # fmt: skip

    assert reporting.shown("artists", "artist_name", "plays_all", "tracks") == [["Abba!", 6, 2]]
    # Of two equally frequent spellings the lower one by code point is shown: capitals first.
    assert reporting.shown("tracks_by_month", "track_name", "artist_name", "plays_all") == [
        ["Y", "Abba!", 2], ["x", "Abba!", 4],
    ]  # fmt: skip


def test_items_stay_separate_if_only_their_concatenated_names_match(reporting):
    reporting.store(
        a_play("2024-05-15T12:00Z", "1", artist_name="ab", track_name="c", album_name="cd"),
        a_play("2024-05-15T12:10Z", "2", artist_name="a", track_name="bc", album_name="bcd"),
        a_play("2024-05-15T12:20Z", "3", artist_name="a b", track_name="c", album_name="cd"),
        a_play("2024-05-15T12:30Z", "4", artist_name="a", track_name="b c", album_name="cd"),
        a_play("2024-05-15T12:40Z", "5", artist_name="cd", track_name="cd", album_name="cd"),
        a_play("2024-05-15T12:50Z", "6", artist_name=" ", track_name="", album_name=""),
        a_play("2024-05-15T12:55Z", "7", artist_name="", track_name=" ", album_name=" "),
    )

    assert len(reporting.shown("tracks", "artist_name", "track_name")) == 7
    assert len(reporting.shown("albums", "album_name", "artist_name")) == 7
    assert len(reporting.shown("artists", "artist_name")) == 6
    # Ids are compared across views too: an artist, a track and an album "cd" are three items.
    reporting.compare()


def test_a_track_without_an_album_is_not_in_view_albums(reporting):
    reporting.store(a_play(NOON, "single", album_name=None), a_play(NOON + MINUTE, "other"))

    assert reporting.shown("albums", "album_name") == [["Album other"]]
    assert reporting.shown("albums_by_month", "album_name", "tracks") == [["Album other", 1]]
    assert reporting.shown("discovery", "tracks", "albums", "new_albums") == [[2, 1, 1]]
    assert reporting.shown("plays", "album_name", "album_id")[1] == [None, None]


def test_a_month_without_albums_has_no_top_album(reporting):
    reporting.store(a_play(NOON, album_name=None))

    assert reporting.shown("month_review", "albums", "top_album", "top_album_artist") == [
        [0, None, None]
    ]
