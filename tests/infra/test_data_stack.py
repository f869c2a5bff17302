import json
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[2] / "infra" / "cdk" / "assets" / "postgres"
ROLES = ("migrator", "loader", "reader")
NAME = "ec2-<Postgres/Address>.<AWS::Region>.compute.amazonaws.com"


@pytest.fixture(scope="module")
def launch(data):
    return data.properties("Postgres/Group/LaunchTemplate")["LaunchTemplateData"]


@pytest.fixture(scope="module")
def group(data):
    return data.resources()["Postgres/Group/ASG"]


@pytest.fixture(scope="module")
def files(data):
    """What cfn-init puts on the host."""
    [resource] = [
        resource
        for resource in data.template["Resources"].values()
        if resource["Type"] == "AWS::AutoScaling::AutoScalingGroup"
    ]
    return data.readable(resource["Metadata"]["AWS::CloudFormation::Init"])["files"]["files"]


@pytest.fixture(scope="module")
def facts(files):
    lines = files["/opt/pg/env"]["content"].splitlines()
    return dict(line.split("=", 1) for line in lines)


def test_the_stack_is_safe_from_a_slip_of_the_hand(data):
    manifest = json.loads((data.folder / "manifest.json").read_text())

    assert manifest["artifacts"]["SpotifyData"]["properties"]["terminationProtection"] is True


def test_there_is_one_host_and_never_two(group):
    properties = group["Properties"]

    assert (properties["MinSize"], properties["MaxSize"]) == ("1", "1")
    assert properties["VPCZoneIdentifier"] == ["<Network/Vpc/databaseSubnet1/Subnet>"]


def test_a_host_goes_before_the_next_one_comes(group):
    policy = group["UpdatePolicy"]["AutoScalingRollingUpdate"]
    care = group["Properties"]["InstanceMaintenancePolicy"]

    assert (policy["MinInstancesInService"], policy["MaxBatchSize"]) == (0, 1)
    assert (care["MinHealthyPercentage"], care["MaxHealthyPercentage"]) == (0, 100)


def test_a_deployment_waits_until_postgres_serves(group, launch):
    user_data = launch["UserData"]["Fn::Base64"]

    assert group["CreationPolicy"]["ResourceSignal"] == {"Count": 1, "Timeout": "PT15M"}
    assert group["UpdatePolicy"]["AutoScalingRollingUpdate"]["WaitOnResourceSignals"] is True
    assert user_data.index("cfn-init") < user_data.index("cfn-signal -e $?")


def test_a_host_is_as_old_as_its_image_a_month_at_most(group, launch):
    assert group["Properties"]["MaxInstanceLifetime"] == 30 * 86_400
    assert launch["ImageId"].startswith("resolve:ssm:/aws/service/ami-amazon-linux-latest/al2023-")
    assert launch["ImageId"].endswith("-arm64")


def test_the_host_costs_what_it_is_told_to(launch):
    assert launch["InstanceType"] == "t4g.micro"
    assert launch["CreditSpecification"] == {"CpuCredits": "standard"}
    assert launch["Monitoring"] == {"Enabled": False}


def test_no_key_opens_the_host_and_its_metadata_ask_for_a_token(launch):
    assert "KeyName" not in launch
    assert launch["MetadataOptions"] == {"HttpTokens": "required"}


@pytest.mark.parametrize("what", ["Postgres/Role/DefaultPolicy", "Secrets/reader"])
def test_a_host_boots_after_what_it_needs(data, group, what):
    waits_for = {data.path_of(name) for name in group["DependsOn"]}
    waits_for |= {
        data.path_of(name)
        for name in data.resources()["Postgres/Group/LaunchTemplate"]["DependsOn"]
    }

    assert what in waits_for


def test_the_host_gets_every_script_as_it_is(files):
    placed = {name.removeprefix("/opt/pg/"): file for name, file in files.items()}

    assert {name: placed[name]["content"] for name in placed if name != "env"} == {
        path.name: path.read_text() for path in SCRIPTS.iterdir() if path.is_file()
    }


def test_scripts_can_be_run_and_nothing_else_can(files):
    modes = {(Path(name).suffix == ".sh", file["mode"]) for name, file in files.items()}

    assert modes == {(True, "000755"), (False, "000644")}


def test_the_host_is_told_names_alone(facts):
    assert facts == {
        "AWS_DEFAULT_REGION": "<AWS::Region>",
        "VOLUME_ID": "<Postgres/Data>",
        "EIP_ALLOCATION_ID": "<Postgres/Address.AllocationId>",
        "DB_HOST": NAME,
        "DB_NAME": "spotify",
        "PG_MAJOR": "17",
        "MIGRATOR_SECRET": "spotify-pipeline/database/migrator",
        "LOADER_SECRET": "spotify-pipeline/database/loader",
        "READER_SECRET": "spotify-pipeline/database/reader",
        "HOST_PARAMETER": "/spotify-pipeline/database/host",
        "CA_PARAMETER": "/spotify-pipeline/database/ca-pem",
        "APP_CIDRS": "10.42.2.0/24,10.42.3.0/24",
        "DATA_STUDIO_CIDRS": "",
        "BACKUP_BUCKET": "<Postgres/Backups>",
        "BACKUP_PREFIX": "dumps/",
        "METRIC_NAMESPACE": "SpotifyPipeline",
    }


