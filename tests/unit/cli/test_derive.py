import json
from functools import partial

import pytest

import cli.commands.derive
from cli.commands.derive import STEP_S


def left(months):
    return {"months_left": months, "error": None}


@pytest.fixture
def derive(monkeypatch, invoking):
    """Run `plays derive` against a function that returns these answers."""
    monkeypatch.setattr(cli.commands.derive, "PAUSE_S", 0)
    return partial(invoking, "derive", "DeriveFunction")


def test_derive_refreshes_until_no_month_is_outdated(derive):
    result, events = derive(left(24), left(12), left(0))

    assert result.exit_code == 0
    assert events == [{"seconds": STEP_S}] * 3
    assert result.stdout == "every month is up to date\n"
    assert "24/24" in result.stderr


def test_only_the_first_call_requests_a_rebuild(derive):
    result, events = derive(left(24), left(0), arguments=["--rebuild", "--json"])

    assert events == [{"rebuild": True, "seconds": STEP_S}, {"seconds": STEP_S}]
    assert json.loads(result.stdout) == {"months_left": 0}


def test_derive_continues_while_another_refresh_is_running(derive):
    result, events = derive(left(24), left(24), left(36), left(12), left(0))

    assert (result.exit_code, len(events)) == (0, 5)


def test_derive_fails_if_the_same_months_stay_outdated(derive):
    result, events = derive(*[left(24)] * 12)

    assert (result.exit_code, len(events)) == (1, 12)
    assert "plays: 24 months are still outdated, because an upload is loading" in result.stderr


def test_ctrl_c_says_that_refreshed_months_are_kept(derive):
    result, _ = derive(left(24), KeyboardInterrupt())

    assert result.exit_code == 130
    assert result.stderr.splitlines()[-1] == (
        "plays: stopped: the months refreshed so far are kept; "
        "the others are refreshed within an hour"
    )
