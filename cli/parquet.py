"""Writes plays as Parquet, with DuckDB if it is installed."""

import importlib.util
import tempfile
from collections.abc import Iterable
from itertools import chain
from pathlib import Path

from cli.errors import CommandError
from cli.export_formats import json_text, write_text
from cli.export_pages import INSTANTS
from shared.queries import Column, Result

TYPES = {16: "BOOLEAN", 20: "BIGINT", 23: "INTEGER", 25: "VARCHAR", 701: "DOUBLE"}
"""DuckDB's types by the OIDs of Postgres's."""
SETTINGS: dict[str, str | bool | int | float | list[str]] = {"memory_limit": "256MB", "threads": 1}


def require_duckdb() -> None:
    """Check that DuckDB is installed.

    Raises:
        CommandError: It is not.
    """
    if importlib.util.find_spec("duckdb") is None:
        raise CommandError(
            "Parquet needs DuckDB, which is not installed: run "
            "`.venv/bin/pip install -r requirements/parquet.txt`, or export as csv or jsonl"
        )


def write_parquet(pages: Iterable[Result], path: Path) -> None:
    """Write pages of plays to a Parquet file, by way of a temporary JSON Lines file.

    The temporary file keeps memory use constant, because DuckDB's own appender takes rows one by
    one.
    """
    import duckdb  # noqa: PLC0415 - optional, and slow to import

    pages = iter(pages)
    first = next(pages)
    with tempfile.TemporaryDirectory() as folder:
        lines = Path(folder) / "plays.jsonl"
        with lines.open("w", encoding="utf-8") as file:
            write_text(json_text(chain([first], pages)), file)
        with duckdb.connect(config=SETTINGS) as connection:
            plays = connection.read_json(
                str(lines), format="newline_delimited", columns=_types(first.columns)
            )
            plays.write_parquet(str(path), compression="zstd")


def _types(columns: Iterable[Column]) -> dict[str, str]:
    return {
        column.name: "TIMESTAMPTZ" if column.name in INSTANTS else TYPES[column.type_oid]
        for column in columns
    }
