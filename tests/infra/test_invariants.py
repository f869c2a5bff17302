"""What holds for every resource of every template, those that are yet to come included."""

import json
import re
from ipaddress import ip_network

import pytest

EVERY = (
    "aws/SpotifyData",
    "aws/SpotifyPipeline",
    "elsewhere/SpotifyPipeline",
    "local/SpotifyPipeline",
)
ON_AWS = (*EVERY[:3], "elsewhere/SpotifyData")
PIPELINES = EVERY[1:]
DELIVERED_BY_CDK = "AWSCDK.TriggerCustomResourceProviderCustomResourceProvider"
HOLDS_DATA = (
    *("AWS::S3::Bucket", "AWS::DynamoDB::Table", "AWS::SecretsManager::Secret"),
    "AWS::EC2::Volume",
)
ARN = "arn:<AWS::Partition>:{}:<AWS::Region>:{}:{}"
ARCHIVE = "arn:<AWS::Partition>:s3:::spotify-pipeline-archive-<AWS::AccountId>-<AWS::Region>"
OURS = "<AWS::AccountId>"
A_SECRET = ARN.format("secretsmanager", OURS, "secret:spotify-pipeline/{}-??????")
WIDE = {
    "SpotifyPipeline": {
        f"{ARCHIVE}/history/*",
        f"{ARCHIVE}/polls/*",
        f"{ARCHIVE}/quarantine/*",
        A_SECRET.format("listener/me"),
        A_SECRET.format("database/loader"),
        A_SECRET.format("database/migrator"),
        "<Functions/Migrator/Function.Arn>:*",
    },
    "SpotifyData": {
        *(A_SECRET.format(f"database/{role}") for role in ("loader", "migrator", "reader")),
        "<Postgres/Backups.Arn>/dumps/*",
        ARN.format("ec2", OURS, "instance/*"),
        ARN.format("ec2", OURS, "network-interface/*"),
        ARN.format("ec2", "", "snapshot/*"),
    },
}
BY_NO_NAME = {
    # Lambda's network interfaces.
    "ec2:AssignPrivateIpAddresses",
    "ec2:CreateNetworkInterface",
    "ec2:DeleteNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:UnassignPrivateIpAddresses",
    # What EC2 lets describe as a whole only.
    "ec2:DescribeInstances",
    "ec2:DescribeSnapshots",
    "ec2:DescribeVolumes",
    # The host's metrics, whose namespace is a condition, and Session Manager.
    "cloudwatch:PutMetricData",
    "ssm:UpdateInstanceInformation",
    "ssmmessages:CreateControlChannel",
    "ssmmessages:CreateDataChannel",
    "ssmmessages:OpenControlChannel",
    "ssmmessages:OpenDataChannel",
}


@pytest.fixture
def stack(request, aws, elsewhere, on_local):
    deployment, _, name = request.param.partition("/")
    return {"aws": aws, "elsewhere": elsewhere, "local": {name: on_local}}[deployment][name]


def of(stacks):
    return pytest.mark.parametrize("stack", stacks, indirect=True)


def listed(value):
    return value if isinstance(value, list) else [value]


def offenders(stack, kind, keeps):
    return {path for path, each in stack.resources(kind).items() if not keeps(each["Properties"])}


def without_tls_denied(stack, kind, key):
    """Name what a resource policy closes to everyone who comes without TLS."""
    return {
        closed
        for policy in stack.resources(kind).values()
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]
        if statement["Effect"] == "Deny"
        and statement["Principal"] in ("*", {"AWS": "*"})
        and statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
        for closed in listed(policy["Properties"][key])
    }


@of(EVERY)
def test_every_queue_has_dead_letters_or_is_where_they_go(stack):
    queues = stack.resources("AWS::SQS::Queue")
    text = json.dumps(stack.resources())

    has_neither = {
        path
        for path, queue in queues.items()
        if "RedrivePolicy" not in queue["Properties"]
        and f'"deadLetterTargetArn": "<{path}.Arn>"' not in text
        and f'"DeadLetterConfig": {{"Arn": "<{path}.Arn>"}}' not in text
    }

    assert has_neither == set()


@of(EVERY)
def test_every_queue_is_encrypted(stack):
    assert offenders(stack, "AWS::SQS::Queue", lambda queue: queue["SqsManagedSseEnabled"]) == set()


@of(ON_AWS)
@pytest.mark.parametrize(
    ("kind", "key"),
    [("AWS::SQS::Queue", "Queues"), ("AWS::S3::Bucket", "Bucket"), ("AWS::SNS::Topic", "Topics")],
    ids=["queues", "buckets", "topics"],
)
def test_nothing_is_reached_without_tls(stack, kind, key):
    closed = without_tls_denied(stack, f"{kind}Policy", key)

    assert closed == {f"<{path}>" for path in stack.resources(kind)}


@of(ON_AWS)
def test_a_message_in_work_is_hidden_for_six_timeouts_and_the_window(stack):
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


