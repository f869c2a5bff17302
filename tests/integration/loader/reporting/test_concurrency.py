"""Changes that commit during a refresh stay marked for the next one; none is lost."""

from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest

from services.loader.refresh import refresh
from tests.integration.loader.reporting.stage import a_play

LONG_ENOUGH_S = 0.3
"""Time in which a statement finishes, or starts to wait for a lock."""

REFRESH = "SELECT derived.refresh(1000)"
CHANGES = {
    "a play": "INSERT INTO listening_history (track_uri, track_name, artist_name, played_at, "
    "ms_played, listener, source) VALUES ('new', 'New', 'Artist a', '2024-05-31T23:58Z', 9, 'me', "
    "'extended-history')",
    "an upgrade": "UPDATE listening_history SET ms_played = 5, source = 'both' "
    "WHERE track_uri = 'spotify:track:t1'",
    "a deletion": "DELETE FROM listening_history WHERE track_uri = 'spotify:track:t1'",
    "a name": "UPDATE listening_history SET artist_name = 'Nina' "
    "WHERE track_uri = 'spotify:track:t0'",
    "a length": "UPDATE track_features SET duration_ms = 50000, energy = 0.1 "
    "WHERE track_uri = 'spotify:track:t2'",
    "a zone": "UPDATE listener_setting SET time_zone = 'Asia/Kolkata' WHERE listener = 'me'",
}


@pytest.fixture
def marked(reporting):
    """Refreshed plays around the end of May, and three more that mark their months again."""
    reporting.listen_in("Europe/Berlin")
    reporting.know("t2", duration_ms=60_000, energy=0.5)
    for n, instant in enumerate(["2024-05-31T20:00Z", "2024-05-31T23:50Z", "2024-06-01T00:10Z"]):
        reporting.store(a_play(instant, f"t{n}", ms=None))
    reporting.refresh()
    reporting.store(
        a_play("2024-05-31T23:55Z", "t0"),
        a_play("2024-06-30T23:55Z", "t2", ms=None),
        a_play("2024-06-30T23:58Z", "t3"),  # a new track, so the refresh writes a name too
    )
    return reporting


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_change_committed_during_a_refresh_is_left_for_the_next_refresh(marked, connect, change):
    writer = connect("loader")
    writer.run("BEGIN")
    writer.run(change)

    with ThreadPoolExecutor() as pool:
        refresh = pool.submit(connect("loader").run, REFRESH)
        wait([refresh], LONG_ENOUGH_S)
        writer.run("COMMIT")
        refresh.result(10)

    marked.refresh()
    marked.compare()


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_change_made_before_a_refresh_commits_is_left_for_the_next_refresh(
    marked, connect, change
):
    writer, refresher = connect("loader"), connect("loader")
    refresher.run("BEGIN")
    refresher.run(REFRESH)

    with ThreadPoolExecutor() as pool:
        write = pool.submit(writer.run, change)
        wait([write], LONG_ENOUGH_S)
        refresher.run("COMMIT")
        write.result(10)

    marked.refresh()
    marked.compare()


@pytest.mark.parametrize("change", ["a play", "a name"])
@pytest.mark.parametrize("name", ["name", "stale_month", "hour", "item"])
def test_a_change_committed_while_a_refresh_waits_for_a_lock_is_left_for_the_next_refresh(
    marked, connect, name, change
):
    writer, blocker = connect("loader"), connect("migrator")
    blocker.run("BEGIN")
    # The refresh waits for this table; the change does not.
    blocker.run(f"LOCK TABLE derived.{name} IN SHARE MODE")

    with ThreadPoolExecutor() as pool:
        refresh = pool.submit(connect("loader").run, REFRESH)
        wait([refresh], LONG_ENOUGH_S)
        assert not refresh.done()
        writer.run(CHANGES[change])
        blocker.run("COMMIT")
        refresh.result(10)

    marked.refresh()
    marked.compare()


def test_two_concurrent_refreshes_give_the_same_views_as_one(marked, connect):
    with ThreadPoolExecutor() as pool:
        other = pool.submit(connect("loader").run, REFRESH)
        marked.database.run(REFRESH)
        other.result(10)

    marked.compare()


def test_a_refresh_repeats_until_no_month_is_stale(marked):
    arriving = [a_play(f"2023-0{month}-10T12:00Z", "t0") for month in range(1, 7)]

    @contextmanager
    def transaction():
        with marked.database.transaction():
            yield
        if arriving:
            marked.store(arriving.pop(), arriving.pop())

    interrupted: Any = SimpleNamespace(transaction=transaction, run=marked.database.run)

    assert refresh(interrupted, 60, 60) == 0
    marked.compare()


def test_a_refresh_returns_at_once_while_another_is_running(marked, connect):
    other = connect("loader")
    with other.transaction():
        other.run(REFRESH)

        assert refresh(marked.database, 60, 60) > 0
