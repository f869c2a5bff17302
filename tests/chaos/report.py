"""The report of a series of runs: a line of JSON per run, and tables of totals."""

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import fields
from pathlib import Path

from tests.chaos.faults import FAULTS
from tests.chaos.run import Outcome

KINDS = ("lost", "doubled", "stuck", "gap missing", "gap false")
"""The kinds of problems with a column of their own; the others are counted together."""


class Report:
    """Writes each outcome to a file at once, so that an interrupted series has a report."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.outcomes: list[Outcome] = []
        path.parent.mkdir(parents=True, exist_ok=True)

    def add(self, outcome: Outcome) -> None:
        """Add an outcome. Outcomes change at the end of their cloud, so all are written again."""
        self.outcomes.append(outcome)
        lines = [json.dumps(each.document()) + "\n" for each in self.outcomes]
        self.path.write_text("".join(lines))

    @property
    def is_clean(self) -> bool:
        """True if nothing was wrong in any run."""
        return all(outcome.is_clean for outcome in self.outcomes)

    def table(self) -> str:
        """Return the totals by fault, and of all runs."""
        return table(self.outcomes)


def read(paths: Iterable[Path]) -> list[Outcome]:
    """Read the reports of several series."""
    names = {each.name for each in fields(Outcome)}
    documents = [json.loads(line) for path in paths for line in path.read_text().splitlines()]
    return [Outcome(**{name: each[name] for name in names}) for each in documents]


def table(outcomes: Sequence[Outcome], *, by_group: bool = False) -> str:
    """Return the totals by fault or by group of faults, and of all runs."""
    parts = defaultdict(list)
    for outcome in outcomes:
        for part in {FAULTS[name].group if by_group else name for name in outcome.faults}:
            parts[part].append(outcome)
    lines = [_line("faults" if by_group else "fault", ("runs", "plays", *KINDS, "other"))]
    lines += [_line(part, _totals(parts[part])) for part in sorted(parts)]
    lines.append(_line("all runs", _totals([each for each in outcomes if each.seed])))
    return "\n".join(lines)


def _totals(outcomes: Sequence[Outcome]) -> list[int]:
    kinds = [sum(kind in outcome.problems for outcome in outcomes) for kind in KINDS]
    others = sum(bool(outcome.problems.keys() - set(KINDS)) for outcome in outcomes)
    return [len(outcomes), sum(outcome.plays for outcome in outcomes), *kinds, others]


def _line(name: str, cells: Iterable[object]) -> str:
    return f"{name:<38}" + "".join(f"{cell:>12}" for cell in cells)


def line_of(outcome: Outcome) -> str:
    """Return one line about a run."""
    faults = ", ".join(outcome.faults) or "none"
    text = f"seed {outcome.seed:<6} {outcome.seconds:5.1f} s  {outcome.plays:>6} plays  {faults}"
    if not outcome.seed:
        text = f"all quiet: {outcome.listener} were checked again"
    for kind, found in outcome.problems.items():
        text += f"\n    {kind}: " + f"\n    {kind}: ".join(found)
    return text
