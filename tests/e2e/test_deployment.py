"""One command deploys the whole pipeline, and another shows its status."""

import pytest

pytestmark = pytest.mark.e2e


def test_the_real_cdk_deploys_the_whole_stack(local_cloud):
    cloudformation = local_cloud.client("cloudformation")

    (stack,) = cloudformation.describe_stacks(StackName="SpotifyPipeline")["Stacks"]

    assert stack["StackStatus"] == "CREATE_COMPLETE"


def test_plays_status_shows_the_database_url_bucket_rows_and_queues(local_cloud):
    status = local_cloud.run_json("status")

    assert status["database_url"].startswith("postgresql://reader:")
    assert status["bucket"] == local_cloud.output("ArchiveBucket")
    assert set(status["rows"]) >= {"listening_history", "track_features"}
    assert status["queues"]["spotify-pipeline-collected-plays"].keys() >= {"visible", "in_flight"}
    assert status["token_days_left"]["me"] == 179


def test_a_second_local_cloud_in_the_same_home_directory_is_refused(local_cloud):
    result = local_cloud.plays("local", "up", "--detach")

    assert result.returncode == 1
    assert result.stderr.startswith("plays: a local cloud already runs in ")
    assert result.stderr.count("\n") == 1
