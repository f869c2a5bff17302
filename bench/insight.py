"""What insight costs in a long history: statements, refreshes, pages in a browser, memory."""

import os
import re
import subprocess
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from statistics import median
from typing import Any

from bench import browser, insight_data, pipeline, postgres
from bench.addresses import addresses
from bench.insight_data import Shape
from cli.connections import Connections
from dashboard.app import create_app
from dashboard.ask import Ask
from infra.local import page
from infra.local.ports import HOST, any_free
from infra.local.sample_history import HistorySummary
from services.loader.records import API
from services.loader.refresh import refresh
from services.loader.store import Store
from shared.models import EnrichedBatch, Play
from shared.postgres import Database

PERIODS = {"year": str(Shape.until.year - 1), "all": "all"}
"""The last whole year, and all time."""
ROUNDS = 5
"""The median of so many counts."""
LAST_LIVE_PLAYS = (
    "SELECT track_uri, track_name, artist_name, album_name, duration_ms FROM listening_history "
    "WHERE source = 'recently-played' ORDER BY played_at DESC LIMIT 10"
)
REFRESH_S = 900
MEGABYTE = 1e6

Facts = dict[str, Any]
_Times = defaultdict[tuple[str, str], list[float]]
"""Milliseconds by statement and period."""


def measure(plays: int, home: Path, progress: Callable[[str], None]) -> Iterator[Facts]:
    """Measure a listener of so many plays; yield the facts of each measurement."""
    with postgres.running(home) as (owner, address_of):
        loader = Database.connect(address_of("loader"))
        progress(f"writing a listener of {plays:,} plays")
        insight_data.fill(loader, Shape(plays=plays))
        # As autovacuum does in the minutes after.
        owner.run("ANALYZE")
        progress("rebuilding what is derived of them")
        yield _rebuild(loader, plays)
        owner.run("ANALYZE")
        progress("refreshing after polls")
        yield _polls(loader, plays)
        loader.close()
        connections = Connections(address_of("reader"))
        with connections.reader() as reader:
            paths = addresses(reader)
        progress("asking for each page")
        yield from _statements(connections, paths, plays)
        connections.close()
        if reason := browser.missing():
            progress(f"no page in a browser: {reason}")
            return
        source = page.Source(options=("--target", "local"), address=address_of("reader"))
        with _serving(source, home) as (url, pid):
            yield from _pages(url, paths, plays, progress)
            yield _memory(pid, plays)


def backfill(
    history: Path, summary: HistorySummary, rounds: int, home: Path, progress: Callable[[str], None]
) -> Facts:
    """Load a history in turn with the triggers that mark months, and without them."""
    seconds: dict[str, list[float]] = {"DISABLE": [], "ENABLE": []}
    with postgres.running(home) as (owner, address_of):
        # What is marked stays so, because the refresh is measured by itself.
        owner.run("REVOKE EXECUTE ON FUNCTION derived.refresh FROM loader")
        for number in range(rounds):
            progress(f"{summary.rows:,} plays with marks and without, round {number + 1}")
            for able, taken in seconds.items():
                owner.run("TRUNCATE listening_history, merged_record, track_features, poll, gap, "
                          "loaded_batch, import_report")  # fmt: skip
                for table in ("listening_history", "track_features"):
                    owner.run(f"ALTER TABLE {table} {able} TRIGGER USER")
                taken.append(pipeline.load(history, address_of("loader")).seconds)
    without, with_marks = (median(taken) for taken in seconds.values())
    return {
        "measure": "backfill with marks",
        "plays": summary.rows,
        "rounds": rounds,
        "plays_per_s": {
            "with": round(summary.rows / with_marks),
            "without": round(summary.rows / without),
        },
        "ratio": round(with_marks / without, 3),
        "budget": "ratio <= 1.05",
    }


def _rebuild(loader: Database, plays: int) -> Facts:
    started = time.perf_counter()
    loader.run("SELECT derived.rebuild()")
    left = refresh(loader, REFRESH_S, REFRESH_S)
    took_s = time.perf_counter() - started
    if left:
        raise RuntimeError(f"{left} months were not refreshed within {REFRESH_S} s")
    return {"measure": "rebuild", "plays": plays, "s": round(took_s, 1), "budget_s": 60}


def _polls(loader: Database, plays: int) -> Facts:
    """Load polls one after another, and refresh after each as the loader does."""
    store, taken = Store(loader), []
    last = loader.run(LAST_LIVE_PLAYS)
    for number in range(ROUNDS):
        store.load([_poll(last, number)])
        started = time.perf_counter()
        refresh(loader, REFRESH_S, REFRESH_S)
        taken.append((time.perf_counter() - started) * 1e3)
    return {
        "measure": "refresh after a poll",
        "plays": plays,
        "new_plays": len(last),
        "ms": round(median(taken)),
        "budget_ms": 200,
    }


