import json
import re
import subprocess
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[2] / "infra" / "cdk" / "assets" / "postgres"
NAME = "ec2-<Postgres/Address>.<AWS::Region>.compute.amazonaws.com"


@pytest.fixture(scope="module")
def launch(data):
    return data.properties("Postgres/Group/LaunchTemplate")["LaunchTemplateData"]


@pytest.fixture(scope="module")
def group(data):
    return data.resources()["Postgres/Group/ASG"]


def test_the_database_host_group_has_exactly_one_instance(group):
    properties = group["Properties"]

    assert (properties["MinSize"], properties["MaxSize"]) == ("1", "1")
    assert properties["VPCZoneIdentifier"] == ["<Network/Vpc/databaseSubnet1/Subnet>"]


def test_the_old_host_stops_before_the_new_one_starts(group):
    policy = group["UpdatePolicy"]["AutoScalingRollingUpdate"]
    care = group["Properties"]["InstanceMaintenancePolicy"]

    assert (policy["MinInstancesInService"], policy["MaxBatchSize"]) == (0, 1)
    assert (care["MinHealthyPercentage"], care["MaxHealthyPercentage"]) == (0, 100)


def test_a_deployment_waits_for_the_signal_that_postgres_runs(group, launch):
    user_data = launch["UserData"]["Fn::Base64"]

    assert group["CreationPolicy"]["ResourceSignal"] == {"Count": 1, "Timeout": "PT30M"}
    assert group["UpdatePolicy"]["AutoScalingRollingUpdate"]["WaitOnResourceSignals"] is True
    assert group["UpdatePolicy"]["AutoScalingRollingUpdate"]["PauseTime"] == "PT30M"
    assert user_data.index("cfn-init") < user_data.index("cfn-signal -e $?")


def test_a_host_is_replaced_within_a_month_with_the_newest_image(group, launch):
    assert group["Properties"]["MaxInstanceLifetime"] == 30 * 86_400
    assert launch["ImageId"].startswith("resolve:ssm:/aws/service/ami-amazon-linux-latest/al2023-")
    assert launch["ImageId"].endswith("-arm64")


def test_the_host_has_the_configured_instance_type(launch):
    assert launch["InstanceType"] == "t4g.micro"
    assert launch["Monitoring"] == {"Enabled": False}


def test_the_host_boots_with_unlimited_cpu_credits(launch, facts):
    assert launch["CreditSpecification"] == {"CpuCredits": "unlimited"}
    assert facts["CPU_CREDITS"] == "standard"


@pytest.fixture
def give_up(launch, tmp_path):
    """Run the user data after cfn-init, and return the calls of the AWS CLI."""
    _, _, script = launch["UserData"]["Fn::Base64"].partition("\n)\n")
    (tmp_path / "id").write_text("i-0123\n")

    def run(*, is_active, refusals=0):
        calls = tmp_path / "calls"
        calls.touch()
        fakes = {
            "aws": f'echo "$*" >> {calls}; [ $(wc -l < {calls}) -gt {refusals} ]',
            "systemctl": f'[ "$*" = "--quiet is-active pg-check.timer" ] && {is_active}',
            "sleep": "true",
        }
        for name, text in fakes.items():
            (tmp_path / name).write_text(f"#!/bin/bash\n{text}\n")
            (tmp_path / name).chmod(0o755)
        here = script.replace("/var/lib/cloud/data/instance-id", str(tmp_path / "id"))
        here = here.replace("<AWS::Region>", "eu-west-1")
        path = {"PATH": f"{tmp_path}:/usr/bin:/bin"}
        subprocess.run(["/bin/bash", "-eu", "-c", here], check=True, env=path, timeout=20)  # noqa: S603 - the script is ours
        return calls.read_text().splitlines()

    return run


def test_a_failed_boot_is_reported_unhealthy_until_the_call_succeeds(give_up):
    report = (
        "autoscaling set-instance-health --region eu-west-1 --health-status Unhealthy"
        " --no-should-respect-grace-period --instance-id i-0123"
    )

    assert give_up(is_active="false", refusals=2) == [report] * 3


def test_a_booted_instance_is_not_reported_unhealthy(give_up):
    assert give_up(is_active="true") == []


def test_a_failed_boot_signals_the_deployment_before_reporting_unhealthy(launch):
    user_data = launch["UserData"]["Fn::Base64"]

    assert user_data.index("cfn-signal") < user_data.index("set-instance-health")


def test_the_host_has_no_ssh_key_and_requires_metadata_tokens(launch):
    assert "KeyName" not in launch
    assert launch["MetadataOptions"] == {"HttpTokens": "required"}


