import json
from functools import partial

import pytest

import cli.commands.derive
from cli.commands.derive import STEP_S


def left(months):
    return {"months_left": months, "error": None}


@pytest.fixture
def derive(monkeypatch, invoking):
    """Run `plays derive` against a function that answers so."""
    monkeypatch.setattr(cli.commands.derive, "PAUSE_S", 0)
    return partial(invoking, "derive", "DeriveFunction")


def test_it_goes_on_until_no_month_waits_and_shows_how_many_are_left(derive):
    result, events = derive(left(24), left(12), left(0))

    assert result.exit_code == 0
    assert events == [{"seconds": STEP_S}] * 3
    assert result.stdout == "every month is up to date\n"
    assert "24/24" in result.stderr


def test_a_rebuild_is_begun_once(derive):
    result, events = derive(left(24), left(0), arguments=["--rebuild", "--json"])

    assert events == [{"rebuild": True, "seconds": STEP_S}, {"seconds": STEP_S}]
    assert json.loads(result.stdout) == {"months_left": 0}


def test_another_refresh_is_waited_for(derive):
    result, events = derive(left(24), left(24), left(36), left(12), left(0))

    assert (result.exit_code, len(events)) == (0, 5)


def test_months_that_others_hold_are_no_reason_to_wait_for_ever(derive):
    result, events = derive(*[left(24)] * 12)

    assert (result.exit_code, len(events)) == (1, 12)
    assert "plays: 24 months go on waiting: an upload is being loaded" in result.stderr


def test_a_function_that_failed_says_why(derive):
    failure = {"errorMessage": "no connection to Postgres"}

    result, _ = derive(failure | {"response": {"FunctionError": "Unhandled"}})

    assert result.exit_code == 1
    assert "plays: the derive failed: no connection to Postgres" in result.stderr


def test_ctrl_c_says_what_stays_and_what_goes_on(derive):
    result, _ = derive(left(24), KeyboardInterrupt())

    assert result.exit_code == 130
    assert result.stderr.splitlines()[-1] == (
        "plays: stopped: the months that were refreshed stay so, and the others follow within an "
        "hour"
    )
