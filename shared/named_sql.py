"""Named statements of a SQL file: each follows a line `-- name --`."""

import re
from pathlib import Path

_NAME = re.compile(r"^-- (\w+) --$", re.MULTILINE)


def read(path: Path) -> dict[str, str]:
    """Return each statement of a file by its name."""
    _, *parts = _NAME.split(path.read_text(encoding="utf-8"))
    return {name: sql.strip() for name, sql in zip(parts[::2], parts[1::2], strict=True)}
