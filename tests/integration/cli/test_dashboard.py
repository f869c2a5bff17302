"""`plays dashboard`, as a process of its own, over the embedded Postgres."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import webbrowser
from urllib.request import urlopen

import psutil
import pytest

from cli.browser import open_page
from cli.page import server
from cli.page.server import PageError, listen
from infra.local.ports import HOST, any_free
from infra.local.state import REPOSITORY

MOST_MIB = 80


@pytest.fixture
def busy_port():
    with socket.create_server((HOST, 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def dashboard(home):
    """Start the command; return the process and its first line."""
    started = []
    # A shell disables Ctrl-C in background processes, and children inherit that.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)

    def start(*options: str) -> tuple[subprocess.Popen[str], str]:
        process = subprocess.Popen(  # noqa: S603 - the command is ours
            [sys.executable, "-m", "cli", "--target", "local", "dashboard", *options],
            cwd=REPOSITORY,
            env=os.environ | {"PLAYS_LOCAL_DIR": str(home)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process, process.stdout.readline()

    yield start
    signal.signal(signal.SIGINT, before)
    for process in started:
        process.kill()
        process.communicate()


def test_dashboard_prints_its_url_and_ends_at_ctrl_c(dashboard):
    port = any_free()

    process, said = dashboard("--port", str(port))
    with urlopen(f"http://{HOST}:{port}/", timeout=10) as answer:
        status = answer.status
    process.send_signal(signal.SIGINT)

    assert said == f"the page: http://{HOST}:{port}/ (Ctrl-C stops it)\n"
    assert status == 200
    assert process.communicate(timeout=10) == ("", "")
    assert process.returncode == 0


def test_dashboard_with_json_prints_its_url(dashboard):
    port = any_free()

    _, said = dashboard("--port", str(port), "--json")

    assert json.loads(said) == {"url": f"http://{HOST}:{port}/"}


def test_a_port_in_use_is_a_one_line_error(dashboard, busy_port):
    process, _ = dashboard("--port", str(busy_port))

    said = process.communicate(timeout=10)
    assert process.returncode == 1
    reason = "cannot be used (Address already in use): choose another with --port"
    assert said == ("", f"plays: port {busy_port} {reason}\n")


def test_without_option_port_a_port_in_use_is_skipped(busy_port):
    with listen(None, first=busy_port) as listening:
        host, port = listening.getsockname()

    assert host == HOST
    assert busy_port < port < busy_port + 100


def test_the_dashboard_process_stays_below_its_memory_limit(dashboard):
    port = any_free()
    process, _ = dashboard("--port", str(port))
    for _ in range(3):
        urlopen(f"http://{HOST}:{port}/", timeout=10).close()

    assert psutil.Process(process.pid).memory_info().rss < MOST_MIB * 2**20


def test_the_dashboard_runs_plays_status_at_most_once_a_minute(monkeypatch, tmp_path):
    runs, now_s = tmp_path / "runs", [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now_s[0])
    program = _a_program(tmp_path, f"echo >> {runs}\necho '{{\"dead_letters\": 3}}'")
    monkeypatch.setattr(sys, "executable", program)
    operations = server.Operations("--target", "local")

    statuses = [operations() for _ in range(3)]
    now_s[0] = 61.0
    statuses.append(operations())

    assert statuses == [{"dead_letters": 3}] * 4
    assert runs.read_text() == "\n" * 2


def _a_program(folder, script):
    program = folder / "program"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return str(program)


def test_a_failure_of_plays_status_is_raised_as_a_page_error(home, monkeypatch):
    monkeypatch.setenv("PLAYS_LOCAL_DIR", str(home / "nothing"))

    with pytest.raises(PageError, match="no local cloud runs in "):
        server.Operations("--target", "local")()


@pytest.mark.parametrize(("variable", "opens"), [("DISPLAY", True), (None, False)])
def test_without_a_screen_no_browser_is_opened(monkeypatch, variable, opens):
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    if variable:
        monkeypatch.setenv(variable, ":0")
    opened = []

    def open_tab(url):
        opened.append(url)
        return True

    monkeypatch.setattr(webbrowser, "open", open_tab)

    assert open_page("http://127.0.0.1:8100/") is opens
    assert opened == ["http://127.0.0.1:8100/"] * opens
