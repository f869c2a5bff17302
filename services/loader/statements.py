"""The named statements of sql/statements.sql: `-- name --` on a line of its own, then the SQL."""

import re
from pathlib import Path

_NAME = re.compile(r"^-- (\w+) --$", re.MULTILINE)


def read(path: Path) -> dict[str, str]:
    """Give each statement of a file under its name."""
    _, *parts = _NAME.split(path.read_text())
    return {name: sql.strip() for name, sql in zip(parts[::2], parts[1::2], strict=True)}


STATEMENTS = read(Path(__file__).parent / "sql" / "statements.sql")
