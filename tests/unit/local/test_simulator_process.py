import signal
import subprocess
import sys

import pytest
import requests

from infra.local.ports import HOST, answers, any_free
from tests.fakes import simulators as fake

PAGE = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"}
FRAME = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"}
OPENED = FRAME | {"Sec-Fetch-Dest": "document"}


@pytest.fixture(scope="module")
def simulators(eventually):
    """Both simulators in another process: the process, and the URL of each."""
    ports = {"--spotify-port": any_free(), "--reccobeats-port": any_free()}
    command = [sys.executable, "-m", "infra.local.simulators"]
    process = subprocess.Popen(  # noqa: S603 - our own module
        [*command, *(str(word) for pair in ports.items() for word in pair)],
        stderr=subprocess.PIPE,
        text=True,
    )
    eventually(lambda: all(map(answers, ports.values())), 20)
    yield process, *(f"http://{HOST}:{port}" for port in ports.values())
    process.kill()
    process.communicate()


@pytest.mark.parametrize(
    ("method", "headers"),
    [
        ("POST", {"Origin": "https://evil.example"}),
        ("POST", {"Origin": "null"}),
        ("OPTIONS", {"Origin": "https://evil.example"}),
        ("GET", {"Host": "evil.example:1"}),
        ("GET", {"Host": "127.0.0.1"}),
        ("GET", PAGE),
        ("GET", FRAME),
        ("POST", OPENED),
    ],
    ids=str,
)
def test_a_simulator_refuses_cross_site_requests(simulators, method, headers):
    _, *urls = simulators

    answers = [
        requests.request(method, f"{url}/_control/scenario", json={}, headers=headers, timeout=5)
        for url in urls
    ]

    assert [answer.status_code for answer in answers] == [403, 403]
    assert all("none from a web page" in answer.text for answer in answers)


def test_a_browser_can_open_the_consent_page(simulators):
    _, spotify, _ = simulators

    # The page itself says what is missing in the query.
    page = requests.get(f"{spotify}/authorize", headers=OPENED, timeout=5)

    assert (page.status_code, page.text) == (400, "INVALID_CLIENT: Invalid client")


def test_calls_during_a_reccobeats_rate_limit_are_counted():
    with fake.simulators() as simulated, requests.Session() as session:
        session.headers["User-Agent"] = "listening-history/1"
        simulated.scenario("reccobeats-rate-limited", times=1, retry_after_s=5)

        within = [session.get(f"{simulated.reccobeats_url}/v1/track?ids=x") for _ in range(3)]
        simulated.pass_s(3)
        simulated.pass_s(3)
        after = session.get(f"{simulated.reccobeats_url}/v1/track?ids=x")

        assert [answer.status_code for answer in (*within, after)] == [429, 429, 429, 200]
        assert simulated.blocked_calls() == 2


def test_sigterm_ends_the_simulators_with_exit_code_0_and_no_output(simulators):
    process, *_ = simulators

    process.send_signal(signal.SIGTERM)
    _, complaints = process.communicate(timeout=10)

    assert (process.returncode, complaints) == (0, "")
