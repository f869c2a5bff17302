"""What the functions and Postgres write, and a Postgres that ends."""

import os
import signal

import pytest

pytestmark = pytest.mark.e2e

BACK_S = 60


def test_plays_logs_shows_the_poll_in_the_log_of_the_collector(local_cloud, eventually):
    polled = local_cloud.run_json("poll")

    def origins():
        lines = local_cloud.run_json("logs", "collector")["lines"]
        return [line["facts"].get("origin") for line in lines]

    eventually(lambda: polled["origin"] in origins())


def test_a_killed_postgres_is_restarted_and_the_console_reports_it(local_cloud, eventually):
    pid = int((local_cloud.home / "postgres" / "postmaster.pid").read_text().split()[0])
    console = local_cloud.home / "logs" / "supervisor.log"

    os.kill(pid, signal.SIGKILL)

    eventually(lambda: "Postgres is back: plays" in console.read_text(), BACK_S)
    assert "Postgres ended: starting it again" in console.read_text()
    assert local_cloud.rows("SELECT 1") == [[1]]
    messages = [line["message"] for line in local_cloud.run_json("logs", "postgres")["lines"]]
    assert sum("ready to accept connections" in message for message in messages) > 1
