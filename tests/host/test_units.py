"""What systemd runs, and when."""

import shutil
import subprocess

import pytest

from tests.host.machine import SCRIPTS

SERVICES = sorted(SCRIPTS.glob("pg-*.service"))
AFTER_A_BOOT = "pg-credits"
"""The one unit that a boot starts by itself; systemd repeats it until it succeeds."""
TIMERS = sorted(SCRIPTS.glob("pg-*.timer"))


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="needs systemd-analyze")
def test_systemd_understands_every_unit(served, tmp_path):
    for unit in [*SERVICES, *TIMERS]:
        text = unit.read_text().replace("/opt/pg/", f"{served.root}/opt/")
        (tmp_path / unit.name).write_text(text)
    shutil.copy("/usr/bin/true", tmp_path / "true")
    (tmp_path / "postgresql.service").write_text("[Service]\nExecStart=/usr/bin/true\n")

    done = subprocess.run(
        ["systemd-analyze", "verify", *(tmp_path / unit.name for unit in [*SERVICES, *TIMERS])],
        env={"SYSTEMD_UNIT_PATH": f"{tmp_path}:"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert [line for line in done.stderr.splitlines() if str(tmp_path) in line] == []
    assert done.returncode == 0


@pytest.mark.parametrize("unit", SERVICES, ids=lambda unit: unit.stem)
def test_every_unit_runs_a_script_of_ours_by_its_timer_or_after_a_boot(unit):
    (command,) = [line for line in unit.read_text().splitlines() if line.startswith("ExecStart=")]

    assert (SCRIPTS / command.removeprefix("ExecStart=/opt/pg/")).is_file()
    assert unit.with_suffix(".timer") in TIMERS or unit.stem == AFTER_A_BOOT


def test_what_ends_the_credits_of_a_boot_is_repeated_until_it_succeeds(served):
    unit = (SCRIPTS / f"{AFTER_A_BOOT}.service").read_text()

    assert f"systemctl enable --now --no-block {AFTER_A_BOOT}" in served.calls
    assert "Restart=on-failure" in unit
    # A reboot ends the attempts, and enables nothing that has no target.
    assert "WantedBy=multi-user.target" in unit


def test_systemd_does_not_interrupt_crash_recovery_and_stops_a_hung_server():
    unit = (SCRIPTS / "postgresql-service.conf").read_text()

    # TimeoutStopSec is held by a hung server, in test_check.py.
    assert "TimeoutStartSec=infinity" in unit


def test_a_boot_starts_every_timer(served):
    started = "systemctl enable --now " + " ".join(timer.name for timer in TIMERS)

    assert started in served.calls


def test_a_boot_puts_every_unit_in_its_place_before_systemd_looks(served):
    system = served.root / "etc" / "systemd" / "system"

    for unit in [*SERVICES, *TIMERS]:
        assert (system / unit.name).read_text() == unit.read_text()
    assert "RequiresMountsFor" in (system / "postgresql.service.d" / "pipeline.conf").read_text()
    assert served.calls.index("systemctl daemon-reload") < served.calls.index(
        "systemctl enable --now postgresql"
    )
