"""Mistakes of a person's first hour that need a confirmation."""

import json
import re

import pytest

pytestmark = pytest.mark.e2e


@pytest.fixture
def simulated(local_cloud):
    """The cloud with simulated plays of the default listener."""
    local_cloud.run_json("poll", "--wait", "--timeout", "60")
    return local_cloud


def test_an_upload_for_a_listener_with_simulated_plays_is_refused(simulated, tmp_path):
    export = tmp_path / "my_spotify_data.zip"
    export.write_bytes(b"never read")

    refused = simulated.plays("upload", str(export), "--wait", "--json")

    keys = simulated.client("s3").list_objects_v2(
        Bucket=simulated.output("ArchiveBucket"), Prefix=f"history/me/{export.name}"
    )
    assert (refused.returncode, list(json.loads(refused.stdout))) == (1, ["error"])
    assert "me has simulated plays here" in refused.stderr
    assert keys["KeyCount"] == 0


def test_a_reset_lists_the_data_and_needs_a_confirmation(simulated):
    polls_before = simulated.run_json("status")["rows"]["poll"]

    refused = simulated.plays("local", "reset", "--json")

    # The schedule goes on polling, so the count may grow from one command to the next.
    polls_after = simulated.run_json("status")["rows"]["poll"]
    (listed,) = re.findall(r"([\d,]+) in poll", refused.stderr)
    assert (refused.returncode, list(json.loads(refused.stdout))) == (1, ["error"])
    assert polls_before <= int(listed.replace(",", "")) <= polls_after
    assert "pass --yes" in refused.stderr
