import os

import pytest

from cli.developer_app import DeveloperApp, find_app
from cli.typed import Typed


@pytest.fixture
def terminal(monkeypatch):
    monkeypatch.delenv("SPOTIFY_CLIENT_SECRET", raising=False)
    person, program = os.openpty()
    yield person, program
    os.close(person)
    os.close(program)


@pytest.mark.parametrize(
    ("keys", "secret"), [(b"app-secret\n", "app-secret"), (b"\n", "")], ids=["one", "none"]
)
def test_a_person_at_a_terminal_is_asked_for_a_secret_and_may_have_none(
    terminal, capsys, keys, secret
):
    person, program = terminal
    os.write(person, keys)

    app = find_app(
        *("app", None, Typed(program)),
        secret_from_stdin=False,
        redirect_uri="http://127.0.0.1:8765/callback",
    )

    assert app == DeveloperApp("app", secret)
    assert "Client secret (not shown; just Enter if you use none): " in capsys.readouterr().err


def test_an_app_does_not_show_its_secret():
    assert "app-secret" not in repr(DeveloperApp("app", "app-secret"))
