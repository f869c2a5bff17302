"""The migrations on the embedded Postgres: each runs once, and as a whole or not at all."""

from concurrent.futures import ThreadPoolExecutor
from time import monotonic

import pytest

from services.loader.migrate import MIGRATIONS, handler, migrate
from shared.errors import DatabaseAwayError, DatabaseError, SettingsError
from tests.unit.loader.loader_examples import CONTEXT

ALL = [path.stem for path in sorted(MIGRATIONS.glob("*.sql"))]
COLUMNS_WITHOUT_COMMENT = """
SELECT c.relname, a.attname
FROM pg_class c
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE c.relnamespace IN ('public'::regnamespace, 'reporting'::regnamespace)
  AND c.relkind IN ('r', 'p', 'v', 'm')
  AND col_description(c.oid, a.attnum) IS NULL
"""
RELATIONS_WITHOUT_COMMENT = """
SELECT c.relname
FROM pg_class c
WHERE c.relnamespace IN ('public'::regnamespace, 'reporting'::regnamespace)
  AND c.relkind IN ('r', 'p', 'v', 'm')
  AND obj_description(c.oid, 'pg_class') IS NULL
"""


RIGHTS = """
SELECT format('%I.%I', n.nspname, c.relname), string_agg(p.verb, ' ' ORDER BY p.verb)
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
CROSS JOIN unnest(ARRAY['DELETE', 'INSERT', 'SELECT', 'TRUNCATE', 'UPDATE']) p (verb)
WHERE n.nspname IN ('public', 'reporting')
  AND c.relkind IN ('r', 'v')
  AND has_table_privilege(:role, c.oid, p.verb)
GROUP BY 1
"""


SEEN = """
SELECT format('%I.%I', n.nspname, c.relname)
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname NOT IN ('pg_catalog', 'information_schema')
  AND c.relkind IN ('r', 'p', 'v', 'm')
  AND has_schema_privilege(:role, n.oid, 'USAGE')
  AND has_table_privilege(:role, c.oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE')
"""


@pytest.fixture
def scratch(owner, connect):
    """Connect as migrator to an empty schema that is dropped when the test ends."""
    owner.run("CREATE SCHEMA scratch")

    def connection():
        database = connect("migrator")
        database.run("SET search_path TO scratch")
        return database

    yield connection
    owner.run("DROP SCHEMA scratch CASCADE")


@pytest.fixture
def folder(tmp_path):
    """Write a folder of migrations from their texts."""

    def write(**texts):
        for name, text in texts.items():
            (tmp_path / f"{name}.sql").write_text(text)
        return tmp_path

    return write


@pytest.fixture
def connections(owner):
    """Count the connections of a role, after closed ones have ended."""

    def count(role, down_to):
        deadline = monotonic() + 5
        while True:
            ((found,),) = owner.run(
                "SELECT count(*) FROM pg_stat_activity WHERE usename = :role", role=role
            )
            if found <= down_to or monotonic() > deadline:
                return found

    return count


def tables(database):
    found = database.run("SELECT tablename FROM pg_tables WHERE schemaname = current_schema")
    return {name for (name,) in found}


def migrated(database):
    return [name for (name,) in database.run("SELECT name FROM migration ORDER BY migrated_at")]


def test_migrations_run_in_the_order_of_their_names(scratch, folder):
    database = scratch()
    texts = {"m0002_b": "ALTER TABLE a RENAME TO b", "m0001_a": "CREATE TABLE a (x int)"}

    assert migrate(database, folder(**texts)) == ["m0001_a", "m0002_b"]
    assert migrated(database) == ["m0001_a", "m0002_b"]
    assert tables(database) == {"b", "migration"}


def test_only_pending_migrations_run(scratch, folder):
    database = scratch()
    migrate(database, folder(m0001_a="CREATE TABLE a (x int)"))

    assert migrate(database, folder(m0002_b="CREATE TABLE b (x int)")) == ["m0002_b"]
    assert migrate(database, folder()) == []


def test_a_migration_can_contain_many_statements_and_colons(scratch, folder):
    database = scratch()

    migrate(database, folder(m0001="CREATE TABLE a AS SELECT '1:2'::text x; CREATE TABLE b ()"))

    assert database.run("SELECT x FROM a") == [["1:2"]]
    assert "b" in tables(database)


def test_a_failed_migration_is_rolled_back_and_named_in_the_error(scratch, folder):
    database = scratch()
    texts = {
        "m0001_good": "CREATE TABLE good ()",
        "m0002_half": "CREATE TABLE half (); SELECT 1 / 0",
        "m0003_never": "CREATE TABLE never ()",
    }

    with pytest.raises(DatabaseError, match=r"m0002_half failed: division by zero \(22012\)"):
        migrate(database, folder(**texts))

    assert tables(database) == {"good", "migration"}
    assert migrated(database) == ["m0001_good"]
    # Another migrator can continue.
    mended = folder(m0002_half="CREATE TABLE half ()")
    assert migrate(scratch(), mended) == ["m0002_half", "m0003_never"]


def test_a_migration_that_cannot_be_recorded_is_rolled_back(scratch, folder):
    database = scratch()

    with pytest.raises(DatabaseError, match="m0001_odd failed"):
        migrate(database, folder(m0001_odd="CREATE TABLE odd (); DROP TABLE migration"))

    assert tables(database) == {"migration"}


