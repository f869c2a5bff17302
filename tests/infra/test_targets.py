import json
import subprocess
import sys
from pathlib import Path

import pytest
from aws_cdk import aws_sqs as sqs

from infra.cdk.constructs.function_network import INTERFACES
from infra.local.ports import Ports
from infra.local.run_options import RunOptions
from tests.infra.conftest import (
    ACCOUNT,
    EVERY,
    FUNCTIONS,
    ON_POSTGRES,
    PIPELINE,
    REGION,
    ROOT,
    each_of,
)

STACKS = ("SpotifyData", PIPELINE)
STATEMENTS = "Properties.PolicyDocument.Statement"
DECISION = ROOT / "docs" / "adr" / "0010-the-local-cloud-deploys-both-stacks.md"
SIMULATED = {
    "Collector": ("SPOTIFY_API_URL", "SPOTIFY_ACCOUNTS_URL"),
    "Enricher": ("SPOTIFY_API_URL", "SPOTIFY_ACCOUNTS_URL", "RECCOBEATS_URL"),
    "Healer": ("SPOTIFY_API_URL", "SPOTIFY_ACCOUNTS_URL", "RECCOBEATS_URL"),
}
# By the words of ADR 10 for each difference.
LOCAL_DIFFERENCES = {
    "no layer": {
        "Functions/Dependencies",
        *(f"Functions/{name}/Function.Properties.Layers" for name in FUNCTIONS),
    },
    "no VPC": {
        *(
            f"Functions/{name}/Function.Properties.{place}"
            for name in ON_POSTGRES
            for place in ("VpcConfig", "Environment.Variables.AWS_USE_DUALSTACK_ENDPOINT")
        ),
        # What is left of these rights is tested below.
        *(f"Functions/{name}/Role/DefaultPolicy.{STATEMENTS}" for name in ON_POSTGRES),
    },
    "external database": {
        # Its Postgres is built without TLS, so there is no CA.
        *(
            f"Functions/{name}/Function.Properties.Environment.Variables.DATABASE_CA_PARAMETER"
            for name in ON_POSTGRES
        ),
        # Which shows no host.
        "Dashboard/Dashboard.Properties.DashboardBody",
    },
    "the simulators": {
        f"Functions/{name}/Function.Properties.Environment.Variables.{variable}"
        for name, variables in SIMULATED.items()
        for variable in variables
    },
    "schedule of one minute": {"Schedules/me.Properties.ScheduleExpression"},
}
PARAMETERS = "arn:<AWS::Partition>:ssm:<AWS::Region>:<AWS::AccountId>:parameter/spotify-pipeline"
NOT_NEEDED_LOCALLY = {
    *((f"ec2:{action}", "*") for action in INTERFACES),
    ("ssm:GetParameter", f"{PARAMETERS}/database/ca-pem"),
}


def differences(one, other, path=""):
    if not (isinstance(one, dict) and isinstance(other, dict)):
        return set() if one == other else {path}
    return {
        difference
        for key in one.keys() | other.keys()
        for difference in differences(
            one.get(key, "absent"), other.get(key, "absent"), f"{path}.{key}" if path else key
        )
    }


def test_the_local_resources_differ_from_those_on_aws_only_as_listed(on_aws, on_local):
    stated = set().union(*LOCAL_DIFFERENCES.values())

    assert differences(on_aws.resources(), on_local.resources()) == stated


@pytest.mark.parametrize("words", LOCAL_DIFFERENCES)
def test_adr_10_lists_each_difference_between_local_and_aws(words):
    assert words in " ".join(DECISION.read_text().split())


def test_the_local_dashboard_lacks_only_the_database_host(on_aws, on_local):
    def titles(stack):
        body = json.loads(stack.properties("Dashboard/Dashboard")["DashboardBody"])
        return [each["properties"].get("title", each["properties"].get("markdown"))
                for each in body["widgets"]]  # fmt: skip

    there, here = titles(on_aws), titles(on_local)

    assert here == there[: len(here)]
    assert there[len(here)] == "## Database host"


