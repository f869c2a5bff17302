from datetime import UTC, datetime, timedelta

import pytest

from cli.listenbrainz import PRIVATE, TOO_EARLY, TOO_SHORT, UNNAMED, Listens, Played

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)
TRACK = "spotify:track:" + "1" * 22


def a_play(after_s=0, **fields):
    known = {
        "listener": "me",
        "played_at": NOON + timedelta(seconds=after_s),
        "track_uri": TRACK,
        "track_name": "Vantablack",
        "artist_name": "Dool",
        "album_name": None,
        "ms_played": 200_000,
        "duration_ms": 200_000,
        "isrc": None,
        "incognito": None,
    }
    return Played(**known | fields)


def listens_of(*plays, everything=False):
    made = Listens(everything=everything)
    return list(made.of(plays)), dict(made.left_out)


def seconds_before_noon(listen):
    return NOON.timestamp() - listen["listened_at"]


def test_a_listen_has_the_fields_documented_by_listenbrainz():
    play = a_play(album_name="Here Now", isrc="NLA321600001")

    ((listen,), _) = listens_of(play)

    url = f"https://open.spotify.com/track/{'1' * 22}"
    assert listen == {
        "listened_at": int(NOON.timestamp()) - 200,
        "track_metadata": {
            "artist_name": "Dool",
            "track_name": "Vantablack",
            "release_name": "Here Now",
            "additional_info": {
                "music_service": "spotify.com",
                "submission_client": "listening-history",
                "spotify_id": url,
                "origin_url": url,
                "isrc": "NLA321600001",
                "duration_ms": 200_000,
            },
        },
    }


def test_a_listen_omits_unknown_fields():
    ((listen,), _) = listens_of(a_play(track_uri="spotify:track:odd", duration_ms=None))

    assert listen["track_metadata"] == {
        "artist_name": "Dool",
        "track_name": "Vantablack",
        "additional_info": {
            "music_service": "spotify.com",
            "submission_client": "listening-history",
        },
    }


def test_the_time_of_a_listen_is_the_start_of_the_play():
    ((listen,), _) = listens_of(a_play(ms_played=123_999))

    assert seconds_before_noon(listen) == 124  # 123.999 s before, in whole seconds


@pytest.mark.parametrize(
    ("fields", "after_s", "seconds"),
    [
        pytest.param({"duration_ms": 180_000}, None, 180, id="the whole track"),
        pytest.param({"duration_ms": None}, None, 210, id="a likely track"),
        pytest.param({"duration_ms": 180_000}, -100, 100, id="since the play before"),
        pytest.param({"duration_ms": 180_000}, -10, 30, id="30 s at least"),
    ],
)
def test_the_start_of_a_play_without_time_played_is_estimated(fields, after_s, seconds):
    before = [] if after_s is None else [a_play(after_s)]

    (*_, listen), _ = listens_of(*before, a_play(ms_played=None, **fields))

    assert seconds_before_noon(listen) == seconds


def test_the_estimated_start_ignores_plays_of_other_listeners():
    (_, listen), _ = listens_of(
        a_play(-100, listener="anna"), a_play(ms_played=None, duration_ms=180_000)
    )

    assert seconds_before_noon(listen) == 180


@pytest.mark.parametrize(
    ("fields", "counts"),
    [
        pytest.param({"ms_played": 100_000, "duration_ms": 200_000}, True, id="half"),
        pytest.param({"ms_played": 99_999, "duration_ms": 200_000}, False, id="less than half"),
        pytest.param({"ms_played": 240_000, "duration_ms": 900_000}, True, id="4 minutes"),
        pytest.param({"ms_played": 239_999, "duration_ms": 900_000}, False, id="less than both"),
        pytest.param({"ms_played": 30_000, "duration_ms": None}, True, id="30 s of unknown"),
        pytest.param({"ms_played": 29_999, "duration_ms": None}, False, id="less of unknown"),
        pytest.param({"ms_played": 29_999, "duration_ms": 0}, False, id="a length of 0"),
        pytest.param({"ms_played": None, "duration_ms": 900_000}, True, id="a live play"),
    ],
)
def test_plays_too_short_for_listenbrainz_are_left_out_unless_asked_for(fields, counts):
    listens, left_out = listens_of(a_play(**fields))

    assert (len(listens), left_out) == ((1, {}) if counts else (0, {TOO_SHORT: 1}))
    assert len(listens_of(a_play(**fields), everything=True)[0]) == 1


def test_private_sessions_are_left_out_unless_asked_for():
    play = a_play(incognito=True)

    assert listens_of(play) == ([], {PRIVATE: 1})
    assert len(listens_of(play, everything=True)[0]) == 1


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"track_name": ""}, UNNAMED),
        ({"artist_name": ""}, UNNAMED),
        ({"played_at": datetime(2002, 9, 30, tzinfo=UTC)}, TOO_EARLY),
    ],
)
def test_plays_that_listenbrainz_would_refuse_are_always_left_out(fields, reason):
    assert listens_of(a_play(**fields), everything=True) == ([], {reason: 1})
