import json
from contextlib import contextmanager
from types import SimpleNamespace

import pytest

from cli.commands.derive import STEP_S
from tests.unit.cli.conftest import InvokedTarget, KnownTarget


class TimeZoneTarget(KnownTarget):
    """A target with a time zone for anna, and a function that returns answers in order."""

    function = InvokedTarget("DeriveFunction")

    @contextmanager
    def database(self):
        yield SimpleNamespace(run=lambda _statement: [["anna", "Asia/Kolkata"]])

    def call(self, name, event):
        return self.function.call(name, event)

    def output(self, key):
        return key if key == "DeriveFunction" else super().output(key)


@pytest.fixture
def target(target):
    return TimeZoneTarget(target.name, target.stack, target.session)


@pytest.fixture
def answering(target):
    """Set the answers of the function; return the events that it gets."""

    def set_answers(*answers):
        function = InvokedTarget("DeriveFunction", *answers)
        object.__setattr__(target, "function", function)
        return function.events

    return set_answers


pytestmark = pytest.mark.usefixtures("listeners")


def test_the_list_has_each_listeners_time_zone(plays):
    shown = plays("listener", "list").stdout

    assert [line.rstrip() for line in shown.splitlines()] == [
        "listener  time zone",
        "anna      Asia/Kolkata",
        "me        UTC (default)",
    ]
    assert json.loads(plays("listener", "list", "--json").stdout) == {
        "listeners": [
            {"listener": "anna", "time_zone": "Asia/Kolkata", "is_default": False},
            {"listener": "me", "time_zone": "UTC", "is_default": True},
        ]
    }


def test_setting_a_time_zone_waits_for_the_refresh(plays, answering):
    events = answering({"months_left": 12}, {"months_left": 0})

    result = plays("listener", "set", "me", "--time-zone", "Europe/Berlin")

    assert result.exit_code == 0
    assert events == [
        {"time_zones": {"me": "Europe/Berlin"}, "seconds": STEP_S},
        {"seconds": STEP_S},
    ]
    assert "12/12" in result.stderr
    assert result.stdout == "all history of me is now in the time zone Europe/Berlin\n"


def test_json_holds_the_new_time_zone(plays, answering):
    answering({"months_left": 0})

    result = plays("listener", "set", "me", "--time-zone", "Europe/Berlin", "--json")

    setting = {"listener": "me", "time_zone": "Europe/Berlin", "is_default": False}
    assert json.loads(result.stdout) == setting


def test_an_unknown_listener_is_refused_with_the_known_names(plays, answering):
    events = answering()

    result = plays("listener", "set", "zoe", "--time-zone", "Europe/Berlin")

    assert result.exit_code == 1
    assert "plays: there is no listener zoe: use anna or me" in result.stderr
    assert events == []


def test_an_unknown_time_zone_is_refused_with_suggestions(plays, answering):
    error = "Postgres knows no time zone 'Europe/Berln': did you mean Europe/Berlin?"
    answering({"months_left": None, "error": error})

    result = plays("listener", "set", "me", "--time-zone", "Europe/Berln")

    assert result.exit_code == 1
    assert result.stderr.splitlines()[-1] == f"plays: {error}"
    assert result.stdout == ""


def test_ctrl_c_says_how_to_check_the_time_zone(plays, answering):
    answering(KeyboardInterrupt())

    result = plays("listener", "set", "me", "--time-zone", "Europe/Berlin")

    assert result.exit_code == 130
    assert "`plays listener list` shows whether the zone is set" in result.stderr
