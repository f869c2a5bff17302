"""Rules for every resource of every template, including future ones."""

import json
import re
from collections import Counter

import pytest
from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER

from tests.infra.conftest import BY_CDK, EVERY, FUNCTIONS, PIPELINES, each_of, offenders

PLACED = ("placed/SpotifyData", "placed/SpotifyPipeline")
HOLDS_DATA = (
    *("AWS::S3::Bucket", "AWS::DynamoDB::Table", "AWS::SecretsManager::Secret"),
    "AWS::EC2::Volume",
)
# Rejects of the network: of no use to the next deployment, and S3 deletes no bucket with objects.
FILLS_AT_ONCE = {"Network/FlowLogs"}
NOT_IMPORTED = {
    # Its ARN ends in six characters that AWS sets; docs/deploy.md has the commands.
    "SpotifyPipeline": {"Listeners/me"},
    # A new volume starts from a snapshot of the old one.
    "SpotifyData": {"Postgres/Data"},
}
"""Kept resources that AWS names."""
MOST_WILDCARDS = 4
LIMITS = {
    "template": 500_000,
    "user data": 8_000,
    "environment": 2_000,
    "policies of a role": 5_120,
    "resources": 250,
    "outputs": 100,
}
"""Half of the limits of AWS (docs/adr/0012), because a resolved reference may be longer."""
TOPIC = "arn:<AWS::Partition>:sns:<AWS::Region>:<AWS::AccountId>:spotify-pipeline-alarms"


@each_of(EVERY)
def test_every_queue_is_encrypted(stack):
    assert offenders(stack, "AWS::SQS::Queue", lambda queue: queue["SqsManagedSseEnabled"]) == set()


@each_of(EVERY)
def test_a_visibility_timeout_is_six_function_timeouts_plus_batch_window(stack):
    everything = stack.resources()

    too_short = {
        path
        for path, source in stack.resources("AWS::Lambda::EventSourceMapping").items()
        if everything[source["Properties"]["EventSourceArn"][1:-5]]["Properties"][
            "VisibilityTimeout"
        ]
        < 6 * everything[source["Properties"]["FunctionName"][1:-1]]["Properties"]["Timeout"]
        + source["Properties"]["MaximumBatchingWindowInSeconds"]
    }

    assert too_short == set()


@each_of(PIPELINES[:2])
def test_each_message_age_alarm_is_shorter_than_two_visibility_timeouts(stack):
    watched = {
        alarm["Properties"]["Dimensions"][0]["Value"]: alarm["Properties"]["Threshold"]
        for alarm in stack.resources("AWS::CloudWatch::Alarm").values()
        if alarm["Properties"]["MetricName"] == "ApproximateAgeOfOldestMessage"
    }

    # SQS leaves a message out of that metric from its third receipt on.
    reached = {
        f"<{path}.QueueName>": 2 * queue["Properties"].get("VisibilityTimeout", 30)
        for path, queue in stack.resources("AWS::SQS::Queue").items()
    }
    deaf = {queue for queue, threshold in watched.items() if threshold >= reached[queue]}

    assert len(watched) == 3
    assert deaf == set()


