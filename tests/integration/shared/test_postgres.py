"""The errors and transactions of `Database`, with a real Postgres."""

import gc
import json
import socket
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from shared import postgres
from shared.errors import DatabaseAwayError, DatabaseLoginError, DatabaseRefusalError
from shared.postgres import Database
from tests.integration.shared.tls_server import a_certificate, a_tls_proxy

HOST = "database.example"
INSERT = (
    "INSERT INTO listening_history (track_uri, track_name, artist_name, played_at, listener, "
    "source, ms_played) VALUES ('spotify:track:a', 'a', 'b', now(), 'me', :source, :ms)"
)


def kill(owner, database) -> None:
    """Close a connection on the server, as a restart does."""
    ((pid,),) = database.run("SELECT pg_backend_pid()")
    owner.run("SELECT pg_terminate_backend(:pid, 5000)", pid=pid)


@pytest.fixture
def killable(database, address_of):
    """A connection of role migrator; the tables are empty."""
    database = Database.connect(address_of("migrator"))
    yield database
    database.close()


@pytest.mark.parametrize(
    ("statement", "state"),
    [
        ("SELECT 'x'::integer", "22P02"),
        ("SELECT 2147483648::integer", "22003"),
        ("SELECT jsonb '\"\\u0000\"'", "22P05"),
        ("INSERT INTO poll (origin) VALUES ('a')", "23502"),
    ],
)
def test_invalid_data_is_refused_and_leaves_the_connection_usable(database, statement, state):
    with pytest.raises(DatabaseRefusalError, match=state):
        database.run(statement)

    assert database.run("SELECT 1") == [[1]]


def test_connections_do_not_wait_for_nagle(database):
    sent_by = database._connection._usock  # noqa: SLF001 - it has no public name

    assert sent_by.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_a_violated_constraint_raises_database_refusal_error(database):
    with pytest.raises(DatabaseRefusalError, match=r"listening_history_source_check.*23514"):
        database.run(INSERT, source="rumour", ms=1)


def test_a_value_too_long_for_its_index_is_refused(database):
    origin = "".join(map(chr, range(0x4E00, 0x4E00 + 2_000)))

    with pytest.raises(DatabaseRefusalError, match="54000"):
        database.run(
            "INSERT INTO loaded_batch VALUES (:origin, 0, 'me', 0, 0, 0, 0, 0)", origin=origin
        )


@pytest.mark.parametrize(
    ("statement", "state"),
    [("SELECT * FROM nowhere", "42P01"), ("DELETE FROM loaded_batch", "42501"), ("SELEC", "42601")],
    ids=["no table", "no right", "no statement"],
)
def test_a_missing_table_a_missing_right_or_bad_syntax_raises_database_away_error(
    database, statement, state
):
    with pytest.raises(DatabaseAwayError, match=state):
        database.run(statement)


def test_a_refused_copy_leaves_the_connection_usable(database):
    with pytest.raises(DatabaseRefusalError, match="22P02"):
        database.copy_in("merged_record", ["play_id"], b"one\n" * 100_000)

    assert database.run("SELECT 1") == [[1]]


@pytest.mark.parametrize(
    "change", [{"password": "s3cret"}, {"username": "stranger"}], ids=["password", "name"]
)
def test_the_error_of_a_wrong_login_hides_the_password(server, address_of, change):
    address = replace(address_of("loader"), **{"password": "s3cret"} | change)

    with pytest.raises(DatabaseLoginError, match="28P01") as refused:
        Database.connect(address)

    assert "s3cret" not in str(refused.value)
    assert "s3cret" not in repr(address)


def test_an_unknown_database_name_raises_database_away_error(server, address_of):
    with pytest.raises(DatabaseAwayError, match="3D000"):
        Database.connect(replace(address_of("loader"), database="elsewhere"))


def test_a_missing_server_raises_database_away_error(address_of):
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]

    with pytest.raises(DatabaseAwayError) as away:
        Database.connect(replace(address_of("loader"), port=port))

    assert str(away.value).startswith(f"no connection to Postgres at 127.0.0.1:{port}: [Errno ")
    assert str(away.value).endswith("] Connection refused")


def test_a_lost_connection_raises_database_away_error(owner, killable):
    kill(owner, killable)

    with pytest.raises(DatabaseAwayError, match="no connection to Postgres"):
        killable.run("SELECT 1")
    with pytest.raises(DatabaseAwayError, match="no connection to Postgres"):
        killable.copy_in("merged_record", ["play_id"], b"1\n")


def test_a_lost_connection_can_be_closed_twice(owner, killable):
    kill(owner, killable)
    with suppress(DatabaseAwayError):
        killable.run("SELECT 1")

    killable.close()
    killable.close()
    gc.collect()  # a socket left open would warn here

    with pytest.raises(DatabaseAwayError):
        killable.run("SELECT 1")


def test_a_remote_host_is_not_contacted_without_a_ca_certificate(address_of, monkeypatch):
    dialled = []
    monkeypatch.setattr(socket, "create_connection", lambda *to, **how: dialled.append(to))

    with pytest.raises(DatabaseAwayError, match=f"TLS to {HOST} needs a CA certificate"):
        Database.connect(replace(address_of("loader"), host=HOST))

    assert dialled == []


