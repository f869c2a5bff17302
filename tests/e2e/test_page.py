"""The page that a local cloud serves beside the pipeline."""

from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

pytestmark = pytest.mark.e2e


def status_of(url: str) -> int:
    """Request a page; return the status of the response."""
    try:
        with urlopen(url, timeout=10) as answered:  # noqa: S310 - http of this machine
            return answered.status
    except HTTPError as refused:
        refused.close()
        return refused.code


def test_the_page_returns_503_while_postgres_is_down_and_then_recovers(local_cloud):
    url = local_cloud.run_json("status")["dashboard_url"]
    before = status_of(url)
    local_cloud.stop_postgres()
    try:
        meanwhile = status_of(url)
    finally:
        local_cloud.start_postgres()

    assert (before, meanwhile, status_of(url)) == (200, 503, 200)


def test_the_web_page_says_that_plays_are_simulated(local_cloud):
    # Before the first poll the page shows the first steps alone.
    local_cloud.run_json("poll", "--wait", "--timeout", "60")
    url = local_cloud.run_json("status")["dashboard_url"]

    with urlopen(f"{url}?listener=me", timeout=60) as answered:  # noqa: S310 - http of this machine
        text = answered.read().decode()

    assert "These plays are simulated." in text


def test_the_health_page_shows_dead_letters_if_the_url_requests_them(local_cloud):
    # Before the first poll the page shows the first steps only.
    local_cloud.run_json("poll", "--wait", "--timeout", "60")
    url = local_cloud.run_json("status")["dashboard_url"]

    with urlopen(f"{url}health?operations=1", timeout=60) as answered:  # noqa: S310 - likewise
        text = answered.read().decode()

    assert "Dead letters" in text
