"""Reads the named statements of a SQL file; each follows a line `-- name --`."""

import re
from pathlib import Path

_NAME = re.compile(r"^-- (\w+) --$", re.MULTILINE)


def read(path: Path) -> dict[str, str]:
    """Return the statements of a file by name."""
    _, *parts = _NAME.split(path.read_text(encoding="utf-8"))
    return {name: sql.strip() for name, sql in zip(parts[::2], parts[1::2], strict=True)}
