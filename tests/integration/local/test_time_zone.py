import io
import json
import os
import subprocess
import sys
from types import SimpleNamespace
from zoneinfo import ZoneInfoNotFoundError

import pytest

from infra.local import time_zone
from infra.local.aws import LocalAws

AWS = LocalAws("http://127.0.0.1:1", "AKIA")


def test_the_machine_time_zone_is_an_iana_name():
    code = "from infra.local.time_zone import machine_zone; print(machine_zone())"
    environment = os.environ | {"TZ": "Asia/Kolkata"}

    # In a process of its own, because tzlocal asks once.
    shown = subprocess.run(  # noqa: S603 - the command is ours
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )

    assert shown.stdout == "Asia/Kolkata\n"


def test_the_machine_time_zone_is_none_if_its_settings_conflict(monkeypatch):
    def contradict():
        raise ZoneInfoNotFoundError("Multiple conflicting time zone configurations found")

    monkeypatch.setattr(time_zone, "get_localzone_name", contradict)

    assert time_zone.machine_zone() is None


@pytest.fixture
def function(monkeypatch):
    """A function with a given answer; returns the events that it receives."""
    events = []

    def answering(answer):
        def invoke(FunctionName, Payload):
            events.append((FunctionName, json.loads(Payload)))
            return {"Payload": io.BytesIO(json.dumps(answer).encode())}

        monkeypatch.setattr(time_zone, "client", lambda *_: SimpleNamespace(invoke=invoke))
        return events

    return answering


@pytest.mark.parametrize("zone", ["Europe/Berlin", None])
def test_the_machine_time_zone_is_set_for_listeners_without_one(function, zone):
    events = function({"months_left": 3, "error": None})
    said: list[str] = []

    time_zone.set_default(AWS, "derive", zone, said.append)

    assert events == [("derive", {"default_time_zone": zone, "seconds": time_zone.REFRESH_S})]
    assert said == []


@pytest.mark.parametrize(
    "answer",
    [{"months_left": None, "error": "no such luck"}, {"errorMessage": "no such luck"}],
    ids=["refused", "failed"],
)
def test_a_failure_to_set_the_time_zone_is_reported_but_raises_no_error(function, answer):
    function(answer)
    said: list[str] = []

    time_zone.set_default(AWS, "derive", "Europe/Berlin", said.append)

    assert said == [
        (
            "reports may use UTC or lack the newest plays (no such luck): run `plays listener set` "
            "or `plays derive`"
        )
    ]
