"""Ten faults planted in the product; the suite must find each: `make chaos PLANTED=1`.

Each is planted in a copy of the repository, whose local cloud then runs the faults that should
show it.
"""

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from infra.local.state import REPOSITORY

COPIED = (
    "app.py",
    "cdk.json",
    "cli",
    "dashboard",
    "infra",
    "package.json",
    "services",
    "shared",
    "tests/chaos",
)
LINKED = (".venv", "node_modules", "requirements", "pyproject.toml")


@dataclass(frozen=True)
class Planted:
    """A change of one file that breaks a promise.

    Attributes:
        before: Occurs exactly once in the file.
        faults: The faults of the runs that must show it.
        kinds: The kinds of problems of which a run must report one.
    """

    name: str
    file: str
    before: str
    after: str
    faults: str
    kinds: frozenset[str]
    runs: int = 2


PLANTED = (
    Planted(
        "acknowledge before commit",
        "services/loader/handler.py",
        "    failed += _load(list(batches.items()), loader.load)\n",
        "    try:\n"
        "        failed += _load(list(batches.items()), loader.load)\n"
        "    except DatabaseError:\n"
        "        logger.error('acknowledged before the commit failed')\n",
        "database-read-only",
        frozenset({"lost"}),
    ),
    Planted(
        "no listener lock",
        "services/loader/store.py",
        '            self._run("lock_listener", listener=listener)\n',
        "",
        "table-locked",
        frozenset({"doubled", "books"}),
        12,
    ),
    Planted(
        "poll with a cursor",
        "services/collector/domain/window.py",
        "    new, moved = _split(window.known, answer.plays)\n"
        "    newest = window.newest(polled_at)\n",
        "    new, moved = _split(window.known, answer.plays)\n"
        "    newest = window.newest(polled_at)\n"
        "    new = [play for play in new if newest is None or play.played_at > newest]\n",
        "late-plays",
        frozenset({"lost"}),
        4,
    ),
    Planted(
        "batch dropped on error",
        "services/enricher/enrich.py",
        '            logger.error("batch cannot be published", extra=facts)\n'
        "            return False\n",
        '            logger.error("batch cannot be published", extra=facts)\n'
        "            return True\n",
        "enriched-plays-refuses",
        frozenset({"lost"}),
    ),
    Planted(
        "state saved before the plays are published",
        "services/collector/poll.py",
        "        batches = self._publish(start.listener, origin, found.report, found.plays)\n",
        "        self._states.save(\n"
        "            start.listener, ListenerState(window=found.window, polled_at=start.now)\n"
        "        )\n"
        "        batches = self._publish(start.listener, origin, found.report, found.plays)\n",
        "collected-plays-refuses",
        frozenset({"lost"}),
    ),
    Planted(
        "redelivery counted twice",
        "services/loader/sql/statements.sql",
        "FROM jsonb_populate_recordset(NULL::loaded_batch, :batches::jsonb)\n"
        "ON CONFLICT (origin, number) DO NOTHING\n",
        "FROM jsonb_populate_recordset(NULL::loaded_batch, :batches::jsonb)\n"
        "ON CONFLICT (origin, number) DO UPDATE SET\n"
        "    plays = loaded_batch.plays + excluded.plays,\n"
        "    inserted = loaded_batch.inserted + excluded.inserted,\n"
        "    upgraded = loaded_batch.upgraded + excluded.upgraded,\n"
        "    duplicates = loaded_batch.duplicates + excluded.duplicates\n",
        "enriched-plays-doubled-and-reordered",
        frozenset({"books"}),
        3,
    ),
    Planted(
        "no gap on a full page",
        "services/collector/domain/gaps.py",
        "    return Coverage(newest, Gap(started_at=before, ended_at=oldest, reason=reason))\n",
        "    return Coverage(newest)\n",
        "burst",
        frozenset({"gap missing"}),
        4,
    ),
    Planted(
        "report sent in place of the last batch",
        "services/collector/domain/batches.py",
        "        if len(body) > BATCH_BYTES:\n            self._send(self._waiting)\n",
        "        if self._waiting:\n            self._number += 1\n",
        "none",
        frozenset({"lost", "stuck", "books"}),
        1,
    ),
    Planted(
        "upload dropped on error",
        "services/collector/backfill/upload_handler.py",
        "        backfill(upload, archive, queue, settings.listeners, is_late)\n",
        "        try:\n"
        "            backfill(upload, archive, queue, settings.listeners, is_late)\n"
        "        except ClientError:\n"
        "            logger.exception('dropped')\n",
        "collected-plays-refuses",
        frozenset({"lost"}),
    ),
    Planted(
        "unreadable rows dropped",
        "services/collector/backfill/upload_reader.py",
        "        if not self._keeps:\n",
        "        if number:\n",
        "none",
        frozenset({"quarantine", "error"}),
    ),
)


def try_all(say: Callable[[str], None], seed: int) -> bool:
    """Plant each fault and run the suite; return True if it has found all of them."""
    found = {planted.name: is_found(planted, say, seed) for planted in PLANTED}
    for name, is_shown in found.items():
        say(f"{'found ' if is_shown else 'MISSED'}  {name}")
    return all(found.values())


def is_found(planted: Planted, say: Callable[[str], None], seed: int) -> bool:
    """Plant one fault in a copy of the repository; return True if the suite reports it."""
    with tempfile.TemporaryDirectory(prefix="planted-", ignore_cleanup_errors=True) as folder:
        copy = Path(folder).resolve()
        copy_with(planted, copy)
        report = copy / "runs.jsonl"
        options = ("--runs", planted.runs, "--seed", seed, "--faults", planted.faults)
        say(f"planted: {planted.name}")
        done = subprocess.run(  # noqa: S603 - the command is ours
            [sys.executable, "-m", "tests.chaos", *map(str, options), "--report", str(report)],
            cwd=copy,
            capture_output=True,
            text=True,
            check=False,
        )
        say(done.stdout + done.stderr)
        runs = [json.loads(line) for line in report.read_text().splitlines()]
    shown = {kind for run in runs for kind in run["problems"]}
    return done.returncode == 1 and bool(shown & planted.kinds)


def copy_with(planted: Planted, copy: Path) -> None:
    """Copy the repository, and plant a fault in the copy."""
    for name in COPIED:
        source = REPOSITORY / name
        ignored = shutil.ignore_patterns("__pycache__")
        if source.is_dir():
            shutil.copytree(source, copy / name, ignore=ignored)
        else:
            shutil.copy(source, copy / name)
    for name in LINKED:
        (copy / name).symlink_to(REPOSITORY / name)
    file = copy / planted.file
    file.write_text(file.read_text().replace(planted.before, planted.after))
