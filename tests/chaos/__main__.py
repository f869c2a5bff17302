"""Random faults on a real local cloud: `make chaos RUNS=50 SEED=1`.

Exit code 1 if a run lost, doubled or left behind anything. The same seed chooses the same faults
and the same plays; the moments at which processes meet differ.
"""

import argparse
import signal
import sys
import time
import traceback
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from pathlib import Path
from random import Random

from tests.chaos.checks import check_cloud, verify
from tests.chaos.faults import FAULTS, choose
from tests.chaos.faults.fault import Fault
from tests.chaos.feed import Spotify
from tests.chaos.load import load
from tests.chaos.planted import PLANTED, try_all
from tests.chaos.report import Report, line_of, read, table
from tests.chaos.run import Outcome, Run
from tests.chaos.world import (
    QUEUES,
    TIMEOUT_S,
    World,
    eventually,
    new_home,
    patiently,
    quick,
    reserve_ports,
)

LISTENERS = 80
"""Runs in one cloud, each with a listener of its own; then a new cloud starts."""
QUIET_S = 120


def main() -> int:
    """Run the series, and print its report."""
    # A background job of a shell ignores SIGINT.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    options = _options()
    if options.totals:
        outcomes = read(options.totals)
        _say(f"{table(outcomes, by_group=True)}\n\n{table(outcomes)}")
        return 0
    report = Report(options.report)
    try:
        if options.planted:
            with _cloud(sum(planted.runs for planted in PLANTED), options) as world:
                found_all = try_all(world, _say, options.seed, options.freeze)
            return 0 if found_all else 1
        if options.load:
            report.add(load(options.load, options.seed, _say))
        else:
            series(options, report)
    except KeyboardInterrupt:
        _say("interrupted: the report is about the runs so far")
    _say(report.table())
    _say(f"each run as a line of JSON: {report.path}")
    return 0 if report.is_clean and report.outcomes else 1


def series(options: argparse.Namespace, report: Report) -> None:
    """Do all runs, in as many clouds as they need."""
    seeds = list(range(options.seed, options.seed + options.runs))
    while seeds:
        batch, seeds = seeds[:LISTENERS], seeds[LISTENERS:]
        with _cloud(len(batch), options) as world:
            _in_one_cloud(world, batch, options, report)


@contextmanager
def _cloud(listeners: int, options: argparse.Namespace) -> Iterator[World]:
    """Start a local cloud with so many listeners; stop it in the end, and delete its data."""
    names = [f"c{number:02}" for number in range(listeners)]
    world = World(new_home(), names, quick(options.timeout))
    reserve_ports(world.home)
    try:
        _say(f"starting a local cloud in {world.home}")
        world.up()
        yield world
    finally:
        if options.keep:
            world.down()
        else:
            world.close()


def _in_one_cloud(
    world: World, seeds: Sequence[int], options: argparse.Namespace, report: Report
) -> None:
    """Do runs, some at once; when all have ended, check them again, and the cloud as a whole."""
    spotify, ended = Spotify(), []
    with ThreadPoolExecutor(options.at_once) as pool:
        try:
            works = [pool.submit(one, world, spotify, seed, options) for seed in seeds]
            for work in as_completed(works):
                run = work.result()
                ended.append(run)
                report.add(run.outcome)
                _say(f"{len(report.outcomes)}/{options.runs}  {line_of(run.outcome)}")
        finally:
            pool.shutdown(cancel_futures=True)
    last = at_the_end(world, ended)
    report.add(last)
    _say(line_of(last))


def one(world: World, spotify: Spotify, seed: int, options: argparse.Namespace) -> Run:
    """Do one run; an error in it is a problem of the run, and does not end the series."""
    faults = options.faults or choose(Random(f"faults/{seed}"))  # noqa: S311 - repeatable on purpose
    run = Run(world, spotify, seed, faults, options.freeze)
    started = time.monotonic()
    world.at_work.add(seed)
    run.outcome.beside = sorted(world.at_work - {seed})
    try:
        run.execute()
    except Exception as error:  # noqa: BLE001 - whatever it is, it belongs into the report
        trace = traceback.extract_tb(error.__traceback__)
        places = [f"{Path(step.filename).name}:{step.lineno}" for step in trace]
        run.outcome.problems["error"] = [f"{type(error).__name__}: {error} ({' '.join(places)})"]
        run.outcome.seconds = round(time.monotonic() - started, 1)
    world.at_work.discard(seed)
    return run


def at_the_end(world: World, ended: Sequence[Run]) -> Outcome:
    """Check the cloud once all is quiet, and each run again: nothing may have come later."""
    outcome = Outcome(0, [], "all listeners of a cloud")

    def is_quiet() -> bool:
        world.ensure_up()
        outcome.replayed += world.replay()
        return not any(world.depth(queue, dead=dead) for queue in QUEUES for dead in (False, True))

    eventually(lambda: patiently(is_quiet), QUIET_S, every_s=1)
    outcome.problems = {kind: found for kind, found in check_cloud(world).items() if found}
    for run in ended:
        _check_again(run)
        lost_state = world.crashes > run.scene.crashes
        if problems := verify(world, run.outcome.listener, lost_state=lost_state):
            outcome.problems.setdefault("verify", []).extend(problems)
    return outcome


def _check_again(run: Run) -> None:
    """Check a run that has ended: what was only late is no problem, and what came later is one."""
    before = run.outcome.problems
    if "error" in before:
        return
    if run.is_clean() and before:
        run.outcome.late = True


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--runs", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1, help="of the first run; the next follow")
    parser.add_argument("--freeze", type=float, default=3, help="longest fault, seconds")
    parser.add_argument(
        "--timeout", type=int, default=TIMEOUT_S, help="of the functions; longer on a busy machine"
    )
    parser.add_argument("--at-once", type=int, default=3, help="runs at the same time")
    parser.add_argument("--faults", type=_faults, help="only these, separated by commas")
    parser.add_argument("--report", type=Path, default=Path("build/chaos/runs.jsonl"))
    parser.add_argument("--totals", type=Path, nargs="+", help="add up these reports instead")
    parser.add_argument("--load", type=int, help="upload so many plays in one run instead")
    parser.add_argument("--planted", action="store_true", help="plant faults that it must find")
    parser.add_argument("--keep", action="store_true", help="keep the homes of the clouds")
    return parser.parse_args()


def _faults(names: str) -> list[Fault]:
    unknown = set(names.split(",")) - FAULTS.keys()
    if unknown:
        raise argparse.ArgumentTypeError(f"unknown {unknown}; known: {', '.join(FAULTS)}")
    return [FAULTS[name] for name in names.split(",")]


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - its output


if __name__ == "__main__":
    sys.exit(main())
