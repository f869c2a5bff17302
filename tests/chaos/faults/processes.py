"""Faults of processes: they are killed, or frozen, or their files cannot grow."""

import os
import shutil
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress

import psutil

from tests.chaos.scene import Scene
from tests.chaos.world import eventually

FUNCTIONS = ("Collector", "Backfill", "Enricher", "Loader")

PRLIMIT = shutil.which("prlimit")
"""A command of Linux; without it no disk is full."""

DISK_BYTES = 128 << 10
"""The size beyond which no file grows on a full disk; the log of Postgres has files of 16 MB."""


def kill(process: psutil.Process) -> None:
    with suppress(psutil.NoSuchProcess):
        process.kill()


def killed(title: str) -> Callable[[Scene], None]:
    def act(scene: Scene) -> None:
        scene.pause()
        for process in scene.world.processes(title)[:1]:
            kill(process)

    return act


def frozen(find: Callable[[Scene], list[psutil.Process]]) -> Callable[[Scene], None]:
    """Return a fault that stops processes by SIGSTOP for some seconds."""

    def act(scene: Scene) -> None:
        scene.pause()
        stopped = find(scene)
        try:
            for process in stopped:
                with suppress(psutil.NoSuchProcess):
                    process.suspend()
            time.sleep(scene.hold_s)
        finally:
            for process in stopped:
                with suppress(psutil.NoSuchProcess):
                    process.resume()

    return act


def server(title: str) -> Callable[[Scene], list[psutil.Process]]:
    # Without the workers of MiniStack: they are a part of their own.
    def find(scene: Scene) -> list[psutil.Process]:
        found = scene.world.processes(title)
        return found if title == "postgres" else found[:1]

    return find


def worker(scene: Scene) -> list[psutil.Process]:
    """Return the busy or idle workers of one function, once it has any."""
    function = scene.rng.choice(FUNCTIONS)
    found: list[psutil.Process] = eventually(lambda: scene.world.workers(function), 3)
    return found


def kill_worker(scene: Scene) -> None:
    scene.pause()
    for process in worker(scene):
        kill(process)


def full_disk(title: str) -> Callable[[Scene], None]:
    """Return a fault in which a server's files cannot grow: a limit of their size, without root."""

    def act(scene: Scene) -> None:
        scene.pause()
        limited = scene.world.processes(title)
        try:
            _limit(limited, str(DISK_BYTES))
            time.sleep(scene.hold_s)
        finally:
            # Also the processes that were started meanwhile inherited the limit.
            _limit([*limited, *scene.world.processes(title)], "unlimited")

    return act


def _limit(processes: list[psutil.Process], most: str) -> None:
    """Limit the size of files of those processes that have not ended.

    Raises:
        PermissionError: No limit could be changed.
    """
    codes = []
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            # As the process's own user: for root, Postgres runs as another one, and root may change
            # limits of others only with a right that containers lack.
            other = process.uids().real
            done = subprocess.run(  # noqa: S603 - the command is ours
                [str(PRLIMIT), f"--pid={process.pid}", f"--fsize={most}:"],
                user=None if other == os.getuid() else other,
                check=False,
                stderr=subprocess.DEVNULL,
            )
            codes.append(done.returncode)
    if codes and all(codes):
        raise PermissionError("no limit could be changed")
