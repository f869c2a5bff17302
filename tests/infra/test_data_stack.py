import json

import pytest

from tests.infra.conftest import FUNCTIONS, ON_POSTGRES

NAME = "ec2-<Postgres/Address>.<AWS::Region>.compute.amazonaws.com"


def test_the_data_stack_has_termination_protection(data):
    manifest = json.loads((data.folder / "manifest.json").read_text())

    assert manifest["artifacts"]["SpotifyData"]["properties"]["terminationProtection"] is True


def test_subnets_of_functions_have_only_an_ipv6_egress_route(data):
    routes = [
        route["Properties"]
        for path, route in data.resources("AWS::EC2::Route").items()
        if "appSubnet" in path
    ]

    assert [set(route) for route in routes] == [
        {"DestinationIpv6CidrBlock", "EgressOnlyInternetGatewayId", "RouteTableId"}
    ] * 2


def test_the_database_admits_only_the_functions(data):
    [ingress] = data.resources("AWS::EC2::SecurityGroupIngress").values()
    groups = [group["Properties"] for group in data.resources("AWS::EC2::SecurityGroup").values()]

    assert ingress["Properties"]["SourceSecurityGroupId"] == "<Network/AppGroup.GroupId>"
    assert ingress["Properties"]["GroupId"] == "<Network/DatabaseGroup.GroupId>"
    assert ingress["Properties"]["FromPort"] == ingress["Properties"]["ToPort"] == 5432
    assert not any("SecurityGroupIngress" in group for group in groups)


def test_data_studio_connects_from_the_configured_networks(synthesised):
    stack = synthesised(**{"host.data_studio_cidrs": "142.251.74.0/23"})["SpotifyData"]

    [rule] = stack.properties("Network/DatabaseGroup")["SecurityGroupIngress"]

    assert (rule["CidrIp"], rule["FromPort"], rule["ToPort"]) == ("142.251.74.0/23", 5432, 5432)


def test_a_week_of_nightly_snapshots_is_kept(data):
    details = data.properties("Snapshots/Policy")["PolicyDetails"]
    tags = data.properties("Postgres/Data")["Tags"]

    [schedule] = details["Schedules"]

    assert details["TargetTags"] == [{"Key": "snapshots-of", "Value": "spotify-pipeline"}]
    assert details["TargetTags"][0] in tags
    assert schedule["CreateRule"] == {"Interval": 24, "IntervalUnit": "HOURS", "Times": ["04:00"]}
    assert schedule["RetainRule"] == {"Count": 7}


def test_only_the_data_volume_is_snapshotted(data):
    tagged = [path for path, each in data.resources().items() if "snapshots-of" in str(each)]

    assert tagged == ["Postgres/Data", "Snapshots/Role/DefaultPolicy", "Snapshots/Policy"]


def test_dumps_are_kept_for_five_weeks(data):
    [rule, _] = data.properties("Postgres/Backups")["LifecycleConfiguration"]["Rules"]

    assert rule["ExpirationInDays"] == 35
    assert rule["NoncurrentVersionExpiration"] == {"NoncurrentDays": 7}


