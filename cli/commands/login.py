"""`plays login`: let the pipeline read what a listener plays."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated

import requests
import typer
from botocore.exceptions import BotoCoreError, ClientError

from cli.confirm import YesOption
from cli.errors import CommandError, StoppedError, interruptible
from cli.login.browser_consent import ask, wait_for_code
from cli.login.callback import CallbackServer
from cli.login.consent import Question, redirect_uri
from cli.login.developer_app import SECRET_VARIABLE, DeveloperApp, find_app
from cli.login.grant import Consent, poll_once, refuse_while_blocked, remedy, trade
from cli.login.spotify_target import SpotifyPlace, must_turn, place_after_turning, place_of, turn
from cli.login.terminal_input import Typed
from cli.options import JsonOption, ListenerOption, TimeoutOption, target_of
from cli.output import Document, Instant, emit, note, show
from cli.simulated import confirm_poll, remember_simulated
from cli.target import Target
from infra.local.processes import deferred
from services.collector.credentials import GRANT_LIFETIME, Credentials, CredentialStore
from services.collector.state import ListenerStates
from shared.archive import DEFAULT_LISTENER
from shared.errors import HistoryError, SettingsError, SpotifyAuthError, SpotifyError
from shared.spotify.api import SpotifyAccounts, SpotifyApi, open_session
from shared.spotify.rate_limits import SpotifyApps
from shared.spotify.wire import Grant

PORT = 8765
TIMEOUT_S = 300.0


class Login(Document):
    """A stored login; `plays_shown` is None where Spotify could not be asked, as `trouble` tells.

    The grant dies at `expires_at`, six months after the consent, however much it is used.
    """

    listener: str
    client_id: str
    authorized_at: Instant
    expires_at: Instant
    plays_shown: int | None
    trouble: str | None = None


def login(
    context: typer.Context,
    *,
    listener: ListenerOption = DEFAULT_LISTENER,
    client_id: Annotated[
        str | None,
        typer.Option(
            metavar="ID",
            envvar="SPOTIFY_CLIENT_ID",
            help="Client ID of your app; by default that of the last login, or you are asked.",
        ),
    ] = None,
    client_secret_stdin: Annotated[
        bool,
        typer.Option(
            "--client-secret-stdin",
            help="Read the app's client secret from the first line of stdin. "
            f"{SECRET_VARIABLE} can hold it, too; none is needed.",
        ),
    ] = False,
    port: Annotated[
        int, typer.Option(min=1, max=65_535, help="Of the redirect URI on 127.0.0.1.")
    ] = PORT,
    browser: Annotated[
        bool, typer.Option("--browser/--no-browser", help="Open the consent page in a browser.")
    ] = True,
    start_over: Annotated[
        bool,
        typer.Option(
            "--start-over",
            help="Delete all plays, uploads and logins of a local cloud that has simulated plays.",
        ),
    ] = False,
    simulated: Annotated[
        bool,
        typer.Option("--simulated", help="Log in at the local cloud's simulator, for a try."),
    ] = False,
    timeout: TimeoutOption = TIMEOUT_S,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Let the pipeline read what a listener plays on Spotify.

    Spotify asks you in the browser, and the answer comes back to this machine, at
    `http://127.0.0.1:8765/callback`, or is pasted here. The first login needs an app of your own
    at Spotify: you are told how to make one. The login is checked, then stored in the listener's
    secret, in AWS or in the local cloud, which polls the real Spotify from then on. Until you agree
    in the browser, nothing changes.

    A login lives for six months. Run this again before they are over: it asks for nothing twice.
    """
    question, typed = Question(redirect_uri(port)), Typed()
    unchanged = "no login was stored; everything is as it was"
    with CallbackServer(port, question.read) as server, interruptible(unchanged):
        target = target_of(context)
        turns = must_turn(target, simulated=simulated, start_over=start_over)
        store = _store(target)
        store.require(listener)
        if simulated:
            confirm_poll(target, listener, yes=yes)
        # A login of before the turn is one at the simulator.
        known = None if turns else _known(store, listener)
        app = find_app(
            *(client_id, known, typed),
            secret_from_stdin=client_secret_stdin,
            redirect_uri=question.redirect_uri,
            simulated=simulated,
        )
        desk = _desk(target, turns=turns)
        refuse_while_blocked(desk.apps, app.client_id)
        accounts_url = desk.place.accounts_url
        address = question.address(accounts_url, app.client_id, show_dialog=bool(known))
        ask(address, question, typed, browser=browser)
        code = wait_for_code(server, question, typed, timeout)
        grant = _trade(desk, Consent(app, question, code))
    credentials = _credentials(app, grant)
    if turns:
        # A consent is too dear to lose: what stops the command waits until it is stored.
        with interruptible("the login is stored, but was not tried"), deferred(_tell_of_waiting):
            desk = _turned(context, listener, credentials, start_over=start_over)
    if simulated:
        remember_simulated(target, listener)
    done = _finish(desk, listener, known, credentials, grant)
    emit(done) if as_json else show(*_told(done))


