import uuid

import pytest

from infra.local import catalogue

AGENT = {"User-Agent": "listening-history/1"}
BOTH = pytest.mark.parametrize("path", ["/v1/audio-features", "/v1/track"])


def ask(client, path, numbers, headers=AGENT):
    ids = ",".join(catalogue.track(number).track_id for number in numbers)
    return client.get(path, query_string={"ids": ids}, headers=headers)


def hrefs(answer):
    return [row["href"].rpartition("/")[2] for row in answer.json["content"]]


def known(numbers):
    return [catalogue.track(number).track_id for number in numbers if number % 5 != 4]


@BOTH
def test_known_tracks_come_in_another_order_and_unknown_ones_are_missing(features, path):
    answer = ask(features, path, range(20))

    assert sorted(hrefs(answer)) == sorted(known(range(20)))
    assert hrefs(answer) != known(range(20))


@BOTH
def test_ids_after_the_fortieth_are_dropped_silently(features, path):
    answer = ask(features, path, range(50))

    assert answer.status_code == 200
    assert sorted(hrefs(answer)) == sorted(known(range(40)))


@BOTH
def test_rows_have_ids_of_their_own(features, path):
    rows = ask(features, path, range(10)).json["content"]

    assert len({uuid.UUID(row["id"]) for row in rows}) == 8


@BOTH
def test_only_unknown_ids_give_an_empty_answer(features, path):
    answer = features.get(f"{path}?ids=1AAAAAAAAAAAAAAAAAAAAA,nonsense", headers=AGENT)

    assert (answer.status_code, answer.json) == (200, {"content": []})


@BOTH
def test_an_id_asked_twice_gives_one_row(features, path):
    assert len(hrefs(ask(features, path, [1, 1]))) == 1


@BOTH
def test_ids_may_come_in_several_parameters(features, path):
    first, second = (catalogue.track(number).track_id for number in (0, 1))

    answer = features.get(f"{path}?ids={first}&ids={second}", headers=AGENT)

    assert sorted(hrefs(answer)) == sorted([first, second])


@BOTH
@pytest.mark.parametrize("query", ["", "?ids=", "?ids=,"])
def test_no_ids_is_a_bad_request(features, path, query):
    assert features.get(path + query, headers=AGENT).status_code == 400


@BOTH
@pytest.mark.parametrize("agent", ["", "python-requests/2.32.5", "Python-urllib/3.14"])
def test_an_anonymous_client_is_forbidden(features, path, agent):
    assert ask(features, path, [1], headers={"User-Agent": agent}).status_code == 403


@BOTH
def test_a_client_without_user_agent_is_forbidden(features, path):
    assert ask(features, path, [1], headers={}).status_code == 403


def test_features_have_the_published_fields_and_no_time_signature(features):
    row = ask(features, "/v1/audio-features", [7]).json["content"][0]

    assert set(row) == {
        *("id", "href", "isrc", "acousticness", "danceability", "energy", "instrumentalness"),
        *("key", "liveness", "loudness", "mode", "speechiness", "tempo", "valence"),
    }
    assert row["isrc"] == catalogue.track(7).isrc


def test_features_stay_within_their_scales(features):
    rows = [
        row
        for start in range(0, 400, 40)
        for row in ask(features, "/v1/audio-features", range(start, start + 40)).json["content"]
    ]

    ratios = ("acousticness", "danceability", "energy", "instrumentalness", "liveness")
    assert [row for row in rows for name in ratios if not 0 <= row[name] <= 1] == []
    assert {row["key"] for row in rows} == set(range(-1, 12))
    assert {row["mode"] for row in rows} == {0, 1}
    assert [row for row in rows if not -60 <= row["loudness"] <= 0] == []
    assert [row for row in rows if not 60 <= row["tempo"] <= 200] == []


def test_a_track_is_described_with_its_length_and_popularity(features):
    row = ask(features, "/v1/track", [7]).json["content"][0]

    assert set(row) == {
        *("id", "href", "isrc", "trackTitle", "artists", "durationMs", "ean", "upc"),
        *("availableCountries", "popularity"),
    }
    assert row["durationMs"] == catalogue.track(7).duration_ms
    assert row["trackTitle"] == catalogue.track(7).name


def test_popularity_is_a_percentage_or_zero_or_unknown(features):
    rows = [
        row
        for start in range(0, 400, 40)
        for row in ask(features, "/v1/track", range(start, start + 40)).json["content"]
    ]

    told = {row["popularity"] for row in rows}

    assert {None, 0} < told
    assert max(told - {None}) <= 100


def test_answers_are_the_same_every_time(features):
    assert ask(features, "/v1/track", [1]).json == ask(features, "/v1/track", [1]).json


def test_requests_are_listed_with_user_agent_and_query(features):
    features.get("/v1/track?ids=x", headers=AGENT)

    seen = features.get("/_control/requests").json

    assert seen["counts"] == {"/v1/track": 1}
    assert (seen["requests"][0]["user_agent"], seen["requests"][0]["query"]) == (
        "listening-history/1",
        "ids=x",
    )
