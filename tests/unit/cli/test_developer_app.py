import os

import pytest

from cli.errors import CommandError
from cli.login.developer_app import DeveloperApp, find_app
from cli.login.terminal_input import TerminalInput

APP = "0123456789abcdefABCDEF0123456789"


@pytest.fixture(autouse=True)
def no_secret_in_the_environment(monkeypatch):
    monkeypatch.delenv("SPOTIFY_CLIENT_SECRET", raising=False)


@pytest.mark.parametrize(
    ("keys", "secret"), [(b"app-secret\n", "app-secret"), (b"\n", "")], ids=["one", "none"]
)
def test_a_person_is_asked_for_the_optional_client_secret(terminal, capsys, keys, secret):
    person, program = terminal
    os.write(person, keys)

    app = find_app(
        *(APP, None, TerminalInput(program)),
        secret_from_stdin=False,
        redirect_uri="http://127.0.0.1:8765/callback",
    )

    assert app == DeveloperApp(APP, secret)
    assert "Client secret (not shown; just Enter if you use none): " in capsys.readouterr().err


@pytest.mark.parametrize(
    "given", ["my-app", "a" * 31, "a" * 33, "g" * 32, f"{'a' * 31} ", f" {'a' * 32}", "0" * 64]
)
def test_a_malformed_client_id_is_refused_and_not_quoted(terminal, given):
    person, program = terminal
    # No secret, so that an accepted id does not wait for one.
    os.write(person, b"\n")

    with pytest.raises(CommandError, match="32 hexadecimal digits") as refusal:
        find_app(given, None, TerminalInput(program), secret_from_stdin=False, redirect_uri="")

    assert "https://developer.spotify.com/dashboard > your app > Settings" in str(refusal.value)
    assert str(refusal.value).startswith("--client-id or SPOTIFY_CLIENT_ID is not a client id")
    assert given not in str(refusal.value)


def test_a_simulated_login_accepts_the_simulators_client_id(terminal):
    person, program = terminal
    os.write(person, b"\n")

    app = find_app(
        *("local-client", None, TerminalInput(program)),
        secret_from_stdin=False,
        redirect_uri="",
        simulated=True,
    )

    assert app == DeveloperApp("local-client")


def test_a_client_secret_is_not_in_the_repr():
    assert "app-secret" not in repr(DeveloperApp("app", "app-secret"))
