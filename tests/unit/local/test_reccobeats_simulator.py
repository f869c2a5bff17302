import uuid

import pytest

from tests.unit.local.conftest import id_of

AGENT = {"User-Agent": "listening-history/1"}
FEATURES, METADATA = "/v1/audio-features", "/v1/track"
BOTH = pytest.mark.parametrize("path", [FEATURES, METADATA])


def ask(client, path, ids, headers=AGENT):
    return client.get(path, query_string={"ids": ",".join(ids)}, headers=headers)


def rows(client, path, numbers):
    ids = [id_of(number) for number in numbers]
    batches = [ids[start : start + 40] for start in range(0, len(ids), 40)]
    return [row for batch in batches for row in ask(client, path, batch).json["content"]]


def ids_of(rows):
    return [row["href"].rpartition("/")[2] for row in rows]


def known(numbers):
    return [id_of(number) for number in numbers if number % 5 != 4]


@BOTH
def test_known_tracks_are_returned_shuffled_and_unknown_ones_omitted(features, path):
    found = rows(features, path, range(20))

    assert sorted(ids_of(found)) == sorted(known(range(20)))
    assert ids_of(found) != known(range(20))
    assert len({uuid.UUID(row["id"]) for row in found}) == 16


@BOTH
def test_ids_after_the_fortieth_are_ignored_without_an_error(features, path):
    answer = ask(features, path, map(id_of, range(50)))

    assert sorted(ids_of(answer.json["content"])) == sorted(known(range(40)))


@BOTH
def test_a_request_of_only_unknown_ids_gets_an_empty_list(features, path):
    answer = ask(features, path, ["1AAAAAAAAAAAAAAAAAAAAA", "nonsense"])

    assert (answer.status_code, answer.json) == (200, {"content": []})


@BOTH
def test_a_call_without_ids_gets_400(features, path):
    assert ask(features, path, []).status_code == 400


@BOTH
@pytest.mark.parametrize("agent", ["", "python-requests/2.32.5", "Python-urllib/3.14"])
def test_a_missing_or_default_user_agent_gets_403(features, path, agent):
    assert ask(features, path, [id_of(1)], {"User-Agent": agent}).status_code == 403


def test_features_stay_in_range_and_lack_a_time_signature(features):
    found = rows(features, FEATURES, range(400))

    ratios = ("acousticness", "danceability", "energy", "instrumentalness", "liveness", "valence")
    assert [row for row in found for name in ratios if not 0 <= row[name] <= 1] == []
    assert {row["key"] for row in found} == set(range(-1, 12))
    assert {row["mode"] for row in found} == {0, 1}
    assert [row for row in found if not -60 <= row["loudness"] <= 0] == []
    assert [row for row in found if not 60 <= row["tempo"] <= 200] == []
    assert [row for row in found if "time_signature" in row] == []


def test_popularity_is_null_or_between_0_and_100(features):
    popularities = {row["popularity"] for row in rows(features, METADATA, range(400))}

    assert {None, 0} < popularities
    assert max(popularities - {None}) <= 100
