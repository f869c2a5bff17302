"""One run: a small workload, a mixture of faults, the wait until all is loaded, the checks."""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from tests.chaos import checks
from tests.chaos.faults.fault import Fault
from tests.chaos.feed import Feed, Spotify, packed
from tests.chaos.scene import Scene
from tests.chaos.truth import Export, Heard, read_export
from tests.chaos.world import QUEUES, Away, World

SETTLED_S = 120
IDLE_S = 10
"""So long after the queues are empty, what is not loaded is lost."""
CHECKED_EVERY_S = 0.4
BURST = 55
"""More plays than Spotify shows."""
ENDS_MOVE_S = 1.1


@dataclass
class Outcome:
    """What one run has shown; every list is empty if all is well."""

    seed: int
    faults: list[str]
    listener: str
    seconds: float = 0
    plays: int = 0
    restarts: int = 0
    replayed: int = 0
    beside: list[int] = field(default_factory=list)
    """The seeds of runs that were at work at the same time."""
    missed: list[str] = field(default_factory=list)
    """Faults that found nothing to break, because another had ended it."""
    late: bool = False
    """True if all was well only after the time limit, as on a busy machine."""
    problems: dict[str, list[str]] = field(default_factory=dict)
    """Lost plays, doubled plays, and so on: what is wrong, by kind."""

    @property
    def is_clean(self) -> bool:
        """True if nothing is wrong."""
        return not any(self.problems.values())

    def document(self) -> dict[str, Any]:
        """Return the outcome for a line of JSON."""
        return asdict(self) | {"clean": self.is_clean}


