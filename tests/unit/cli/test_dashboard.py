"""`plays dashboard` while a local cloud serves a page."""

import json
import webbrowser
from types import SimpleNamespace

import pytest

from infra.local.page import Source

PAGE = "http://127.0.0.1:8100/"


@pytest.fixture
def opened(target, monkeypatch):
    """Let a local cloud serve a page; return the URLs opened in a browser."""
    monkeypatch.setitem(vars(target), "state", SimpleNamespace(page_url=PAGE))
    monkeypatch.setenv("DISPLAY", ":0")
    urls: list[str] = []
    monkeypatch.setattr(webbrowser, "open", urls.append)
    return urls


def test_a_running_page_is_named_instead_of_starting_another(plays, opened):
    run = plays("dashboard")

    assert run.stdout == f"the dashboard is already running: {PAGE} (--port starts a second one)\n"
    assert opened == []


def test_a_running_page_is_opened(plays, opened):
    run = plays("dashboard", "--open", "--json")

    assert json.loads(run.stdout) == {"url": PAGE}
    assert opened == [PAGE]


def test_the_page_reads_the_simulated_listeners_anew(tmp_path):
    source = Source(options=(), memory=tmp_path / "memory.json")

    found = []
    for listeners in ("", "me"):
        source.memory.write_text(json.dumps({"plays": 1, "simulated": listeners.split()}))
        found.append(source.simulated())

    assert found == [frozenset(), {"me"}]


def test_on_aws_no_listener_is_simulated():
    assert Source(options=()).simulated() == frozenset()
