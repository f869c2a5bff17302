"""Each role has exactly the rights it needs."""

import json
from contextlib import ExitStack

import pg8000.exceptions
import pytest

from services.loader.migrate import migrate
from services.loader.store import Store
from shared.errors import DatabaseAwayError, DatabaseLoginError
from shared.postgres import Address
from tests.host.machine import LOGIN, NAME, ROLES
from tests.unit.loader.loader_examples import a_batch, a_play

REFUSED = "42501"
READ_ONLY = "25006"


def test_the_migrator_creates_and_changes_the_schema(served):
    with served.connected("migrator") as database:
        assert migrate(database) == []
        assert database.run("SELECT count(*) FROM migration") != [[0]]


@pytest.mark.parametrize(
    "statement",
    ["CREATE ROLE other", "CREATE DATABASE other", "COPY poll TO PROGRAM 'cat'",
     "SELECT pg_read_file('PG_VERSION')", "ALTER SYSTEM SET work_mem = '1GB'",
     "SELECT rolpassword FROM pg_authid", "ALTER ROLE reader PASSWORD 'x'"],
)  # fmt: skip
def test_the_migrator_is_not_a_superuser(served, statement):
    with served.connected("migrator") as database, pytest.raises(DatabaseAwayError, match=REFUSED):
        database.run(statement)


def test_the_loader_loads_a_complete_batch(booted):
    with booted.connected("migrator") as owner:
        migrate(owner)

    with booted.connected("loader") as database:
        Store(database).load([a_batch(a_play(0), a_play(200))])
        Store(database).load([a_batch(a_play(0), a_play(200))])

    assert booted.ask("reader", "SELECT count(*) FROM listening_history") == [[2]]


@pytest.mark.parametrize(
    "statement",
    ["CREATE TABLE mine ()", "CREATE TEMPORARY TABLE mine ()", "CREATE SCHEMA mine",
     "TRUNCATE listening_history", "ALTER TABLE poll ADD x int",
     "DROP TABLE poll", "DELETE FROM poll", "TABLE migration", "TABLE reporting.import_result",
     "SET ROLE migrator", "ALTER ROLE loader CONNECTION LIMIT -1"],
)  # fmt: skip
def test_the_loader_role_has_only_the_rights_it_uses(served, statement):
    with served.connected("loader") as database, pytest.raises(DatabaseAwayError) as refused:
        database.run(statement)

    assert "must be owner" in str(refused.value) or REFUSED in str(refused.value)


def test_the_reader_reads_tables_and_views(served):
    with served.connected("reader") as database:
        for relation in ("listening_history", "track_features", "reporting.import_result"):
            assert database.run(f"SELECT count(*) FROM {relation}") == [[0]]


def test_report_reader_reads_the_views_without_a_schema_name(served):
    assert served.ask("report_reader", "SELECT count(*) FROM import_result") == [[0]]


@pytest.mark.parametrize("role", ["reader", "report_reader"])
@pytest.mark.parametrize("statement", ["DELETE FROM public.poll", "CREATE TABLE public.mine ()"])
def test_a_reader_cannot_write(served, role, statement):
    with served.connected(role) as database:
        with pytest.raises(DatabaseAwayError, match=READ_ONLY):
            database.run(statement)
        database.run("SET default_transaction_read_only = off")

        with pytest.raises(DatabaseAwayError, match=REFUSED):
            database.run(statement)


@pytest.mark.parametrize(
    "statement",
    ["SELECT pg_logical_emit_message(false, '', 'text')",
     "SELECT pg_logical_emit_message(false, '', 'bytes'::bytea)",
     "SELECT lo_creat(-1)", "SELECT lo_create(0)", "SELECT lo_from_bytea(0, 'bytes')"],
)  # fmt: skip
@pytest.mark.parametrize("role", ["reader", "report_reader", "loader"])
def test_ordinary_roles_cannot_write_to_the_disk_with_sql_functions(served, role, statement):
    with served.connected(role) as database:
        database.run("SET default_transaction_read_only = off")

        with pytest.raises(DatabaseAwayError, match=REFUSED):
            database.run(statement)


@pytest.mark.parametrize("role", ["reader", "report_reader"])
def test_readers_cannot_exceed_the_temporary_file_limit(served, role):
    with served.connected(role) as database:
        with pytest.raises(DatabaseAwayError, match=REFUSED):
            database.run("SET temp_file_limit = -1")

        with pytest.raises(DatabaseAwayError, match="temp_file_limit"):
            database.run(
                "SELECT count(*) FROM (SELECT repeat(md5(n::text), 40) AS text"
                " FROM generate_series(1, 400000) AS n ORDER BY text OFFSET 0) AS sorted"
            )


@pytest.mark.parametrize("role", ["reader", "report_reader"])
def test_a_report_query_is_cancelled_after_30_s(served, role):
    assert served.ask(role, "SHOW statement_timeout") == [["30s"]]


def test_readers_cannot_exhaust_the_connections(served):
    with ExitStack() as held:
        for role in ("reader", "report_reader"):
            for _ in range(10):
                held.enter_context(served.connected(role))
            with pytest.raises(DatabaseAwayError, match="too many connections"):
                served.ask(role)

        for _ in range(10):
            loader = held.enter_context(served.connected("loader"))
        assert loader.run("SELECT 1") == [[1]]


@pytest.mark.parametrize("database", ["postgres", "template1"])
@pytest.mark.parametrize("role", ROLES)
def test_no_role_can_connect_to_another_database(served, role, database):
    with pytest.raises(DatabaseLoginError):
        served.ask(role, database=database)