def test_local_roles_lack_only_the_rights_for_vpc_and_database_ca(on_aws, on_local):
    on_both = {role: on_aws.rights(role) for role in on_aws.resources("AWS::IAM::Role")}

    local = {role: on_local.rights(role) for role in on_local.resources("AWS::IAM::Role")}

    assert local == {role: rights - NOT_NEEDED_LOCALLY for role, rights in on_both.items()}


def test_the_local_template_equals_that_of_aws_outside_its_resources(on_aws, on_local):
    there, here = (
        {part: value for part, value in stack.template.items() if part != "Resources"}
        for stack in (on_aws, on_local)
    )

    assert there == here


def test_the_local_data_stack_has_no_budget_and_no_database(local, elsewhere):
    there, here = elsewhere["SpotifyData"], local["SpotifyData"]

    assert differences(there.resources(), here.resources()) == {"Budget"}
    assert "Budget" not in here.resources()


def test_the_option_empty_disables_only_the_poll_schedule_and_its_alarm(on_local, synthesised):
    quiet = synthesised(**RunOptions(empty=True).deployment(Ports()))[PIPELINE]

    assert quiet.properties("Schedules/me")["State"] == "DISABLED"
    assert differences(on_local.resources(), quiet.resources()) == {
        "Schedules/me.Properties.State",
        "Alarms/CollectorSilent",
    }


def test_the_alarm_mail_address_is_subscribed_to_the_topic(synthesised):
    stack = synthesised(alert_email="owner@example.org")["SpotifyData"]

    [subscription] = stack.resources("AWS::SNS::Subscription").values()

    assert subscription["Properties"]["Endpoint"] == "owner@example.org"
    assert subscription["Properties"]["TopicArn"] == "<AlarmTopic/Topic>"


def test_two_listeners_have_separate_secrets_and_schedules(synthesised):
    stack = synthesised(listeners="me,anna")[PIPELINE]

    assert {"Listeners/me", "Listeners/anna", "Schedules/me", "Schedules/anna"} <= set(
        stack.resources()
    )
    assert stack.properties("Schedules/anna")["Target"]["Input"] == '{"listener":"anna"}'


@pytest.mark.parametrize("stack", STACKS)
def test_without_aws_credentials_a_template_names_no_account_or_region(on_aws, stack):
    manifest = json.loads((on_aws.folder / "manifest.json").read_text())

    environment = manifest["artifacts"][stack]["environment"]

    assert environment == "aws://unknown-account/unknown-region"


@pytest.mark.parametrize("stack", STACKS)
def test_aws_credentials_change_only_account_and_region_in_a_template(aws, placed, stack):
    def at_home(resources):
        text = json.dumps(resources).replace("<AWS::AccountId>", ACCOUNT)
        return json.loads(text.replace("<AWS::Region>", REGION))

    there, anywhere = placed[stack], aws[stack]

    assert there.template["Resources"].keys() == anywhere.template["Resources"].keys()
    assert differences(at_home(anywhere.resources()), at_home(there.resources())) == set()


def test_a_cdk_nag_violation_fails_the_synthesis(unsynthesised):
    app, stacks = unsynthesised()
    sqs.Queue(stacks.pipeline, "Bare")

    with pytest.raises(RuntimeError, match=r"[Vv]alidation"):
        app.synth()

    report = json.loads(Path(app.outdir, "validation-report.json").read_text())
    broken = {
        each["ruleName"] for plugin in report["pluginReports"] for each in plugin["violations"]
    }
    assert broken == {"AwsSolutions-SQS3", "AwsSolutions-SQS4"}


@pytest.mark.parametrize("deployment", ["aws", "elsewhere", "local"])
def test_the_data_stack_is_deployed_before_the_pipeline_stack(request, deployment):
    folder = request.getfixturevalue(deployment)[PIPELINE].folder
    manifest = json.loads((folder / "manifest.json").read_text())

    assert "SpotifyData" in manifest["artifacts"][PIPELINE]["dependencies"]


@each_of(EVERY)
def test_cfn_lint_reports_no_problem_in_any_template(stack):
    lint = subprocess.run(  # noqa: S603 - the arguments are ours
        [
            Path(sys.executable).with_name("cfn-lint"),
            stack.folder / f"{stack.stack}.template.json",
        ],
        capture_output=True,
        check=False,
        cwd=ROOT,
        text=True,
    )

    assert (lint.returncode, lint.stdout) == (0, "")
