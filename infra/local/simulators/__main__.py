"""Run the simulators until SIGTERM or Ctrl-C: `python -m infra.local.simulators --help`."""

import argparse
import signal

from infra.local.simulators.listener import Listener
from infra.local.simulators.reccobeats import reccobeats
from infra.local.simulators.server import Server, wall_clock
from infra.local.simulators.spotify import spotify

STOP = (signal.SIGTERM, signal.SIGINT)


def main() -> None:
    """Serve both simulators; each accepts connections as soon as it is constructed."""
    options = _options()
    # Blocked before the first thread starts, so that every thread leaves the signals to sigwait.
    signal.pthread_sigmask(signal.SIG_BLOCK, STOP)
    listening = spotify(Listener(options.seed), wall_clock, frozen=options.frozen)
    servers = [
        Server(listening, options.host, options.spotify_port),
        Server(reccobeats(wall_clock), options.host, options.reccobeats_port),
    ]
    signal.sigwait(STOP)
    for server in servers:
        server.stop()


def _options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m infra.local.simulators", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--spotify-port", type=int, required=True, help="accounts and web API")
    parser.add_argument("--reccobeats-port", type=int, required=True)
    parser.add_argument("--seed", type=int, default=1, help="who the listener is")
    parser.add_argument("--frozen", action="store_true", help="play nothing by itself")
    return parser.parse_args()


if __name__ == "__main__":
    main()
