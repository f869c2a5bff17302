"""A listener comes and goes, on a deployed local cloud; the others keep what they have."""

import json
import os
from datetime import UTC, datetime

import pytest

from infra.local.sample_history import write_history_zip
from shared.archive import UPLOADS, listener_of

# The cloud restarts twice.
pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

GUEST, OTHER = "guest", "other"
LOGIN = {"client_id": "app", "refresh_token": "AQ-1", "authorized_at": "2026-11-01T00:00:00Z"}


@pytest.fixture
def history(tmp_path):
    path = tmp_path / "my_spotify_data.zip"
    write_history_zip(path, plays=100, seed=8, until=datetime(2024, 5, 1, tzinfo=UTC))
    return path


@pytest.fixture
def typed():
    """The descriptor of a terminal on which a person has typed the listener's name."""
    person, program = os.openpty()
    os.write(person, f"{GUEST}\n".encode())
    yield program
    for end in (person, program):
        os.close(end)


def log_in(local_cloud, listener):
    """Store a login and a state, as `plays login` and a poll do."""
    local_cloud.client("secretsmanager").put_secret_value(
        SecretId=f"{local_cloud.output('ListenerSecretPrefix')}{listener}",
        SecretString=json.dumps(LOGIN),
    )
    local_cloud.client("dynamodb").put_item(
        TableName=local_cloud.output("ListenerStateTable"),
        Item={"listener": {"S": listener}, "state": {"S": "{}"}},
    )


def stored_of(local_cloud, listener):
    """Return what is stored of a listener: plays, files, state, and login."""
    prefix = local_cloud.output("ListenerSecretPrefix")
    secrets = local_cloud.client("secretsmanager").get_paginator("list_secrets").paginate()
    files = local_cloud.client("s3").list_object_versions(
        Bucket=local_cloud.output("ArchiveBucket"), Prefix=UPLOADS
    )
    state = local_cloud.client("dynamodb").get_item(
        TableName=local_cloud.output("ListenerStateTable"), Key={"listener": {"S": listener}}
    )
    return {
        "plays": local_cloud.count(listener),
        "files": sum(listener_of(file["Key"]) == listener for file in files["Versions"]),
        "state": "Item" in state,
        "login": any(
            secret["Name"] == prefix + listener for page in secrets for secret in page["SecretList"]
        ),
    }


def test_removing_a_listener_deletes_its_data_and_no_other_listeners(local_cloud, history, typed):
    added = local_cloud.run_json("listener", "add", GUEST)
    for listener in (GUEST, OTHER):
        log_in(local_cloud, listener)
        local_cloud.run_json("upload", str(history), "--listener", listener, "--wait")
    others = stored_of(local_cloud, OTHER)
    before = stored_of(local_cloud, GUEST)

    removed = local_cloud.plays("listener", "remove", GUEST, "--json", stdin=typed)

    assert added["listener"] == GUEST
    assert removed.returncode == 0, removed.stderr
    assert json.loads(removed.stdout)["plays"] == before["plays"] > 0
    assert (before["files"], before["state"], before["login"]) == (1, True, True)
    assert stored_of(local_cloud, GUEST) == {
        "plays": 0,
        "files": 0,
        "state": False,
        "login": False,
    }
    assert stored_of(local_cloud, OTHER) == others
    names = [each["listener"] for each in local_cloud.run_json("listener", "list")["listeners"]]
    assert OTHER in names
    assert GUEST not in names
