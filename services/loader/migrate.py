"""Lambda entry point of the migrator: applies the migrations that Postgres lacks.

Migrations are the numbered files of migrations/. Each runs once, in order, in a transaction of its
own, under an advisory lock. Old code must work with the new schema, because releases overlap.
"""

from contextlib import suppress
from pathlib import Path
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from services.loader.settings import DatabaseSettings, find_database
from shared.errors import DatabaseAwayError, DatabaseError
from shared.postgres import Database
from shared.telemetry import logger

MIGRATIONS = Path(__file__).parent / "migrations"

_MIGRATION_TABLE = """
CREATE TABLE IF NOT EXISTS migration (
    name        text PRIMARY KEY,
    migrated_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE migration IS 'One row per migration that this schema has had.';
COMMENT ON COLUMN migration.name IS 'Name of its file. Source: migrator.';
COMMENT ON COLUMN migration.migrated_at IS 'When, an instant in UTC. Source: this database.';
"""


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Apply pending migrations; return their names."""
    database = Database.connect(find_database(DatabaseSettings.from_environment()))
    try:
        return {"migrated": migrate(database)}
    finally:
        database.close()


def migrate(database: Database, folder: Path = MIGRATIONS) -> list[str]:
    """Apply the pending migrations of a folder, in the order of their names.

    Returns:
        The names of the applied migrations.

    Raises:
        DatabaseError: A migration failed; it was rolled back, and later ones did not run. The
            message has its name.
    """
    # A lock of the session, because each migration is a transaction of its own.
    database.run("SELECT pg_advisory_lock(hashtextextended('migrate', 0))")
    try:
        database.run(_MIGRATION_TABLE)
        applied = {name for (name,) in database.run("SELECT name FROM migration")}
        pending = [path for path in sorted(folder.glob("*.sql")) if path.stem not in applied]
        for path in pending:
            _run(database, path)
        return [path.stem for path in pending]
    finally:
        # A broken connection has released its lock.
        with suppress(DatabaseAwayError):
            database.run("SELECT pg_advisory_unlock(hashtextextended('migrate', 0))")


def _run(database: Database, path: Path) -> None:
    try:
        with database.transaction():
            database.run(path.read_text())
            database.run("INSERT INTO migration (name) VALUES (:name)", name=path.stem)
    except DatabaseError as error:
        raise DatabaseError(f"migration {path.stem} failed: {error}") from error
    logger.info("migrated", extra={"migration": path.stem})
