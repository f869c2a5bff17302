"""Load a history in the local cloud, with its queues, event source mappings, IAM and functions."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from infra.local import cloud
from infra.local.aws import client
from infra.local.run_options import RunOptions
from infra.local.state import CloudState
from shared.archive import DEFAULT_LISTENER, upload_origin
from shared.postgres import Address, Database

WARM_UP = "warm-up"
"""The listener of the plays that are loaded before the measurement."""
POLL_S = 0.05
PATIENCE_S = 900


@contextmanager
def running(home: Path) -> Iterator[CloudState]:
    """Start a local cloud for the benchmark, without polls and without the sample history."""
    options = RunOptions(empty=True, context={"listeners": f"{DEFAULT_LISTENER},{WARM_UP}"})
    cloud.up(home, options, detach=True, say=lambda _: None)
    try:
        yield CloudState.load(home)
    finally:
        cloud.reset(home)


def load(history: Path, state: CloudState, *, listener: str = DEFAULT_LISTENER) -> float:
    """Upload a history zip; return the seconds until its last play is in Postgres."""
    url = urlsplit(state.database_url)
    reader = Database.connect(
        Address(
            str(url.hostname),
            url.port or 0,
            url.path.lstrip("/"),
            str(url.username),
            str(url.password),
        )
    )
    s3, key = client("s3", state.aws), f"history/{listener}/{history.name}"
    started = time.perf_counter()
    with history.open("rb") as file:
        answer = s3.put_object(Bucket=state.bucket, Key=key, Body=file)
    _wait(reader, upload_origin(key, answer.get("VersionId")), started + PATIENCE_S)
    took_s = time.perf_counter() - started
    reader.close()
    return took_s


def _wait(reader: Database, origin: str, deadline: float) -> None:
    # `is_complete` as a selected column would make Postgres compute the whole view each time.
    statement = "SELECT 1 FROM reporting.import_result WHERE origin = :origin AND is_complete"
    while not reader.run(statement, origin=origin):
        if time.perf_counter() > deadline:
            raise TimeoutError(f"{origin} was not loaded within {PATIENCE_S} s")
        time.sleep(POLL_S)
