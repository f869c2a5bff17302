"""Live plays become enriched rows automatically."""

import pytest

pytestmark = pytest.mark.e2e

LIVE = """
SELECT count(*)
FROM listening_history h
JOIN track_features f USING (track_uri)
WHERE h.listener = 'me' AND h.source = 'recently-played' AND f.tempo IS NOT NULL
"""
NEXT_POLL = """
SELECT polled_at
FROM poll
WHERE listener = 'me' AND polled_at > coalesce(cast(:before AS timestamptz), '-infinity')
ORDER BY polled_at
LIMIT 1
"""


def test_the_deployed_schedule_starts_polls(local_cloud, eventually):
    ((before,),) = local_cloud.rows("SELECT max(polled_at) FROM poll WHERE listener = 'me'")

    ((after,),) = eventually(lambda: local_cloud.rows(NEXT_POLL, before=before), within_s=150)

    assert after != before


def test_plays_of_scheduled_polls_get_audio_features(local_cloud, eventually):
    ((enriched,),) = eventually(lambda: nonzero(local_cloud.rows(LIVE)), within_s=90)

    assert enriched > 0


def test_a_poll_with_wait_returns_after_its_rows_are_stored(local_cloud):
    result = local_cloud.run_json("poll", "--wait", "--timeout", "60")["result"]

    assert result["returned"] == 50
    assert local_cloud.count("me") >= result["returned"]


def test_a_second_poll_does_not_store_the_same_plays_again(local_cloud):
    local_cloud.run_json("poll", "--wait", "--timeout", "60")

    again = local_cloud.run_json("poll", "--wait", "--timeout", "60")["result"]

    assert again["returned"] == 50
    assert again["new"] <= 2


def test_the_raw_poll_response_is_archived(local_cloud):
    s3 = local_cloud.client("s3")

    kept = s3.list_objects_v2(Bucket=local_cloud.output("ArchiveBucket"), Prefix="polls/me/")

    assert kept["KeyCount"] > 0


def nonzero(rows):
    return rows if rows[0][0] else None