def test_the_functions_find_the_host_by_the_name_in_its_certificate(data, facts):
    parameter = data.properties("Host")

    assert parameter["Name"] == "/spotify-pipeline/database/host"
    assert parameter["Value"] == facts["DB_HOST"]


def test_the_first_region_of_aws_has_a_domain_of_its_own(data):
    [condition] = data.template["Conditions"].values()
    [[_, there, _]] = [
        part["Fn::If"]
        for part in data.template["Outputs"]["DbHost"]["Value"]["Fn::Join"][1]
        if "Fn::If" in part
    ]

    assert condition == {"Fn::Equals": [{"Ref": "AWS::Region"}, "us-east-1"]}
    assert there == "compute-1.amazonaws.com"


@pytest.mark.parametrize("role", ROLES)
def test_a_role_has_a_secret_of_the_form_that_the_functions_read(data, role):
    secret = data.properties(f"Secrets/{role}")
    known = json.loads(secret["GenerateSecretString"]["SecretStringTemplate"])

    assert secret["Name"] == f"spotify-pipeline/database/{role}"
    assert known == {"username": role, "dbname": "spotify", "port": 5432}
    assert secret["GenerateSecretString"]["GenerateStringKey"] == "password"


def test_functions_leave_by_ipv6_alone(data):
    routes = [
        route["Properties"]
        for path, route in data.resources("AWS::EC2::Route").items()
        if "appSubnet" in path
    ]

    assert [set(route) for route in routes] == [
        {"DestinationIpv6CidrBlock", "EgressOnlyInternetGatewayId", "RouteTableId"}
    ] * 2


def test_the_database_lets_the_functions_in_and_nobody_else(data):
    [ingress] = data.resources("AWS::EC2::SecurityGroupIngress").values()
    groups = [group["Properties"] for group in data.resources("AWS::EC2::SecurityGroup").values()]

    assert ingress["Properties"]["SourceSecurityGroupId"] == "<Network/AppGroup.GroupId>"
    assert ingress["Properties"]["GroupId"] == "<Network/DatabaseGroup.GroupId>"
    assert ingress["Properties"]["FromPort"] == ingress["Properties"]["ToPort"] == 5432
    assert not any("SecurityGroupIngress" in group for group in groups)


def test_data_studio_gets_in_from_the_networks_that_are_told(synthesised):
    stack = synthesised(**{"host.data_studio_cidrs": "142.251.74.0/23"})["SpotifyData"]

    [rule] = stack.properties("Network/DatabaseGroup")["SecurityGroupIngress"]

    assert (rule["CidrIp"], rule["FromPort"], rule["ToPort"]) == ("142.251.74.0/23", 5432, 5432)


def test_a_snapshot_can_be_what_the_volume_begins_with(synthesised):
    stack = synthesised(**{"host.snapshot_id": "snap-0123456789abcdef0"})["SpotifyData"]

    assert stack.properties("Postgres/Data")["SnapshotId"] == "snap-0123456789abcdef0"


def test_a_large_host_has_no_credits_to_cap(synthesised):
    stack = synthesised(**{"host.instance_type": "m8g.large"})["SpotifyData"]

    launch = stack.properties("Postgres/Group/LaunchTemplate")["LaunchTemplateData"]

    assert "CreditSpecification" not in launch


def test_a_week_of_nightly_snapshots_is_kept(data):
    details = data.properties("Snapshots/Policy")["PolicyDetails"]
    tags = data.properties("Postgres/Data")["Tags"]

    [schedule] = details["Schedules"]

    assert details["TargetTags"] == [{"Key": "snapshots-of", "Value": "spotify-pipeline"}]
    assert details["TargetTags"][0] in tags
    assert schedule["CreateRule"] == {"Interval": 24, "IntervalUnit": "HOURS", "Times": ["04:00"]}
    assert schedule["RetainRule"] == {"Count": 7}


def test_nothing_but_the_data_volume_is_snapshotted(data):
    tagged = [path for path, each in data.resources().items() if "snapshots-of" in str(each)]

    assert tagged == ["Postgres/Data", "Snapshots/Role/DefaultPolicy", "Snapshots/Policy"]


def test_dumps_are_kept_for_five_weeks(data):
    [rule, _] = data.properties("Postgres/Backups")["LifecycleConfiguration"]["Rules"]

    assert rule["ExpirationInDays"] == 35
    assert rule["NoncurrentVersionExpiration"] == {"NoncurrentDays": 7}