def _tell_of_waiting() -> None:
    note("Stopping once the local cloud has started and the login is stored ...")


def _known(store: CredentialStore, listener: str) -> Credentials | None:
    try:
        return store.load(listener)
    except SettingsError:
        # This very login mends it.
        return None


@dataclass(frozen=True)
class _Desk:
    """Where a login is made: Spotify, the secrets, and what it said of app and listener before."""

    place: SpotifyPlace
    store: CredentialStore
    apps: SpotifyApps
    states: ListenerStates


def _store(target: Target) -> CredentialStore:
    return CredentialStore(target.client("secretsmanager"), target.output("ListenerSecretPrefix"))


def _desk(target: Target, *, turns: bool = False) -> _Desk:
    place = place_after_turning(target.state) if turns and target.state else place_of(target)
    dynamodb = target.client("dynamodb")
    apps = SpotifyApps(dynamodb, target.output("SpotifyAppTable"))
    states = ListenerStates(dynamodb, target.output("ListenerStateTable"))
    return _Desk(place, _store(target), apps, states)


def _turned(
    context: typer.Context, listener: str, credentials: Credentials, *, start_over: bool
) -> _Desk:
    """Turn a local cloud to the real Spotify, and store the login there.

    Raises:
        CommandError: It did not turn.
    """
    try:
        desk = _desk(turn(context, start_over=start_over))
    except HistoryError as error:
        raise CommandError(f"no login was stored: {error}") from error
    desk.store.save(listener, credentials)
    return desk


def _trade(desk: _Desk, consent: Consent) -> Grant:
    """Trade the code of a consent for tokens."""
    with _session(desk.place) as session:
        return trade(SpotifyAccounts(session, desk.place.accounts_url), desk.apps, consent)


@contextmanager
def _session(place: SpotifyPlace) -> Iterator[requests.Session]:
    with open_session() as session:
        # A proxy leads away from this machine.
        session.trust_env = not place.is_here
        yield session


def _finish(
    desk: _Desk, listener: str, known: Credentials | None, credentials: Credentials, grant: Grant
) -> Login:
    """Poll once, and store the login.

    What may pass by itself stops nothing, nor does Ctrl-C: a fresh grant is too dear to lose. A
    login whose plays Spotify does not show is stored where there was none, since it works once
    that is put right; but it replaces none that may work: perhaps somebody took the wrong account.
    """
    with _session(desk.place) as session:
        try:
            api = SpotifyApi(session, desk.place.api_url)
            trial = poll_once(api, desk.apps, credentials.client_id, grant.access_token)
        except SpotifyAuthError as error:
            if known and _may_work(desk, listener, known):
                raise CommandError(f"{remedy(error)}; the login of before stays") from error
            desk.store.save(listener, credentials)
            after = "the login is stored, and polls succeed once that is done"
            raise CommandError(f"{remedy(error)}; {after}") from error
        except KeyboardInterrupt:
            desk.store.save(listener, credentials)
            raise StoppedError("stopped: the login is stored, but was not tried") from None
    desk.store.save(listener, credentials)
    return Login(
        listener=listener,
        client_id=credentials.client_id,
        authorized_at=credentials.authorized_at,
        expires_at=credentials.authorized_at + GRANT_LIFETIME,
        plays_shown=trial.plays_shown,
        trouble=trial.trouble,
    )


def _may_work(desk: _Desk, listener: str, login: Credentials) -> bool:
    if not login.days_left(datetime.now(UTC)):
        return False
    try:
        return not desk.states.load(listener).is_refused(login.fingerprint)
    except (SettingsError, BotoCoreError, ClientError):
        # Nobody knows of a refusal, then.
        return True


def _credentials(app: DeveloperApp, grant: Grant) -> Credentials:
    if grant.refresh_token is None:
        raise SpotifyError("Spotify gave no refresh token; run `plays login` again")
    return Credentials(
        client_id=app.client_id,
        client_secret=app.client_secret,
        refresh_token=grant.refresh_token,
        authorized_at=datetime.now(UTC),
    )


def _told(done: Login) -> list[str]:
    until = f"{done.listener} is logged in until {done.expires_at:%Y-%m-%d}"
    if done.trouble:
        return [f"{until}. It could not be tried yet: {done.trouble}. Polls go on by themselves."]
    return [
        f"{until}; Spotify shows {done.plays_shown} plays.",
        "The next poll takes them; `plays poll --wait` does so now.",
    ]