def test_a_remote_host_behind_a_forwarded_port_needs_a_ca_certificate_too(
    address_of, server, free_port
):
    forwarded = replace(address_of("loader"), host=HOST, via=("127.0.0.1", free_port))

    with pytest.raises(DatabaseAwayError, match="needs a CA certificate"):
        Database.connect(forwarded)


def test_with_a_ca_certificate_a_server_without_tls_is_refused(server, address_of):
    with pytest.raises(DatabaseAwayError, match="refuses SSL"):
        Database.connect(replace(address_of("loader"), ca_pem=a_certificate(HOST).pem))


def test_an_unreadable_ca_certificate_raises_database_away_error(server, address_of):
    with pytest.raises(DatabaseAwayError, match="certificate"):
        Database.connect(replace(address_of("loader"), ca_pem="no certificate"))


@pytest.fixture
def behind_tls(server, address_of, free_port, tmp_path):
    """Connect to `HOST` through TLS with one certificate, trusting the same or another."""

    def connect(shown, trusted):
        with a_tls_proxy(shown.context(tmp_path), ("127.0.0.1", free_port)) as via:
            address = replace(address_of("loader"), host=HOST, via=via, ca_pem=trusted.pem)
            database = Database.connect(address)
            answer = database.run("SELECT current_user")
            database.close()
            return answer

    return connect


def test_a_server_certificate_of_the_given_ca_is_trusted(behind_tls):
    certificate = a_certificate(HOST)

    assert behind_tls(shown=certificate, trusted=certificate) == [["loader"]]


@pytest.mark.parametrize(
    ("host", "is_trusted", "reason"),
    [
        (HOST, False, "CERTIFICATE_VERIFY_FAILED"),
        ("other.example", True, "Hostname mismatch"),
    ],
    ids=["another CA", "another name"],
)
def test_a_server_certificate_of_another_ca_or_name_is_refused(
    behind_tls, host, is_trusted, reason
):
    certificate = a_certificate(host)

    with pytest.raises(DatabaseAwayError, match=reason):
        behind_tls(shown=certificate, trusted=certificate if is_trusted else a_certificate(host))


def insert_in_transaction(database, then):
    with database.transaction():
        database.run(INSERT, source="both", ms=1)
        then()


def interrupt():
    raise KeyboardInterrupt


def test_a_transaction_is_committed_after_its_with_block(database, owner):
    insert_in_transaction(database, then=lambda: None)

    assert owner.run("SELECT ms_played FROM listening_history") == [[1]]


def test_a_transaction_with_a_refused_statement_is_rolled_back(database, owner):
    with pytest.raises(DatabaseRefusalError):
        insert_in_transaction(database, then=lambda: database.run(INSERT, source="both", ms=-1))

    database.run(INSERT, source="both", ms=2)
    assert owner.run("SELECT ms_played FROM listening_history") == [[2]]


def test_an_exception_in_the_with_block_rolls_the_transaction_back(database, owner):
    with pytest.raises(KeyboardInterrupt):
        insert_in_transaction(database, then=interrupt)

    database.run(INSERT, source="both", ms=2)
    assert owner.run("SELECT ms_played FROM listening_history") == [[2]]


def test_the_error_in_a_transaction_is_raised_even_if_the_rollback_fails(owner, killable):
    def break_and_fail():
        kill(owner, killable)
        interrupt()

    with pytest.raises(KeyboardInterrupt):
        insert_in_transaction(killable, then=break_and_fail)

    assert owner.run("SELECT * FROM listening_history WHERE ms_played = 1") == []


@pytest.mark.parametrize("microsecond", [0, 1_000, 10_000, 123_000, 999_000])
def test_a_timestamp_is_returned_exactly_and_with_a_time_zone(database, microsecond):
    instant = datetime(2026, 11, 1, 12, 0, 0, microsecond, tzinfo=UTC)

    ((answer,),) = database.run("SELECT :at::timestamptz", at=instant)

    assert answer == instant
    assert answer.utcoffset() is not None


def test_a_timestamp_does_not_depend_on_the_session_time_zone(database):
    instant = datetime(2026, 11, 1, 12, 0, 0, 5_000, tzinfo=UTC)
    database.run("SET TIME ZONE 'Asia/Kathmandu'")

    ((answer,),) = database.run("SELECT '2026-11-01T12:00:00.005Z'::timestamptz")

    assert (answer, answer.utcoffset()) == (instant, timedelta(hours=5, minutes=45))


def test_a_parameter_is_never_interpreted_as_sql(database):
    text = "'; DROP TABLE poll; -- :name \\ \" 素敵滅法"

    assert database.run("SELECT :text", text=text) == [[text]]
    assert database.run("SELECT :text::jsonb", text=json.dumps({"a": None})) == [[{"a": None}]]


def test_a_statement_can_take_longer_than_the_connect_timeout(server, address_of, monkeypatch):
    monkeypatch.setattr(postgres, "CONNECT_TIMEOUT_S", 1)
    database = Database.connect(address_of("loader"))

    answer = database.run("SELECT 'done' FROM pg_sleep(1.5)")

    database.close()
    assert answer == [["done"]]


def test_an_unanswered_statement_times_out(server, address_of):
    database = Database.connect(address_of("loader"), answer_timeout_s=1)

    with pytest.raises(DatabaseAwayError, match="timed out"):
        database.run("SELECT pg_sleep(2)")

    database.close()
