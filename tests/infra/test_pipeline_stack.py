import json

import pytest
from moto.events.models import EventPattern

from services.loader.queries import ANSWER_TIMEOUT_S
from shared.postgres import CONNECT_TIMEOUT_S, QUERY_TIMEOUT_S
from tests.infra.conftest import FUNCTIONS

QUEUES = ("collected-plays", "enriched-plays", "uploaded-files")
CONSUMERS = {
    "Backfill": "UploadedFiles",
    "Enricher": "CollectedPlays",
    "Loader": "EnrichedPlays",
}


@pytest.mark.parametrize("name", CONSUMERS.values())
def test_each_queue_has_its_own_dead_letter_queue(on_aws, name):
    queue = on_aws.properties(f"{name}/Queue")

    policy = on_aws.properties(f"{name}/DeadLetters")["RedriveAllowPolicy"]

    assert queue["RedrivePolicy"]["deadLetterTargetArn"] == f"<{name}/DeadLetters.Arn>"
    assert policy["redrivePermission"] == "byQueue"
    assert [arn.rpartition(":")[2] for arn in policy["sourceQueueArns"]] == [queue["QueueName"]]


def test_a_dead_letter_is_kept_for_at_least_a_week(on_aws):
    days = {
        queue["Properties"]["QueueName"]: queue["Properties"]["MessageRetentionPeriod"] // 86_400
        for queue in on_aws.resources("AWS::SQS::Queue").values()
    }

    # A dead letter keeps the time at which it was first sent.
    assert days == {
        "spotify-pipeline-failed-ticks": 14,
        **{f"spotify-pipeline-{name}": 7 for name in QUEUES},
        **{f"spotify-pipeline-{name}-dlq": 14 for name in QUEUES},
    }


@pytest.mark.parametrize(
    ("level", "of_lambda"), [("DEBUG", "DEBUG"), ("WARNING", "WARN"), ("ERROR", "ERROR")]
)
def test_lambda_filters_logs_at_the_configured_log_level(synthesised, level, of_lambda):
    functions = synthesised(log_level=level)["SpotifyPipeline"].resources("AWS::Lambda::Function")
    ours = [each["Properties"] for path, each in functions.items() if path.startswith("Functions/")]

    levels = {
        (
            each["Environment"]["Variables"]["POWERTOOLS_LOG_LEVEL"],
            each["LoggingConfig"]["ApplicationLogLevel"],
        )
        for each in ours
    }

    assert levels == {(level, of_lambda)}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_log_group_has_the_name_of_its_function(on_aws, name):
    log = on_aws.properties(f"Functions/{name}/Log")

    assert log["LogGroupName"] == f"/spotify-pipeline/{name.lower()}"


def test_each_consumer_function_reads_one_queue(on_aws):
    sources = on_aws.resources("AWS::Lambda::EventSourceMapping").values()

    assert {
        source["Properties"]["FunctionName"]: source["Properties"]["EventSourceArn"]
        for source in sources
    } == {
        f"<Functions/{name}/Function>": f"<{queue}/Queue.Arn>" for name, queue in CONSUMERS.items()
    }


