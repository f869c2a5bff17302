"""After any changes in any order, the views match the model and a rebuild."""

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.integration.loader.reporting.stage import a_play

LISTENERS = st.sampled_from(["me", "me", "zoe"])
URIS = st.sampled_from("abcd")
# Near the ends of months and of a year, so that estimates and sessions cross them.
BORDERS = st.sampled_from(["2023-11-30T18:30", "2023-12-31T23:00", "2024-01-01T00:00",
                           "2024-01-20T12:00", "2024-02-01T00:00"])  # fmt: skip
INSTANTS = st.builds(
    lambda border, minutes, ms: (
        datetime.fromisoformat(border).replace(tzinfo=UTC)
        + timedelta(minutes=minutes, milliseconds=ms)
    ),
    BORDERS,
    st.sampled_from([-600, -40, -31, -4, -1, 0, 1, 3, 30, 34]),
    st.sampled_from([-1, 0, 1]),
)
NAMES = st.fixed_dictionaries(
    {
        "artist_name": st.sampled_from(["Nina", "NINA", "Various Artists"]),
        "track_name": st.sampled_from(["Boats", "boats", "Trains"]),
        "album_name": st.sampled_from(["One", "Two", None]),
    }
)
# The longest covers most of a month.
LENGTHS = st.sampled_from([None, 29_000, 100_000, 2_000_000_000])
PLAYS = st.builds(
    lambda listener, uri, at, names, length, source, ms: a_play(
        at, uri, ms=None if source == "recently-played" else ms, listener=listener,
        source=source, duration_ms=length, **names,
    ),
    LISTENERS, URIS, INSTANTS, NAMES, LENGTHS,
    st.sampled_from(["recently-played", "recently-played", "extended-history", "both"]),
    st.sampled_from([0, 29_999, 30_000, 2_000_000_000]),
)  # fmt: skip
FEATURES = st.fixed_dictionaries(
    {
        "duration_ms": LENGTHS,
        "energy": st.sampled_from([None, 0.25, 0.5]),
        "mode": st.sampled_from([None, 1]),
    }
)
# The last two are 25 hours apart.
ZONES = st.sampled_from(["UTC", "Asia/Kolkata", "Pacific/Pago_Pago", "Pacific/Kiritimati"])


def step(name: str, *arguments: Any):
    return st.tuples(st.just(name), *arguments)


STEPS = st.one_of(
    step("insert", st.lists(PLAYS, min_size=1, max_size=3)),
    step("upgrade", st.integers(0), st.sampled_from([0, 60_000, 2_000_000_000])),
    step("rename", st.integers(0), NAMES),
    step("move", st.integers(0), INSTANTS),
    step("delete", st.integers(0)),
    step("know", URIS, FEATURES),
    step("listen_in", ZONES, LISTENERS),
    step("refresh", st.sampled_from([0, 1, 2, 1_000])),
)


class Life:
    """Changes the tables with the statements of the loader."""

    def __init__(self, reporting) -> None:
        self.reporting = reporting
        self._run = reporting.database.run

    def insert(self, plays):
        unique = {(row["listener"], row["played_at"], row["track_uri"]): row for row in plays}
        stored = set(map(tuple, self._run(
            "SELECT listener, played_at, track_uri FROM listening_history"
        )))  # fmt: skip
        fresh = [row for key, row in unique.items() if key not in stored]
        if fresh:
            self.reporting.store(*fresh)

    def upgrade(self, place, ms):
        self._change(place, "ms_played = :ms, source = 'both', reason_end = 'trackdone'", ms=ms)

    def rename(self, place, names):
        self._change(
            place,
            "artist_name = :artist_name, track_name = :track_name, album_name = :album_name",
            **names,
        )

    def move(self, place, at):
        self._change(place, "played_at = :at", at=at)

    def delete(self, place):
        self._run("DELETE FROM listening_history WHERE id = :id", id=self._id(place))

    def know(self, uri, features):
        self._run(
            "INSERT INTO track_features (track_uri, duration_ms, energy, mode, source, fetched_at) "
            "VALUES (:uri, :duration_ms, :energy, :mode, 'reccobeats', now()) "
            "ON CONFLICT (track_uri) DO UPDATE SET duration_ms = excluded.duration_ms, "
            "energy = excluded.energy, mode = excluded.mode",
            uri=f"spotify:track:{uri}", **features,
        )  # fmt: skip

    def listen_in(self, zone, listener):
        self.reporting.listen_in(zone, listener)

    def refresh(self, most_months):
        ((left,),) = self._run("SELECT derived.refresh(:most)", most=most_months)
        assert self._run("SELECT months FROM derived.waiting(now())") == [[left]]

    def _change(self, place, change, **values):
        self._run(
            f"UPDATE listening_history h SET {change} WHERE id = :id AND NOT EXISTS ("  # noqa: S608 - our own words
            "SELECT FROM listening_history o WHERE o.played_at = :at AND o.id <> h.id "
            "AND o.listener = h.listener AND o.track_uri = h.track_uri)",
            id=self._id(place), **{"at": None, **values},
        )  # fmt: skip

    def _id(self, place):
        ids = [row_id for (row_id,) in self._run("SELECT id FROM listening_history ORDER BY id")]
        return ids[place % len(ids)] if ids else None


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(plays=st.lists(PLAYS, min_size=3, max_size=8), steps=st.lists(STEPS, min_size=2, max_size=9))
def test_a_refresh_after_random_changes_gives_the_same_tables_as_a_rebuild(reporting, plays, steps):
    reporting.empty()
    life = Life(reporting)
    life.insert(plays)
    reporting.refresh()

    for name, *arguments in steps:
        getattr(life, name)(*arguments)
    reporting.refresh()

    reporting.compare()
    refreshed = reporting.read_derived()
    reporting.forget()
    reporting.rebuild()
    assert reporting.read_derived() == refreshed
