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


def test_dashboard_prints_the_url_of_a_running_page(plays, opened):
    run = plays("dashboard")

    assert run.stdout == f"the dashboard is already running: {PAGE} (--port starts a second one)\n"
    assert opened == []


def test_dashboard_open_opens_the_running_page(plays, opened):
    run = plays("dashboard", "--open", "--json")

    assert json.loads(run.stdout) == {"url": PAGE}
    assert opened == [PAGE]


def test_the_dashboard_rereads_which_listeners_are_simulated(tmp_path):
    source = Source(options=(), memory=tmp_path / "memory.json")

    found = []
    for listeners in ("", "me"):
        source.memory.write_text(json.dumps({"plays": 1, "simulated": listeners.split()}))
        found.append(source.simulated())

    assert found == [frozenset(), {"me"}]


def test_on_aws_no_listener_is_simulated():
    assert Source(options=()).simulated() == frozenset()
