"""`plays dashboard` beside the page that a local cloud serves already."""

import json
import webbrowser
from types import SimpleNamespace

import pytest

from infra.local.page import Source

PAGE = "http://127.0.0.1:8100/"


@pytest.fixture
def opened(target, monkeypatch):
    """Let a local cloud serve its page; return what is opened in a browser."""
    monkeypatch.setitem(vars(target), "state", SimpleNamespace(page_url=PAGE))
    monkeypatch.setenv("DISPLAY", ":0")
    urls = []
    monkeypatch.setattr(webbrowser, "open", urls.append)
    return urls


def test_the_page_that_runs_is_named_instead_of_a_second(plays, opened):
    run = plays("dashboard")

    assert run.stdout == f"the page already runs: {PAGE} (--port serves a second one)\n"
    assert opened == []


def test_the_page_that_runs_is_opened(plays, opened):
    run = plays("dashboard", "--open", "--json")

    assert json.loads(run.stdout) == {"url": PAGE}
    assert opened == [PAGE]


def test_a_page_reads_whose_plays_are_simulated_now(tmp_path):
    source = Source(options=(), memory=tmp_path / "memory.json")

    found = []
    for listeners in ("", "me"):
        source.memory.write_text(json.dumps({"plays": 1, "simulated": listeners.split()}))
        found.append(source.simulated())

    assert found == [frozenset(), {"me"}]


def test_nothing_is_simulated_on_aws():
    assert Source(options=()).simulated() == frozenset()
