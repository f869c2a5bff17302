"""Machines to test the host's scripts on. Without Debian's Postgres this folder is skipped."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from infra.local.ports import any_free
from services.loader.migrate import migrate
from tests.host.machine import Machine, missing


@pytest.fixture(scope="session", autouse=True)
def debian_postgres():
    if reason := missing():
        pytest.skip(reason)


@contextmanager
def a_machine() -> Iterator[Machine]:
    # Not in pytest's folder: only root can enter it, and some scripts run as user postgres.
    root = Path(tempfile.mkdtemp(prefix="host-"))
    root.chmod(0o755)
    machine = Machine(root, any_free())
    try:
        yield machine
    finally:
        machine.stop()
        shutil.rmtree(root)


@pytest.fixture
def machine(debian_postgres) -> Iterator[Machine]:
    """A machine that has never booted."""
    with a_machine() as machine:
        yield machine


@pytest.fixture
def booted(machine) -> Machine:
    """A booted machine that one test alone uses."""
    machine.run("boot.sh")
    return machine


@pytest.fixture(scope="session")
def served(debian_postgres) -> Iterator[Machine]:
    """A booted machine with our schema; tests must leave it unchanged."""
    with a_machine() as machine:
        machine.run("boot.sh")
        with machine.connected("migrator") as owner:
            migrate(owner)
        yield machine
