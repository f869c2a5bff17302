import os
import socket
import struct
import time
from contextlib import ExitStack
from threading import Event, Thread
from urllib.request import ProxyHandler, build_opener

import pytest
import requests

from cli.errors import CommandError
from cli.login.browser_consent import wait_for_code
from cli.login.callback_server import READ_TIMEOUT_S, CallbackServer
from cli.login.pkce import ConsentAnswer, ConsentRequest, redirect_uri
from cli.login.terminal_input import TerminalInput
from infra.local.ports import any_free

HOST = "127.0.0.1"
TIMEOUT_S = 8
# A server that waits for a slow client would hang.
pytestmark = pytest.mark.timeout(20)


@pytest.fixture
def consent_request():
    return ConsentRequest(redirect_uri(any_free()), state="S")


@pytest.fixture
def server(consent_request):
    port = int(consent_request.redirect_uri.split(":")[2].removesuffix("/callback"))
    with CallbackServer(port, consent_request.read) as server:
        yield server


@pytest.fixture
def ask(server):
    """Send a request that the server handles, as it does during a login."""

    def request(path, method="GET", **headers):
        thread = Thread(target=server.handle_request)
        thread.start()
        address = f"http://{HOST}:{server.server_address[1]}{path}"
        with requests.Session() as session:
            session.trust_env = False
            answer = session.request(method, address, timeout=5, headers=headers)
        thread.join()
        return answer

    return request


def answer_of(server):
    """Wait for the answer, which is set after the page is sent."""
    deadline = time.monotonic() + TIMEOUT_S
    while server.answer is None and time.monotonic() < deadline:
        time.sleep(0.01)
    return server.answer


FROM_SPOTIFY = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
ANSWER = "/callback?code=AQC-1&state=S"


@pytest.mark.parametrize(
    ("path", "answer", "words"),
    [
        (ANSWER, ConsentAnswer(code="AQC-1"), "Spotify said yes"),
        (
            "/callback?error=access_denied&state=S",
            ConsentAnswer(error="access_denied"),
            "Spotify said no",
        ),
    ],
    ids=["yes", "no"],
)
def test_the_callback_server_keeps_spotifys_answer_and_sends_a_page(
    server, ask, path, answer, words
):
    page = ask(path, **FROM_SPOTIFY)

    assert answer_of(server) == answer
    assert (page.status_code, page.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert words in page.text
    assert page.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    ("path", "method", "headers", "status"),
    [
        *((ANSWER, "GET", {"Host": host}, 403) for host in ("evil.example", HOST, f"{HOST}:1")),
        *((ANSWER, "GET", {"Origin": origin}, 403) for origin in ("https://evil.example", "null")),
        *((ANSWER, method, {}, 501) for method in ("POST", "PUT", "OPTIONS", "HEAD")),
        *((path, "GET", {}, 404) for path in ("/", "/favicon.ico", "/?code=AQC-1&state=S")),
        ("/callback/x?code=AQC-1&state=S", "GET", {}, 404),
        ("/callback?code=AQC-1&state=wrong", "GET", {}, 400),
    ],
    ids=lambda value: str(value) if isinstance(value, str | dict) else "",
)
def test_requests_other_than_the_redirect_are_refused(
    server, ask, *, path, method, headers, status
):
    page = ask(path, method, **headers)

    assert page.status_code == status
    assert server.answer is None


@pytest.mark.parametrize("path", ["/callback?code=AQC-1&state=S", "/callback?code=AQC-1&state=T"])
def test_the_authorization_code_is_neither_printed_nor_logged(ask, path, capfd):
    page = ask(path)

    out, err = capfd.readouterr()
    assert "AQC-1" not in f"{page.text} {page.headers} {out} {err}"


def test_a_browser_that_disconnects_does_not_stop_the_callback_server(server, ask, capfd):
    with socket.create_connection(server.server_address) as browser:
        browser.sendall(b"GET /favicon.ico HTTP/1.1\r\n\r\n")
        # It closes by a reset, so that the server's reads and writes fail.
        browser.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    server.handle_request()

    ask("/callback?code=AQC-1&state=S")

    assert answer_of(server) == ConsentAnswer(code="AQC-1")
    assert capfd.readouterr().err == ""


def test_a_connection_that_sends_nothing_is_closed(server):
    with socket.create_connection(server.server_address, TIMEOUT_S) as silent:
        server.handle_request()

        assert silent.recv(1) == b""


def trickle(client, stop):
    """Send a request byte by byte, fast enough that no read times out."""
    while not stop.wait(0.05):
        client.sendall(b"G")


@pytest.fixture
def slow_clients(server):
    """Connections before the browser's: two silent ones, and one that trickles."""
    stop = Event()
    with ExitStack() as stack:
        silent, _, trickling = (
            stack.enter_context(socket.create_connection(server.server_address)) for _ in range(3)
        )
        thread = Thread(target=trickle, args=(trickling, stop))
        thread.start()
        yield silent
        stop.set()
        thread.join()


def without_input(consent_request) -> tuple[ConsentRequest, TerminalInput]:
    typed = TerminalInput(os.open(os.devnull, os.O_RDONLY))
    typed.read()
    return consent_request, typed


def test_slow_clients_do_not_delay_the_answer(server, consent_request, slow_clients):
    address = f"http://{HOST}:{server.server_address[1]}/callback?code=AQC-1&state=S"
    browser = Thread(target=build_opener(ProxyHandler({})).open, args=(address,))
    browser.start()
    began_at = time.monotonic()

    code = wait_for_code(server, *without_input(consent_request), timeout_s=TIMEOUT_S)

    browser.join()
    assert code == "AQC-1"
    assert time.monotonic() - began_at < READ_TIMEOUT_S


def test_slow_clients_do_not_delay_the_timeout(server, consent_request, slow_clients):
    began_at = time.monotonic()

    with pytest.raises(CommandError, match=r"no answer .* within 0.5 s"):
        wait_for_code(server, *without_input(consent_request), timeout_s=0.5)

    assert time.monotonic() - began_at < READ_TIMEOUT_S


def test_slow_clients_do_not_delay_closing_the_server(server, slow_clients):
    for _ in range(3):
        server.handle_request()
    began_at = time.monotonic()

    server.server_close()

    assert time.monotonic() - began_at < READ_TIMEOUT_S


def test_the_callback_server_listens_on_the_loopback_only(server):
    assert server.server_address[0] == HOST


def test_the_error_for_a_port_that_cannot_be_used_has_the_reason(consent_request, monkeypatch):
    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(CallbackServer, "server_bind", refuse)

    with pytest.raises(CommandError, match=r"port 80 cannot be used \(Permission denied\)"):
        CallbackServer(80, consent_request.read)
