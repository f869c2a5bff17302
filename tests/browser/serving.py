"""A Postgres and a web server for the page over the sample history."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from bench import postgres
from cli.page.connections import Connections
from dashboard.app import create_app
from infra.local.simulators.server import Server
from shared.postgres import Database
from shared.queries import Reader
from tests.browser.sample import load_sample

OPERATIONS = {
    "queues": {"enriched-plays": {"visible": 2, "in_flight": 1, "oldest_age_s": 40}},
    "dead_letters": 1,
    "failed_ticks": 0,
    "token_days_left": {"me": 170, "anna": None},
    "blocked_until": {"me": None, "anna": None},
    "block_unknown": {"me": None, "anna": None},
    "needs_login_since": {"me": None, "anna": None},
    "last_error": {"me": None, "anna": None},
}
"""The part of `plays status --json` that a page may show."""


@dataclass(frozen=True)
class Site:
    """The served page, and a connection as role reader to its database."""

    url: str
    reader: Reader


@contextmanager
def served() -> Iterator[Site]:
    """Serve the page until the block ends."""
    with (
        # Not in pytest's folders: root cannot run Postgres, and another user cannot enter them.
        tempfile.TemporaryDirectory(prefix="postgres-") as folder,
        postgres.running(Path(folder)) as (owner, address_of),
    ):
        _fill(owner, Database.connect(address_of("loader")), Path(folder))
        connections = Connections(address_of("reader"))
        app = create_app(connections.reader, lambda: OPERATIONS)
        server = Server(app, "127.0.0.1", 0)
        with connections.reader() as reader:
            yield Site(f"http://127.0.0.1:{server.port}", reader)
        server.stop()
        connections.close()


def _fill(owner: Database, loader: Database, folder: Path) -> None:
    owner.run("INSERT INTO listener_setting VALUES ('me', 'Europe/Berlin')")
    load_sample(loader, folder, datetime.now(UTC))
    while loader.run("SELECT derived.refresh(1000)")[0][0]:
        pass
    loader.close()