def test_the_host_boots_after_its_permissions_exist(data, group):
    waits_for = {data.path_of(name) for name in group["DependsOn"]}
    waits_for |= {
        data.path_of(name)
        for name in data.resources()["Postgres/Group/LaunchTemplate"]["DependsOn"]
    }

    assert "Postgres/Role/DefaultPolicy" in waits_for


@pytest.mark.parametrize("path", ["Postgres/Group/ASG", "Postgres/Address"])
def test_host_and_address_are_created_after_the_internet_route(data, path):
    subnet = "Network/Vpc/databaseSubnet1"

    assert data.waits_for(path) >= {
        "Network/Vpc/VPCGW",
        f"{subnet}/DefaultRoute",
        f"{subnet}/RouteTableAssociation",
    }


def test_the_host_gets_every_script_unchanged(files):
    placed = {name.removeprefix("/opt/pg/"): file for name, file in files.items()}

    assert {name: placed[name]["content"] for name in placed if name != "env"} == {
        path.name: path.read_text() for path in SCRIPTS.iterdir() if path.is_file()
    }


def test_only_scripts_are_executable_on_the_host(files):
    modes = {(Path(name).suffix == ".sh", file["mode"]) for name, file in files.items()}

    assert modes == {(True, "000755"), (False, "000644")}


def test_the_environment_variables_of_the_host_contain_no_secret(facts):
    assert facts == {
        "AWS_DEFAULT_REGION": "<AWS::Region>",
        "VOLUME_ID": "<Postgres/Data>",
        "EIP_ALLOCATION_ID": "<Postgres/Address.AllocationId>",
        "DB_HOST": NAME,
        "DB_NAME": "spotify",
        "PG_MAJOR": "17",
        "MIGRATOR_PARAMETER": "/spotify-pipeline/database/migrator",
        "LOADER_PARAMETER": "/spotify-pipeline/database/loader",
        "READER_PARAMETER": "/spotify-pipeline/database/reader",
        "REPORT_READER_PARAMETER": "/spotify-pipeline/database/report_reader",
        "CA_PARAMETER": "/spotify-pipeline/database/ca-pem",
        "APP_CIDRS": "10.42.2.0/24,10.42.3.0/24",
        "DATA_STUDIO_CIDRS": "",
        "BACKUP_BUCKET": "<Postgres/Backups>",
        "BACKUP_PREFIX": "dumps/",
        "METRIC_NAMESPACE": "SpotifyPipeline",
        "CPU_CREDITS": "standard",
    }


def test_every_variable_of_the_host_is_used_by_a_script_or_the_aws_cli(facts):
    scripts = "".join(path.read_text() for path in SCRIPTS.glob("*.sh"))

    unread = {name for name in facts if not re.search(rf"\$\{{?{name}\b", scripts)}

    assert unread == {"AWS_DEFAULT_REGION"}


def test_the_functions_find_the_host_by_the_name_in_its_certificate(data, facts):
    parameter = data.properties("Host")

    assert parameter["Name"] == "/spotify-pipeline/database/host"
    assert parameter["Value"] == facts["DB_HOST"]


def test_the_host_name_in_us_east_1_uses_compute_1_amazonaws_com(data):
    [condition] = data.template["Conditions"].values()
    [[_, there, _]] = [
        part["Fn::If"]
        for part in data.template["Outputs"]["DbHost"]["Value"]["Fn::Join"][1]
        if "Fn::If" in part
    ]

    assert condition == {"Fn::Equals": [{"Ref": "AWS::Region"}, "us-east-1"]}
    assert there == "compute-1.amazonaws.com"


def test_an_instance_type_without_cpu_credits_gets_no_credit_setting(synthesised):
    stack = synthesised(**{"host.instance_type": "m8g.large"})["SpotifyData"]

    launch = stack.properties("Postgres/Group/LaunchTemplate")["LaunchTemplateData"]

    assert "CreditSpecification" not in launch
    assert "CPU_CREDITS=\\n" in json.dumps(stack.template)


def test_the_host_accepts_the_database_role_of_each_function(on_aws, files):
    variables = [
        function["Properties"].get("Environment", {}).get("Variables", {})
        for function in on_aws.resources("AWS::Lambda::Function").values()
    ]
    roles = {
        each["DATABASE_LOGIN_PARAMETER"].rpartition("/")[2]
        for each in variables
        if "DATABASE_LOGIN_PARAMETER" in each
    }
    [line] = [
        line.split()
        for line in files["/opt/pg/pg_hba.conf"]["content"].splitlines()
        if "@APP_CIDR@" in line
    ]

    assert roles == {"loader", "migrator", "reader"}
    assert set(line[2].split(",")) == roles
