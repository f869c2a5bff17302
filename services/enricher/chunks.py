"""Split a sequence into chunks; pure."""

from collections.abc import Iterator, Sequence
from typing import TypeVar

_T = TypeVar("_T")


def chunks(sequence: Sequence[_T], size: int) -> Iterator[Sequence[_T]]:
    """Yield consecutive slices of `size` elements; the last may be shorter."""
    for start in range(0, len(sequence), size):
        yield sequence[start : start + size]
