"""Every stored backup can be restored, and a broken one is not stored."""

import os
import re
import shutil

import pytest

from services.loader.migrate import migrate
from services.loader.store import Store
from tests.host.conftest import a_machine
from tests.host.machine import Machine
from tests.unit.loader.loader_examples import a_batch, a_play

TABLES = ("listening_history", "merged_record", "track_features", "poll", "loaded_batch")


def counts(machine, database="spotify"):
    return {table: int(machine.sql(f"SELECT count(*) FROM {table}", database)) for table in TABLES}


def fill(machine):
    machine.run("boot.sh")
    with machine.connected("migrator") as owner:
        migrate(owner)
    with machine.connected("loader") as database:
        Store(database).load([a_batch(*(a_play(minute * 60) for minute in range(300)))])
    return machine


@pytest.fixture(scope="module")
def with_plays(debian_postgres):
    with a_machine() as machine:
        yield fill(machine)


@pytest.fixture
def filled(with_plays):
    """A machine with plays and without backups."""
    yield with_plays
    (with_plays.home / "last-backup").unlink(missing_ok=True)
    for backup in with_plays.backups:
        backup.unlink()


def back_up(machine):
    machine.run("backup.sh", user="postgres")
    (stored,) = machine.backups
    return f"dumps/{stored.name}"


def test_a_dump_can_be_restored_into_an_empty_server(filled, machine):
    key = back_up(filled)
    machine.run("boot.sh")
    shutil.copytree(filled.cloud / "s3", machine.cloud / "s3", dirs_exist_ok=True)

    machine.run("restore.sh", key)

    assert counts(machine) == counts(filled)
    assert counts(machine)["listening_history"] == 300
    with machine.connected("migrator") as owner:
        assert migrate(owner) == []
        owner.run("ALTER TABLE poll ADD note text")
    with machine.connected("loader") as loader:
        Store(loader).load([a_batch(a_play(-600))])
    assert machine.ask("reader", "SELECT count(*) FROM listening_history") == [[301]]


def test_a_backup_is_named_by_its_time_and_updates_the_backup_stamp(filled):
    key = back_up(filled)

    assert re.fullmatch(r"dumps/spotify-\d{4}-\d\d-\d\dT\d\d-\d\d-\d\dZ\.dump", key)
    assert (filled.home / "last-backup").exists()


def fail_halfway(machine):
    real = f"/usr/lib/postgresql/{machine.facts['PG_MAJOR']}/bin/pg_dump"
    machine.fake("pg_dump", f'{real} "$@" | head -c 5000; exit 1')


@pytest.mark.parametrize(
    ("fail", "reason"),
    [
        pytest.param(fail_halfway, "pg_dump failed: nothing was stored", id="halfway"),
        pytest.param(Machine.stop, "", id="without Postgres"),
        pytest.param(lambda host: host.refuse("s3-cp"), "nothing was stored", id="upload refused"),
    ],
)
def test_a_failed_backup_stores_no_object_in_s3(machine, fail, reason):
    fill(machine)
    fail(machine)

    done = machine.attempt("backup.sh", user="postgres")

    assert done.returncode == 1
    assert reason in done.stderr
    assert machine.backups == []
    assert not (machine.home / "last-backup").exists()


def test_a_dump_is_not_restored_over_existing_data(filled):
    key = back_up(filled)
    before = counts(filled)

    done = filled.attempt("restore.sh", key)

    assert done.returncode == 1
    assert "spotify is not empty" in done.stderr
    assert counts(filled) == before


def test_a_dump_can_be_restored_after_the_database_is_dropped(machine):
    fill(machine)
    key, before = back_up(machine), counts(machine)
    machine.sql("DROP DATABASE spotify WITH (FORCE)", database="postgres")

    machine.run("roles.sh")
    machine.run("restore.sh", key)

    assert counts(machine) == before


def test_a_dump_can_be_restored_into_a_second_database(filled):
    key = back_up(filled)
    filled.sql("CREATE DATABASE drill", database="postgres")

    filled.run("restore.sh", key, "drill")

    assert counts(filled, "drill") == counts(filled)


def test_a_truncated_dump_restores_nothing(filled, machine):
    key = back_up(filled)
    machine.run("boot.sh")
    shutil.copytree(filled.cloud / "s3", machine.cloud / "s3", dirs_exist_ok=True)
    (stored,) = machine.backups
    os.truncate(stored, stored.stat().st_size - 200)

    done = machine.attempt("restore.sh", key)

    assert done.returncode != 0
    assert machine.sql("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == "0"