def test_the_error_of_a_broken_connection_names_the_migration(scratch, folder):
    database = scratch()

    with pytest.raises(DatabaseError, match="m0001_long failed: no connection"):
        migrate(database, folder(m0001_long="SELECT pg_terminate_backend(pg_backend_pid())"))


def test_a_second_concurrent_migrator_waits_then_runs_nothing(scratch, folder):
    databases = [scratch(), scratch()]
    slow = folder(m0001_a="SELECT pg_sleep(0.5); CREATE TABLE a ()")

    with ThreadPoolExecutor() as pool:
        done = list(pool.map(lambda database: migrate(database, slow), databases, timeout=60))

    assert sorted(done) == [[], ["m0001_a"]]


def test_every_migration_is_recorded(owner):
    assert migrated(owner) == ALL
    assert migrate(owner) == []


@pytest.mark.parametrize(
    "missing", [COLUMNS_WITHOUT_COMMENT, RELATIONS_WITHOUT_COMMENT], ids=["column", "table or view"]
)
def test_every_table_view_and_column_has_a_comment(owner, missing):
    assert owner.run(missing) == []


def test_role_loader_has_only_the_rights_it_uses(owner):
    rights = dict(owner.run(RIGHTS, role="loader"))

    assert rights == {
        "public.listening_history": "DELETE INSERT SELECT UPDATE",
        "public.merged_record": "DELETE INSERT SELECT UPDATE",
        "public.track_features": "INSERT SELECT UPDATE",
        "public.poll": "INSERT SELECT",
        "public.gap": "DELETE INSERT SELECT UPDATE",
        "public.loaded_batch": "INSERT SELECT UPDATE",
        "public.import_report": "INSERT SELECT UPDATE",
        "public.listener_setting": "DELETE INSERT SELECT UPDATE",
        "public.deletion": "INSERT SELECT UPDATE",
        "public.deleted_play": "DELETE INSERT SELECT",
        "public.deleted_record": "DELETE INSERT SELECT",
    }


@pytest.mark.parametrize(
    ("table", "twin"), [("listening_history", "deleted_play"), ("merged_record", "deleted_record")]
)
def test_the_tables_of_deleted_plays_have_the_columns_of_those_of_plays(owner, table, twin):
    columns = (
        "SELECT attname, format_type(atttypid, atttypmod), attnotnull FROM pg_attribute "
        "WHERE attrelid = :table::regclass AND attnum > 0 ORDER BY attnum"
    )

    assert owner.run(columns, table=twin) == owner.run(columns, table=table)


def test_role_reader_can_read_all_tables_and_views_and_write_none(owner):
    rights = dict(owner.run(RIGHTS, role="reader"))

    assert set(rights.values()) == {"SELECT"}
    assert {"public.migration", "public.gap", "reporting.import_result"} <= set(rights)


def test_role_report_reader_can_select_only_the_reporting_views(owner):
    views = owner.run(
        "SELECT 'reporting.' || viewname FROM pg_views WHERE schemaname = 'reporting'"
    )

    seen = owner.run(SEEN, role="report_reader")

    assert len(views) > 20
    assert sorted(seen) == sorted(views)


def test_role_report_reader_can_read_every_reporting_view(owner, connect):
    database = connect("report_reader")

    for (view,) in database.run("SELECT viewname FROM pg_views WHERE schemaname = 'reporting'"):
        database.run(f"TABLE {view}")


# 42501: it may not; 25006: a reader's transactions are read-only, whatever it may.
@pytest.mark.parametrize(
    ("role", "state"), [("loader", "42501"), ("reader", "25006"), ("report_reader", "25006")]
)
def test_only_role_migrator_can_create_tables(owner, connect, role, state):
    with pytest.raises(DatabaseAwayError, match=state):
        connect(role).run("CREATE TABLE mine ()")


@pytest.mark.parametrize(
    ("role", "schema"),
    [("reader", "public"), ("reader", "reporting"), ("report_reader", "reporting")],
)
def test_both_reader_roles_can_read_tables_that_later_migrations_create(
    owner, connect, role, schema
):
    owner.run(f"CREATE TABLE {schema}.later AS SELECT 1 AS x")

    try:
        assert connect(role).run(f"TABLE {schema}.later") == [[1]]
    finally:
        owner.run(f"DROP TABLE {schema}.later")


def test_the_migrate_function_reads_its_login_from_ssm_and_disconnects(connections, deployment):
    deployment.know("migrator")

    assert handler({}, CONTEXT) == {"migrated": []}
    assert connections("migrator", down_to=1) == 1  # the test's own


def test_the_migrate_function_disconnects_after_a_failure(connections, deployment):
    deployment.know("reader")

    with pytest.raises(DatabaseAwayError, match="25006"):
        handler({}, CONTEXT)

    assert connections("reader", down_to=0) == 0


NO_PORT = '{"username": "s3cret", "password": "s3cret", "dbname": "a", "port": "many"}'


@pytest.mark.parametrize(
    "login", [" ", "none", "[]", "{}", '{"username": "s3cret", "password": "s3cret"}', NO_PORT]
)
def test_the_error_names_an_invalid_login_parameter_without_its_value(deployment, login):
    deployment.say(login)

    with pytest.raises(
        SettingsError, match="parameter /spotify-pipeline/database/loader"
    ) as refused:
        handler({}, CONTEXT)

    assert "s3cret" not in str(refused.value)
    assert refused.value.__suppress_context__
