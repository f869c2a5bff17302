"""Switch the scenarios of a running local cloud's simulators, over HTTP."""

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any, Self

import requests
from pydantic import BaseModel, ConfigDict, ValidationError

from infra.local.ports import HOST, Ports
from infra.local.simulators.scenarios import NORMAL, Table
from infra.local.simulators.scenarios_reccobeats import RECCOBEATS
from infra.local.simulators.scenarios_spotify import SPOTIFY
from infra.local.simulators.server import CONTROL
from infra.local.state import CloudState, LocalCloudError

TABLES: Mapping[str, Table] = {"Spotify": SPOTIFY, "ReccoBeats": RECCOBEATS}
"""The scenarios of each simulator, without `normal`, which every simulator has."""

TIMEOUT_S = 5


class Act(BaseModel):
    """An active scenario.

    `times_left` is the number of requests it still applies to; None if unlimited. `ends_at` is None
    if it has no end.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    parameters: dict[str, int]
    times_left: int | None
    ends_at: str | None


class Playing(BaseModel):
    """The active scenarios of a simulator; `name` is that of the one switched on last."""

    model_config = ConfigDict(frozen=True)

    simulator: str
    name: str
    scenarios: tuple[Act, ...]


class Simulators:
    """The simulators that a local cloud uses, by URL."""

    def __init__(self, urls: Mapping[str, str], replaced: Mapping[str, str]) -> None:
        """Take the URLs of the simulators in use, and of the real services that replace others."""
        self._urls = urls
        self._replaced = replaced

    @classmethod
    def of(cls, state: CloudState, ports: Ports) -> Self:
        """Return the simulators that a local cloud uses."""
        asked = {
            "Spotify": (ports.spotify, state.spotify_api_url, state.spotify_accounts_url),
            "ReccoBeats": (ports.reccobeats, state.reccobeats_url),
        }
        own = {title: f"http://{HOST}:{port}" for title, (port, *_) in asked.items()}
        urls = {title: url for title, url in own.items() if url in asked[title]}
        others = {title: str(asked[title][1]) for title in own.keys() - urls.keys()}
        return cls(urls, others)

    @property
    def tables(self) -> dict[str, Table]:
        """The scenarios that can be switched on, by simulator."""
        return {title: TABLES[title] for title in self._urls}

    def playing(self) -> list[Playing]:
        """Return the active scenarios, by simulator.

        Raises:
            LocalCloudError: A simulator does not answer.
        """
        return [_ask(title, "GET", url) for title, url in self._urls.items()]

    def switch(self, name: str, options: Mapping[str, int | bool]) -> list[Playing]:
        """Switch a scenario on at its simulator; `normal` applies to all simulators.

        Args:
            name: The scenario's name.
            options: Its parameters, and those that every scenario takes (see `stage`).

        Raises:
            LocalCloudError: The scenario or parameter is unknown, or its simulator is not used or
                does not answer.
        """
        wish = {"name": name, **options}
        return [_ask(title, "POST", self._urls[title], wish) for title in self._concerned(name)]

    def _concerned(self, name: str) -> list[str]:
        if name == NORMAL:
            return list(self._urls)
        title = next((title for title, table in TABLES.items() if name in table), None)
        if title is None:
            raise LocalCloudError(f"there is no scenario {name}: {_advice(name)}")
        if title not in self._urls:
            raise LocalCloudError(
                f"{name} is a scenario of the simulated {title}, but this local cloud uses "
                f"{self._replaced[title]}: start a local cloud without that URL"
            )
        return [title]


def _advice(name: str) -> str:
    close = get_close_matches(name, [NORMAL, *(one for table in TABLES.values() for one in table)])
    return (
        f"did you mean {' or '.join(close)}?" if close else "list them with `plays local scenario`"
    )


def _ask(title: str, method: str, url: str, wish: Mapping[str, Any] | None = None) -> Playing:
    with requests.Session() as session:
        # A proxy from the environment cannot reach this machine's loopback.
        session.trust_env = False
        try:
            response = session.request(
                method, f"{url}{CONTROL}scenario", json=wish, timeout=TIMEOUT_S
            )
            answer = response.json()
            if response.ok:
                return Playing(simulator=title, **answer)
            message = answer["error"]["message"]
        except (requests.RequestException, ValidationError, KeyError, TypeError) as error:
            raise LocalCloudError(
                f"the simulated {title} does not answer at {url}: "
                "start the local cloud again with `plays local down` and `plays local up`"
            ) from error
    raise LocalCloudError(message)
