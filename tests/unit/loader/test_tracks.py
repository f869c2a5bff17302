"""Which tracks are the same, by uri, ISRC and names in any spelling."""

import tracemalloc
from datetime import UTC, datetime
from unicodedata import normalize

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.loader.domain.tracks import is_same_track, normal, track_keys
from shared.models import Play

NFC, NFD = (normalize(form, "Träumerei Ω é") for form in ("NFC", "NFD"))


def a_play(track: str = "a", **known) -> Play:
    known = {"track_name": f"Name {track}", "artist_name": "The Example", **known}
    return Play(
        track_uri=f"spotify:track:{track}", played_at=datetime(2026, 11, 1, tzinfo=UTC), **known
    )


FIRST = {"isrc": "DEAB12345678", "track_name": "I. Allegro", "duration_ms": 300_000}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param({"isrc": "DE-AB1-23-45678"}, {"isrc": "deab12345678"}, id="dashes and case"),
        pytest.param({"isrc": " DE AB1 23 45678 "}, {"isrc": "DEAB12345678"}, id="spaces"),
        pytest.param(FIRST, FIRST | {"track_name": "I. Allegro (live)"}, id="equal length"),
        pytest.param(FIRST, FIRST | {"duration_ms": 299_000}, id="equal title"),
        pytest.param(FIRST, FIRST | {"track_name": "II", "duration_ms": None}, id="no length"),
        pytest.param(FIRST, FIRST | {"track_name": "II", "duration_ms": 0}, id="length 0"),
        pytest.param(FIRST, FIRST | {"track_name": "", "duration_ms": 9}, id="no title"),
        pytest.param({"track_name": NFC}, {"track_name": NFD}, id="NFC and NFD"),
        pytest.param({"artist_name": NFC, "track_name": "x"},
                     {"artist_name": NFD, "track_name": "x"}, id="artist in NFC and NFD"),
        pytest.param({"track_name": "ﬁn\u00a0Ⅳ"}, {"track_name": "Fin IV"}, id="compatibility"),
        pytest.param({"track_name": "SÜSS"}, {"track_name": "süß"}, id="case folding"),
        pytest.param({"track_name": " Intro "}, {"track_name": "intro"}, id="spaces around"),
        pytest.param({"track_name": "\u3000前奏"}, {"track_name": "前奏"}, id="a wide space"),
    ],
)  # fmt: skip
def test_two_uris_with_the_same_isrc_or_the_same_names_are_one_track(one, other):
    first, second = a_play("a", **one), a_play("b", **other)

    assert is_same_track(first, second)
    # Only plays with a shared key are compared.
    assert not {*track_keys(first)}.isdisjoint(track_keys(second))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param(FIRST, FIRST | {"track_name": "II. Adagio", "duration_ms": 1}, id="movements"),
        pytest.param({"isrc": "DEAB12345678"}, {"isrc": "DEAB12345679"}, id="two ISRCs"),
        pytest.param({"isrc": " - "}, {"isrc": "--"}, id="ISRCs of nothing"),
        pytest.param({"isrc": "null"}, {"isrc": "NULL"}, id="null"),
        pytest.param({"isrc": "N/A"}, {"isrc": "N/A"}, id="N/A"),
        pytest.param({"isrc": "000000000000"}, {"isrc": "000000000000"}, id="zeros"),
        pytest.param({"isrc": "DEAB123456789"}, {"isrc": "DEAB123456789"}, id="13 characters"),
        pytest.param({"isrc": "DEAB1234567٨"}, {"isrc": "DEAB1234567٨"}, id="another 8"),
        pytest.param({"isrc": "DEAB12345678"}, {}, id="one ISRC"),
        pytest.param({"track_name": "a b"}, {"track_name": "ab"}, id="space within"),
        pytest.param({"track_name": "Träume"}, {"track_name": "Traume"}, id="another letter"),
        pytest.param({"track_name": " "}, {"track_name": "\u3000"}, id="titles of nothing"),
        pytest.param({"track_name": "x", "artist_name": " "},
                     {"track_name": "x", "artist_name": ""}, id="artists of nothing"),
    ],
)  # fmt: skip
def test_two_uris_without_a_valid_shared_isrc_or_name_are_two_tracks(one, other):
    assert not is_same_track(a_play("a", **one), a_play("b", **other))


def test_various_artists_is_recognized_in_any_spelling():
    album = {"track_name": "Intro", "artist_name": " VARIOUS\u00a0Artists", "album_name": NFC}

    assert is_same_track(a_play("a", **album), a_play("b", **album | {"album_name": NFD}))
    assert not is_same_track(a_play("a", **album), a_play("b", **album | {"album_name": "B"}))


NAMES = st.one_of(
    st.sampled_from(["", " ", "I", "i", "II", NFC, NFD, NFC.upper(), "Various Artists", "ﬁ", "fi"]),
    st.text(max_size=3),
).filter(lambda name: "\x00" not in name)
PLAYS = st.builds(
    a_play,
    st.sampled_from("abc"),
    track_name=NAMES,
    artist_name=st.sampled_from(["The Example", "various artists", ""]),
    album_name=st.one_of(st.none(), st.sampled_from(["A", "B"])),
    isrc=st.sampled_from([None, "", "-", "QZAAA2600001", "qz-aaa 2600001", "QZAAA2600002", "null"]),
    duration_ms=st.sampled_from([None, 0, 1, 2]),
)


@given(one=PLAYS, other=PLAYS)
def test_is_same_track_is_symmetric_and_implies_a_shared_key(one, other):
    same = is_same_track(one, other)

    assert same == is_same_track(other, one)
    assert not same or not {*track_keys(one)}.isdisjoint(track_keys(other))


@given(play=PLAYS)
def test_is_same_track_is_true_of_a_track_and_itself(play):
    assert is_same_track(play, play.model_copy())


@given(name=st.text())
def test_names_are_equal_in_every_unicode_normal_form(name):
    forms = {normal(normalize(form, name)) for form in ("NFC", "NFD", "NFKC", "NFKD")}

    assert forms == {normal(name)}
    assert normal(normal(name)) == normal(name)


@pytest.mark.parametrize("letter", ["a", "é"])
def test_very_long_normalized_names_are_not_cached(letter):
    tracemalloc.start()
    try:
        for number in range(1_000):
            normal(f"{number} {letter * 4_000}")
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert held < 1_000_000
