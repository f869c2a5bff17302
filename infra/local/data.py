"""What the home of a local cloud holds, and how it is deleted."""

import shutil
from collections.abc import Iterable
from pathlib import Path

DEPLOYMENT = ("ministack", "s3", "tmp", "unsaved")
"""AWS, and what it keeps of plays and logins."""

INGESTED = (
    *(*DEPLOYMENT, "postgres", "postgres.new", "postgres.stopped"),
    *("outputs.json", "sample-history.zip"),
)
"""All plays wherever they are, and the deployment that keeps some of them; logins, too."""


def delete(home: Path, names: Iterable[str]) -> None:
    """Delete files and folders of a home, those that are there."""
    for name in names:
        path = home / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
