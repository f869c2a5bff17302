"""What a person might do in the first hour, and be sorry for."""

import pytest

pytestmark = pytest.mark.e2e


@pytest.fixture
def simulated(local_cloud):
    """The cloud, with simulated plays of the default listener in it."""
    local_cloud.told("poll", "--wait", "--timeout", "60")
    return local_cloud


def test_own_plays_are_not_mixed_with_simulated_ones_unasked(simulated, tmp_path):
    export = tmp_path / "my_spotify_data.zip"
    export.write_bytes(b"never read")

    refused = simulated.plays("upload", str(export), "--wait", "--json")

    keys = simulated.client("s3").list_objects_v2(
        Bucket=simulated.output("ArchiveBucket"), Prefix=f"history/me/{export.name}"
    )
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "me has simulated plays here" in refused.stderr
    assert keys["KeyCount"] == 0


def test_a_reset_says_what_would_go_and_deletes_nothing_unasked(simulated):
    rows = simulated.told("status")["rows"]["poll"]

    refused = simulated.plays("local", "reset", "--json")

    assert (refused.returncode, refused.stdout) == (1, "")
    assert f"{rows:,} in poll" in refused.stderr
    assert "pass --yes" in refused.stderr
    assert simulated.told("status")["rows"]["poll"] >= rows
