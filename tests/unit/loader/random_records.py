"""Random records of one listener that lie near each other, so that every rule applies."""

from typing import Any
from unicodedata import normalize

from hypothesis import strategies as st

from services.loader.domain.records import API, EXPORT
from tests.unit.loader.memory_table import exported, reported

INTRO: dict[str, Any] = {"track_name": "Intro", "artist_name": "Various Artists"}
MOVEMENT = st.builds(
    lambda track, title, ms, isrc: {
        "track": track, "track_name": title, "duration_ms": ms, "isrc": isrc,
    },
    st.sampled_from("mn"),
    st.sampled_from(["I. Prélude", normalize("NFD", "I. PRÉLUDE"), "II", ""]),
    st.sampled_from([None, 60_000, 90_000]),
    st.sampled_from([None, "QZAAA2600001", "qz-aaa-2600001", "null"]),
)  # fmt: skip
TRACKS = MOVEMENT | st.sampled_from(
    [
        {"track": "a", "isrc": "QZAAA2600002"},
        {"track": "b", "isrc": "qzaaa26-00002", "track_name": "Other"},
        {"track": "c", "track_name": "name A"},
        {"track": "d"},
        *({"track": track, "album_name": album, **INTRO} for track, album in ("eX", "fx", "gY")),
    ]
)
API_RECORDS = st.builds(
    lambda ms, track, popularity: reported(ms / 1000, popularity=popularity, **track),
    st.one_of(st.integers(0, 3_000), st.integers(0, 300).map(lambda s: s * 1000)),
    TRACKS,
    st.sampled_from([None, 0, 50]),
)
EXPORT_RECORDS = st.builds(
    lambda at_s, ms, track, platform: exported(at_s, ms=ms, platform=platform, **track),
    st.one_of(st.integers(0, 4), st.integers(0, 300)),
    st.sampled_from([0, 1_000, 1_001, 5_000, 9_999, 10_000, 60_000]),
    TRACKS,
    st.sampled_from([None, "ios", "android"]),
)
CHAINS = st.builds(
    lambda step_s, first, sources: [
        reported(step_s * n) if source == API else exported(step_s * n)
        for n, source in enumerate(sources, first)
    ],
    st.sampled_from([1, 60, 90]),
    st.integers(0, 5),
    st.lists(st.sampled_from([API, EXPORT, EXPORT]), max_size=12),
)
RECORDS = st.builds(
    lambda records, chain: records + chain,
    st.lists(st.one_of(API_RECORDS, EXPORT_RECORDS), max_size=14),
    st.just([]) | CHAINS,
)
