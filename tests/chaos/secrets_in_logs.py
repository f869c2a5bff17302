"""Searches all logs of a home for its own passwords, keys and tokens."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar, Self

from infra.local.simulators.account import CLIENT_SECRET, REFRESH_TOKEN
from tests.chaos.world import NAME, World

TOKEN = re.compile(rb"(?:AQ|BQ)[A-Za-z0-9_-]{60,}")
"""A refresh token or an access token of the simulated Spotify."""
SHOWN = ("reader_password", "report_reader_password")


class SecretsInLogs:
    """The secrets of one home, and how far each of its logs was searched."""

    _of_homes: ClassVar[dict[Path, Any]] = {}

    def __init__(self, world: World) -> None:
        self._world = world
        self._read: dict[Path, int] = {}
        self._events_until = 0

    @classmethod
    def of(cls, world: World) -> Self:
        """Return the search of a home, which continues where the last one ended."""
        search: Self = cls._of_homes.setdefault(world.home, cls(world))
        return search

    def found(self) -> list[str]:
        """Return the places of secrets in what was logged since the last search."""
        found = []
        for place, text in [*self._files(), *self._events()]:
            if TOKEN.search(text):
                found.append(f"{place} holds a token")
            if any(secret.encode() in text for secret in self._secrets(place)):
                found.append(f"{place} holds a password or a key")
        return found

    def _secrets(self, place: str) -> list[str]:
        memory = json.loads((self._world.home / "memory.json").read_bytes())
        # The console shows its owner the addresses of the two roles that can only read.
        shown = SHOWN if place.startswith("supervisor.log") else ()
        passwords = [
            str(value)
            for name, value in memory.items()
            if name.endswith("_password") and name not in shown
        ]
        return [*passwords, memory["access_key"], CLIENT_SECRET, REFRESH_TOKEN]

    def _files(self) -> Iterator[tuple[str, bytes]]:
        home = self._world.home
        for path in (*(home / "logs").glob("*"), home / "postgres" / "log"):
            if not path.is_file():
                continue
            start = self._read.get(path, 0)
            if start > path.stat().st_size:
                # A new log has taken its place.
                start = 0
            with path.open("rb") as file:
                file.seek(start)
                text = file.read()
            self._read[path] = start + len(text)
            yield path.name, text

    def _events(self) -> Iterator[tuple[str, bytes]]:
        """Yield what the functions have logged, by log group."""
        logs = self._world.aws("logs")
        since, latest = self._events_until, self._events_until
        groups = logs.get_paginator("describe_log_groups").paginate(logGroupNamePrefix=f"/{NAME}")
        for group in [each["logGroupName"] for page in groups for each in page["logGroups"]]:
            pages = logs.get_paginator("filter_log_events").paginate(
                logGroupName=group, startTime=since
            )
            events = [event for page in pages for event in page["events"]]
            latest = max([latest, *(event["timestamp"] for event in events)])
            yield group, "\n".join(event["message"] for event in events).encode()
        self._events_until = latest
