"""What the host tells CloudWatch of its disk and its backups."""

import os
import re
import time

import pytest


@pytest.fixture
def told(served):
    """Run the script; give what it told, as numbers by name."""

    def run():
        served.run("metrics.sh", user="postgres")
        call = served.calls[-1]
        assert "put-metric-data --namespace SpotifyPipeline" in call
        found = re.findall(r"MetricName=(\w+),(?:Unit=\w+,)?Value=(\S+)", call)
        return {name: float(value) for name, value in found}

    return run


@pytest.fixture
def stamp(served):
    stamp = served.home / "last-backup"
    yield stamp
    stamp.unlink(missing_ok=True)


def test_a_host_has_told_of_itself_when_its_boot_ends(machine):
    machine.run("boot.sh")

    assert "MetricName=BackupAgeHours,Value=0.0" in machine.calls[-1]


def test_a_host_that_cloudwatch_does_not_hear_serves_all_the_same(machine):
    machine.refuse("cloudwatch-put-metric-data")

    told = machine.run("boot.sh")

    assert "the timer tries again" in told


def test_the_disk_is_told_as_df_sees_it(told, served):
    disk = os.statvfs(served.home)
    used = 100 * (disk.f_blocks - disk.f_bfree) / (disk.f_blocks - disk.f_bfree + disk.f_bavail)

    assert told()["DiskUsedPercent"] == pytest.approx(used, abs=1.1)


def test_the_age_of_the_last_backup_is_told_in_hours(told, stamp):
    stamp.touch()
    os.utime(stamp, times=(time.time(), time.time() - 26.55 * 3600))

    assert told()["BackupAgeHours"] == pytest.approx(26.5)


def test_before_the_first_backup_the_age_is_that_of_the_data(told, served):
    version = served.home / "data" / "PG_VERSION"
    os.utime(version, times=(time.time(), time.time() - 3 * 3600))

    assert told()["BackupAgeHours"] == pytest.approx(3)
