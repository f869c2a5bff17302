"""The findings of `plays verify`: what differs, examples, and the next command."""

from collections.abc import Iterable
from typing import Literal

from cli.output import Document

EXAMPLES = 5
"""Most examples of a finding."""

Kind = Literal[
    "plays missing",
    "plays without a source",
    "fields that differ",
    "answers not in Postgres",
    "answers that cannot be read",
    "gaps that should be open",
    "gaps that should be closed",
    "time counted as known",
    "collector's state is older",
    "uploads not loaded",
    "dead letters",
    "ledger does not add up",
]


class Finding(Document):
    """One kind of difference between archive and Postgres, for one listener or (None) all."""

    kind: Kind
    listener: str | None
    count: int
    """Seconds, for time that is counted as known."""
    examples: list[str]
    next: str


class Examples:
    """Counts differences, and keeps the first few as examples."""

    def __init__(self, examples: Iterable[str] = ()) -> None:
        self.count = 0
        self.kept: list[str] = []
        for example in examples:
            self.add(example)

    def add(self, example: str) -> None:
        """Count one difference."""
        self.count += 1
        if len(self.kept) < EXAMPLES:
            self.kept.append(example)

    def finding(
        self, kind: Kind, listener: str | None, next_: str, count: int | None = None
    ) -> list[Finding]:
        """Return one finding in a list; an empty list if no difference was counted."""
        if not self.count:
            return []
        number = self.count if count is None else count
        return [Finding(kind=kind, listener=listener, count=number, examples=self.kept, next=next_)]
