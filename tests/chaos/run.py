"""One run: a small workload, a mixture of faults, the wait until all is loaded, the checks."""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from functools import partial
from random import Random
from typing import Any

import pg8000.native

from tests.chaos import checks
from tests.chaos.faults import Fault
from tests.chaos.feed import Feed, Spotify, packed
from tests.chaos.scene import Scene
from tests.chaos.truth import Export, Heard, read_export
from tests.chaos.world import QUEUES, Away, World, eventually

DRAINED_S = 90
IDLE_S = 8
"""Longer than a message stays invisible after a failure: what is not loaded by then is lost."""
REPLAYS = 4
BURST = 55
"""More plays than Spotify shows."""


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
    missed: list[str] = field(default_factory=list)
    """Faults that found nothing to break, because another had ended it."""
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
        rng = Random(f"run/{seed}")  # noqa: S311 - repeatable on purpose
        self.scene = Scene(world, spotify, world.unused.pop(0), rng, freeze_s)
        self.world = world
        self.faults = faults
        self.feed = Feed(rng, seed)
        self.files: dict[str, bytes] = {}
        self.origins: dict[str, Export] = {}
        """The uploads that were stored: what each file holds."""
        self.must: set[Heard] = set()
        self.shown: set[Heard] = set()
        """What Spotify showed to the last poll that it answered."""
        self.outcome = Outcome(seed, [fault.name for fault in faults], self.scene.listener)

    def execute(self) -> Outcome:
        """Work while the faults act, let the cloud settle, and check."""
        started, starts = time.monotonic(), self.world.starts
        self.scene.require_up()
        self.scene.do(lambda: self.world.log_in(self.scene.listener))
        # Before any fault, so that the collector knows what Spotify showed until then.
        self.poll_until_answered()
        with ExitStack() as acting:
            for fault in self.faults:
                acting.enter_context(fault.apply(self.scene))
            self.work()
        self.settle()
        self.check()
        self.outcome.seconds = round(time.monotonic() - started, 1)
        self.outcome.restarts = self.world.starts - starts
        self.outcome.missed = self.scene.missed
        return self.outcome

    # The work

    def work(self) -> None:
        """Upload files and poll, side by side."""
        rng = self.scene.rng
        live = self.add_live(rng.randint(1, 8), timedelta(seconds=1))
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
        self.add_live(BURST, timedelta(milliseconds=100))
        self.poll()
        if self.scene.rng.random() < 1 / 2:
            played = self.scene.spotify.played(
                self.scene.started_at - timedelta(hours=1), self.scene.now()
            )
            name = "Streaming_History_Audio_2026_7.json"
            self.files[name] = packed(self.feed.export_of(played), as_zip=False)
            self.upload(name)

    def add_live(self, count: int, apart: timedelta) -> list[Heard]:
        """Let the simulated Spotify show further plays, the last of which has just ended."""
        plays = self.feed.live(count, self.scene.now(), apart)
        self.scene.do(lambda: self.world.control("spotify", "plays", plays))
        return self.scene.spotify.add(plays)

    def upload(self, name: str) -> None:
        """Upload a file until S3 has stored it."""
        body = self.files[name]
        key = f"history/{self.scene.listener}/{name}"

        def put() -> None:
            self.origins[self.world.put(key, body)] = read_export(name, body)

        self.scene.do(put)

    def poll(self) -> bool:
        """Poll once; return True if Spotify answered with what it usually shows."""
        before = self.scene.now()
        try:
            outcome = self.world.poll(self.scene.listener)
        except Away:
            return False
        finally:
            self.scene.latest = max(self.scene.latest, self.scene.now())
        if outcome.get("status") != "polled":
            return False
        shown = set(self.scene.spotify.shown(before))
        self.shown = shown & set(self.scene.spotify.shown(self.scene.now()))
        return True

    def poll_until_answered(self) -> None:
        """Poll until Spotify answers; what it shows then must become rows."""
        if not eventually(self.poll, 40, every_s=0.5):
            self.outcome.problems["stuck"] = ["no poll succeeds after the faults have ended"]
            return
        self.must |= self.shown

    # The end

    def settle(self) -> None:
        """Wait until everything is loaded; replay dead letters, repeat what a crash lost."""
        self.scene.require_up()
        if self.scene.crashed:
            self.repeat_uploads()
        self.poll_until_answered()
        for _ in range(REPLAYS):
            self.wait_until_loaded()
            dead = [queue for queue in QUEUES if self.scene.depth(queue, dead=True)]
            if not dead:
                return
            for queue in dead:
                self.outcome.replayed += self.scene.depth(queue, dead=True)
                # It fails while another reader, such as a killed replay, still holds the messages.
                self.scene.do(partial(self.scene.plays, "dlq", "replay", queue))

    def repeat_uploads(self) -> None:
        """Upload again what the start after the crash names: files that are not loaded."""
        loaded = self.scene.do(self.complete_uploads)
        missing = {origin.partition("?")[0].rpartition("/")[2] for origin in self.origins} - {
            origin.partition("?")[0].rpartition("/")[2] for origin in loaded
        }
        self.origins = {o: held for o, held in self.origins.items() if o in loaded}
        for name in missing:
            self.upload(name)

    def complete_uploads(self) -> set[str]:
        """Return the origins of the uploads of this run that are loaded completely."""
        return checks.complete_uploads(self.world, self.scene.listener)

    def wait_until_loaded(self) -> None:
        """Wait until the queues are empty and all uploads are complete, or nothing moves."""
        changed_at = time.monotonic()
        last: tuple[list[int], set[str]] = ([], set())
        deadline = changed_at + DRAINED_S
        while time.monotonic() < deadline:
            depths = [self.scene.depth(queue) for queue in QUEUES]
            loaded = self.scene.do(self.complete_uploads)
            if not any(depths) and self.origins.keys() <= loaded:
                return
            if (depths, loaded) != last:
                changed_at, last = time.monotonic(), (depths, loaded)
            if not any(depths) and time.monotonic() - changed_at > IDLE_S:
                return
            time.sleep(0.15)
        self.outcome.problems["stuck"] = [f"messages in queues after {DRAINED_S} s: {depths}"]

    def check(self) -> None:
        """Compare what is stored with the truth."""
        scene = self.scene
        exported: dict[Heard, int] = {}
        for held in self.origins.values():
            for heard, ms_played in held.plays.items():
                exported[heard] = max(ms_played, exported.get(heard, 0))
        fed = checks.Fed(
            exported=exported,
            must=self.must,
            may=scene.spotify.played(scene.started_at - timedelta(hours=2), scene.latest),
            uploads=self.origins,
        )
        try:
            self.outcome.plays, problems = checks.check(self.world, scene.listener, fed)
        except (*Away, pg8000.exceptions.Error) as error:
            problems = {"stuck": [f"the cloud cannot be checked: {error}"]}
        self.outcome.problems |= {kind: found for kind, found in problems.items() if found}
