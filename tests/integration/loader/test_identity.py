"""The rules of identity with a real Postgres: rows, counts, repeated files."""

from datetime import UTC, datetime, timedelta
from functools import partial
from operator import itemgetter
from unicodedata import normalize

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.loader.store import Store
from shared.models import EnrichedBatch, Play, TrackFeatures

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)
SHOWN = """
SELECT track_uri, played_at, ms_played, popularity, source, history_ts, isrc, platform, skipped
FROM listening_history ORDER BY played_at, track_uri
"""


def a_play(after_ms: int, track: str, **fields) -> Play:
    fields = {"track_name": "Träumerei \\ \t", "artist_name": f"Artist {track}", **fields}
    return Play(
        track_uri=f"spotify:track:{track}",
        played_at=NOON + timedelta(milliseconds=after_ms),
        **fields,
    )


POPULARITY = {"a": 40, "b": 60}
# A play has its track's popularity, or none.
KNOWN = st.booleans()
NAMES: st.SearchStrategy[dict[str, str]] = st.builds(
    lambda form, title: {"track_name": normalize(form, title), "artist_name": "Ex"},
    st.sampled_from(["NFC", "NFD"]),
    st.sampled_from(["Träumerei", "TRÄUMEREI ", "Ärger"]),
) | st.just({})
REPORTED = st.builds(
    lambda ms, track, isrc, length_ms, names, known: (
        "recently-played",
        a_play(ms, track, isrc=isrc, duration_ms=length_ms, **names,
               popularity=POPULARITY[track] if known else None),
    ),
    st.one_of(st.integers(0, 2_500), st.integers(0, 200).map(lambda s: s * 1_000)),
    st.sampled_from("ab"),
    st.sampled_from([None, "QZAAA2600001", "qz-aaa2600001", "null"]),
    st.sampled_from([None, 60_000, 90_000]),
    NAMES,
    KNOWN,
)  # fmt: skip
EXPORTED = st.builds(
    lambda s, track, ms, names, known: (
        "extended-history",
        a_play(s * 1_000, track, ms_played=ms, isrc="QZAAA2600001", platform="ios",
               skipped=False, **names, popularity=POPULARITY[track] if known else None),
    ),
    st.one_of(st.integers(0, 3), st.integers(0, 200)),
    st.sampled_from("ab"),
    st.sampled_from([0, 1_500, 9_999, 60_000]),
    NAMES,
    KNOWN,
)  # fmt: skip
CHAIN = st.builds(
    lambda step_s, sources: [
        ("recently-played", a_play(step_s * n * 1_000, "a")) if live else
        ("extended-history", a_play(step_s * n * 1_000, "a", ms_played=60_000))
        for n, live in enumerate(sources)
    ],
    st.sampled_from([1, 60, 90]),
    st.lists(st.sampled_from([True, False, False]), max_size=10),
)  # fmt: skip


def load(database, records, origin: str, per_batch: int = 3) -> None:
    for source in ("recently-played", "extended-history"):
        plays = [play for each, play in records if each == source]
        parts = [plays[i : i + per_batch] for i in range(0, len(plays), per_batch)]
        batches = [
            EnrichedBatch(
                listener="me", source=source, origin=f"{origin}/{source}", number=n, plays=part
            )
            for n, part in enumerate(parts)
        ]
        Store(database).load(batches)


def heal(database, track: str) -> None:
    """Load a healing batch for a track through another store."""
    known = TrackFeatures(
        track_uri=f"spotify:track:{track}",
        popularity=POPULARITY[track],
        source="reccobeats",
        fetched_at=NOON,
    )
    Store(database).load([EnrichedBatch(origin="healing", number=0, features=(known,))])


def empty(owner) -> None:
    owner.run(
        "TRUNCATE listening_history, merged_record, track_features, loaded_batch RESTART IDENTITY"
    )


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    records=st.lists(st.one_of(REPORTED, EXPORTED), min_size=1, max_size=12) | CHAIN.filter(bool),
    seed=st.randoms(use_true_random=False),
)
def test_any_order_split_and_repetition_give_the_same_rows(database, owner, records, seed):
    empty(owner)
    load(database, records, "at-once", per_batch=500)
    at_once = database.run(SHOWN)
    empty(owner)
    shuffled = seed.sample(records, len(records))

    for index, record in enumerate(shuffled):
        load(database, [record], f"part-{index}")
    load(database, shuffled, "again", per_batch=1)

    assert database.run(SHOWN) == at_once
    (books,) = database.run("SELECT sum(inserted + regrouped) FROM loaded_batch")
    assert books == [len(at_once)]


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    records=st.lists(st.one_of(REPORTED, EXPORTED), min_size=1, max_size=8),
    heals=st.lists(st.tuples(st.integers(0, 8), st.sampled_from("ab")), max_size=3),
    seed=st.randoms(use_true_random=False),
)
def test_healing_at_any_time_gives_the_same_rows_and_popularity(
    database, owner, records, heals, seed
):
    empty(owner)
    load(database, records, "at-once", per_batch=500)
    heal(database, "a")
    heal(database, "b")
    at_once = database.run(SHOWN)
    empty(owner)
    steps = [(at, partial(heal, database, track)) for at, track in [*heals, (9, "a"), (9, "b")]]
    steps += [(n, partial(load, database, [record], f"part-{n}"))
              for n, record in enumerate(seed.sample(records, len(records)))]  # fmt: skip

    for _, step in sorted(steps, key=itemgetter(0)):
        step()
    load(database, seed.sample(records, len(records)), "again", per_batch=1)

    assert database.run(SHOWN) == at_once
    assert all(popularity is not None for _, _, _, popularity, *_ in at_once)


def test_repeated_records_leave_every_row_unchanged(database):
    records = [
        ("recently-played", a_play(0, "a")),
        ("recently-played", a_play(400, "a")),
        ("extended-history", a_play(2_000, "a", ms_played=60_000)),
        ("extended-history", a_play(2_000, "b", ms_played=0)),
    ]
    load(database, records, "first")
    before = database.run("SELECT * FROM listening_history ORDER BY id")
    behind = database.run("SELECT * FROM merged_record ORDER BY played_at")

    load(database, records, "second")

    assert database.run("SELECT * FROM listening_history ORDER BY id") == before
    assert database.run("SELECT * FROM merged_record ORDER BY played_at") == behind


def test_an_upgraded_row_keeps_its_id(database):
    load(database, [("recently-played", a_play(500, "a"))], "live")
    (before,) = database.run("SELECT id FROM listening_history")

    load(database, [("extended-history", a_play(3_000, "a", ms_played=60_000))], "export")

    rows = database.run(
        "SELECT id, source, ms_played, played_at, history_ts FROM listening_history"
    )
    assert rows == [
        [*before, "both", 60_000, NOON + timedelta(milliseconds=500), NOON + timedelta(seconds=3)]
    ]


def test_a_record_finds_its_row_after_the_window_narrowed(database):
    reported = ("recently-played", a_play(60_000, "a"))
    exported = ("extended-history", a_play(0, "a", ms_played=60_000))
    load(database, [reported, exported], "wide")

    Store(database, timedelta(seconds=30)).load(
        [
            EnrichedBatch(
                listener="me",
                source="extended-history",
                origin="narrow",
                number=0,
                plays=(exported[1],),
            )
        ]
    )

    counts = database.run("SELECT inserted, upgraded FROM loaded_batch WHERE origin = 'narrow'")
    assert counts == [[0, 0]]
