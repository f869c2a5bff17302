"""Which Spotify to log in at: the one that the collector polls.

A local cloud begins with a simulated one and a listener who is simulated, too. Before a person
logs in it turns to the real one, for good, and what was simulated is deleted if the person wants:
two lives in one history could never be told apart again. It turns once the person has agreed on
Spotify's page and the login is in hand, so that whatever stops a login before leaves it as it was.
"""

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import typer

from cli.errors import CommandError
from cli.options import target_of
from cli.output import note
from cli.simulated import simulated_listeners
from cli.target import Target
from infra.local import cloud
from infra.local.environment import LOOPBACK
from infra.local.state import CloudState, local_home

MIXED = (
    "this local cloud holds simulated plays, and yours must not be mixed with them: "
    "`plays login --start-over` deletes all that is in it, then logs in at the real Spotify "
    "(load your own exports again afterwards)"
)


@dataclass(frozen=True)
class SpotifyPlace:
    """Where the two services of Spotify are."""

    api_url: str
    accounts_url: str

    @property
    def is_here(self) -> bool:
        """Whether it is a simulator on this machine."""
        return urlsplit(self.accounts_url).hostname in LOOPBACK


def place_of(target: Target) -> SpotifyPlace:
    """Tell which Spotify the deployed collector polls."""
    told = target.client("lambda").get_function_configuration(
        FunctionName=target.output("CollectorFunction")
    )
    variables: dict[str, Any] = told["Environment"]["Variables"]
    return SpotifyPlace(variables["SPOTIFY_API_URL"], variables["SPOTIFY_ACCOUNTS_URL"])


def place_after_turning(state: CloudState) -> SpotifyPlace:
    """Return which Spotify a local cloud will poll once it has turned."""
    return SpotifyPlace(state.real_spotify_api_url, state.real_spotify_accounts_url)


def must_turn(target: Target, *, simulated: bool, start_over: bool) -> bool:
    """True if a cloud must turn to the real Spotify, or lose simulated plays, before a login.

    Args:
        target: The cloud to log in for.
        simulated: Whether to stay with the simulator.
        start_over: Whether what was simulated may be deleted.

    Raises:
        CommandError: There is no simulator to stay with, nothing to delete, or something that
            must be and was not asked for.
    """
    is_simulated = target.state is not None and target.state.simulated
    stands_in_the_way = is_simulated or bool(simulated_listeners(target))
    if simulated and target.state is None:
        raise CommandError("--simulated: AWS polls the real Spotify, and has no simulator")
    if simulated and not is_simulated:
        raise CommandError(
            "--simulated: no simulator is polled here; a local cloud has one when it is new, "
            "and again after `plays local reset`, which deletes all that is in it"
        )
    if start_over and (simulated or not stands_in_the_way):
        raise CommandError(
            "--start-over deletes a local cloud with simulated plays, and there are none here"
        )
    if simulated or not stands_in_the_way:
        return False
    _must_delete(target, may=start_over)
    return True


def turn(context: typer.Context, *, start_over: bool) -> Target:
    """Let a local cloud poll the real Spotify from now on, and find it again.

    Raises:
        CommandError: It holds simulated plays by now, which were not to be deleted.
        LocalCloudError: The local cloud ended over it.
    """
    deletes = _must_delete(target_of(context), may=start_over)
    note("The local cloud starts anew, to poll the real Spotify: half a minute ...")
    cloud.turn_to_real_spotify(local_home(), start_over=deletes)
    # A cloud that started over has other names for its parts.
    return target_of(context)


def _must_delete(target: Target, *, may: bool) -> bool:
    """True if there are simulated plays to delete.

    Raises:
        CommandError: There are, and they may not be deleted.
    """
    holds_some = bool(simulated_listeners(target))
    if holds_some and not may:
        is_simulated = target.state and target.state.simulated
        raise CommandError(
            MIXED + ("; `--simulated` logs in at the simulator" if is_simulated else "")
        )
    return holds_some
