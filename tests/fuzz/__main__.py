"""Fuzz the readers of foreign bytes: `python -m tests.fuzz [READER …] --seconds 60`."""

import argparse
import secrets
import sys
from pathlib import Path

from shared.telemetry import logger
from tests.fuzz.harness import CrashError, Tally, read_one, run
from tests.fuzz.readers import TARGETS

# Warnings of the readers would be longer than the table.
QUIET = "CRITICAL"
HEAD = f"{'reader':<18}{'inputs':>12}{'values':>12}{'reasons':>12}{'seconds':>10}"


def main() -> int:
    options = _options()
    logger.setLevel(QUIET)
    names = options.readers or list(TARGETS)
    if options.input:
        return _repeat(names[0], options.input)
    start = secrets.randbelow(1 << 32) if options.seed is None else options.seed
    _say(f"seed {start}\n{HEAD}")
    crashes = 0
    for name in names:
        try:
            found = run(TARGETS[name], start=start, seconds=options.seconds, inputs=options.inputs)
        except CrashError as error:
            crashes += 1
            _say(f"{error}\n  {error.__cause__!r}")
        else:
            _say(_row(found))
    return min(crashes, 1)


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _row(tally: Tally) -> str:
    counts = (tally.inputs, tally.values, tally.reasons)
    return f"{tally.reader:<18}{''.join(f'{n:>12,}' for n in counts)}{tally.seconds:>10.0f}"


def _repeat(name: str, path: Path) -> int:
    target = TARGETS[name]
    with target.open() as read:
        _say("a value" if read_one(target, read, path.read_bytes()) else "a reason")
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("readers", nargs="*", metavar="READER", choices=[[], *TARGETS], default=[])
    parser.add_argument("--seconds", type=float, default=60, help="most seconds of each reader")
    parser.add_argument("--inputs", type=int, default=10**12, help="most inputs of each reader")
    parser.add_argument("--seed", type=int, help="repeats a run; the default is random")
    parser.add_argument("--input", type=Path, help="reads the input of this file, and no other")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
