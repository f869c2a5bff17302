"""The systemd units and their timers."""

import shutil
import subprocess

import pytest

from tests.host.machine import SCRIPTS

SERVICES = sorted(SCRIPTS.glob("pg-*.service"))
AFTER_A_BOOT = "pg-credits"
"""The only unit that a boot starts directly; systemd restarts it until it succeeds."""
TIMERS = sorted(SCRIPTS.glob("pg-*.timer"))


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="needs systemd-analyze")
def test_systemd_accepts_every_unit_file(served, tmp_path):
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
def test_each_systemd_service_runs_a_script_and_has_a_timer_or_boot_start(unit):
    (command,) = [line for line in unit.read_text().splitlines() if line.startswith("ExecStart=")]

    assert (SCRIPTS / command.removeprefix("ExecStart=/opt/pg/")).is_file()
    assert unit.with_suffix(".timer") in TIMERS or unit.stem == AFTER_A_BOOT


def test_systemd_retries_credits_sh_until_it_ends_unlimited_cpu_credits(served):
    unit = (SCRIPTS / f"{AFTER_A_BOOT}.service").read_text()

    assert f"systemctl enable --now --no-block {AFTER_A_BOOT}" in served.calls
    assert "Restart=on-failure" in unit
    # A reboot ends the attempts, because a unit without a target cannot be enabled.
    assert "WantedBy=multi-user.target" in unit


def test_systemd_sets_no_start_timeout_that_could_interrupt_crash_recovery():
    unit = (SCRIPTS / "postgresql-service.conf").read_text()

    # test_check.py tests TimeoutStopSec with a hung server.
    assert "TimeoutStartSec=infinity" in unit


def test_a_boot_starts_every_timer(served):
    started = "systemctl enable --now " + " ".join(timer.name for timer in TIMERS)

    assert started in served.calls


def test_a_boot_installs_every_systemd_unit_before_daemon_reload(served):
    system = served.root / "etc" / "systemd" / "system"

    for unit in [*SERVICES, *TIMERS]:
        assert (system / unit.name).read_text() == unit.read_text()
    assert "RequiresMountsFor" in (system / "postgresql.service.d" / "pipeline.conf").read_text()
    assert served.calls.index("systemctl daemon-reload") < served.calls.index(
        "systemctl enable --now postgresql"
    )