def test_archived_objects_never_expire(data):
    rules = data.properties("Archive/Bucket")["LifecycleConfiguration"]["Rules"]

    assert rules == [
        {"AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7}, "Status": "Enabled"}
    ]


def test_the_archive_bucket_sends_an_event_for_each_object(data):
    bucket = data.properties("Archive/Bucket")

    assert bucket["NotificationConfiguration"] == {
        "EventBridgeConfiguration": {"EventBridgeEnabled": True}
    }


def test_cloudwatch_alarms_may_publish_to_the_topic(data):
    statements = data.properties("AlarmTopic/Topic/Policy")["PolicyDocument"]["Statement"]

    [allowed] = [each for each in statements if each["Effect"] == "Allow"]

    assert allowed["Principal"] == {"Service": "cloudwatch.amazonaws.com"}
    assert allowed["Action"] == "sns:Publish"
    assert allowed["Condition"] == {"StringEquals": {"aws:SourceAccount": "<AWS::AccountId>"}}


def test_the_budget_mails_at_80_and_100_percent(synthesised):
    stack = synthesised(alert_email="owner@example.org", monthly_budget_usd="20")["SpotifyData"]

    budget = stack.properties("Budget")

    assert budget["Budget"]["BudgetLimit"] == {"Amount": 20, "Unit": "USD"}
    assert [
        (each["Notification"]["Threshold"], each["Subscribers"])
        for each in budget["NotificationsWithSubscribers"]
    ] == [
        (percent, [{"Address": "owner@example.org", "SubscriptionType": "EMAIL"}])
        for percent in (80, 100)
    ]


def test_with_an_external_database_only_archive_topic_and_budget_exist(elsewhere):
    assert set(elsewhere["SpotifyData"].resources()) == {
        *("Archive/Bucket", "Archive/Bucket/Policy"),
        *("AlarmTopic/Topic", "AlarmTopic/Topic/Policy"),
        "Budget",
    }


EXISTING = {
    "SubnetIds": ["subnet-0a1b2c3d", "subnet-4e5f6a7b"],
    "SecurityGroupIds": ["sg-0a1b2c3d"],
    "Ipv6AllowedForDualStack": False,
}


@pytest.mark.parametrize("name", ON_POSTGRES)
@pytest.mark.parametrize(("deployment", "network"), [("elsewhere", None), ("private", EXISTING)])
def test_functions_are_in_the_vpc_of_an_external_database_if_it_has_one(
    request, deployment, network, name
):
    stack = request.getfixturevalue(deployment)["SpotifyPipeline"]

    function = stack.properties(f"Functions/{name}/Function")

    variables = function["Environment"]["Variables"]
    assert function.get("VpcConfig") == network
    assert variables["DATABASE_CA_PARAMETER"] == "/spotify-pipeline/database/ca-pem"
    assert "AWS_USE_DUALSTACK_ENDPOINT" not in variables


def test_functions_use_ipv6_in_a_dual_stack_network(synthesised):
    network = {
        "vpc_id": "vpc-0a1b2c3d",
        "subnet_ids": "subnet-0a1b2c3d",
        "security_group_id": "sg-0a1b2c3d",
        "ipv6": "true",
    }

    stack = synthesised(database={"mode": "external", "network": network})["SpotifyPipeline"]

    functions = [stack.properties(f"Functions/{name}/Function") for name in ON_POSTGRES]
    networks = [each["VpcConfig"] for each in functions]
    assert [each["SubnetIds"] for each in networks] == [["subnet-0a1b2c3d"]] * 4
    assert {each["Ipv6AllowedForDualStack"] for each in networks} == {True}
    assert {
        each["Environment"]["Variables"]["AWS_USE_DUALSTACK_ENDPOINT"] for each in functions
    } == {"true"}


def test_no_resource_is_created_in_an_existing_network(elsewhere, private):
    assert private["SpotifyData"].template == elsewhere["SpotifyData"].template
    assert (
        private["SpotifyPipeline"].resources().keys()
        == elsewhere["SpotifyPipeline"].resources().keys()
    )


@pytest.mark.parametrize("name", ON_POSTGRES)
def test_functions_are_in_the_vpc_of_our_database_host(on_aws, name):
    function = on_aws.properties(f"Functions/{name}/Function")

    network = function["VpcConfig"]

    assert network["Ipv6AllowedForDualStack"] is True
    assert [each["Fn::GetStackOutput"]["StackName"] for each in network["SubnetIds"]] == [
        "SpotifyData"
    ] * 2
    assert function["Environment"]["Variables"]["AWS_USE_DUALSTACK_ENDPOINT"] == "true"


@pytest.mark.parametrize("deployment", ["aws", "private"])
@pytest.mark.parametrize("name", sorted({*FUNCTIONS} - {*ON_POSTGRES}))
def test_functions_without_database_access_are_in_no_vpc(request, deployment, name):
    stack = request.getfixturevalue(deployment)["SpotifyPipeline"]

    assert "VpcConfig" not in stack.properties(f"Functions/{name}/Function")


def test_the_data_stack_has_exactly_the_expected_outputs(data):
    outputs = {
        name: data.readable(output["Value"])
        for name, output in data.template["Outputs"].items()
        if not name.startswith("PublishOutput")
    }

    assert outputs == {
        "ArchiveBucket": "spotify-pipeline-archive-<AWS::AccountId>-<AWS::Region>",
        "AlarmTopicArn": "<AlarmTopic/Topic>",
        "DbHost": NAME,
        "HostGroup": "spotify-pipeline-postgres",
        "BackupBucket": "<Postgres/Backups>",
        "DataVolume": "<Postgres/Data>",
    }
