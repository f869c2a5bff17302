"""The rules of identity against the real Postgres: rows, books, files that come again."""

from datetime import UTC, datetime, timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.loader.store import Store
from shared.models import EnrichedBatch, Play

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)
SHOWN = """
SELECT track_uri, played_at, ms_played, popularity, source, history_ts, isrc, platform, skipped
FROM listening_history ORDER BY played_at, track_uri
"""


def a_play(after_ms: int, track: str, **told) -> Play:
    return Play(
        track_uri=f"spotify:track:{track}",
        track_name="Träumerei \\ \t",
        artist_name=f"Artist {track}",
        played_at=NOON + timedelta(milliseconds=after_ms),
        **told,
    )


HEARD = st.builds(
    lambda ms, track, isrc: ("recently-played", a_play(ms, track, isrc=isrc, popularity=40)),
    st.one_of(st.integers(0, 2_500), st.integers(0, 200).map(lambda s: s * 1_000)),
    st.sampled_from("ab"),
    st.sampled_from([None, "QZ"]),
)
EXPORTED = st.builds(
    lambda s, track, ms: (
        "extended-history",
        a_play(s * 1_000, track, ms_played=ms, isrc="QZ", platform="ios", skipped=False),
    ),
    st.one_of(st.integers(0, 3), st.integers(0, 200)),
    st.sampled_from("ab"),
    st.sampled_from([0, 1_500, 9_999, 60_000]),
)


def load(database, records, origin: str, per_batch: int = 3) -> None:
    for source in ("recently-played", "extended-history"):
        plays = [play for told_by, play in records if told_by == source]
        parts = [plays[i : i + per_batch] for i in range(0, len(plays), per_batch)]
        batches = [
            EnrichedBatch(
                listener="me", source=source, origin=f"{origin}/{source}", number=n, plays=part
            )
            for n, part in enumerate(parts)
        ]
        Store(database).load(batches)


def empty(owner) -> None:
    owner.run("TRUNCATE listening_history, merged_record, loaded_batch RESTART IDENTITY")


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    records=st.lists(st.one_of(HEARD, EXPORTED), min_size=1, max_size=12),
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


def test_the_same_records_again_leave_every_row_as_it_was(database):
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


def test_a_record_finds_its_row_though_the_window_has_narrowed_since(database):
    heard = ("recently-played", a_play(60_000, "a"))
    exported = ("extended-history", a_play(0, "a", ms_played=60_000))
    load(database, [heard, exported], "wide")

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