@of(EVERY)
def test_every_bucket_is_private_versioned_and_encrypted(stack):
    def keeps(bucket):
        [rule] = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
        return (
            set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
            and bucket["VersioningConfiguration"] == {"Status": "Enabled"}
            and rule["ServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}
        )

    assert offenders(stack, "AWS::S3::Bucket", keeps) == set()


@of(ON_AWS)
def test_every_disk_is_encrypted(stack):
    def keeps(launch):
        mappings = launch["LaunchTemplateData"]["BlockDeviceMappings"]
        return all(mapping["Ebs"]["Encrypted"] for mapping in mappings)

    assert offenders(stack, "AWS::EC2::Volume", lambda volume: volume["Encrypted"]) == set()
    assert offenders(stack, "AWS::EC2::LaunchTemplate", keeps) == set()


@of(ON_AWS)
def test_what_holds_data_outlives_its_stack(stack):
    lost = {
        path
        for path, each in stack.resources().items()
        if each["Type"] in HOLDS_DATA
        and (each.get("DeletionPolicy"), each.get("UpdateReplacePolicy"))
        != ("RetainExceptOnCreate", "Retain")
    }

    assert lost == set()


@of(ON_AWS)
def test_what_is_kept_can_be_taken_back_by_its_name(stack):
    nameless = {
        path
        for path, each in stack.resources().items()
        if each.get("UpdateReplacePolicy") == "Retain"
        and not {"BucketName", "TableName", "Name"} & set(each["Properties"])
    }

    # EC2 names volumes itself; a new one can begin with a snapshot of the old.
    assert nameless <= {"Postgres/Data"}


@of(EVERY)
def test_a_right_on_many_things_is_one_of_those_stated_here(stack):
    stated = WIDE.get(stack.stack, set())

    wide = {
        resource
        for _, statement in stack.statements()
        for resource in listed(statement["Resource"])
        if re.search(r"[*?]", resource) and resource != "*"
    }

    assert wide <= stated


@of(EVERY)
def test_a_right_on_everything_is_one_that_knows_no_names(stack):
    on_everything = {
        action
        for _, statement in stack.statements()
        if "*" in listed(statement["Resource"])
        for action in listed(statement["Action"])
    }

    assert on_everything <= BY_NO_NAME


@of(EVERY)
def test_no_right_is_to_do_anything(stack):
    actions = {
        action for _, statement in stack.statements() for action in listed(statement["Action"])
    }

    assert not {action for action in actions if "*" in action}


@of(EVERY)
def test_no_role_of_ours_has_a_managed_policy(stack):
    managed = {
        path
        for path, role in stack.resources("AWS::IAM::Role").items()
        if "ManagedPolicyArns" in role["Properties"]
    }

    assert managed <= {f"{DELIVERED_BY_CDK}/Role"}


@of(EVERY)
def test_no_security_group_is_open_to_the_world(stack):
    groups = stack.resources("AWS::EC2::SecurityGroup").values()
    rules = [
        *(rule for group in groups for rule in group["Properties"].get("SecurityGroupIngress", [])),
        *(
            rule["Properties"]
            for rule in stack.resources("AWS::EC2::SecurityGroupIngress").values()
        ),
    ]

    let_in = {rule[key] for rule in rules for key in ("CidrIp", "CidrIpv6") if key in rule}

    assert {cidr for cidr in let_in if ip_network(cidr).prefixlen < 16} == set()


@of(EVERY)
@pytest.mark.parametrize("kind", ["AWS::EC2::NatGateway", "AWS::EC2::KeyPair", "AWS::KMS::Key"])
def test_nothing_is_paid_for_that_is_not_needed(stack, kind):
    assert stack.resources(kind) == {}


@of(EVERY)
def test_no_secret_is_in_user_data_environment_or_outputs(stack):
    secrets = {f"<{path}>" for path in stack.resources("AWS::SecretsManager::Secret")}
    metadata = [
        stack.readable(each.get("Metadata", {}).get("AWS::CloudFormation::Init", {}))
        for each in stack.template["Resources"].values()
    ]
    told = json.dumps(
        [
            metadata,
            stack.readable(stack.template.get("Outputs", {})),
            stack.resources("AWS::EC2::LaunchTemplate"),
            [
                function["Properties"].get("Environment")
                for function in stack.resources("AWS::Lambda::Function").values()
            ],
        ]
    )

    assert "{{resolve:" not in told
    assert {secret for secret in secrets if secret in told} == set()


@of(EVERY)
def test_no_secret_is_written_in_a_template(stack):
    def keeps(secret):
        return "SecretString" not in secret and "password" not in secret.get(
            "GenerateSecretString", {}
        ).get("SecretStringTemplate", "")

    assert offenders(stack, "AWS::SecretsManager::Secret", keeps) == set()


@of(PIPELINES)
def test_every_function_is_as_all_are(stack):
    functions = stack.resources("AWS::Lambda::Function")
    del functions[f"{DELIVERED_BY_CDK}/Handler"]

    unlike = {
        path
        for path, function in functions.items()
        if (
            function["Properties"]["Runtime"],
            function["Properties"]["Architectures"],
            function["Properties"]["LoggingConfig"]["LogFormat"],
            function["Properties"]["LoggingConfig"]["LogGroup"],
        )
        != ("python3.14", ["arm64"], "JSON", f"<{path.removesuffix('/Function')}/Log>")
        or "ReservedConcurrentExecutions" in function["Properties"]
    }
    roles = [function["Properties"]["Role"] for function in functions.values()]

    assert unlike == set()
    assert len(set(roles)) == len(roles) == 5


@of(EVERY)
def test_every_log_ends_with_its_month(stack):
    assert (
        offenders(stack, "AWS::Logs::LogGroup", lambda log: log.get("RetentionInDays") == 30)
        == set()
    )


@of(EVERY)
def test_every_alarm_speaks_when_it_begins_and_ends_and_says_what_to_do(stack):
    topic = {
        "<AlarmTopic/Topic>",
        ARN.format("sns", OURS, "spotify-pipeline-alarms"),
    }

    def keeps(alarm):
        return (
            alarm["AlarmActions"] == alarm["OKActions"]
            and len(alarm["AlarmActions"]) == 1
            and set(alarm["AlarmActions"]) <= topic
            and re.fullmatch(r".+: .+; .+", alarm["AlarmDescription"])
        )

    assert offenders(stack, "AWS::CloudWatch::Alarm", keeps) == set()
