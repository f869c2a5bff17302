"""How scenarios are switched."""

import time
from concurrent.futures import ThreadPoolExecutor, wait

import pytest
from werkzeug import Response
from werkzeug.test import Client

from infra.local.simulators.scenarios import Scenario
from infra.local.simulators.server import Simulator
from infra.local.simulators.stage import Stage


def refusing(status):
    return lambda *_: Response("no", status)


def after_ten(act, _):
    passed = len(act.passed)
    # Time for concurrent requests.
    time.sleep(0.002)
    return Response("no", 429) if passed >= 10 else None


TABLE = {
    "down": Scenario("All of it is down.", answer=refusing(503)),
    "half-down": Scenario("One half is down.", "/v1/half", answer=refusing(502)),
    "loud": Scenario("Answers are loud.", parameters={"volume": 11, "tone": 3}),
    "doubled": Scenario("Rows come twice.", show=lambda _, __, rows: rows * 2),
    "slow": Scenario("Answers take a second.", parameters={"hang_s": 1}),
    "quota": Scenario("Ten calls.", answer=after_ten),
}


def answer(active, request):
    volume = active.parameter("volume", normally=1)
    return Response(f"{''.join(active.shown(['row']))} {volume}")


@pytest.fixture
def http(clock):
    stage = Stage(TABLE, clock)
    routes = {"GET /v1/whole": stage.guard(answer), "GET /v1/half": stage.guard(answer)}
    return Client(Simulator({**routes, **stage.routes()}))


def switch(http, name, **options):
    return http.post("/_control/scenario", json={"name": name, **options})


def whole(http):
    response = http.get("/v1/whole")
    return response.text if response.status_code == 200 else response.status_code


def half(http):
    return http.get("/v1/half").status_code


def playing(http):
    active = http.get("/_control/scenario").json
    return active["name"], [act["name"] for act in active["scenarios"]]


def test_a_simulator_starts_without_a_scenario(http):
    assert whole(http) == "row 1"
    assert playing(http) == ("normal", [])


def test_a_scenario_lasts_until_another_is_switched_on(http):
    switch(http, "down")
    down = [whole(http), whole(http)]
    switch(http, "loud")
    loud = whole(http)
    switch(http, "normal")

    assert (down, loud, whole(http)) == ([503, 503], "row 11", "row 1")
    assert playing(http) == ("normal", [])


def test_switching_a_scenario_returns_the_active_scenarios(http):
    answer = switch(http, "loud", volume=3, times=2, for_s=60)

    assert answer.json == http.get("/_control/scenario").json
    assert answer.json == {
        "name": "loud",
        "scenarios": [
            {
                "name": "loud",
                "parameters": {"volume": 3, "tone": 3},
                "began_at": "2026-11-23T08:30:00.000Z",
                "ends_at": "2026-11-23T08:31:00.000Z",
                "times_left": 2,
            }
        ],
    }


def test_a_scenario_with_times_ends_after_that_many_matching_requests(http):
    switch(http, "half-down", times=2)

    assert [whole(http), half(http), whole(http), half(http), half(http)] == [
        *("row 1", 502, "row 1", 502, 200),
    ]
    assert playing(http) == ("normal", [])


def test_a_scenario_with_for_s_ends_after_that_many_seconds(http, clock):
    switch(http, "down", for_s=60)

    clock.pass_s(59)
    within = whole(http)
    clock.pass_s(1)

    assert (within, whole(http)) == (503, "row 1")


def test_combined_scenarios_all_apply_and_the_newest_sets_shared_parameters(http):
    switch(http, "loud", volume=5)
    switch(http, "loud", also=True)
    switch(http, "doubled", also=True)
    switch(http, "half-down", also=True)

    assert (whole(http), half(http)) == ("rowrow 11", 502)
    assert playing(http) == ("half-down", ["loud", "loud", "doubled", "half-down"])


@pytest.mark.parametrize(
    ("order", "reason"),
    [
        ({"name": "dwn"}, "there is no scenario dwn: use one of normal, down, half-down, loud"),
        (
            {"name": "loud", "volum": 3},
            "loud has no parameter volum: it takes times, for_s, volume, tone",
        ),
        ({"name": "loud", "volume": "3"}, "volume"),
        ({"name": "loud", "volume": -3}, "volume"),
        ({"name": "loud", "volume": 10**20}, "volume: Input should be less than or equal to 315"),
        ({"name": "loud", "times": 0}, "times"),
        ({"name": "loud", "times": 10**20}, "times"),
        ({"name": "loud", "for_s": 0}, "for_s"),
        ({"name": "loud", "for_s": 10**20}, "for_s"),
        ({"also": True}, "name"),
        ([], "bad scenario"),
    ],
)
def test_a_bad_scenario_request_gets_400_with_the_reason(http, order, reason):
    switch(http, "down")

    refused = http.post("/_control/scenario", json=order)

    assert refused.status_code == 400
    assert reason in refused.json["error"]["message"]
    assert playing(http) == ("down", ["down"])


def test_a_slow_response_does_not_delay_other_requests(http):
    switch(http, "slow", times=1)

    with ThreadPoolExecutor(20) as pool:
        done, hanging = wait([pool.submit(whole, http) for _ in range(20)], timeout=0.5)

    assert (len(done), len(hanging)) == (19, 1)
    assert {one.result() for one in (*done, *hanging)} == {"row 1"}


def test_concurrent_requests_do_not_exceed_a_quota(http):
    switch(http, "quota")

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: whole(http), range(60)))

    assert answers.count("row 1") == 10


# The clock


def test_a_simulators_clock_can_be_moved_ahead(http, clock):
    moved = http.post("/_control/clock", json={"ahead_s": 86_400})
    clock.pass_s(60)

    assert moved.json == {"now": "2026-11-24T08:30:00.000Z", "ahead_s": 86_400}
    assert http.get("/_control/clock").json == {
        "now": "2026-11-24T08:31:00.000Z",
        "ahead_s": 86_400,
    }


def test_moving_the_clock_ahead_ends_a_timed_scenario(http):
    switch(http, "down", for_s=3_600)

    http.post("/_control/clock", json={"ahead_s": 3_600})

    assert whole(http) == "row 1"


def test_the_simulators_control_paths_ignore_scenarios(http):
    switch(http, "down")

    assert http.get("/_control/requests").status_code == 200
