import pytest

from infra.local import catalogue

AGENT = {"User-Agent": "listening-history/1"}
BOTH = pytest.mark.parametrize("path", ["/v1/audio-features", "/v1/track"])


def ids(numbers):
    return [catalogue.track(number).track_id for number in numbers]


def switch(client, name, **options):
    return client.post("/_control/scenario", json={"name": name, **options})


def ask(client, path, asked):
    return client.get(path, query_string={"ids": ",".join(asked)}, headers=AGENT)


def hrefs(answer):
    return [row["href"].rpartition("/")[2] for row in answer.json["content"]]


# Scenarios


@BOTH
@pytest.mark.parametrize(
    ("name", "status", "retry_after"),
    [
        ("reccobeats-rate-limited", 429, "5"),
        ("reccobeats-forbidden", 403, None),
        ("reccobeats-error", 500, None),
        ("reccobeats-down", 503, None),
    ],
)
def test_a_refusal_has_a_status_and_lasts(features, path, name, status, retry_after):
    switch(features, name)

    answers = [ask(features, path, ids([1])) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [status, status]
    assert answers[0].headers.get("Retry-After") == retry_after


def test_a_service_that_was_down_for_a_time_answers_again(features, clock):
    switch(features, "reccobeats-down", for_s=86_400)
    down = ask(features, "/v1/track", ids([1])).status_code

    clock.pass_s(86_400)

    assert (down, ask(features, "/v1/track", ids([1])).status_code) == (503, 200)


def test_a_call_before_retry_after_has_passed_is_counted(features, clock):
    switch(features, "reccobeats-rate-limited", times=1, retry_after_s=3)
    statuses = [ask(features, "/v1/track", ids([1])).status_code for _ in range(2)]

    clock.pass_s(3)

    assert (statuses, ask(features, "/v1/track", ids([1])).status_code) == ([429, 429], 200)
    assert features.get("/_control/blocked_calls").json == {"blocked_calls": 1}


@BOTH
def test_nothing_is_known(features, path):
    switch(features, "reccobeats-empty")

    answer = ask(features, path, ids([1]))

    assert (answer.status_code, answer.json) == (200, {"content": []})


@BOTH
def test_some_rows_are_missing_and_the_same_ones_each_time(features, path):
    every = hrefs(ask(features, path, ids(range(40))))
    switch(features, "reccobeats-missing-rows")

    first, second = (hrefs(ask(features, path, ids(range(40)))) for _ in range(2))

    assert first == second
    assert set(first) < set(every)
    assert len(first) > len(every) / 4


@pytest.mark.parametrize(
    ("name", "path", "field", "value"),
    [
        ("reccobeats-no-key", "/v1/audio-features", "key", -1),
        ("reccobeats-popularity-unknown", "/v1/track", "popularity", None),
        ("reccobeats-popularity-zero", "/v1/track", "popularity", 0),
    ],
)
def test_a_field_has_one_value_in_all_rows_and_no_row_gets_another_field(
    features, name, path, field, value
):
    other = {"/v1/track": "/v1/audio-features", "/v1/audio-features": "/v1/track"}[path]
    fields = set(ask(features, other, ids([1])).json["content"][0])
    switch(features, name)

    rows = ask(features, path, ids(range(20))).json["content"]

    assert {row[field] for row in rows} == {value}
    assert set(ask(features, other, ids([1])).json["content"][0]) == fields


def test_an_unnamed_client_is_refused_before_any_scenario(features):
    switch(features, "reccobeats-down", times=1)

    statuses = [
        features.get("/v1/track?ids=1", headers=headers).status_code
        for headers in ({"User-Agent": "python-requests/2"}, AGENT)
    ]

    assert statuses == [403, 503]
