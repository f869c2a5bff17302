import pytest

ARN = "arn:<AWS::Partition>:{}:<AWS::Region>:<AWS::AccountId>:{}"


def secret(name):
    return ARN.format("secretsmanager", f"secret:spotify-pipeline/{name}-??????")


def parameter(name):
    return ARN.format("ssm", f"parameter/spotify-pipeline/{name}")


def consumes(queue):
    return {
        ("sqs:ReceiveMessage", f"<{queue}/Queue.Arn>"),
        ("sqs:DeleteMessage", f"<{queue}/Queue.Arn>"),
        ("sqs:GetQueueAttributes", f"<{queue}/Queue.Arn>"),
    }


def reads_database(role):
    return {
        ("secretsmanager:GetSecretValue", secret(f"database/{role}")),
        ("ssm:GetParameter", parameter("database/host")),
        ("ssm:GetParameter", parameter("database/ca-pem")),
    }


RIGHTS = {
    "Collector": {
        ("secretsmanager:GetSecretValue", secret("listener/me")),
        ("secretsmanager:PutSecretValue", secret("listener/me")),
        ("dynamodb:GetItem", "<ListenerState.Arn>"),
        ("dynamodb:PutItem", "<ListenerState.Arn>"),
        ("dynamodb:GetItem", "<SpotifyApp.Arn>"),
        ("dynamodb:UpdateItem", "<SpotifyApp.Arn>"),
        ("s3:PutObject", "<Archive/Bucket.Arn>/polls/*"),
        ("sqs:SendMessage", "<CollectedPlays/Queue.Arn>"),
        ("sqs:SendMessage", "<FailedTicks.Arn>"),
    },
    "Backfill": {
        *consumes("UploadedFiles"),
        ("s3:GetObject", "<Archive/Bucket.Arn>/history/*"),
        ("s3:GetObjectVersion", "<Archive/Bucket.Arn>/history/*"),
        ("s3:ListBucket", "<Archive/Bucket.Arn>"),
        ("s3:ListBucketVersions", "<Archive/Bucket.Arn>"),
        ("s3:PutObject", "<Archive/Bucket.Arn>/quarantine/*"),
        ("s3:AbortMultipartUpload", "<Archive/Bucket.Arn>/quarantine/*"),
        ("sqs:SendMessage", "<CollectedPlays/Queue.Arn>"),
    },
    "Enricher": {
        *consumes("CollectedPlays"),
        ("dynamodb:BatchGetItem", "<TrackCache.Arn>"),
        ("dynamodb:BatchWriteItem", "<TrackCache.Arn>"),
        ("sqs:SendMessage", "<EnrichedPlays/Queue.Arn>"),
    },
    "Healer": {
        ("dynamodb:Query", "<TrackCache.Arn>/index/waiting"),
        ("dynamodb:BatchGetItem", "<TrackCache.Arn>"),
        ("dynamodb:BatchWriteItem", "<TrackCache.Arn>"),
        ("sqs:SendMessage", "<EnrichedPlays/Queue.Arn>"),
    },
    "Loader": {*consumes("EnrichedPlays"), *reads_database("loader")},
    "Migrator": reads_database("migrator"),
}


@pytest.mark.parametrize(("name", "rights"), RIGHTS.items(), ids=RIGHTS)
def test_a_function_may_do_its_work_and_write_its_log_and_nothing_else(on_aws, name, rights):
    log = f"<Functions/{name}/Log.Arn>"

    allowed = on_aws.rights(f"Functions/{name}/Role")

    assert allowed == rights | {("logs:CreateLogStream", log), ("logs:PutLogEvents", log)}


def test_a_schedule_may_call_the_collector_and_leave_what_failed(on_aws):
    assert on_aws.rights("Schedules/Role") == {
        ("lambda:InvokeFunction", "<Functions/Collector/Function.Arn>"),
        ("sqs:SendMessage", "<FailedTicks.Arn>"),
    }


@pytest.mark.parametrize("name", ["Enricher", "Healer"])
@pytest.mark.parametrize(
    ("given", "listener"),
    [
        pytest.param({}, "me", id="the first listener"),
        pytest.param({"features_login": "anna"}, "anna", id="another listener"),
    ],
)
def test_where_spotify_is_a_source_one_login_may_be_read_and_the_state_of_its_app_be_kept(
    synthesised, name, given, listener
):
    stack = synthesised(listeners="me,anna", feature_sources="spotify,reccobeats", **given)

    log = f"<Functions/{name}/Log.Arn>"
    assert stack.rights(f"Functions/{name}/Role") == RIGHTS[name] | {
        ("logs:CreateLogStream", log),
        ("logs:PutLogEvents", log),
        ("secretsmanager:GetSecretValue", secret(f"listener/{listener}")),
        ("dynamodb:GetItem", "<SpotifyApp.Arn>"),
        ("dynamodb:UpdateItem", "<SpotifyApp.Arn>"),
    }
    variables = stack.properties(f"Functions/{name}/Function")["Environment"]["Variables"]
    assert variables["SPOTIFY_APP_SECRET"] == f"spotify-pipeline/listener/{listener}"
    assert variables["FEATURE_SOURCES"] == "spotify,reccobeats"


def test_the_healing_schedule_may_call_the_healer_only(on_aws):
    assert on_aws.rights("Healing/Role") == {
        ("lambda:InvokeFunction", "<Functions/Healer/Function.Arn>")
    }


def test_the_roles_are_these_and_the_one_that_cdk_runs_triggers_with(on_aws):
    assert set(on_aws.resources("AWS::IAM::Role")) == {
        *(f"Functions/{name}/Role" for name in RIGHTS),
        "Schedules/Role",
        "Healing/Role",
        "AWSCDK.TriggerCustomResourceProviderCustomResourceProvider/Role",
    }


def test_what_cdk_runs_triggers_with_may_call_the_migrator_only(on_aws):
    role = "AWSCDK.TriggerCustomResourceProviderCustomResourceProvider/Role"

    assert on_aws.rights(role) == {("lambda:InvokeFunction", "<Functions/Migrator/Function.Arn>:*")}


@pytest.mark.parametrize("name", RIGHTS)
def test_a_role_of_ours_has_no_managed_policy(on_aws, name):
    assert "ManagedPolicyArns" not in on_aws.properties(f"Functions/{name}/Role")


def test_no_right_is_by_wildcard_but_those_below_a_folder_and_on_a_secret(on_aws):
    wild = {
        part
        for _, statement in on_aws.statements()
        for field in (statement["Action"], statement["Resource"])
        for part in ([field] if isinstance(field, str) else field)
        if "*" in part or "?" in part
    }

    assert wild == {
        "<Archive/Bucket.Arn>/history/*",
        "<Archive/Bucket.Arn>/polls/*",
        "<Archive/Bucket.Arn>/quarantine/*",
        secret("listener/me"),
        secret("database/loader"),
        secret("database/migrator"),
        "<Functions/Migrator/Function.Arn>:*",
    }
