"""The named statements of sql/statements.sql: `-- name --` on a line of its own, then the SQL."""

import re
from pathlib import Path
from typing import Any

from shared.postgres import Database

_NAME = re.compile(r"^-- (\w+) --$", re.MULTILINE)


def read(path: Path) -> dict[str, str]:
    """Give each statement of a file under its name."""
    _, *parts = _NAME.split(path.read_text())
    return {name: sql.strip() for name, sql in zip(parts[::2], parts[1::2], strict=True)}


STATEMENTS = read(Path(__file__).parent / "sql" / "statements.sql")


def run(database: Database, name: str, **parameters: Any) -> list[Any]:
    """Run a named statement with bound parameters; give its rows as lists."""
    return database.run(STATEMENTS[name], **parameters)
