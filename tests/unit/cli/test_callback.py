import os
import socket
import struct
import time
from contextlib import ExitStack
from threading import Event, Thread, Timer
from urllib.request import ProxyHandler, build_opener

import pytest
import requests

from cli.errors import CommandError
from cli.login.browser_consent import wait_for_code
from cli.login.callback import SILENCE_S, CallbackServer
from cli.login.consent import Answer, Question, redirect_uri
from cli.login.terminal_input import Typed
from infra.local.ports import any_free

HOST = "127.0.0.1"
PATIENCE_S = 8
# A server that waits for a slow client would wait for ever.
pytestmark = pytest.mark.timeout(20)


@pytest.fixture
def question():
    return Question(redirect_uri(any_free()), state="S")


@pytest.fixture
def server(question):
    port = int(question.redirect_uri.split(":")[2].removesuffix("/callback"))
    with CallbackServer(port, question.read) as server:
        yield server


@pytest.fixture
def ask(server):
    """Ask the server something, which it handles as a login does: when it waits."""

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
    """Wait for the answer, which is there once the page is sent."""
    deadline = time.monotonic() + PATIENCE_S
    while server.answer is None and time.monotonic() < deadline:
        time.sleep(0.01)
    return server.answer


def test_the_answer_is_kept_and_thanked_for(server, ask):
    page = ask("/callback?code=AQC-1&state=S")

    assert answer_of(server) == Answer(code="AQC-1")
    assert (page.status_code, page.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert "Spotify said yes" in page.text
    assert page.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "127.0.0.1"},
        {"Host": "127.0.0.1:1"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
    ],
    ids=str,
)
def test_a_page_cannot_answer_in_place_of_spotify(server, ask, headers):
    page = ask("/callback?code=AQC-1&state=S", **headers)

    assert page.status_code == 403
    assert server.answer is None


def test_a_browser_that_spotify_sends_here_is_answered(server, ask):
    came = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    page = ask("/callback?code=AQC-1&state=S", **came)

    assert page.status_code == 200
    assert server.answer == Answer(code="AQC-1")


@pytest.mark.parametrize("method", ["POST", "PUT", "OPTIONS", "HEAD"])
def test_the_answer_comes_by_get_alone(server, ask, method):
    page = ask("/callback?code=AQC-1&state=S", method)

    assert page.status_code == 501
    assert server.answer is None


def test_a_refusal_is_an_answer_too(server, ask):
    page = ask("/callback?error=access_denied&state=S")

    assert answer_of(server) == Answer(error="access_denied")
    assert "Spotify said no" in page.text


def test_an_answer_to_another_question_is_none(server, ask):
    page = ask("/callback?code=AQC-1&state=wrong")

    assert server.answer is None
    assert page.status_code == 400
    assert "another login" in page.text


@pytest.mark.parametrize(
    "path", ["/", "/favicon.ico", "/callback/x?code=AQC-1&state=S", "/?code=AQC-1&state=S"]
)
def test_nothing_else_is_served(server, ask, path):
    page = ask(path)

    assert page.status_code == 404
    assert server.answer is None


@pytest.mark.parametrize("method", ["POST", "PUT", "OPTIONS"])
def test_a_page_is_only_shown_not_told_things(server, ask, method):
    page = ask("/callback?code=AQC-1&state=S", method)

    assert page.status_code == 501
    assert server.answer is None


@pytest.mark.parametrize("path", ["/callback?code=AQC-1&state=S", "/callback?code=AQC-1&state=T"])
def test_neither_the_page_nor_the_terminal_repeats_the_code(ask, path, capfd):
    page = ask(path)

    out, err = capfd.readouterr()
    assert "AQC-1" not in f"{page.text} {page.headers} {out} {err}"


def test_a_browser_that_hangs_up_disturbs_nobody(server, ask, capfd):
    with socket.create_connection(server.server_address) as browser:
        browser.sendall(b"GET /favicon.ico HTTP/1.1\r\n\r\n")
        # It closes by a reset, which fails what reads from it or writes to it.
        browser.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    server.handle_request()

    ask("/callback?code=AQC-1&state=S")

    assert answer_of(server) == Answer(code="AQC-1")
    assert capfd.readouterr().err == ""


def test_a_connection_on_which_nothing_is_asked_is_closed(server):
    with socket.create_connection(server.server_address, PATIENCE_S) as silent:
        server.handle_request()

        assert silent.recv(1) == b""


def trickle(client, stop):
    """Send a request a byte at a time, fast enough that no read of it times out."""
    while not stop.wait(0.05):
        client.sendall(b"G")


@pytest.fixture
def slow_clients(server):
    """Connections that a login meets first: silent ones, and one that trickles."""
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


def no_typing(question):
    typed = Typed(os.open(os.devnull, os.O_RDONLY))
    typed.read()
    return question, typed


def test_slow_clients_do_not_hold_up_the_answer(server, question, slow_clients):
    address = f"http://{HOST}:{server.server_address[1]}/callback?code=AQC-1&state=S"
    browser = Thread(target=build_opener(ProxyHandler({})).open, args=(address,))
    browser.start()
    began_at = time.monotonic()

    code = wait_for_code(server, *no_typing(question), timeout_s=PATIENCE_S)

    browser.join()
    assert code == "AQC-1"
    assert time.monotonic() - began_at < SILENCE_S


def test_slow_clients_do_not_outlast_the_timeout(server, question, slow_clients):
    began_at = time.monotonic()

    with pytest.raises(CommandError, match=r"no answer .* within 0.5 s"):
        wait_for_code(server, *no_typing(question), timeout_s=0.5)

    assert time.monotonic() - began_at < SILENCE_S


REQUEST = b"GET /callback?code=AQC-1&state=S HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n"


def test_an_answer_that_waits_at_the_deadline_counts(server, question):
    with socket.create_connection(server.server_address) as browser:
        browser.sendall(REQUEST % server.server_address[1])

        assert wait_for_code(server, *no_typing(question), timeout_s=0) == "AQC-1"


def test_an_answer_under_way_at_the_deadline_counts(server, question):
    with socket.create_connection(server.server_address) as browser:
        late = Timer(0.15, browser.sendall, [REQUEST % server.server_address[1]])
        late.start()

        assert wait_for_code(server, *no_typing(question), timeout_s=0.05) == "AQC-1"
        late.join()


def test_an_address_pasted_at_the_deadline_counts(server, question):
    read, write = os.pipe()
    os.write(write, f"{question.redirect_uri}?code=AQC-1&state=S\n".encode())

    assert wait_for_code(server, question, Typed(read), timeout_s=0) == "AQC-1"
    os.close(read)
    os.close(write)


def test_it_listens_to_this_machine_alone(server):
    assert server.server_address[0] == HOST


def test_a_busy_port_is_named_with_what_to_do(server, question):
    port = server.server_address[1]

    with pytest.raises(CommandError) as refusal:
        CallbackServer(port, question.read)

    assert f"port {port} is busy" in str(refusal.value)
    assert "--port" in str(refusal.value)
    assert f"redirect URIs as well, such as http://127.0.0.1:{port + 1}/callback" in str(
        refusal.value
    )


def test_a_port_that_is_not_ours_to_have_says_why(question, monkeypatch):
    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(CallbackServer, "server_bind", refuse)

    with pytest.raises(CommandError, match=r"port 80 is not to be had \(Permission denied\)"):
        CallbackServer(80, question.read)
