"""Files that appear whole or not at all."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cli.errors import CommandError


@contextmanager
def written_whole(path: Path, *, force: bool) -> Iterator[Path]:
    """Yield a temporary file beside `path`, which takes its name once the block has succeeded.

    Raises:
        CommandError: `path` exists, and `force` is false.
    """
    if path.exists() and not force:
        raise CommandError(
            f"{path} exists: pass --force to replace it, or --out to write elsewhere"
        )
    with tempfile.NamedTemporaryFile(
        dir=path.parent, prefix=f".{path.name}.", suffix=".partial", delete=False
    ) as file:
        temporary = Path(file.name)
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
