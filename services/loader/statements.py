"""The named statements of sql/statements.sql."""

from pathlib import Path
from typing import Any

from shared.named_sql import read
from shared.postgres import Database

STATEMENTS = read(Path(__file__).parent / "sql" / "statements.sql")


def run(database: Database, name: str, **parameters: Any) -> list[Any]:
    """Run a named statement with bound parameters; return its rows, each a list."""
    return database.run(STATEMENTS[name], **parameters)
