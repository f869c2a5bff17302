"""Measure the time and the peak memory of `plays verify` on a loaded history."""

import multiprocessing
import re
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

from bench import memory_cloud
from cli.target import Target
from cli.verification.verify import Verifier
from shared.postgres import Address, Database


class LoadedTarget:
    """A target whose archive holds one upload, with the Postgres that it was loaded into."""

    outputs: dict[str, str]

    def __init__(self, history: Path, reader: Address) -> None:
        self._history = history
        self._reader = reader
        self.outputs = {}

    def output(self, key: str) -> str:
        """Return `key` itself, because the fake clients accept any name."""
        return key

    def client(self, service: str) -> Any:
        """Return a fake client for S3 or DynamoDB."""
        return _S3(self._history) if service == "s3" else _Empty()

    @contextmanager
    def database(self) -> Iterator[Database]:
        """Connect to Postgres as role `reader`."""
        with closing(Database.connect(self._reader)) as database:
            yield database


class _S3(memory_cloud.MemoryS3):
    """S3 with one upload and no poll answers."""

    def __init__(self, history: Path) -> None:
        super().__init__(history.parent)
        self._history = history

    def get_paginator(self, name: str) -> "_S3":
        self._lists_uploads = name == "list_object_versions"
        return self

    def paginate(self, **_: str) -> list[dict[str, Any]]:
        if not self._lists_uploads:
            return [{}]
        file = {"Key": f"history/me/{self._history.name}", "VersionId": "1"}
        facts = {"Size": self._history.stat().st_size, "LastModified": datetime.now(UTC)}
        return [{"Versions": [file | facts]}]


class _Empty:
    """DynamoDB whose tables have no items."""

    def get_item(self, **_: Any) -> dict[str, Any]:
        return {}


def verify(history: Path, reader: Address) -> tuple[float, float]:
    """Verify a loaded history in a new process; return its seconds, and its peak memory in MiB.

    Raises:
        RuntimeError: The history in Postgres differs from the zip.
    """
    # Not forked: a child's peak memory would start at its parent's.
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_verify, (history, reader))


def _verify(history: Path, reader: Address) -> tuple[float, float]:
    target = cast("Target", LoadedTarget(history, reader))
    started = time.perf_counter()
    found = Verifier(target, ["me"], None, timedelta(seconds=90)).run(0)
    seconds = time.perf_counter() - started
    if found.findings:
        raise RuntimeError(f"Postgres and the history zip differ: {found.findings}")
    # Not getrusage, because a process inherits ru_maxrss from its parent.
    peak_kib = re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())
    return seconds, int(peak_kib[1]) / 1024 if peak_kib else 0.0