def test_nothing_that_is_archived_expires(data):
    rules = data.properties("Archive/Bucket")["LifecycleConfiguration"]["Rules"]

    assert rules == [
        {"AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7}, "Status": "Enabled"}
    ]


def test_the_archive_tells_what_arrives(data):
    bucket = data.properties("Archive/Bucket")

    assert bucket["NotificationConfiguration"] == {
        "EventBridgeConfiguration": {"EventBridgeEnabled": True}
    }


def test_alarms_may_publish_though_the_topic_has_a_policy_of_its_own(data):
    statements = data.properties("AlarmTopic/Topic/Policy")["PolicyDocument"]["Statement"]

    [allowed] = [each for each in statements if each["Effect"] == "Allow"]

    assert allowed["Principal"] == {"Service": "cloudwatch.amazonaws.com"}
    assert allowed["Action"] == "sns:Publish"
    assert allowed["Condition"] == {"StringEquals": {"aws:SourceAccount": "<AWS::AccountId>"}}


def test_the_owner_is_told_before_and_when_the_budget_is_spent(synthesised):
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


def test_a_database_elsewhere_leaves_archive_topic_and_budget(elsewhere):
    assert set(elsewhere["SpotifyData"].resources()) == {
        *("Archive/Bucket", "Archive/Bucket/Policy"),
        *("AlarmTopic/Topic", "AlarmTopic/Topic/Policy"),
        "Budget",
    }


@pytest.mark.parametrize("name", ["Loader", "Migrator"])
def test_functions_reach_a_database_elsewhere_from_no_network_of_ours(elsewhere, name):
    function = elsewhere["SpotifyPipeline"].properties(f"Functions/{name}/Function")
    variables = function["Environment"]["Variables"]

    assert "VpcConfig" not in function
    assert variables["DATABASE_CA_PARAMETER"] == "/spotify-pipeline/database/ca-pem"
    assert "AWS_USE_DUALSTACK_ENDPOINT" not in variables


@pytest.mark.parametrize("name", ["Loader", "Migrator"])
def test_functions_are_in_the_network_of_a_managed_database(on_aws, name):
    function = on_aws.properties(f"Functions/{name}/Function")

    network = function["VpcConfig"]

    assert network["Ipv6AllowedForDualStack"] is True
    assert [each["Fn::GetStackOutput"]["StackName"] for each in network["SubnetIds"]] == [
        "SpotifyData"
    ] * 2
    assert function["Environment"]["Variables"]["AWS_USE_DUALSTACK_ENDPOINT"] == "true"


@pytest.mark.parametrize("name", ["Collector", "Backfill", "Enricher"])
def test_functions_that_need_no_database_are_in_no_network(on_aws, name):
    assert "VpcConfig" not in on_aws.properties(f"Functions/{name}/Function")


@pytest.mark.parametrize(
    ("name", "metric", "threshold"),
    [
        ("HostFailed", "StatusCheckFailed", 1),
        ("DiskFilling", "DiskUsedPercent", 80),
        ("BackupOverdue", "BackupAgeHours", 26),
    ],
)
def test_a_host_that_is_unwell_or_silent_raises_an_alarm(data, name, metric, threshold):
    alarm = data.properties(f"HostAlarms/{name}")

    assert (alarm["MetricName"], alarm["Threshold"]) == (metric, threshold)
    assert alarm["ComparisonOperator"] == "GreaterThanOrEqualToThreshold"
    assert alarm["TreatMissingData"] == "breaching"


def test_the_alarms_of_the_host_wait_until_it_is_up(data):
    alarms = data.resources("AWS::CloudWatch::Alarm")

    waits_for = [{data.path_of(name) for name in each["DependsOn"]} for each in alarms.values()]

    assert ["Postgres/Group/ASG" in each for each in waits_for] == [True] * 3


@pytest.mark.parametrize("name", ["DiskFilling", "BackupOverdue"])
def test_an_alarm_watches_a_metric_as_the_host_tells_it(data, facts, name):
    alarm = data.properties(f"HostAlarms/{name}")

    told = (SCRIPTS / "metrics.sh").read_text()

    assert alarm["Namespace"] == facts["METRIC_NAMESPACE"]
    assert f"MetricName={alarm['MetricName']}," in told
    assert "Dimensions" not in alarm
    assert "Dimensions" not in told


def test_the_stack_tells_what_its_owner_needs(data):
    told = {
        name: data.readable(output["Value"])
        for name, output in data.template["Outputs"].items()
        if not name.startswith("PublishOutput")
    }

    assert told == {
        "ArchiveBucket": "spotify-pipeline-archive-<AWS::AccountId>-<AWS::Region>",
        "AlarmTopicArn": "<AlarmTopic/Topic>",
        "DbHost": NAME,
        "HostGroup": "spotify-pipeline-postgres",
        "BackupBucket": "<Postgres/Backups>",
        "DataVolume": "<Postgres/Data>",
    }
