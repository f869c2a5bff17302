"""Write a sample history: `python -m infra.local.sample_history OUT.zip --plays 5000 --seed 1`."""

import argparse
import json
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import get_args

from infra.local.sample_history import Layout, write_history_zip


def main() -> None:
    """Write the zip file, and print a summary of its contents as JSON."""
    options = _options()
    summary = write_history_zip(
        options.path,
        plays=options.plays,
        seed=options.seed,
        until=options.until,
        since=options.since,
        layout=options.layout,
        as_of=options.as_of,
    )
    sys.stdout.write(json.dumps(asdict(summary), default=str, indent=2) + "\n")


def _options() -> argparse.Namespace:
    """Read the command line."""
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    parser = argparse.ArgumentParser(prog="python -m infra.local.sample_history")
    parser.add_argument("path", type=Path, metavar="OUT.zip")
    parser.add_argument("--plays", type=int, default=5_000, help="records in all (default 5000)")
    parser.add_argument("--seed", type=int, default=1, help="who listens (default 1)")
    parser.add_argument(
        "--until", type=_instant, default=today, help="day of the export (default today)"
    )
    parser.add_argument("--since", type=_instant, help="day of the first play")
    parser.add_argument("--layout", choices=get_args(Layout), default="audio-2025")
    parser.add_argument(
        "--as-of", type=_instant, help="write the earlier export that was made on this day"
    )
    return parser.parse_args()


def _instant(text: str) -> datetime:
    """Parse a day or an instant; without a time zone it is UTC."""
    read = datetime.fromisoformat(text)
    return read if read.tzinfo else read.replace(tzinfo=UTC)


if __name__ == "__main__":
    main()
