"""The host's metrics in CloudWatch: its disk and its backups."""

import os
import re
import time
from datetime import UTC, datetime, timedelta

import pytest


def published(calls):
    found = [
        re.fullmatch(
            r"aws cloudwatch put-metric-data --namespace SpotifyPipeline --metric-data"
            r" MetricName=(\w+),(?:Unit=\w+,)?Value=(\S+)",
            call,
        )
        for call in calls
        if "put-metric-data" in call
    ]
    return {each.group(1): float(each.group(2)) for each in found}


@pytest.fixture
def metrics(served):
    """Run the script; return the published values by metric name."""

    def run():
        before = len(served.calls)
        served.run("metrics.sh", user="postgres")
        return published(served.calls[before:])

    return run


@pytest.fixture
def stamp(served):
    stamp = served.home / "last-backup"
    yield stamp
    stamp.unlink(missing_ok=True)


def test_metrics_are_published_before_the_boot_ends(booted):

    assert "MetricName=BackupAgeHours,Value=0.0" in booted.calls[-1]


def test_a_host_boots_even_if_cloudwatch_refuses_metrics(machine):
    machine.refuse("cloudwatch-put-metric-data")

    output = machine.run("boot.sh")

    assert "the timer tries again" in output


def test_the_published_disk_usage_equals_that_of_df(metrics, served):
    disk = os.statvfs(served.home)
    used = 100 * (disk.f_blocks - disk.f_bfree) / (disk.f_blocks - disk.f_bfree + disk.f_bavail)

    assert metrics()["DiskUsedPercent"] == pytest.approx(used, abs=1.1)


def test_the_age_of_the_last_backup_is_published_in_hours(metrics, stamp):
    stamp.touch()
    os.utime(stamp, times=(time.time(), time.time() - 26.55 * 3600))

    assert metrics()["BackupAgeHours"] == pytest.approx(26.5)


def test_before_the_first_backup_backup_age_is_the_age_of_the_data(metrics, served):
    version = served.home / "data" / "PG_VERSION"
    os.utime(version, times=(time.time(), time.time() - 3 * 3600))

    assert metrics()["BackupAgeHours"] == pytest.approx(3)


@pytest.fixture
def snapshot(served):
    """Return a function that sets the age of the newest faked snapshot, in hours."""
    newest = served.cloud / "snapshot"

    def began(hours_ago):
        at = datetime.now(UTC) - timedelta(hours=hours_ago)
        newest.write_text(f'"{at.isoformat()}"\n')

    yield began
    newest.unlink(missing_ok=True)


def test_backup_age_is_the_older_of_dump_and_snapshot(metrics, stamp, snapshot):
    stamp.touch()
    snapshot(30.05)

    assert metrics()["BackupAgeHours"] == pytest.approx(30)

    os.utime(stamp, times=(time.time(), time.time() - 40.05 * 3600))

    assert metrics()["BackupAgeHours"] == pytest.approx(40)


def test_backup_age_counts_only_complete_snapshots_of_this_volume(metrics, served):
    metrics()

    [call] = {call for call in served.calls if "describe-snapshots" in call}

    assert "Name=volume-id,Values=vol-0123 Name=status,Values=completed" in call


def test_before_the_first_snapshot_backup_age_is_the_age_of_the_volume(metrics, stamp, served):
    stamp.touch()
    made = served.volume.stat().st_mtime
    os.utime(served.volume, times=(time.time(), time.time() - 5.05 * 3600))

    age = metrics()["BackupAgeHours"]

    os.utime(served.volume, times=(made, made))
    assert age == pytest.approx(5)


def test_disk_usage_is_published_even_if_snapshots_cannot_be_listed(served):
    served.refuse("ec2-describe-snapshots")
    before = len(served.calls)

    done = served.attempt("metrics.sh", user="postgres")

    assert done.returncode != 0
    assert set(published(served.calls[before:])) == {"DiskUsedPercent"}


def test_no_metric_is_published_if_postgres_does_not_respond(booted):
    booted.stop()
    before = len(booted.calls)

    done = booted.attempt("metrics.sh", user="postgres")

    assert done.returncode == 1
    assert "Postgres does not answer" in done.stderr
    assert booted.calls[before:] == []
