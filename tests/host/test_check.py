"""A Postgres that does not answer is restarted; if that fails, its instance is replaced."""

import os
import signal
import time
from contextlib import contextmanager, suppress

import pytest

from tests.host.conftest import a_machine

RESTART = "systemctl restart --no-block postgresql"
UNHEALTHY = (
    "aws autoscaling set-instance-health --instance-id i-0123 --health-status Unhealthy"
    " --no-should-respect-grace-period"
)


@pytest.fixture(scope="module")
def booted(debian_postgres):
    with a_machine() as machine:
        machine.run("boot.sh")
        yield machine


class Checked:
    """A host on which a test runs checks and lengthens the recorded outage."""

    def __init__(self, machine):
        self.machine = machine
        self.state = machine.root / "run" / "pg-check"
        self._seen = len(machine.calls)

    def check(self):
        """Run `check.sh`; return which of its two possible actions it took.

        It can restart Postgres and report the instance unhealthy.
        """
        self.machine.run("check.sh")
        calls = [call for call in self.machine.calls[self._seen :] if " postgresql" in call]
        calls += [call for call in self.machine.calls[self._seen :] if call == UNHEALTHY]
        self._seen = len(self.machine.calls)
        return calls

    def pass_minutes(self, minutes):
        silent = self.state / "silent"
        at = silent.stat().st_mtime - minutes * 60
        os.utime(silent, times=(at, at))


@pytest.fixture
def host(booted):
    yield Checked(booted)
    for file in (booted.root / "run" / "pg-check").iterdir():
        file.unlink()


@contextmanager
def replaced(machine, program, text):
    real = machine.root / "pg-bin" / program
    link = real.readlink()
    machine.fake(program, text)
    yield
    real.unlink()
    real.symlink_to(link)


@pytest.fixture
def silent(host):
    """A host whose Postgres is stopped and does not start again."""
    machine = host.machine
    machine.stop()
    with replaced(machine, "pg_ctl", "exit 3"):
        yield host
    machine.run("boot.sh")


@pytest.fixture
def recovering(silent):
    """A host whose Postgres refuses connections, as it does in crash recovery."""
    with replaced(silent.machine, "pg_isready", "exit 1"):
        yield silent


@pytest.fixture
def hung(host):
    """A host whose Postgres hangs."""
    host.machine.change("lib.sh", "timeout 20", "timeout 1")
    postmaster = int((host.machine.home / "data" / "postmaster.pid").read_text().split()[0])
    os.kill(postmaster, signal.SIGSTOP)
    yield host
    # The server may have been killed by the test.
    with suppress(ProcessLookupError):
        os.kill(postmaster, signal.SIGCONT)
    host.machine.change("lib.sh", "timeout 1 ", "timeout 20 ")


def test_a_responding_postgres_is_neither_restarted_nor_reported(host):
    assert host.check() == []
    assert list(host.state.iterdir()) == []


def test_postgres_is_not_restarted_in_an_outage_below_two_minutes(silent):
    assert silent.check() == []
    silent.pass_minutes(1.9)

    assert silent.check() == []


def test_postgres_is_restarted_once_after_an_outage_of_two_minutes(silent):
    silent.check()
    silent.pass_minutes(2)

    assert silent.check() == [RESTART]

    silent.pass_minutes(7)

    assert silent.check() == []


def test_the_instance_is_reported_unhealthy_after_an_outage_of_ten_minutes(silent):
    silent.check()
    silent.pass_minutes(10)

    assert silent.check() == [UNHEALTHY]


def test_crash_recovery_is_not_restarted_but_reported_after_20_minutes(recovering):
    recovering.check()
    recovering.pass_minutes(19.9)

    assert recovering.check() == []

    recovering.pass_minutes(0.1)

    assert recovering.check() == [UNHEALTHY]


def test_a_response_of_postgres_resets_the_recorded_outage(host):
    (host.state / "silent").touch()
    (host.state / "restarted").touch()
    host.pass_minutes(60)

    assert host.check() == []
    assert list(host.state.iterdir()) == []


def test_check_sh_reports_a_hung_postgres_unhealthy_without_hanging_itself(hung):
    hung.check()
    hung.pass_minutes(10)
    begun = time.monotonic()

    assert hung.check() == [UNHEALTHY]
    assert time.monotonic() - begun < 30


def test_a_hung_postgres_responds_after_its_restart(hung):
    drop_in = hung.machine.root / "etc/systemd/system/postgresql.service.d/pipeline.conf"
    drop_in.write_text(drop_in.read_text().replace("TimeoutStopSec=90", "TimeoutStopSec=1"))
    hung.check()
    hung.pass_minutes(2)

    assert hung.check() == [RESTART]

    assert hung.machine.sql("SELECT 1") == "1"
    assert hung.check() == []
    assert list(hung.state.iterdir()) == []


def test_a_refused_unhealthy_report_is_retried(silent):
    silent.check()
    silent.pass_minutes(10)
    silent.machine.refuse("autoscaling-set-instance-health")

    assert silent.check() == [UNHEALTHY, UNHEALTHY]
