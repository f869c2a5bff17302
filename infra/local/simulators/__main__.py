"""Run the simulators until SIGTERM or Ctrl-C: `python -m infra.local.simulators --help`."""

import argparse
import signal

from infra.local.ports import HOST
from infra.local.simulators.listener import Listener
from infra.local.simulators.reccobeats import reccobeats
from infra.local.simulators.server import Server, wall_clock
from infra.local.simulators.spotify import spotify

STOP = (signal.SIGTERM, signal.SIGINT)


def main() -> None:
    """Serve both simulators; each accepts connections as soon as it is constructed."""
    parser = argparse.ArgumentParser(prog="python -m infra.local.simulators", description=__doc__)
    parser.add_argument("--spotify-port", type=int, required=True, help="accounts and web API")
    parser.add_argument("--reccobeats-port", type=int, required=True)
    options = parser.parse_args()
    # Blocked before the first thread starts, so that every thread leaves the signals to sigwait.
    signal.pthread_sigmask(signal.SIG_BLOCK, STOP)
    servers = [
        Server(spotify(wall_clock, Listener()), HOST, options.spotify_port),
        Server(reccobeats(wall_clock), HOST, options.reccobeats_port),
    ]
    signal.sigwait(STOP)
    for server in servers:
        server.stop()


if __name__ == "__main__":
    main()
