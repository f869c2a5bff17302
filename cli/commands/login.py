"""`plays login`: allow the pipeline to read what a listener plays."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from cli.confirm import YesOption
from cli.errors import CommandError, StoppedError, interruptible
from cli.listeners import Listeners
from cli.login.browser_consent import show_consent_page, wait_for_code
from cli.login.callback_server import CallbackServer
from cli.login.developer_app import SECRET_VARIABLE, DeveloperApp, find_app
from cli.login.pkce import ConsentRequest, redirect_uri
from cli.login.services import Consent, LoginServices, remedy
from cli.login.spotify_target import (
    must_switch,
    polled_urls,
    switch_to_real_spotify,
    urls_after_switch,
)
from cli.login.terminal_input import TerminalInput
from cli.options import JsonOption, ListenerOption, TimeoutOption, target_of
from cli.output import Document, Instant, emit, note, show
from cli.simulated_plays import confirm_poll, remember_simulated
from infra.local.processes import deferred
from services.collector.credentials import GRANT_LIFETIME, Credentials
from shared.archive import DEFAULT_LISTENER
from shared.errors import HistoryError, SpotifyAuthError, SpotifyError
from shared.spotify.wire import Grant

PORT = 8765
TIMEOUT_S = 300.0
UNTESTED = "the login is stored, but was not tested"


class Login(Document):
    """A stored login. It expires six months after the consent, however often it is used.

    `plays_shown` is None if Spotify could not be polled; `trouble` says why.
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
            help="Client ID of your app. Default: that of the last login, or you are asked.",
        ),
    ] = None,
    client_secret_stdin: Annotated[
        bool,
        typer.Option(
            "--client-secret-stdin",
            help="Read the app's client secret from the first line of stdin. "
            f"{SECRET_VARIABLE} can hold it, too. It is optional.",
        ),
    ] = False,
    port: Annotated[
        int,
        typer.Option(
            metavar="PORT", min=1, max=65_535, help="Port of the redirect URI on 127.0.0.1."
        ),
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
        typer.Option("--simulated", help="Try a login at the local cloud's simulated Spotify."),
    ] = False,
    timeout: TimeoutOption = TIMEOUT_S,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Allow the pipeline to read what a listener plays on Spotify.

    Spotify asks you in the browser and redirects it to `http://127.0.0.1:8765/callback`, on this
    machine; if the browser is on another machine, paste the address of that page here. The first
    login needs a Spotify app of your own; the command explains how to create one. The command then
    tests the login with one poll and stores it in the listener's secret, on AWS or in the local
    cloud. A local cloud polls the real Spotify from then on. Nothing changes until you agree in the
    browser.

    A login expires after six months. Log in again before that; the app's id and secret are kept.
    """
    request, terminal = ConsentRequest(redirect_uri(port)), TerminalInput()
    unchanged = "no login was stored, and nothing was changed"
    with CallbackServer(port, request.read) as server, interruptible(unchanged):
        target = target_of(context)
        Listeners(target).require(listener)
        switches = must_switch(target, simulated=simulated, start_over=start_over)
        urls = urls_after_switch(target.state) if switches and target.state else polled_urls(target)
        services = LoginServices.of(target, urls)
        if simulated:
            confirm_poll(target, listener, yes=yes)
        # A login stored before the switch is one at the simulator, so it is of no use.
        stored = None if switches else services.stored_login(listener)
        app = find_app(
            *(client_id, stored, terminal),
            secret_from_stdin=client_secret_stdin,
            redirect_uri=request.redirect_uri,
            simulated=simulated,
        )
        services.require_no_rate_limit(app.client_id)
        url = request.url(urls.accounts_url, app.client_id, show_dialog=bool(stored))
        show_consent_page(url, request, terminal, browser=browser)
        code = wait_for_code(server, request, terminal, timeout)
        grant = services.exchange(Consent(app, request, code))
    credentials = _credentials(app, grant)
    if switches:
        # Ctrl-C waits until the login is stored, because the person would have to agree again.
        with interruptible(UNTESTED), deferred(_note_deferred_stop):
            services = _switch_and_store(context, listener, credentials, start_over=start_over)
    if simulated:
        remember_simulated(target, listener)
    done = _test_and_store(services, listener, stored, credentials, grant.access_token)
    emit(done) if as_json else show(*_lines(done))


def _note_deferred_stop() -> None:
    note("Stopping once the local cloud has started and the login is stored ...")


def _switch_and_store(
    context: typer.Context, listener: str, credentials: Credentials, *, start_over: bool
) -> LoginServices:
    """Switch a local cloud to the real Spotify, and store the login there.

    Raises:
        CommandError: The switch failed.
    """
    try:
        target = switch_to_real_spotify(context, start_over=start_over)
        services = LoginServices.of(target, polled_urls(target))
    except HistoryError as error:
        raise CommandError(f"no login was stored: {error}") from error
    services.store.save(listener, credentials)
    return services


def _test_and_store(
    services: LoginServices,
    listener: str,
    stored: Credentials | None,
    credentials: Credentials,
    access_token: str,
) -> Login:
    """Test a login with one poll, then store it.

    After a temporary problem or Ctrl-C the login is stored untested, because otherwise the person
    would have to agree again. If Spotify refuses the poll, the login is stored unless it would
    replace one that may work, because the person may have agreed with the wrong account.
    """
    try:
        test = services.poll_once(credentials.client_id, access_token)
    except SpotifyAuthError as error:
        if stored and services.may_work(listener, stored):
            raise CommandError(f"{remedy(error)}; the earlier login is kept") from error
        services.store.save(listener, credentials)
        after = "the login is stored, and polls succeed once that is done"
        raise CommandError(f"{remedy(error)}; {after}") from error
    except KeyboardInterrupt:
        services.store.save(listener, credentials)
        raise StoppedError(f"stopped: {UNTESTED}") from None
    services.store.save(listener, credentials)
    return Login(
        listener=listener,
        client_id=credentials.client_id,
        authorized_at=credentials.authorized_at,
        expires_at=credentials.authorized_at + GRANT_LIFETIME,
        plays_shown=test.plays_shown,
        trouble=test.trouble,
    )


def _credentials(app: DeveloperApp, grant: Grant) -> Credentials:
    if grant.refresh_token is None:
        raise SpotifyError("Spotify gave no refresh token: run `plays login` again")
    return Credentials(
        client_id=app.client_id,
        client_secret=app.client_secret,
        refresh_token=grant.refresh_token,
        authorized_at=datetime.now(UTC),
    )


def _lines(done: Login) -> list[str]:
    until = f"{done.listener} is logged in until {done.expires_at:%Y-%m-%d}"
    if done.trouble:
        return [f"{until}. The login could not be tested yet: {done.trouble}. Polls will retry."]
    return [
        f"{until}; Spotify shows {done.plays_shown} plays.",
        "The next poll loads them; `plays poll --wait` does so now.",
    ]
