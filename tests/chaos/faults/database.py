"""Faults of Postgres, and of the way to it."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Literal

import pg8000.native
import psutil

from infra.cdk.database import DATABASE
from tests.chaos.faults.processes import kill
from tests.chaos.scene import Scene
from tests.chaos.world import eventually

LOADER_CONNECTIONS = 10
"""The limit of role loader."""

_IN_TRANSACTION = """
SELECT pid FROM pg_stat_activity
WHERE usename = 'loader' AND xact_start IS NOT NULL AND pid <> pg_backend_pid()
"""


def kill_loader_after_commit(scene: Scene) -> None:
    """Kill the loader when a batch is committed, before SQS knows that it is done."""
    count = "SELECT count(*) FROM loaded_batch WHERE listener = :listener"
    with scene.world.database() as database:
        before = database.run(count, listener=scene.listener)
        changed = eventually(
            lambda: database.run(count, listener=scene.listener) != before, 8, every_s=0.002
        )
    if changed:
        for process in scene.world.workers("Loader"):
            kill(process)


def kill_backend(scene: Scene) -> None:
    """Kill a backend of the loader in the middle of a transaction; Postgres restarts all others."""
    with scene.world.database("loader") as database:
        found = eventually(lambda: database.run(_IN_TRANSACTION), 5, every_s=0.002)
        for (pid,) in found or []:
            kill(psutil.Process(pid))


@contextmanager
def read_only(scene: Scene) -> Iterator[None]:
    scene.do(lambda: _set_read_only(scene, "on"))
    yield
    scene.do(lambda: _set_read_only(scene, "off"))


def _set_read_only(scene: Scene, value: str) -> None:
    with scene.world.database("migrator") as database:
        # This session too is read-only by default.
        database.run("SET default_transaction_read_only = off")
        database.run(f"ALTER DATABASE {DATABASE} SET default_transaction_read_only = {value}")
    end_loaders(scene)


def end_loaders(scene: Scene) -> None:
    """Cut the connections of the loader, as a failover does, so that new settings apply."""
    with scene.world.database("loader") as database:
        database.run(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE usename = 'loader' AND pid <> pg_backend_pid()"
        )


def exhaust(scene: Scene) -> None:
    """Take all connections that role loader may have."""
    scene.pause()
    end_loaders(scene)
    with ExitStack() as taken:
        for _ in range(LOADER_CONNECTIONS):
            # The loader itself may take one in between.
            with suppress(pg8000.exceptions.DatabaseError):
                taken.enter_context(scene.world.database("loader"))
        time.sleep(scene.hold_s)


def lock(scene: Scene) -> None:
    """Lock the table of plays against all others, or against writers alone."""
    mode = scene.rng.choice(("ACCESS EXCLUSIVE", "EXCLUSIVE"))
    with scene.world.database("loader") as database:
        database.run("BEGIN")
        database.run(f"LOCK TABLE listening_history IN {mode} MODE")
        time.sleep(scene.hold_s)
        database.run("ROLLBACK")


def between(mode: Literal["refuse", "stall"]) -> Callable[[Scene], None]:
    """Return a fault between the loader and Postgres."""

    def act(scene: Scene) -> None:
        scene.pause()
        proxy = scene.world.proxy
        proxy.mode = mode
        if mode == "refuse":
            proxy.cut()
        try:
            time.sleep(scene.hold_s)
        finally:
            proxy.mode = "pass"

    return act


def cut(scene: Scene) -> None:
    """Reset the loader's connections again and again."""
    until = time.monotonic() + scene.hold_s
    while time.monotonic() < until:
        time.sleep(scene.rng.uniform(0.02, 0.3))
        scene.world.proxy.cut()
