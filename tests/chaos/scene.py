"""One run as its faults see it: the cloud, the listener of the run, and chance."""

import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pg8000.native
import psutil

from tests.chaos.feed import Spotify
from tests.chaos.world import PATIENCE_S, Away, World, eventually, patiently

STOPPED_S = 60
"""How long a local cloud may take to notice that one of its servers has ended."""


class Scene:
    """A cloud, a listener of its own for this run, and the chances that the seed gives.

    Args:
        freeze_s: The longest time that a fault lasts, seconds.
    """

    def __init__(
        self, world: World, spotify: Spotify, listener: str, rng: Random, freeze_s: float
    ) -> None:
        self.world = world
        self.spotify = spotify
        self.listener = listener
        self.rng = rng
        self.hold_s = rng.uniform(freeze_s / 5, freeze_s)
        self.started_at = datetime.now(UTC)
        self.ahead = timedelta()
        self.latest = self.started_at
        """The time until which Spotify may have shown plays."""
        self.missed: list[str] = []
        """Why faults could not act."""
        self.bursts = False
        """True if more is played between two polls than Spotify shows."""
        self.crashes = world.crashes
        """The crashes of MiniStack that the run knows."""
        self.crashed = False
        """True once MiniStack lost its queues and tables."""

    @contextmanager
    def meanwhile(self, action: Callable[[], object]) -> Iterator[None]:
        """Act on another thread while the block runs, and wait for its end.

        An action fails if another fault has already ended what it would break: it is noted.
        """
        with ThreadPoolExecutor(1) as pool:
            acting = pool.submit(action)
            yield
            try:
                acting.result()
            except (*Away, pg8000.exceptions.Error, psutil.Error) as error:
                self.missed.append(f"{type(error).__name__}: {error}")

    def pause(self) -> None:
        """Wait for a part of the time that the work takes."""
        time.sleep(self.rng.uniform(0, 1.5))

    def now(self) -> datetime:
        """Return the time of the simulated Spotify."""
        return datetime.now(UTC) + self.ahead

    def note_time(self) -> None:
        """Note the time, until which Spotify may have shown plays."""
        self.latest = max(self.latest, self.now(), datetime.now(UTC))

    def move_clock(self, ahead_s: int) -> None:
        """Set how far the clock of the simulated Spotify is ahead."""
        self.note_time()
        self.world.control("spotify", "clock", {"ahead_s": ahead_s})
        self.ahead = timedelta(seconds=ahead_s)
        self.note_time()

    def loaded_batches(self) -> int:
        """Return the number of batches of this run in Postgres."""
        count = "SELECT count(*) FROM loaded_batch WHERE listener = :listener"
        return int(self.do(lambda: self.world.rows(count, listener=self.listener))[0][0])

    def depth(self, queue: str, *, dead: bool = False) -> int:
        """Return the messages in a queue."""
        return int(self.do(lambda: self.world.depth(queue, dead=dead)))

    def plays(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command; its failure raises an OSError, so that it can be repeated."""
        done = self.world.plays(*arguments)
        if done.returncode:
            raise OSError(f"plays {' '.join(arguments)}: {done.stderr.strip()}")
        return done

    def do(self, action: Callable[[], Any], within_s: float = PATIENCE_S) -> Any:
        """Repeat an action until it succeeds, and start the cloud again if it has ended."""

        def act() -> Any:
            self.require_up()
            return action()

        return patiently(act, within_s)

    def wait_until_ended(self, starts: int) -> None:
        """Wait until the cloud has noticed that a server ended, and has stopped the others.

        Args:
            starts: The starts of the cloud before; another thread may start it again.
        """
        world = self.world
        eventually(lambda: world.pid("supervisor") is None or world.starts > starts, STOPPED_S)

    def require_up(self) -> None:
        """Start the cloud again if it has ended, as a person would, and log in again if needed."""
        world = self.world
        if not world.is_up:
            with world.starting:
                if world.ensure_up():
                    # The real Spotify does not forget plays when this machine starts again.
                    world.control("spotify", "plays", self.spotify.orders)
        if world.crashes > self.crashes:
            self.crashes, self.crashed = world.crashes, True
            world.log_in(self.listener)

    def shuffle(self, queue: str) -> None:
        """Send each message of a queue twice, the last one first, then delete the originals."""
        sqs, url = self.world.aws("sqs"), self.world.queue_url(queue)
        held: list[dict[str, Any]] = []
        while found := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
            held += found
        for message in [*reversed(held), *held]:
            sqs.send_message(QueueUrl=url, MessageBody=message["Body"])
        for message in held:
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
