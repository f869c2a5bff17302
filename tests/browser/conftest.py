"""The page over the sample history, and a browser; without Chromium the folder is skipped."""

from collections.abc import Iterator

import pytest

from bench import browser
from bench.addresses import addresses as addresses_of
from bench.browser import Browser
from tests.browser.serving import Site, served


@pytest.fixture(scope="session")
def site() -> Iterator[Site]:
    if reason := browser.missing():
        pytest.skip(reason)
    with served() as site:
        yield site


@pytest.fixture(scope="session")
def addresses(site) -> dict[str, str]:
    """An address of every page; it ends in `?` or `&`."""
    return {name: site.url + path for name, path in addresses_of(site.reader).items()}


@pytest.fixture(scope="session")
def chromium(site) -> Iterator[Browser]:
    with browser.opened() as opened:
        yield opened
