"""`plays dashboard`, as a process of its own, over the embedded Postgres."""

import json
import os
import signal
import socket
import subprocess
import sys
import webbrowser
from urllib.request import urlopen

import psutil
import pytest

from cli import page
from cli.browser import open_page
from cli.page import PageError, listen
from infra.local.ports import HOST, any_free
from infra.local.state import REPOSITORY

MOST_MIB = 80


@pytest.fixture
def busy_port():
    with socket.create_server((HOST, 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def dashboard(home):
    """Start the command; give it once it has said its first line."""
    started = []

    def start(*options: str) -> tuple[subprocess.Popen, str]:
        process = subprocess.Popen(  # noqa: S603 - the command is ours
            [sys.executable, "-m", "cli.main", "--target", "local", "dashboard", *options],
            cwd=REPOSITORY,
            env=os.environ | {"PLAYS_LOCAL_DIR": str(home)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process, process.stdout.readline()

    yield start
    for process in started:
        process.kill()
        process.communicate()


def test_one_line_names_the_page_and_ctrl_c_ends_it(dashboard):
    port = any_free()

    process, said = dashboard("--port", str(port))
    with urlopen(f"http://{HOST}:{port}/", timeout=10) as answer:
        status = answer.status
    process.send_signal(signal.SIGINT)

    assert said == f"the page: http://{HOST}:{port}/ (Ctrl-C stops it)\n"
    assert status == 200
    assert process.communicate(timeout=10) == ("", "")
    assert process.returncode == 0


def test_a_script_reads_the_address_as_json(dashboard):
    port = any_free()

    _, said = dashboard("--port", str(port), "--json")

    assert json.loads(said) == {"url": f"http://{HOST}:{port}/"}


def test_a_wanted_port_that_is_busy_is_one_clear_line(dashboard, busy_port):
    process, _ = dashboard("--port", str(busy_port))

    said = process.communicate(timeout=10)
    assert process.returncode == 1
    reason = "cannot be used (Address already in use): name another with --port"
    assert said == ("", f"plays: port {busy_port} {reason}\n")


def test_without_a_wish_a_busy_port_is_passed_over(busy_port):
    with listen(None, first=busy_port) as listening:
        host, port = listening.getsockname()

    assert host == HOST
    assert busy_port < port < busy_port + 100


def test_a_refused_port_is_an_error(busy_port):
    with pytest.raises(PageError, match=f"port {busy_port} cannot be used"):
        listen(busy_port)


def test_its_process_holds_neither_boto3_nor_the_command_line(dashboard):
    port = any_free()
    process, _ = dashboard("--port", str(port))
    for _ in range(3):
        urlopen(f"http://{HOST}:{port}/", timeout=10).close()

    assert psutil.Process(process.pid).memory_info().rss < MOST_MIB * 2**20


def test_queues_and_logins_are_asked_for_once_a_minute(monkeypatch, tmp_path):
    asked = []
    monkeypatch.setattr(page.time, "monotonic", lambda: len(asked) * 61.0)
    monkeypatch.setattr(sys, "executable", _a_program(tmp_path, "echo '{\"dead_letters\": 3}'"))
    operations = page.Operations("--target", "local")

    told = [operations() for _ in range(3)]

    assert told == [{"dead_letters": 3}] * 3


def _a_program(folder, script):
    program = folder / "program"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return str(program)


def test_where_there_is_no_status_the_page_says_why(home, monkeypatch):
    monkeypatch.setenv("PLAYS_LOCAL_DIR", str(home / "nothing"))

    with pytest.raises(PageError, match="no local cloud runs in "):
        page.Operations("--target", "local")()


@pytest.mark.parametrize(("variable", "opens"), [("DISPLAY", True), (None, False)])
def test_a_browser_of_text_is_not_opened_in_the_terminal(monkeypatch, variable, opens):
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    if variable:
        monkeypatch.setenv(variable, ":0")
    opened = []
    monkeypatch.setattr(webbrowser, "open", lambda url: opened.append(url) or True)

    assert open_page("http://127.0.0.1:8100/") is opens
    assert opened == ["http://127.0.0.1:8100/"] * opens
