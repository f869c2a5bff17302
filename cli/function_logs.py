"""The logs of one deployment: a log group for each function, and locally Postgres's file."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from heapq import heappop, heappush, merge
from itertools import chain, groupby
from operator import attrgetter, itemgetter
from pathlib import Path
from typing import Any, Protocol

from botocore.exceptions import ClientError

from cli.errors import CommandError
from cli.log_lines import LogLine, function_lines, postgres_lines
from cli.target import Target
from infra.local.parts import Parts
from shared.aws import error_code

POSTGRES = "postgres"
OVERLAP = timedelta(minutes=1)
"""How far a look goes back behind the one before, because lines arrive in CloudWatch late."""
LATEST = timedelta(minutes=15)
"""How much later than written a line is stored at most: MiniStack stores the lines of an invocation
at its end."""
PAGE_EVENTS = 1_000
"""About 1 MB, which is as much as AWS returns at once."""


class Log(Protocol):
    """The log of one function, or of the local Postgres."""

    def lines(self, since: datetime) -> Iterator[LogLine]:
        """Yield the lines since an instant, in the order in which they were stored."""


@dataclass(frozen=True)
class FunctionLog:
    """The log of one function; `group` is its log group."""

    name: str
    group: str
    client: Any

    def lines(self, since: datetime) -> Iterator[LogLine]:
        """Yield the lines since an instant; none if the function has not run yet."""
        pages = self.client.get_paginator("filter_log_events").paginate(
            logGroupName=self.group,
            startTime=int(since.timestamp() * 1_000),
            PaginationConfig={"PageSize": PAGE_EVENTS},
        )
        events = chain.from_iterable(page["events"] for page in pages)
        try:
            for _, stream in groupby(events, itemgetter("logStreamName")):
                yield from function_lines(self.name, map(_stored, stream))
        except ClientError as error:
            if error_code(error) != "ResourceNotFoundException":
                raise


@dataclass(frozen=True)
class PostgresLog:
    """The file that the local Postgres appends to."""

    path: Path

    def lines(self, since: datetime) -> Iterator[LogLine]:
        """Yield the lines since an instant."""
        with self.path.open(errors="replace") as file:
            yield from (line for line in postgres_lines(file) if line.at >= since)


def _stored(event: dict[str, Any]) -> tuple[datetime, str]:
    return datetime.fromtimestamp(event["timestamp"] / 1_000, UTC), event["message"]


def logs_of(target: Target, name: str | None) -> list[Log]:
    """Return one log by its name, or all of them.

    Raises:
        CommandError: No log has this name, or it is Postgres's log in AWS, which is only on its
            host.
    """
    functions = {
        key.removesuffix("Function").lower(): value
        for key, value in target.outputs.items()
        if key.endswith("Function")
    }
    local = [POSTGRES] if target.state else []
    if name == POSTGRES and not local:
        raise CommandError(
            "on AWS the log of Postgres is in the journal of its host: to read it, see "
            "docs/operate.md, Reaching the host"
        )
    names = [*functions, *local]
    if name and name not in names:
        raise CommandError(f"there is no log {name!r}: use one of {', '.join(names)}")
    wanted = [name] if name else names
    return [_open(target, each, functions.get(each)) for each in wanted]


def _open(target: Target, name: str, function: str | None) -> Log:
    if target.state and not function:
        return PostgresLog(Parts(target.state.log_dir.parent).postgres.log)
    answer = target.client("lambda").get_function_configuration(FunctionName=function)
    return FunctionLog(name, answer["LoggingConfig"]["LogGroup"], target.client("logs"))


def read(logs: Iterable[Log], since: datetime) -> Iterator[LogLine]:
    """Yield the lines of logs since an instant, the oldest first; memory stays flat."""
    return merge(*(_in_order(log.lines(since)) for log in logs), key=attrgetter("at"))


def _in_order(lines: Iterable[LogLine]) -> Iterator[LogLine]:
    """Sort lines by time; each must arrive at most `LATEST` after it was written."""
    held: list[tuple[datetime, int, LogLine]] = []
    for number, line in enumerate(lines):
        heappush(held, (line.at, number, line))
        while held[0][0] < line.at - LATEST:
            yield heappop(held)[2]
    yield from (line for *_, line in sorted(held))


class Follower:
    """Reads logs again and again, and returns each line once."""

    def __init__(self, logs: Iterable[Log], since: datetime) -> None:
        self._logs = list(logs)
        self._since = since
        self._seen: set[str] = set()

    def news(self) -> Iterator[LogLine]:
        """Yield the lines that have arrived since the last call, the oldest first."""
        next_since = max(self._since, datetime.now(UTC) - OVERLAP)
        seen = set()
        for line in read(self._logs, self._since):
            key = line.model_dump_json()
            if key not in self._seen:
                yield line
            # The next look finds these again.
            if line.at >= next_since - LATEST:
                seen.add(key)
        self._since, self._seen = next_since, seen
