import re
from pathlib import Path

import pytest

from tests.infra.conftest import BY_CDK, listed

SCRIPTS = Path(__file__).parents[2] / "infra" / "cdk" / "assets" / "postgres"
ARCHIVE = "arn:<AWS::Partition>:s3:::spotify-pipeline-archive-<AWS::AccountId>-<AWS::Region>"
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
        ("ssm:GetParameter", parameter(f"database/{role}")),
        ("ssm:GetParameter", parameter("database/host")),
        ("ssm:GetParameter", parameter("database/ca-pem")),
    }


INTERFACES = {
    ("ec2:CreateNetworkInterface", "*"),
    ("ec2:DescribeNetworkInterfaces", "*"),
    ("ec2:DeleteNetworkInterface", "*"),
    ("ec2:DescribeSubnets", "*"),
    ("ec2:AssignPrivateIpAddresses", "*"),
    ("ec2:UnassignPrivateIpAddresses", "*"),
}
RIGHTS = {
    "Collector": {
        ("secretsmanager:GetSecretValue", secret("listener/me")),
        ("secretsmanager:PutSecretValue", secret("listener/me")),
        ("dynamodb:GetItem", "<ListenerState.Arn>"),
        ("dynamodb:PutItem", "<ListenerState.Arn>"),
        ("dynamodb:GetItem", "<SpotifyApp.Arn>"),
        ("dynamodb:UpdateItem", "<SpotifyApp.Arn>"),
        ("s3:PutObject", f"{ARCHIVE}/polls/*"),
        ("sqs:SendMessage", "<CollectedPlays/Queue.Arn>"),
        ("sqs:SendMessage", "<FailedTicks.Arn>"),
    },
    "Backfill": {
        *consumes("UploadedFiles"),
        ("s3:GetObject", f"{ARCHIVE}/history/*"),
        ("s3:GetObjectVersion", f"{ARCHIVE}/history/*"),
        ("s3:ListBucket", ARCHIVE),
        ("s3:PutObject", f"{ARCHIVE}/quarantine/*"),
        ("s3:AbortMultipartUpload", f"{ARCHIVE}/quarantine/*"),
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
    "Loader": {*consumes("EnrichedPlays"), *reads_database("loader"), *INTERFACES},
    "Migrator": {*reads_database("migrator"), *INTERFACES},
    "Queries": {*reads_database("reader"), *INTERFACES},
    "Derive": {*reads_database("loader"), *INTERFACES},
}


GROUP = ARN.format(
    "autoscaling", "autoScalingGroup:*:autoScalingGroupName/spotify-pipeline-postgres"
)
NEEDED_BY = {
    "autoscaling set-instance-health": {"autoscaling:SetInstanceHealth"},
    "cloudwatch put-metric-data": {"cloudwatch:PutMetricData"},
    "ec2 associate-address": {"ec2:AssociateAddress"},
    "ec2 attach-volume": {"ec2:AttachVolume"},
    "ec2 describe-snapshots": {"ec2:DescribeSnapshots"},
    "ec2 describe-volumes": {"ec2:DescribeVolumes"},
    "ec2 modify-instance-credit-specification": {"ec2:ModifyInstanceCreditSpecification"},
    "ec2 wait volume-available": {"ec2:DescribeVolumes"},
    # In both directions; AbortMultipartUpload ends a failed upload.
    "s3 cp": {"s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload"},
    # By hand: restore.sh says how to find the key of a dump.
    "s3 ls": {"s3:ListBucket"},
    "ssm get-parameters": {"ssm:GetParameters"},
    "ssm put-parameter": {"ssm:PutParameter"},
}
CALLED_BY_NO_SCRIPT = {
    # cfn-init and cfn-signal.
    *("cloudformation:DescribeStackResource", "cloudformation:SignalResource"),
    # The agent of Session Manager.
    "ssm:UpdateInstanceInformation",
    *("ssmmessages:CreateControlChannel", "ssmmessages:CreateDataChannel"),
    *("ssmmessages:OpenControlChannel", "ssmmessages:OpenDataChannel"),
}


EC2 = "arn:<AWS::Partition>:ec2:<AWS::Region>:<AWS::AccountId>:"
SNAPSHOTS = "arn:<AWS::Partition>:ec2:<AWS::Region>::snapshot/*"
ROLES = {
    **{
        f"Functions/{name}/Role": {
            *rights,
            ("logs:CreateLogStream", f"<Functions/{name}/Log.Arn>"),
            ("logs:PutLogEvents", f"<Functions/{name}/Log.Arn>"),
        }
        for name, rights in RIGHTS.items()
    },
    "Schedules/Role": {
        ("lambda:InvokeFunction", "<Functions/Collector/Function.Arn>"),
        ("sqs:SendMessage", "<FailedTicks.Arn>"),
    },
    "Healing/Role": {("lambda:InvokeFunction", "<Functions/Healer/Function.Arn>")},
    "Deriving/Role": {("lambda:InvokeFunction", "<Functions/Derive/Function.Arn>")},
    f"{BY_CDK}/Role": {("lambda:InvokeFunction", "<Functions/Migrator/Function.Arn>:*")},
    "Postgres/Role": {
        *(
            (f"ssm:{action}", parameter(f"database/{role}"))
            for action in ("GetParameters", "PutParameter")
            for role in ("migrator", "loader", "reader", "report_reader")
        ),
        ("ssm:PutParameter", parameter("database/ca-pem")),
        ("s3:PutObject", "<Postgres/Backups.Arn>/dumps/*"),
        ("s3:GetObject", "<Postgres/Backups.Arn>/dumps/*"),
        ("s3:AbortMultipartUpload", "<Postgres/Backups.Arn>/dumps/*"),
        ("s3:ListBucket", "<Postgres/Backups.Arn>"),
        ("cloudwatch:PutMetricData", "*"),
        ("ec2:AssociateAddress", f"{EC2}elastic-ip/<Postgres/Address.AllocationId>"),
        ("ec2:AssociateAddress", f"{EC2}instance/*"),
        ("ec2:AssociateAddress", f"{EC2}network-interface/*"),
        ("ec2:AttachVolume", f"{EC2}volume/<Postgres/Data>"),
        ("ec2:AttachVolume", f"{EC2}instance/*"),
        ("ec2:ModifyInstanceCreditSpecification", f"{EC2}instance/*"),
        # EC2 and Session Manager support these for all resources only.
        ("ec2:DescribeSnapshots", "*"),
        ("ec2:DescribeVolumes", "*"),
        ("ssm:UpdateInstanceInformation", "*"),
        ("ssmmessages:CreateControlChannel", "*"),
        ("ssmmessages:CreateDataChannel", "*"),
        ("ssmmessages:OpenControlChannel", "*"),
        ("ssmmessages:OpenDataChannel", "*"),
        ("autoscaling:SetInstanceHealth", GROUP),
        ("cloudformation:DescribeStackResource", "<AWS::StackId>"),
        ("cloudformation:SignalResource", "<AWS::StackId>"),
    },
    "Snapshots/Role": {
        ("ec2:CreateSnapshot", f"{EC2}volume/<Postgres/Data>"),
        ("ec2:CreateSnapshot", SNAPSHOTS),
        ("ec2:CreateTags", SNAPSHOTS),
        ("ec2:DeleteSnapshot", SNAPSHOTS),
        ("ec2:DescribeInstances", "*"),
        ("ec2:DescribeSnapshots", "*"),
        ("ec2:DescribeVolumes", "*"),
    },
}


@pytest.fixture(scope="module")
def granted(aws):
    return {
        role: stack.rights(role)
        for stack in aws.values()
        for role in stack.resources("AWS::IAM::Role")
    }


def test_every_iam_role_is_listed_in_this_test_file(granted):
    assert set(granted) == set(ROLES)


@pytest.mark.parametrize("role", ROLES)
def test_a_role_has_exactly_the_listed_permissions(granted, role):
    assert granted[role] == ROLES[role]


@pytest.mark.parametrize("name", ["Enricher", "Healer"])
@pytest.mark.parametrize(
    ("given", "listener"),
    [
        pytest.param({}, "me", id="the first listener"),
        pytest.param({"features_login": "anna"}, "anna", id="another listener"),
    ],
)
def test_spotify_as_a_source_of_features_adds_rights_to_one_secret_and_one_table(
    synthesised, name, given, listener
):
    stacks = synthesised(listeners="me,anna", feature_sources="spotify,reccobeats", **given)
    stack = stacks["SpotifyPipeline"]

    role = f"Functions/{name}/Role"
    assert stack.rights(role) == ROLES[role] | {
        ("secretsmanager:GetSecretValue", secret(f"listener/{listener}")),
        ("dynamodb:GetItem", "<SpotifyApp.Arn>"),
        ("dynamodb:UpdateItem", "<SpotifyApp.Arn>"),
    }
    variables = stack.properties(f"Functions/{name}/Function")["Environment"]["Variables"]
    assert variables["SPOTIFY_APP_SECRET"] == f"spotify-pipeline/listener/{listener}"
    assert variables["FEATURE_SOURCES"] == "spotify,reccobeats"


@pytest.mark.parametrize("name", RIGHTS)
def test_functions_have_the_same_rights_with_an_external_database_in_a_vpc(on_aws, private, name):
    role = f"Functions/{name}/Role"

    assert private["SpotifyPipeline"].rights(role) == on_aws.rights(role)


@pytest.mark.parametrize("deployment", ["aws", "private"])
@pytest.mark.parametrize("name", ["Loader", "Migrator", "Queries", "Derive"])
def test_the_code_of_a_function_in_a_vpc_is_denied_network_interface_calls(
    request, deployment, name
):
    stack, role = request.getfixturevalue(deployment)["SpotifyPipeline"], f"Functions/{name}/Role"

    [denial] = [
        statement
        for holder, statement in stack.statements()
        if (holder, statement["Effect"]) == (f"<{role}>", "Deny")
    ]

    assert stack.rights(role, "Deny") == INTERFACES
    assert denial["Condition"] == {"Null": {"lambda:SourceFunctionArn": "false"}}


def test_every_aws_call_of_the_host_scripts_is_listed_with_its_rights():
    scripts = "".join(path.read_text() for path in SCRIPTS.glob("*.sh"))

    assert set(re.findall(r"\baws (\S+ (?:wait )?\S+)", scripts)) == set(NEEDED_BY)


def test_the_host_has_exactly_the_rights_of_its_scripts():
    actions = {action for action, _ in ROLES["Postgres/Role"]}

    assert actions == set().union(*NEEDED_BY.values()) | CALLED_BY_NO_SCRIPT


OF_OUR_GROUP = {
    "StringEquals": {"aws:ResourceTag/aws:autoscaling:groupName": "spotify-pipeline-postgres"}
}
IN_OUR_NETWORK = {"ArnEquals": {"ec2:Vpc": f"{EC2}vpc/<Network/Vpc>"}}


@pytest.mark.parametrize(
    ("role", "action", "resource", "condition"),
    [
        (
            *("Postgres", "cloudwatch:PutMetricData", "*"),
            {"StringEquals": {"cloudwatch:namespace": "SpotifyPipeline"}},
        ),
        ("Postgres", "ec2:AssociateAddress", "instance/*", OF_OUR_GROUP),
        ("Postgres", "ec2:ModifyInstanceCreditSpecification", "instance/*", OF_OUR_GROUP),
        ("Postgres", "ec2:AssociateAddress", "network-interface/*", IN_OUR_NETWORK),
        (
            *("Snapshots", "ec2:DeleteSnapshot", "snapshot/*"),
            {"StringEquals": {"aws:ResourceTag/snapshots-of": "spotify-pipeline"}},
        ),
    ],
)
def test_a_permission_on_wildcard_resources_has_the_expected_condition(
    data, role, action, resource, condition
):
    [statement] = [
        statement
        for holder, statement in data.statements()
        if holder == f"<{role}/Role>"
        and action in listed(statement["Action"])
        and any(each.endswith(resource) for each in listed(statement["Resource"]))
    ]

    assert statement["Condition"] == condition