def test_the_superuser_can_connect_only_on_the_host(served):
    with pytest.raises(DatabaseLoginError, match=r"no pg_hba\.conf entry"):
        served.ask("loader", username="postgres")


@pytest.mark.parametrize("role", ROLES)
def test_a_role_can_connect_only_from_its_own_network(served, role):
    with pytest.raises(pg8000.exceptions.DatabaseError, match=r"no pg_hba\.conf entry"):
        served.ask_from_elsewhere(role, context=None)


def test_each_role_has_its_own_encrypted_password(served):
    passwords = {served.password(role) for role in ROLES}

    assert len(passwords) == len(ROLES)
    assert {len(bytes.fromhex(password)) for password in passwords} == {20}
    for role in ROLES:
        name = LOGIN.format(role)
        assert Address.of_login(served.parameter(name).read_text(), host=NAME).username == role
        assert (
            f"aws ssm put-parameter --name {name} --type SecureString --value file:///dev/stdin"
            in served.calls
        )


@pytest.mark.parametrize("call", ["ssm-get-parameters", "ssm-put-parameter"])
def test_storing_a_database_login_in_ssm_is_retried(booted, call):
    booted.parameter(LOGIN.format("loader")).unlink()
    booted.refuse(call)

    booted.run("roles.sh")

    assert booted.ask("loader", "SELECT 1") == [[1]]


def test_a_login_deleted_from_ssm_gets_a_new_working_password(booted):
    old = {role: booted.password(role) for role in ROLES}
    with booted.connected("loader") as open_before:
        booted.parameter(LOGIN.format("loader")).unlink()

        output = booted.attempt("roles.sh").stderr

        assert open_before.run("SELECT 1") == [[1]]
        assert "made a new password for loader" in output
        assert "reader" not in output
    assert {role for role in ROLES if booted.password(role) != old[role]} == {"loader"}
    assert booted.ask("loader", "SELECT current_user::text") == [["loader"]]
    with pytest.raises(DatabaseLoginError, match="password authentication failed"):
        booted.ask("loader", password=old["loader"])


def test_a_password_set_by_the_owner_in_ssm_works_at_the_next_connection(booted):
    old = booted.password("loader")
    booted.put_password("loader", "quote's and \\ and $HOME")

    booted.run("roles.sh")

    assert booted.ask("loader", "SELECT current_user::text") == [["loader"]]
    with pytest.raises(DatabaseLoginError, match="password authentication failed"):
        booted.ask("loader", password=old)


def test_a_partly_failed_roles_sh_changes_no_password(booted):
    old = booted.password("migrator")
    booted.put_password("migrator", "new")
    booted.change("roles.sh", 'echo "$passwords"', 'echo "$passwords" && echo "SELECT 1 / 0;"')

    assert booted.attempt("roles.sh").returncode != 0

    assert booted.ask("migrator", "SELECT 1", password=old) == [[1]]


def test_no_password_is_in_logs_arguments_or_environments(booted):
    booted.sql("ALTER SYSTEM SET log_statement = 'all'")
    booted.sql("ALTER SYSTEM SET log_min_messages = 'debug1'")
    booted.sql("SELECT pg_reload_conf()")
    seen = booted.cloud / "parts" / "seen"
    for program in ("psql", "runuser"):
        real = (
            f"$(PATH=/usr/lib/postgresql/{booted.facts['PG_MAJOR']}/bin:/usr/sbin:/sbin "
            f"command -v {program})"
        )
        booted.fake(program, f'{{ echo "$*"; env; }} >> {seen}; chmod 666 {seen} || true\n'
                     f'exec "{real}" "$@"')  # fmt: skip
    booted.parameter(LOGIN.format("reader")).unlink()
    booted.put_password("loader", "never-to-be-seen")

    booted.run("roles.sh")

    output = booted.log.read_text() + seen.read_text() + "\n".join(booted.calls)
    assert "REVOKE ALL ON DATABASE" not in seen.read_text()
    assert "--dbname=spotify" in seen.read_text()
    assert not [role for role in ROLES if booted.password(role) in output]
    assert "SCRAM-SHA-256$" not in output


def a_login(**changes):
    sound = {"username": "loader", "password": "s3cret", "dbname": "spotify", "port": 5432}
    return json.dumps(sound | changes)


@pytest.mark.parametrize(
    ("login", "reason"),
    [
        pytest.param("", "is not JSON with", id="empty"),
        pytest.param("no-json s3cret", "is not JSON with", id="text"),
        pytest.param("[]", "is not JSON with", id="list"),
        pytest.param('{"password": "s3cret"}', "is not JSON with", id="no name"),
        pytest.param(
            a_login(username="reader"), "has the username of another role", id="other role"
        ),
        pytest.param(a_login(password=""), "must not be empty", id="no password"),
        pytest.param(
            a_login(password="s3crét"),  # noqa: S106 - no password of anything
            "only printable ASCII",
            id="not ascii",
        ),
        pytest.param(a_login(password=["s3cret"]), "only printable ASCII", id="no text"),
        pytest.param(a_login(dbname="neondb"), "is for another database", id="other database"),
        pytest.param(a_login(port=6543), "is for another database", id="other port"),
    ],
)
def test_an_invalid_login_in_ssm_changes_nothing_and_is_not_printed(served, login, reason):
    before, password = served.state(), served.password("loader")
    served.put_login("loader", login)

    done = served.attempt("roles.sh")

    served.put_password("loader", password)
    assert done.returncode == 1
    assert "of loader" in done.stderr
    assert reason in done.stderr
    assert "s3cr" not in done.stdout + done.stderr
    assert served.state() == before