class Run:
    """One run with a listener of its own."""

    def __init__(
        self, world: World, spotify: Spotify, seed: int, faults: Sequence[Fault], freeze_s: float
    ) -> None:
        # Two, because faults draw on threads of their own.
        self.rng, moments = Random(f"plays/{seed}"), Random(f"moments/{seed}")  # noqa: S311 - repeatable on purpose
        self.scene = Scene(world, spotify, world.unused.pop(0), moments, freeze_s)
        self.world = world
        self.faults = faults
        self.feed = Feed(self.rng, seed)
        self.locks = {fault.lock for fault in faults} - {"none"}
        if "refusal" in self.locks:
            # Polls fail meanwhile. A run that held the lock and waited for one would wait for ever.
            self.locks.add("spotify")
        self.files: dict[str, bytes] = {}
        self.origins: dict[str, Export] = {}
        """The uploads that were stored: what each file holds."""
        self.must: set[Heard] = set()
        self.shown: set[Heard] = set()
        """The plays in the last answered poll."""
        self.heard: set[Heard] = set()
        """The plays that ended before the last answered poll."""
        self.outcome = Outcome(seed, [fault.name for fault in faults], self.scene.listener)

    def execute(self) -> Outcome:
        """Work while the faults act, let the cloud settle, and check."""
        started, starts = time.monotonic(), self.world.starts
        with self.world.admission(alone="restart" in self.locks):
            with ExitStack() as acting:
                # Spotify last, because each poll waits for it too.
                for lock in sorted(self.locks, key=lambda lock: (lock == "spotify", lock)):
                    acting.enter_context(self.world.turn(lock))
                self.break_and_work()
            self.settle()
        self.outcome.seconds = round(time.monotonic() - started, 1)
        self.outcome.restarts = self.world.starts - starts
        self.outcome.missed = self.scene.missed
        return self.outcome

    def break_and_work(self) -> None:
        """Work while the faults act, between two polls without them."""
        # The collector then knows what Spotify showed until now.
        self.scene.do(lambda: self.world.log_in(self.scene.listener))
        self.poll_until_answered()
        with ExitStack() as broken:
            for fault in self.faults:
                broken.enter_context(fault.apply(self.scene))
            self.work()
        self.scene.require_up()
        # Before another run plays so much that Spotify no longer shows what a fault has hidden.
        self.poll_until_answered()

    # The work

    def work(self) -> None:
        """Upload files and poll, side by side."""
        rng = self.rng
        live = self.add_live(rng.randint(1, 8), timedelta(milliseconds=20))
        for number in range(rng.randint(1, 2)):
            rows = self.feed.history(rng.choice((20, 400, 1_200)))
            as_zip = rng.random() < 1 / 2
            name = f"Streaming_History_Audio_2020_{number}.{'zip' if as_zip else 'json'}"
            self.files[name] = packed(rows, as_zip=as_zip)
        if rng.random() < 1 / 3:
            # One file under two names.
            name, body = next(iter(self.files.items()))
            self.files[f"copy of {name}"] = body
        if rng.random() < 1 / 2:
            # The same plays from both sources at once.
            exported = self.feed.export_of(live)
            self.files["Streaming_History_Audio_2026_9.json"] = packed(exported, as_zip=False)
        with ThreadPoolExecutor(5) as pool:
            polled = pool.submit(self.poll)
            for uploaded in [pool.submit(self.upload, name) for name in self.files]:
                uploaded.result()
            polled.result()
        if self.scene.bursts:
            self.burst()
        self.poll()

    def burst(self) -> None:
        """Play more than Spotify shows; in half of the runs an export holds the lost plays."""
        self.poll()
        # An answer within a second of the known plays counts as complete, because ends move by less
        # than that, and no play is so short.
        time.sleep(ENDS_MOVE_S)
        self.add_live(BURST, timedelta(milliseconds=20))
        self.poll()
        if self.rng.random() < 1 / 2:
            played = self.scene.spotify.played(
                self.scene.started_at - timedelta(hours=1), datetime.now(UTC)
            )
            name = "Streaming_History_Audio_2026_7.json"
            self.files[name] = packed(self.feed.export_of(played), as_zip=False)
            self.upload(name)

    def add_live(self, count: int, apart: timedelta) -> list[Heard]:
        """Let the simulated Spotify show further plays, the last of which has just ended."""
        spotify = self.scene.spotify
        with self.no_other_poll():
            # They end now, not before a poll that did not show them.
            time.sleep((count * apart).total_seconds())
            plays = self.feed.live(count, datetime.now(UTC), apart)
            heard = spotify.begin(plays)
            self.scene.do(lambda: self.world.control("spotify", "plays", plays))
            spotify.add(plays)
        return heard

    def no_other_poll(self) -> AbstractContextManager[None]:
        """Wait until no other run makes Spotify hide plays, and keep the others waiting."""
        # The run may hold the lock already, on another thread.
        return nullcontext() if "spotify" in self.locks else self.world.turn("spotify")

    def upload(self, name: str) -> None:
        """Upload a file until S3 has stored it."""
        body = self.files[name]
        key = f"history/{self.scene.listener}/{name}"

        def put() -> None:
            self.origins[self.world.put(key, body)] = read_export(name, body)

        self.scene.do(put)

    def poll(self) -> bool:
        """Poll once; return True if Spotify answered with what it usually shows."""
        with self.no_other_poll():
            before = self.scene.spotify.added_until(self.scene.now())
            try:
                outcome = self.world.poll(self.scene.listener)
            except Away:
                return False
            finally:
                self.scene.note_time()
            if outcome.get("status") != "polled":
                return False
            self.shown = before & set(self.scene.spotify.shown(self.scene.now()))
            self.heard |= before
            return True

    def poll_until_answered(self) -> None:
        """Poll until Spotify answers; what it shows then must become rows."""

        def poll() -> None:
            if not self.poll():
                raise TimeoutError("no poll succeeds, although no fault acts on Spotify")

        self.scene.do(poll, SETTLED_S)
        self.must |= self.shown

    # The end

    def settle(self) -> None:
        """Wait until everything is as it must be, or nothing moves any more."""
        if self.scene.crashed:
            self.rebuild()
        changed_at, last = time.monotonic(), None
        deadline = changed_at + SETTLED_S
        while not self.is_clean():
            now = time.monotonic()
            state = self.scene.do(self.state)
            if state != last:
                changed_at, last = now, state
            is_idle = not any(state[0]) and now - changed_at > IDLE_S
            if is_idle or now > deadline:
                return
            time.sleep(CHECKED_EVERY_S)

    def state(self) -> tuple[list[int], int]:
        """Return the depths of all queues, and the number of loaded batches of this run.

        Dead letters are replayed first.
        """
        self.outcome.replayed += self.world.replay()
        depths = [self.world.depth(queue, dead=dead) for queue in QUEUES for dead in (False, True)]
        return depths, self.scene.loaded_batches()

    def is_clean(self) -> bool:
        """Check, keep what is wrong in the outcome, and return True if nothing is."""
        self.outcome.plays, problems = self.scene.do(self.check)
        self.outcome.problems = {kind: found for kind, found in problems.items() if found}
        return not self.outcome.problems

    def rebuild(self) -> None:
        """Send the archive again, as the start after a crash of MiniStack advises."""
        wanted = ("rebuild", "--listener", self.scene.listener, "--wait")
        self.scene.do(lambda: self.scene.plays(*wanted), SETTLED_S)

    def check(self) -> tuple[int, checks.Problems]:
        """Return the number of rows, and how what is stored differs from the truth."""
        scene = self.scene
        exported: dict[Heard, int] = {}
        for held in self.origins.values():
            for heard, ms_played in held.plays.items():
                exported[heard] = max(ms_played, exported.get(heard, 0))
        since = scene.started_at - timedelta(hours=2)
        may = scene.spotify.played(since, scene.latest)
        fed = checks.Fed(exported, self.must, may, self.heard, self.origins)
        return checks.check(self.world, scene.listener, fed)
