"""Listeners and their time zones, and the derived tables, by the deployed function."""

import pytest

from infra.local.time_zone import machine_zone

pytestmark = pytest.mark.e2e


def test_a_new_listener_has_the_time_zone_of_the_machine(local_cloud):
    answer = local_cloud.run_json("listener", "list")["listeners"]

    assert {each["listener"] for each in answer} >= {"me", "anna"}
    assert {each["time_zone"] for each in answer} == {machine_zone()}


def test_setting_a_time_zone_refreshes_every_month_of_the_derived_tables(local_cloud):
    answer = local_cloud.run_json("listener", "set", "ben", "--time-zone", "Asia/Kolkata")

    assert answer == {"listener": "ben", "time_zone": "Asia/Kolkata", "is_default": False}
    assert local_cloud.run_json("derive") == {"months_left": 0}


def test_an_unknown_time_zone_is_refused_with_similar_names(local_cloud):
    result = local_cloud.plays("listener", "set", "ben", "--time-zone", "Europe/Berln")

    assert result.returncode == 1
    assert "no time zone 'Europe/Berln': did you mean Europe/Berlin" in result.stderr


def test_derive_with_rebuild_recomputes_every_month_of_the_derived_tables(local_cloud):
    result = local_cloud.plays("derive", "--rebuild")

    assert (result.returncode, result.stdout) == (0, "every month is up to date\n")