def _poll(tracks: Sequence[Sequence[Any]], number: int) -> EnrichedBatch:
    """Return a poll that found tracks played again within an hour, which are known already."""
    began = Shape.until + timedelta(hours=number)
    names = ("track_uri", "track_name", "artist_name", "album_name", "duration_ms")
    return EnrichedBatch(
        listener="me",
        source=API,
        origin=f"polls/me/new-{number}",
        number=0,
        plays=tuple(
            Play(
                **dict(zip(names, track, strict=True)),
                played_at=began + timedelta(minutes=4 * place + 4),
            )
            for place, track in enumerate(tracks)
        ),
    )


def _statements(connections: Connections, paths: dict[str, str], plays: int) -> Iterator[Facts]:
    """Time each statement of each page, with the parameters that the page binds."""
    client = create_app(connections.reader).test_client()
    times: _Times = defaultdict(list)
    for period, text in PERIODS.items():
        with _timed(times, period):
            for path in paths.values():
                for _ in range(ROUNDS):
                    answer = client.get(f"{path}period={text}", base_url=f"http://{HOST}:8100")
                    if answer.status_code != 200:  # noqa: PLR2004 - HTTP's word for good
                        raise RuntimeError(f"{path} answers {answer.status}")
    for statement in sorted({statement for statement, _ in times}):
        known = {period: times[statement, period] for period in PERIODS}
        yield {
            "measure": "statement",
            "name": statement,
            "plays": plays,
            "ms": {period: round(median(ms), 1) for period, ms in known.items() if ms},
            "budget_ms": 200,
        }


@contextmanager
def _timed(times: _Times, period: str) -> Iterator[None]:
    """Note how long each statement takes, from the question to its rows in Python."""
    ask = Ask.rows

    def rows(self: Ask, statement: str, columns: Any = None, **parameters: Any) -> Any:
        started = time.perf_counter()
        try:
            return ask(self, statement, columns, **parameters)
        finally:
            name = " ".join([statement, *(columns or {}).values()])
            times[name, period].append((time.perf_counter() - started) * 1e3)

    Ask.rows = rows  # type: ignore[method-assign]  # the seam
    try:
        yield
    finally:
        Ask.rows = ask  # type: ignore[method-assign]  # likewise


@contextmanager
def _serving(source: page.Source, home: Path) -> Iterator[tuple[str, int]]:
    """Serve the page as the local cloud does; give its address without the last slash, and pid."""
    port = any_free()
    process = subprocess.Popen(  # noqa: S603 - the command is ours
        page.command("--port", str(port)),
        cwd=home,
        env=page.environment(source, os.environ),
        stdout=subprocess.PIPE,
    )
    try:
        # It says its address once it listens.
        if process.stdout:
            process.stdout.readline()
        yield f"http://{HOST}:{port}", process.pid
    finally:
        process.terminate()
        process.communicate()


def _pages(
    url: str, paths: dict[str, str], plays: int, progress: Callable[[str], None]
) -> Iterator[Facts]:
    """Load each page in a browser that has kept nothing of it."""
    with browser.opened() as opened:
        opened.keep_files(kept=False)
        for name, path in paths.items():
            progress(f"page {name} in a browser")
            visits = {
                period: [opened.visit(f"{url}{path}period={text}") for _ in range(ROUNDS)]
                for period, text in PERIODS.items()
            }
            yield _of_page(name, plays, visits, url)


def _of_page(
    name: str, plays: int, visits: Mapping[str, Sequence[browser.Visit]], url: str
) -> Facts:
    every = [visit for some in visits.values() for visit in some]
    return {
        "measure": "page",
        "name": name,
        "plays": plays,
        "rounds": ROUNDS,
        "s": {
            period: round(median(visit.seconds for visit in some), 2)
            for period, some in visits.items()
        },
        "requests": max(visit.requests for visit in every),
        "mb": round(max(visit.encoded_bytes for visit in every) / MEGABYTE, 2),
        "other_hosts": len({f"http://{host}" for visit in every for host in visit.hosts} - {url}),
        "errors": sum(len(visit.errors) for visit in every),
        "budget": "s: a year < 1, all < 1.5; requests <= 8; mb <= 0.6; other_hosts 0",
    }


def _memory(pid: int, plays: int) -> Facts:
    status = Path(f"/proc/{pid}/status").read_text()
    mb = {name: int(kib) / 1024 for name, kib in re.findall(r"Vm(RSS|HWM):\s+(\d+)", status)}
    return {
        "measure": "memory of the page",
        "plays": plays,
        "mib": {"now": round(mb["RSS"]), "peak": round(mb["HWM"])},
        "budget_mib": 80,
    }
