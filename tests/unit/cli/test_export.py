import importlib.util
import zipfile

import pytest

from cli.export_formats import write_zip


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--out", "plays.xls"], "belongs to no format: choose csv, jsonl, parquet or"),
        (["--format", "parquet"], "Parquet cannot be written to stdout: name a file with --out"),
        (["--json"], "--json describes the written file, so it needs one: name it with --out"),
        (["--format", "listenbrainz", "--features"], "takes no audio features"),
        (["--everything"], "--everything is only for --format listenbrainz"),
    ],
)
def test_export_refuses_options_that_contradict_the_format(plays, arguments, line):
    result = plays("export", *arguments)

    assert result.exit_code == 1
    assert "played_at" not in result.stdout
    assert line in result.stderr


def test_parquet_without_duckdb_says_how_to_install_it(plays, monkeypatch, tmp_path):
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)

    result = plays("export", "--out", str(tmp_path / "plays.PARQUET"))

    assert result.exit_code == 1
    assert "Parquet needs DuckDB, which is not installed: run `.venv/bin/pip" in result.stderr


def test_a_listenbrainz_zip_starts_a_new_file_whenever_the_year_changes(tmp_path):
    path = tmp_path / "listens.zip"

    write_zip([(2024, "a"), (2025, "b"), (2024, "c"), (2025, "d"), (2025, "e")], path)

    with zipfile.ZipFile(path) as archive:
        assert {name: archive.read(name).decode() for name in archive.namelist()} == {
            "listens/2024-0.jsonl": "a\n",
            "listens/2025-1.jsonl": "b\n",
            "listens/2024-2.jsonl": "c\n",
            "listens/2025-3.jsonl": "d\ne\n",
        }
