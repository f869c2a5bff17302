import socket

import pytest

from infra.local import ports
from infra.local.ports import HOST, Ports, any_free, choose, is_free


@pytest.fixture
def busy_port():
    with socket.socket() as server:
        server.bind((HOST, 0))
        server.listen()
        yield server.getsockname()[1]


def free_ports(**known: int) -> Ports:
    return Ports(**{name: any_free() for name in Ports.model_fields} | known)


def test_a_port_on_which_a_server_listens_is_busy(busy_port):
    assert not is_free(busy_port)


def test_a_port_is_free_as_soon_as_its_server_has_ended():
    server = socket.create_server((HOST, 0))
    port = server.getsockname()[1]
    with socket.create_connection((HOST, port)) as client, server.accept()[0] as connection:
        # Closed by the server first: its end stays in TIME_WAIT.
        connection.shutdown(socket.SHUT_RDWR)
        connection.close()
        client.recv(1)
    server.close()

    assert is_free(port)


def test_free_default_ports_are_used_without_a_message():
    said: list[str] = []
    wanted = free_ports()

    assert choose(wanted, said.append) == wanted
    assert said == []


def test_a_busy_port_is_replaced_and_reported(busy_port):
    said: list[str] = []
    wanted = free_ports(postgres=busy_port)

    chosen = choose(wanted, said.append)

    assert chosen.postgres != busy_port
    assert is_free(chosen.postgres)
    assert chosen.aws == wanted.aws
    assert said == [f"port {busy_port} is busy: postgres takes {chosen.postgres}"]


def test_a_busy_default_port_is_replaced_by_the_next_free_one(monkeypatch):
    monkeypatch.setattr(ports, "is_free", lambda port: port not in {8100, 8101, 8701})
    said: list[str] = []

    chosen = choose(Ports(), said.append)

    assert chosen == Ports(page=8102, spotify=8703)
    assert said[-1] == "port 8100 is busy: page takes 8102"


def test_no_two_servers_are_given_the_same_port():
    port = any_free()

    chosen = choose(free_ports(spotify=port, reccobeats=port), lambda _: None)

    assert chosen.spotify == port
    assert chosen.reccobeats != port
