import signal
import socket
import subprocess
import sys
import time

import pytest
import requests

from infra.local.simulators.account import CLIENT_ID, CLIENT_SECRET, REFRESH_TOKEN

HOST = "127.0.0.1"
GRANT = {"grant_type": "refresh_token", "refresh_token": REFRESH_TOKEN}


def free_ports():
    with socket.socket() as one, socket.socket() as other:
        one.bind((HOST, 0))
        other.bind((HOST, 0))
        return one.getsockname()[1], other.getsockname()[1]


def wait_for(port):
    deadline = time.monotonic() + 20
    while True:
        try:
            return socket.create_connection((HOST, port), timeout=1).close()
        except ConnectionRefusedError:
            assert time.monotonic() < deadline, "the simulator did not come up"
            time.sleep(0.05)


@pytest.fixture
def simulators():
    """Both simulators in a process of their own: the process, and a base URL for each."""
    spotify_port, reccobeats_port = free_ports()
    command = [sys.executable, "-m", "infra.local.simulators", "--host", HOST]
    ports = ["--spotify-port", str(spotify_port), "--reccobeats-port", str(reccobeats_port)]
    process = subprocess.Popen([*command, *ports], stderr=subprocess.PIPE, text=True)  # noqa: S603 - our own module
    wait_for(spotify_port)
    wait_for(reccobeats_port)
    yield process, f"http://{HOST}:{spotify_port}", f"http://{HOST}:{reccobeats_port}"
    process.kill()
    process.communicate()


def test_both_services_answer_over_http(simulators):
    _, spotify, reccobeats = simulators
    token = requests.post(
        f"{spotify}/api/token", data=GRANT, auth=(CLIENT_ID, CLIENT_SECRET), timeout=5
    ).json()["access_token"]

    page = requests.get(
        f"{spotify}/v1/me/player/recently-played?limit=50",
        headers={"Authorization": f"Bearer {token}"},
        timeout=5,
    ).json()
    anonymous = requests.get(f"{reccobeats}/v1/track?ids=x", timeout=5)

    assert len(page["items"]) == 50
    assert page["next"].startswith(f"{spotify}/v1/me/player/recently-played?before=")
    assert anonymous.status_code == 403


PAGE = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"}
FRAME = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"}
OPENED = FRAME | {"Sec-Fetch-Dest": "document"}


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
def test_a_web_page_cannot_use_a_simulator(simulators, method, headers):
    _, *services = simulators

    answers = [
        requests.request(
            method, f"{url}/_control/scenario", json={"name": "normal"}, headers=headers, timeout=5
        )
        for url in services
    ]

    assert [answer.status_code for answer in answers] == [403, 403]
    assert all("no web page" in answer.text for answer in answers)


def test_a_browser_may_open_the_consent_page(simulators):
    _, spotify, _ = simulators

    # The page itself says what is missing in the query.
    page = requests.get(f"{spotify}/authorize", headers=OPENED, timeout=5)

    assert (page.status_code, page.text) == (400, "INVALID_CLIENT: Invalid client")


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_process_cleanly(simulators, stop):
    process, _, _ = simulators

    process.send_signal(stop)
    _, complaints = process.communicate(timeout=10)

    assert (process.returncode, complaints) == (0, "")