@each_of(EVERY)
def test_every_bucket_is_private_versioned_and_encrypted(stack):
    def keeps(bucket):
        [rule] = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
        return (
            set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
            and bucket["VersioningConfiguration"] == {"Status": "Enabled"}
            and rule["ServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}
        )

    assert offenders(stack, "AWS::S3::Bucket", keeps) == set()


@each_of(EVERY)
def test_every_disk_is_encrypted(stack):
    def keeps(launch):
        mappings = launch["LaunchTemplateData"]["BlockDeviceMappings"]
        return all(mapping["Ebs"]["Encrypted"] for mapping in mappings)

    assert offenders(stack, "AWS::EC2::Volume", lambda volume: volume["Encrypted"]) == set()
    assert offenders(stack, "AWS::EC2::LaunchTemplate", keeps) == set()


@each_of(EVERY)
def test_resources_with_data_are_retained_when_the_stack_is_deleted(stack):
    lost = {
        path
        for path, each in stack.resources().items()
        if each["Type"] in HOLDS_DATA
        and (each.get("DeletionPolicy"), each.get("UpdateReplacePolicy"))
        != ("RetainExceptOnCreate", "Retain")
    }

    assert lost <= FILLS_AT_ONCE


def test_the_bucket_of_flow_logs_is_kept_without_a_fixed_name(data):
    kept = {path: data.resources()[path] for path in FILLS_AT_ONCE}

    barring = {
        path
        for path, each in kept.items()
        if each["DeletionPolicy"] != "Retain" or "BucketName" in each["Properties"]
    }

    assert barring == set()


def has_literal_name(resource):
    """True if all properties that identify a resource are plain text in its template."""
    schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", resource["Type"]).schema
    names = [path.removeprefix("/properties/") for path in schema["primaryIdentifier"]]
    return all(isinstance(resource["Properties"].get(name), str) for name in names)


@each_of(PLACED)
def test_each_retained_resource_has_a_plain_text_name_for_its_import(stack):
    nameless = {
        stack.path_of(logical_id)
        for logical_id, each in stack.template["Resources"].items()
        if each.get("UpdateReplacePolicy") == "Retain" and not has_literal_name(each)
    }

    assert nameless - FILLS_AT_ONCE == NOT_IMPORTED[stack.stack]


@each_of(EVERY)
def test_no_event_rule_exceeds_eventbridges_wildcard_limit(stack):
    # A rule of twelve was refused ("Rule is too complex") where nine passed.
    def keeps(rule):
        return json.dumps(rule["EventPattern"]).count("*") <= MOST_WILDCARDS

    assert offenders(stack, "AWS::Events::Rule", keeps) == set()


@each_of(EVERY)
@pytest.mark.parametrize("kind", ["AWS::EC2::NatGateway", "AWS::EC2::KeyPair", "AWS::KMS::Key"])
def test_no_nat_gateway_key_pair_or_kms_key_is_created(stack, kind):
    assert stack.resources(kind) == {}


@each_of(PIPELINES)
def test_all_functions_have_the_same_runtime_architecture_and_log_format(stack):
    functions = stack.resources("AWS::Lambda::Function")
    del functions[f"{BY_CDK}/Handler"]

    settings = {path: settings_of(each["Properties"]) for path, each in functions.items()}

    assert settings == {
        f"Functions/{name}/Function": (
            *("python3.14", ["arm64"], "JSON", f"<Functions/{name}/Log>"),
            *(f"<Functions/{name}/Role.Arn>", False),
        )
        for name in FUNCTIONS
    }


def settings_of(function):
    return (
        *(function["Runtime"], function["Architectures"]),
        *(function["LoggingConfig"]["LogFormat"], function["LoggingConfig"]["LogGroup"]),
        *(function["Role"], "ReservedConcurrentExecutions" in function),
    )


@each_of(EVERY)
def test_every_log_expires_and_is_deleted_with_its_stack(stack):
    endless = {
        path
        for path, log in stack.resources("AWS::Logs::LogGroup").items()
        if (log["Properties"].get("RetentionInDays"), log.get("DeletionPolicy")) != (30, "Delete")
    }

    assert endless == set()


@each_of(EVERY)
def test_every_function_logs_to_a_declared_log_group(stack):
    declared = {f"<{path}>" for path in stack.resources("AWS::Logs::LogGroup")}

    def keeps(function):
        return function.get("LoggingConfig", {}).get("LogGroup") in declared

    assert offenders(stack, "AWS::Lambda::Function", keeps) == set()


@each_of(EVERY)
def test_every_alarm_notifies_when_it_starts_and_ends(stack):

    def keeps(alarm):
        return (
            alarm["AlarmActions"] == alarm["OKActions"]
            and len(alarm["AlarmActions"]) == 1
            and set(alarm["AlarmActions"]) <= {"<AlarmTopic/Topic>", TOPIC}
            and re.fullmatch(r".+: .+; .+", alarm["AlarmDescription"])
        )

    assert offenders(stack, "AWS::CloudWatch::Alarm", keeps) == set()


def longest(stack, kind, part):
    """Return the greatest length of a property as JSON among resources of a type; 0 if none."""
    parts = (part(each["Properties"]) for each in stack.resources(kind).values())
    return max((len(json.dumps(each)) for each in parts), default=0)


@each_of((*EVERY, *PLACED))
def test_every_template_is_within_cloudformations_size_limits(stack):
    policies: Counter[str] = Counter()
    for policy in stack.resources("AWS::IAM::Policy").values():
        for role in policy["Properties"]["Roles"]:
            policies[role] += len(json.dumps(policy["Properties"]["PolicyDocument"]))
    size = {
        "template": len(json.dumps(stack.template)),
        "user data": longest(
            stack, "AWS::EC2::LaunchTemplate", lambda host: host["LaunchTemplateData"]["UserData"]
        ),
        "environment": longest(
            stack, "AWS::Lambda::Function", lambda each: each.get("Environment")
        ),
        "policies of a role": max(policies.values(), default=0),
        "resources": len(stack.resources()),
        "outputs": len(stack.template.get("Outputs", {})),
    }

    assert {name: value for name, value in size.items() if value > LIMITS[name]} == {}
