"""The header Retry-After: a wait between 1 s and the longest, or none."""

from datetime import UTC, datetime

from shared.retry_after import retry_after_s
from tests.fuzz.harness import NoValueError, Target, plain
from tests.fuzz.tape import Tape, changed

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
MOST_S = 604_800
EXAMPLES = (
    *(b"120", b"0", b"+5", b"007", b"1.5", b" 30 ", b"", b"-1", b"1e3", b"9" * 5_000),
    *(b"Fri, 20 Nov 2026 12:05:00 GMT", b"Friday, 20-Nov-26 12:05:00 GMT", b"Infinity"),
    *(b"Fri Nov 20 12:05:00 2026", b"Fri, 20 Nov 2026 12:05:00 +2359", b"1; a=2"),
    *(b"1 Jan 0001 00:00:00 +2359", b"20 Nov 26 12:05", b"Fri, 32 Nov 2026 25:61:61 GMT"),
    *(b"31 Dec 9999 23:59:59 -2359", b"\xc2\xb2"),
)  # fmt: skip


def make(tape: Tape) -> bytes:
    return changed(tape, tape.one_of(EXAMPLES))


def read(content: bytes) -> None:
    # As http.client reads a header.
    wait_s = retry_after_s(content.decode("latin-1"), NOW, MOST_S)
    if wait_s is None:
        raise NoValueError
    assert type(wait_s) is int
    assert 1 <= wait_s <= MOST_S


TARGET = Target("retry-after", make, plain(read), choices=16)
