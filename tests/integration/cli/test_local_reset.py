"""The confirmation of `plays local reset` while Postgres is running."""

import pytest
from typer.testing import CliRunner

from cli.main import app
from infra.local import cloud


def test_reset_shows_row_counts_before_it_deletes_the_data(home, database, monkeypatch):
    monkeypatch.setenv("PLAYS_LOCAL_DIR", str(home))
    # A reset would end this process, which started the Postgres of the home.
    monkeypatch.setattr(cloud, "reset", lambda _: pytest.fail("it did not ask"))
    (home / "s3").mkdir()
    database.run(
        "INSERT INTO listening_history (track_uri, track_name, artist_name, played_at, ms_played, "
        "listener, source) SELECT 'a', 'Boats', 'The Example', "
        "timestamptz '2026-07-01' + n * interval '1 hour', 1, 'me', 'extended-history' "
        "FROM generate_series(1, 1234) AS n"
    )

    result = CliRunner().invoke(app, ["local", "reset"])

    assert result.exit_code == 1
    assert "(rows: 1,234 in listening_history)" in result.stderr
    assert (home / "s3").exists()
