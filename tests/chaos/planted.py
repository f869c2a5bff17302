"""Ten faults planted in the product; the suite must find each: `make chaos PLANTED=1`.

Each is planted in the code of the deployed functions, for the runs that should show it.
"""

import io
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.chaos.faults import FAULTS
from tests.chaos.feed import Spotify
from tests.chaos.run import Run
from tests.chaos.world import World

FUNCTIONS = {
    "collector": ("Collector", "Backfill"),
    "enricher": ("Enricher",),
    "loader": ("Loader",),
}
"""The functions with the code of each service."""


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
        "SET (listener, plays, inserted, upgraded, duplicates, deleted, loaded_at, regrouped) = (\n"
        "    SELECT kept.listener, kept.plays, kept.inserted, kept.upgraded, kept.duplicates, "
        "kept.deleted,\n"
        "           kept.loaded_at,\n"
        "           b.inserted + b.regrouped + excluded.inserted + excluded.regrouped"
        " - kept.inserted\n"
        "    FROM (SELECT b.*, false AS is_last UNION ALL SELECT excluded.*, true) AS kept\n"
        "    WHERE is_last = (excluded.plays <> b.plays AND excluded.plays + excluded.number > 0)\n"
        ")\n"
        "WHERE excluded.inserted + excluded.regrouped <> 0\n"
        "   OR (excluded.plays <> b.plays AND excluded.plays + excluded.number > 0)\n",
        "SET plays = b.plays + excluded.plays,\n"
        "    inserted = b.inserted + excluded.inserted,\n"
        "    upgraded = b.upgraded + excluded.upgraded,\n"
        "    duplicates = b.duplicates + excluded.duplicates\n",
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


def try_all(world: World, say: Callable[[str], None], seed: int, freeze_s: float) -> bool:
    """Plant each fault in turn; return True if the suite has found all of them."""
    spotify, missed = Spotify(), []
    for number, planted in enumerate(PLANTED):
        found = find(world, spotify, planted, seed + 100 * number, freeze_s)
        say(f"{found or 'MISSED'}: {planted.name}")
        if not found:
            missed.append(planted.name)
    return not missed


def find(
    world: World, spotify: Spotify, planted: Planted, seed: int, freeze_s: float
) -> str | None:
    """Return how runs show a planted fault; None if they do not."""
    faults = [FAULTS[name] for name in planted.faults.split(",")]
    with planted_in(world, planted):
        for number in range(planted.runs):
            run = Run(world, spotify, seed + number, faults, freeze_s)
            run.execute()
            if shown := planted.kinds & run.outcome.problems.keys():
                return f"seed {seed + number} shows {', '.join(sorted(shown))}"
    return None


@contextmanager
def planted_in(world: World, planted: Planted) -> Iterator[None]:
    """Give functions code with the fault; afterwards their own code again."""
    service = planted.file.split("/")[1]
    (asset,) = [
        path for path in (world.home / "cdk.out").glob("asset.*") if (path / planted.file).is_file()
    ]
    text = (asset / planted.file).read_text().replace(planted.before, planted.after)
    _deploy(world, service, _zipped(asset, {planted.file: text}))
    try:
        yield
    finally:
        _deploy(world, service, _zipped(asset, {}))


def _deploy(world: World, service: str, code: bytes) -> None:
    for name in FUNCTIONS[service]:
        function = world.outputs[f"{name}Function"]
        world.aws("lambda").update_function_code(FunctionName=function, ZipFile=code)
        # A running worker would keep the old code.
        for process in world.workers(name):
            process.kill()


def _zipped(folder: Path, changed: dict[str, str]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.rglob("*")):
            name = path.relative_to(folder).as_posix()
            if path.is_file() and "__pycache__" not in name:
                archive.writestr(name, changed.get(name) or path.read_bytes())
    return buffer.getvalue()
