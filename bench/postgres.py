"""A Postgres for one benchmark, with our schema."""

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from infra.cdk.database import DATABASE
from infra.local.ports import any_free
from infra.local.postgres import HOST, Passwords, PostgresServer
from services.loader.migrate import migrate
from shared.postgres import Address, Database

AddressOf = Callable[[str], Address]
"""Returns the server's address for a role."""


@contextmanager
def running(home: Path) -> Iterator[tuple[Database, AddressOf]]:
    """Run a Postgres with our schema; yield the owner's connection, and the addresses of roles."""
    passwords = Passwords(*(secrets.token_hex(8) for _ in range(4)))
    server, port = PostgresServer(home / "postgres"), any_free()

    def address_of(role: str) -> Address:
        return Address(HOST, port, DATABASE, role, getattr(passwords, role))

    server.start(port, passwords)
    try:
        owner = Database.connect(address_of("migrator"))
        migrate(owner)
        yield owner, address_of
        owner.close()
    finally:
        server.stop()


def leave_marks(owner: Database) -> None:
    """Stop loads from refreshing the derived tables; they still mark months as outdated.

    Refreshes are measured separately.
    """
    owner.run("REVOKE EXECUTE ON FUNCTION derived.refresh FROM loader")
