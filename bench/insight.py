"""Measure the dashboard over a long history: statements, pages, memory and refreshes."""

import os
import re
import subprocess
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

from bench import browser, insight_data, postgres, refreshes
from bench.addresses import addresses
from bench.insight_data import Shape
from cli.page.connections import Connections
from dashboard.app import create_app
from dashboard.ask import Ask
from infra.local import page
from infra.local.ports import HOST, any_free
from shared.postgres import Database

PERIODS = {"year": str(Shape.until.year - 1), "all": "all"}
"""The last whole year, and all time."""
PARTIAL_PERIODS = {"30d": "30d", "12m": "12m", "custom": "2019-03-15..2021-09-20"}
"""Periods that start or end within a month; their partial months are read from the plays."""
ROUNDS = 5
"""Number of visits; their median is printed."""
MEGABYTE = 1e6

Facts = dict[str, Any]
_Times = defaultdict[str, list[float]]
"""Milliseconds by statement."""


def measure(plays: int, home: Path, progress: Callable[[str], None]) -> Iterator[Facts]:
    """Measure with a listener who has `plays` plays; yield the result of each measurement."""
    with postgres.running(home) as (owner, address_of):
        loader = Database.connect(address_of("loader"))
        progress(f"writing a listener of {plays:,} plays")
        insight_data.fill(loader, Shape(plays=plays))
        # Autovacuum would do this within minutes.
        owner.run("ANALYZE")
        progress("rebuilding the derived tables")
        yield refreshes.rebuild(loader, plays)
        owner.run("VACUUM ANALYZE")
        progress("refreshing after polls and an upload")
        yield refreshes.polls(loader, plays)
        yield refreshes.upload(loader, plays)
        loader.close()
        # Autovacuum does this some minutes after an upload.
        owner.run("VACUUM ANALYZE")
        connections = Connections(address_of("reader"))
        with connections.reader() as reader:
            paths = addresses(reader)
        progress("requesting each page")
        yield from _statements(connections, paths, plays)
        connections.close()
        if reason := browser.missing():
            progress(f"skipping pages in a browser: {reason}")
            return
        source = page.Source(options=("--target", "local"), address=address_of("reader"))
        with _serving(source, home) as (url, pid):
            yield from _pages(url, paths, plays, progress)
            yield _memory(pid, plays)


def _statements(connections: Connections, paths: dict[str, str], plays: int) -> Iterator[Facts]:
    """Time each statement of each page, with the parameters that the page binds.

    If several pages run the same statement, the slowest time is printed.
    """
    client = create_app(connections.reader).test_client()
    slowest: defaultdict[str, dict[str, float]] = defaultdict(dict)
    for period, text in (PERIODS | PARTIAL_PERIODS).items():
        for path in paths.values():
            with _timed() as times:
                for _ in range(ROUNDS):
                    answer = client.get(f"{path}period={text}", base_url=f"http://{HOST}:8100")
                    if answer.status_code != 200:  # noqa: PLR2004 - HTTP's OK
                        raise RuntimeError(f"GET {path} returned {answer.status}, expected 200")
            for statement, taken in times.items():
                ms = slowest[statement]
                ms[period] = max(ms.get(period, 0), round(median(taken), 1))
    for statement, ms in sorted(slowest.items()):
        yield {
            "measure": "statement",
            "name": statement,
            "plays": plays,
            "ms": ms,
            "budget_ms": 200,
        }


@contextmanager
def _timed() -> Iterator[_Times]:
    """Record the time of each SQL statement of the dashboard, until its rows are in Python."""
    ask, times = Ask.rows, _Times(list)

    def rows(self: Ask, statement: str, columns: Any = None, **parameters: Any) -> Any:
        started = time.perf_counter()
        try:
            return ask(self, statement, columns, **parameters)
        finally:
            name = " ".join([statement, *(columns or {}).values()])
            times[name].append((time.perf_counter() - started) * 1e3)

    Ask.rows = rows  # type: ignore[method-assign]  # the seam
    try:
        yield times
    finally:
        Ask.rows = ask  # type: ignore[method-assign]  # likewise


@contextmanager
def _serving(source: page.Source, home: Path) -> Iterator[tuple[str, int]]:
    """Serve the dashboard as the local cloud does; yield its URL (no final slash) and pid."""
    port = any_free()
    process = subprocess.Popen(  # noqa: S603 - the command is ours
        page.command("--port", str(port)),
        cwd=home,
        env=page.environment(source, os.environ),
        stdout=subprocess.PIPE,
    )
    try:
        # It prints its address after it starts to listen.
        if process.stdout:
            process.stdout.readline()
        yield f"http://{HOST}:{port}", process.pid
    finally:
        process.terminate()
        process.communicate()


def _pages(
    url: str, paths: dict[str, str], plays: int, progress: Callable[[str], None]
) -> Iterator[Facts]:
    """Load each page in a browser without a cache; yield the figures of each page."""
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
    every = [visit for several in visits.values() for visit in several]
    return {
        "measure": "page",
        "name": name,
        "plays": plays,
        "rounds": ROUNDS,
        "s": {
            period: round(median(visit.seconds for visit in several), 2)
            for period, several in visits.items()
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
