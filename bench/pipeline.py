"""Load a history zip with our handlers, all running at the same time as when deployed.

Each handler runs in its own process, as a function runs in its own sandbox. The queues between them
are in memory, and the source of features has no latency.
"""

import json
import multiprocessing
import os
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from multiprocessing.process import BaseProcess
from multiprocessing.queues import Queue as MessageQueue
from multiprocessing.synchronize import Barrier
from pathlib import Path
from queue import Empty
from typing import Any

from bench import memory_cloud
from shared.postgres import Address

MESSAGES_PER_INVOCATION = 10
"""The batch size of the event source mappings (infra/cdk/functions.py)."""

FEATURES = "reccobeats"
"""The host name of the source of features, under which its calls are counted."""

LOADERS = 2
"""The `max_concurrency` of the event source mapping."""

WAIT_S = 5
QUEUED_MESSAGES = 200
"""Maximum number of messages in the queue between two handlers; a None marks its end."""


_started_cpu_s: list[float] = []


class Context:
    """The context that Lambda passes to a handler."""

    function_name = memory_limit_in_mb = invoked_function_arn = aws_request_id = "bench"

    def get_remaining_time_in_millis(self) -> int:
        """Return more milliseconds than any handler needs."""
        return 60_000


@dataclass
class Run:
    """One load of a zip: its seconds, and the memory, CPU time and calls of each process."""

    seconds: float
    peak_mib: dict[str, float] = field(default_factory=dict)
    cpu_s: dict[str, float] = field(default_factory=dict)
    calls: dict[str, dict[str, int]] = field(default_factory=dict)


def load(history: Path, address: Address) -> Run:
    """Load a history zip through backfill, enricher and loader; return the measurements."""
    # Not forked: a child's peak memory would start at its parent's.
    spawn = multiprocessing.get_context("spawn")
    collected, enriched = spawn.Queue(QUEUED_MESSAGES), spawn.Queue(QUEUED_MESSAGES)
    results, start = spawn.Queue(), spawn.Barrier(3 + LOADERS)
    processes = [
        spawn.Process(target=_backfill, args=(history, collected, results, start)),
        spawn.Process(target=_enricher, args=(collected, enriched, results, start)),
        *(
            spawn.Process(target=_loader, args=(address, enriched, results, start, number))
            for number in range(LOADERS)
        ),
    ]
    for process in processes:
        process.start()
    start.wait()
    started = time.perf_counter()
    reports = [_next_result(results, processes) for _ in processes]
    run = Run(time.perf_counter() - started)
    for process in processes:
        process.join()
    for name, peak_mib, cpu_s, calls in reports:
        run.peak_mib[name], run.cpu_s[name], run.calls[name] = peak_mib, cpu_s, calls
    return run


def _next_result(results: Any, processes: Sequence[BaseProcess]) -> Any:
    """Wait for the result of one more process; raise an error if a process has failed."""
    while True:
        try:
            return results.get(timeout=WAIT_S)
        except Empty:
            if any(process.exitcode for process in processes):
                for process in processes:
                    process.kill()
                raise RuntimeError("a handler's process failed; see its output above") from None


def _backfill(history: Path, collected: Any, results: Any, start: Barrier) -> None:
    os.environ |= {
        "ARCHIVE_BUCKET": memory_cloud.BUCKET,
        "COLLECTED_PLAYS_QUEUE_URL": "collected",
        "LISTENERS": "me",
    }
    memory_cloud.install(uploads=history.parent, deliver=collected.put)
    from services.collector.backfill.upload_handler import handler, wire  # noqa: PLC0415 - after its environment

    wire()
    body = {
        "detail-type": "Object Created",
        "time": datetime.now(UTC).isoformat(),
        "detail": {
            "bucket": {"name": memory_cloud.BUCKET},
            "object": {
                "key": f"history/me/{history.name}",
                "size": history.stat().st_size,
                "version-id": "1",
            },
        },
    }
    _wait_for_all(start)
    _invoke(handler, [json.dumps(body)])
    collected.put(None)
    _report("backfill", results)


def _enricher(collected: Any, enriched: Any, results: Any, start: Barrier) -> None:
    os.environ |= {
        "ENRICHED_PLAYS_QUEUE_URL": "enriched",
        "TRACK_CACHE_TABLE": "track-cache",
        "FEATURE_SOURCES": "reccobeats",
        "RECCOBEATS_URL": f"http://{FEATURES}",
        "SPOTIFY_API_URL": "http://spotify",
        "SPOTIFY_ACCOUNTS_URL": "http://spotify",
        "SPOTIFY_APP_TABLE": "spotify-app",
        "SPOTIFY_APP_SECRET": "",
        "SPOTIFY_DAILY_CALLS": "200",
    }
    memory_cloud.install(deliver=enriched.put)
    from services.enricher.handler import handler, wire  # noqa: PLC0415 - after its environment

    wire()
    _wait_for_all(start)
    _consume(collected, handler)
    enriched.put(None)
    _report("enricher", results)


def _loader(address: Address, enriched: Any, results: Any, start: Barrier, number: int) -> None:
    os.environ |= {
        "DATABASE_LOGIN_PARAMETER": "login",
        "DATABASE_HOST_PARAMETER": "host",
        "DATABASE_CA_PARAMETER": "",
        "MATCH_WINDOW_S": "90",
    }
    memory_cloud.install(address=address)
    from services.loader.handler import handler, wire  # noqa: PLC0415 - after its environment

    wire()
    _wait_for_all(start)
    _consume(enriched, handler)
    enriched.put(None)
    _report(f"loader {number}", results)


def _wait_for_all(start: Barrier) -> None:
    """Wait for the other processes, so that imports and connections are not measured."""
    # CloudWatch would take the log lines; here they would mix with the figures.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    start.wait()
    _started_cpu_s.append(time.process_time())


def _consume(queue: "MessageQueue[str | None]", handler: Callable[..., Any]) -> None:
    """Invoke a handler with up to `MESSAGES_PER_INVOCATION` messages at a time.

    Return after the None that marks the end of the queue.
    """
    ended = False
    while not ended:
        bodies: list[str] = []
        while len(bodies) < MESSAGES_PER_INVOCATION and not ended:
            body = queue.get()
            ended = body is None
            if body is not None:
                bodies.append(body)
        if bodies:
            _invoke(handler, bodies)


def _invoke(handler: Callable[..., Any], bodies: list[str]) -> None:
    records = [
        {"messageId": str(number), "body": body, "attributes": {}, "eventSource": "aws:sqs"}
        for number, body in enumerate(bodies)
    ]
    failed = handler({"Records": records}, Context())["batchItemFailures"]
    if failed:
        raise RuntimeError(f"a handler failed on {len(failed)} of {len(bodies)} messages")


def _report(name: str, results: Any) -> None:
    cpu_s = time.process_time() - _started_cpu_s[0]
    # Not getrusage, because a process inherits ru_maxrss from its parent.
    peak_kib = re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())
    peak_mib = int(peak_kib[1]) / 1024 if peak_kib else 0.0
    results.put((name, peak_mib, cpu_s, dict(memory_cloud.calls)))
