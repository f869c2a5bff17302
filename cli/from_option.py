"""The option `--from` of commands that read the archive."""

from datetime import datetime
from typing import Annotated

import typer

from cli.errors import CommandError


def _instant(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        return datetime.fromisoformat(text).astimezone()
    except (ValueError, OverflowError):
        raise CommandError(
            f"{text!r} is not a date: write 2026-11-30, or 2026-11-30T08:00 in the time zone of "
            "this machine"
        ) from None


ArchivedFromOption = Annotated[
    # The callback makes the text an instant.
    str | None,
    typer.Option(
        "--from",
        metavar="DATE",
        callback=_instant,
        help="From this day on, or 2026-11-30T08:00, in this machine's time zone unless the time "
        "names one, such as 2026-11-30T08:00Z.",
    ),
]