@pytest.mark.parametrize(("name", "most"), [("Backfill", 1), ("Enricher", 10), ("Loader", 10)])
def test_consumers_report_each_failed_message_and_have_concurrency_2(on_aws, name, most):
    source = on_aws.properties(f"Functions/{name}/Function/Source")

    assert source["BatchSize"] == most
    assert source["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert source["ScalingConfig"] == {"MaximumConcurrency": 2}


def test_the_loader_queue_retries_for_at_least_an_hour(on_aws):
    queue = on_aws.properties("EnrichedPlays/Queue")

    attempts = queue["RedrivePolicy"]["maxReceiveCount"]

    assert attempts * queue["VisibilityTimeout"] >= 3_600


def test_a_failed_poll_is_not_retried_but_kept_with_its_error(on_aws):
    failures = on_aws.properties("Functions/Collector/Failures")

    assert failures == {
        "DestinationConfig": {"OnFailure": {"Destination": "<FailedTicks.Arn>"}},
        "FunctionName": "<Functions/Collector/Function>",
        "MaximumEventAgeInSeconds": 900,
        "MaximumRetryAttempts": 0,
        "Qualifier": "$LATEST",
    }


def test_each_listener_has_their_own_poll_schedule(on_aws):
    schedule = on_aws.properties("Schedules/me")

    assert schedule["ScheduleExpression"] == "rate(20 minutes)"
    assert schedule["State"] == "ENABLED"
    assert schedule["Target"]["Arn"] == "<Functions/Collector/Function.Arn>"
    assert schedule["Target"]["Input"] == '{"listener":"me"}'
    assert schedule["Target"]["RoleArn"] == "<Schedules/Role.Arn>"
    assert schedule["Target"]["DeadLetterConfig"] == {"Arn": "<FailedTicks.Arn>"}


@pytest.mark.parametrize("path", ["Schedules/me", "Healing/Schedule", "Deriving/Schedule"])
def test_a_schedule_is_created_after_its_schedule_group(on_aws, path):
    schedule = on_aws.resources()[path]

    assert [on_aws.path_of(name) for name in schedule["DependsOn"]] == ["Schedules/Group"]


@pytest.mark.parametrize("path", ["Schedules/Role", "Healing/Role", "Deriving/Role"])
def test_only_eventbridge_schedules_can_assume_the_schedule_role(on_aws, path):
    role = on_aws.properties(path)

    assert role["AssumeRolePolicyDocument"]["Statement"] == [
        {
            "Action": "sts:AssumeRole",
            "Condition": {
                "StringEquals": {
                    "aws:SourceAccount": "<AWS::AccountId>",
                    "aws:SourceArn": "<Schedules/Group.Arn>",
                }
            },
            "Effect": "Allow",
            "Principal": {"Service": "scheduler.amazonaws.com"},
        }
    ]


@pytest.fixture
def is_upload(on_aws):
    pattern = on_aws.properties("OnUpload")["EventPattern"]
    bucket = pattern["detail"]["bucket"]["name"][0]
    compiled = EventPattern.load(json.dumps(pattern))
    return lambda key: compiled.matches_event(
        {
            "source": "aws.s3",
            "detail-type": "Object Created",
            "detail": {"bucket": {"name": bucket}, "object": {"key": key}},
        }
    )


@pytest.mark.parametrize(
    "key",
    [
        "history/me/Streaming_History_Audio_2014-2016_0.json",
        "history/MY_DATA.Zip",
        "history/me/Spotify Extended + Müller/a b.json",
        # Not history: the backfill must get the event, because it reports such a file.
        "history/me/readme.pdf",
    ],
)
def test_every_object_below_history_starts_the_backfill(is_upload, key):
    assert is_upload(key)


@pytest.mark.parametrize(
    "key",
    [
        "polls/me/2026/11/23/2026-11-23T10:00:00.000Z.json.gz",
        "quarantine/me/history/a.json?versionId=x.jsonl",
        "old/history/a.json",
        "a.json",
    ],
)
def test_archive_objects_outside_history_do_not_start_the_backfill(is_upload, key):
    assert not is_upload(key)


def test_only_the_archive_bucket_can_send_to_the_upload_queue(on_aws):
    rule = on_aws.properties("OnUpload")

    assert rule["EventPattern"]["detail"]["bucket"] == {
        "name": ["spotify-pipeline-archive-<AWS::AccountId>-<AWS::Region>"]
    }
    assert rule["EventPattern"]["detail-type"] == ["Object Created"]
    assert [target["Arn"] for target in rule["Targets"]] == ["<UploadedFiles/Queue.Arn>"]


@pytest.mark.parametrize(
    ("path", "key"),
    [("ListenerState", "listener"), ("SpotifyApp", "app"), ("TrackCache", "track_uri")],
)
def test_each_table_is_on_demand_with_point_in_time_recovery(on_aws, path, key):
    table = on_aws.properties(path)

    assert table["KeySchema"] == [{"AttributeName": key, "KeyType": "HASH"}]
    assert {"AttributeName": key, "AttributeType": "S"} in table["AttributeDefinitions"]
    assert table["BillingMode"] == "PAY_PER_REQUEST"
    assert table["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}


def test_the_track_cache_index_has_the_keys_misses_and_retry_at(on_aws):
    table = on_aws.properties("TrackCache")

    assert table["GlobalSecondaryIndexes"] == [
        {
            "IndexName": "waiting",
            "KeySchema": [
                {"AttributeName": "misses", "KeyType": "HASH"},
                {"AttributeName": "retry_at", "KeyType": "RANGE"},
            ],
            "Projection": {"ProjectionType": "KEYS_ONLY"},
        }
    ]
    types = {one["AttributeName"]: one["AttributeType"] for one in table["AttributeDefinitions"]}
    assert types == {"track_uri": "S", "misses": "N", "retry_at": "N"}


@pytest.mark.parametrize(("name", "function"), [("Healing", "Healer"), ("Deriving", "Derive")])
def test_hourly_functions_are_not_retried(on_aws, name, function):
    schedule = on_aws.properties(f"{name}/Schedule")

    assert schedule["ScheduleExpression"] == "rate(1 hour)"
    assert schedule["State"] == "ENABLED"
    assert schedule["Target"]["Arn"] == f"<Functions/{function}/Function.Arn>"
    assert schedule["Target"]["Input"] == "{}"
    assert schedule["Target"]["RoleArn"] == f"<{name}/Role.Arn>"
    assert schedule["Target"]["RetryPolicy"]["MaximumRetryAttempts"] == 0


@pytest.mark.parametrize("function", ["Healer", "Derive"])
def test_hourly_functions_time_out_before_the_next_run(on_aws, function):
    assert on_aws.properties(f"Functions/{function}/Function")["Timeout"] < 3_600


def test_the_stack_creates_listener_secrets_without_a_value(on_aws):
    secret = on_aws.properties("Listeners/me")

    assert secret["Name"] == "spotify-pipeline/listener/me"
    assert not {"SecretString", "GenerateSecretString"} & set(secret)


@pytest.mark.parametrize("path", ["Functions/Loader/Function", "Functions/Loader/Function/Source"])
def test_migrations_run_before_the_loader_is_updated(on_aws, path):
    waits_for = [on_aws.path_of(name) for name in on_aws.resources()[path]["DependsOn"]]

    assert "Migrate" in waits_for


def test_migrations_run_again_when_the_migrator_code_changes(on_aws):
    trigger = on_aws.properties("Migrate")

    assert trigger["HandlerArn"] == "<Functions/Migrator/Function/CurrentVersion>"
    assert trigger["InvocationType"] == "RequestResponse"
    assert trigger["Timeout"] == "300000"


def test_the_queries_timeout_exceeds_reconnect_plus_query_time(on_aws):
    timeout_s = on_aws.properties("Functions/Queries/Function")["Timeout"]

    assert timeout_s > ANSWER_TIMEOUT_S + CONNECT_TIMEOUT_S + QUERY_TIMEOUT_S
