"""The proxy of the fault suite, between two real sockets."""

import socket
from contextlib import closing, suppress

import pytest

from tests.chaos.proxy import HOST, Proxy


@pytest.fixture
def server():
    with socket.create_server((HOST, 0)) as listening:
        yield listening


@pytest.fixture
def proxy(server):
    with closing(Proxy()) as one:
        one.target = server.getsockname()[1]
        yield one


@pytest.fixture
def ends(proxy, server):
    """A client that went through the proxy, and the server's end of the connection."""
    with socket.create_connection((HOST, proxy.port), timeout=5) as client:
        other, _ = server.accept()
        with other:
            other.settimeout(5)
            # The proxy knows the connection once bytes have passed.
            client.sendall(b"hello")
            assert other.recv(100) == b"hello"
            yield client, other


def test_the_proxy_passes_bytes_in_both_directions(ends):
    client, other = ends

    client.sendall(b"question")
    other.sendall(b"answer")

    assert (other.recv(100), client.recv(100)) == (b"question", b"answer")


def test_a_stalled_proxy_holds_bytes_back_until_the_stall_ends(proxy, ends):
    client, other = ends
    proxy.mode = "stall"
    other.settimeout(0.3)

    client.sendall(b"question")
    with pytest.raises(TimeoutError):
        other.recv(100)
    proxy.mode = "pass"

    assert other.recv(100) == b"question"


def test_cutting_the_proxy_closes_open_connections(proxy, ends):
    client, _ = ends

    proxy.cut()

    assert is_ended(client)


def test_a_refusing_proxy_closes_new_connections_at_once(proxy):
    proxy.mode = "refuse"

    # The reset may even come before the connection is made.
    with (
        suppress(ConnectionError),
        socket.create_connection((HOST, proxy.port), timeout=5) as client,
    ):
        assert is_ended(client)


def is_ended(client):
    """True if the other side has closed or reset the connection."""
    try:
        return client.recv(100) == b""
    except ConnectionResetError:
        return True
