"""Choose the Spotify to log in at, real or simulated: the one that the collector polls.

A new local cloud polls a simulated Spotify. A login at the real one switches the cloud to it for
good. Simulated plays must be deleted then, because they could not be separated from real ones. The
switch happens only after the login has succeeded, so that a failed login changes nothing.
"""

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import typer

from cli.errors import CommandError
from cli.options import target_of
from cli.output import note
from cli.simulated_plays import simulated_listeners
from cli.target import Target
from infra.local import cloud
from infra.local.environment import LOOPBACK
from infra.local.state import CloudState, local_home

MIXED = (
    "this local cloud holds simulated plays, which must not be mixed with yours: add --start-over, "
    "which deletes everything in it, then logs in at the real Spotify (upload your exports again "
    "afterwards)"
)


@dataclass(frozen=True)
class SpotifyUrls:
    """The URLs of Spotify's API and of its accounts service."""

    api_url: str
    accounts_url: str

    @property
    def is_local(self) -> bool:
        """True for a simulator on this machine."""
        return urlsplit(self.accounts_url).hostname in LOOPBACK


def polled_urls(target: Target) -> SpotifyUrls:
    """Return the URLs that the deployed collector polls."""
    function = target.client("lambda").get_function_configuration(
        FunctionName=target.output("CollectorFunction")
    )
    variables: dict[str, Any] = function["Environment"]["Variables"]
    return SpotifyUrls(variables["SPOTIFY_API_URL"], variables["SPOTIFY_ACCOUNTS_URL"])


def urls_after_switch(state: CloudState) -> SpotifyUrls:
    """Return the URLs that a local cloud will poll after the switch."""
    return SpotifyUrls(state.real_spotify_api_url, state.real_spotify_accounts_url)


def must_switch(target: Target, *, simulated: bool, start_over: bool) -> bool:
    """True if a login requires a switch to the real Spotify, or deleting simulated plays.

    Args:
        target: The cloud to log in for.
        simulated: True for a login at the simulator (`--simulated`).
        start_over: True if simulated plays may be deleted.

    Raises:
        CommandError: `simulated` is given but the target polls no simulator, `start_over` is given
            but there are no simulated plays, or there are some but `start_over` is not given.
    """
    is_simulated = target.state is not None and target.state.simulated
    blocks_login = is_simulated or bool(simulated_listeners(target))
    if simulated and target.state is None:
        raise CommandError(
            "--simulated is for a local cloud: AWS polls the real Spotify, so log in without it"
        )
    if simulated and not is_simulated:
        raise CommandError(
            "--simulated is for a local cloud that polls the simulated Spotify, but this one polls "
            "the real one: log in without --simulated (or start over with the simulator: "
            "`plays local reset`, which deletes everything in it, then `plays local up`)"
        )
    if start_over and (simulated or not blocks_login):
        raise CommandError(
            "--start-over deletes simulated plays of a local cloud, and there are none to delete: "
            "log in without it"
        )
    if simulated or not blocks_login:
        return False
    _must_delete(target, may=start_over)
    return True


def switch_to_real_spotify(context: typer.Context, *, start_over: bool) -> Target:
    """Switch a local cloud to the real Spotify, and return the cloud as restarted.

    Raises:
        CommandError: The cloud got simulated plays meanwhile, and `start_over` is not given.
        LocalCloudError: The local cloud failed to restart.
    """
    deletes = _must_delete(target_of(context), may=start_over)
    note("Restarting the local cloud to poll the real Spotify, about half a minute ...")
    cloud.turn_to_real_spotify(local_home(), start_over=deletes)
    # After a start-over its resources have other names.
    return target_of(context)


def _must_delete(target: Target, *, may: bool) -> bool:
    """True if there are simulated plays to delete.

    Raises:
        CommandError: There are simulated plays, but `may` is False.
    """
    holds_some = bool(simulated_listeners(target))
    if holds_some and not may:
        is_simulated = target.state and target.state.simulated
        raise CommandError(MIXED + "; --simulated logs in at the simulator" * bool(is_simulated))
    return holds_some
