import re
from importlib import import_module

import boto3
import pytest

from cli.deployment_status import dashboard_url
from cli.target import Target
from infra.cdk.libraries import INSTALL, LOCK

SETTINGS = {
    "Collector": ("services.collector.handler", "CollectorSettings"),
    "Backfill": ("services.collector.backfill.upload_handler", "BackfillSettings"),
    "Enricher": ("services.enricher.settings", "EnricherSettings"),
    "Healer": ("services.enricher.settings", "HealerSettings"),
    "Loader": ("services.loader.settings", "LoaderSettings"),
    "Migrator": ("services.loader.settings", "DatabaseSettings"),
    "Queries": ("services.loader.settings", "DatabaseSettings"),
    "Derive": ("services.loader.settings", "DeriveSettings"),
}
SERVICES = {name: module.split(".")[1] for name, (module, _) in SETTINGS.items()}
QUEUES = ("CollectedPlays", "EnrichedPlays", "UploadedFiles")
OUTPUTS = {
    "ArchiveBucket": "spotify-pipeline-archive-<AWS::AccountId>-<AWS::Region>",
    **{f"{name}Function": f"<Functions/{name}/Function>" for name in SETTINGS},
    "ListenerStateTable": "<ListenerState>",
    "SpotifyAppTable": "<SpotifyApp>",
    "TrackCacheTable": "<TrackCache>",
    **{f"{name}QueueUrl": f"<{name}/Queue>" for name in QUEUES},
    **{f"{name}DlqUrl": f"<{name}/DeadLetters>" for name in QUEUES},
    "FailedTicksQueueUrl": "<FailedTicks>",
    "DatabaseReaderParameter": "/spotify-pipeline/database/reader",
    "DatabaseHostParameter": "/spotify-pipeline/database/host",
    "ListenerSecretPrefix": "spotify-pipeline/listener/",
}


def environment(stack, name):
    variables = stack.properties(f"Functions/{name}/Function")["Environment"]["Variables"]
    return {
        key: text for key, text in variables.items() if not key.startswith(("POWERTOOLS_", "AWS_"))
    }


@pytest.mark.parametrize("name", SETTINGS)
def test_each_function_gets_exactly_the_environment_variables_that_its_settings_read(on_aws, name):
    module, settings = SETTINGS[name]

    fields = getattr(import_module(module), settings).model_fields

    assert set(environment(on_aws, name)) == {field.upper() for field in fields}


@pytest.mark.parametrize("name", SETTINGS)
def test_every_function_accepts_its_environment_variables_of_the_local_cloud(on_local, name):
    module, settings = SETTINGS[name]

    loaded = getattr(import_module(module), settings).from_environment(environment(on_local, name))

    assert loaded.model_fields_set == set(type(loaded).model_fields)


@pytest.mark.parametrize("name", SERVICES)
def test_the_handler_of_each_function_exists_in_its_package(on_aws, name):
    module, _, function = on_aws.properties(f"Functions/{name}/Function")["Handler"].rpartition(".")

    named = on_aws.asset_of(f"Functions/{name}/Function").joinpath(*module.split("."))
    assert named.with_suffix(".py").exists() or (named / "__init__.py").exists()
    assert callable(getattr(import_module(module), function))


@pytest.mark.parametrize(("name", "service"), SERVICES.items())
def test_a_function_package_contains_only_its_own_service_and_the_shared_code(
    on_aws, name, service
):
    code = on_aws.asset_of(f"Functions/{name}/Function")

    assert {path.name for path in code.iterdir()} == {"services", "shared"}
    assert {path.name for path in (code / "services").iterdir()} == {"__init__.py", service}
    assert {path.suffix for path in code.rglob("*") if path.is_file()} <= {".py", ".sql"}


@pytest.mark.parametrize(("name", "service"), SERVICES.items())
def test_each_function_sets_its_powertools_service_name_and_namespace(on_aws, name, service):
    variables = on_aws.properties(f"Functions/{name}/Function")["Environment"]["Variables"]

    assert variables["POWERTOOLS_SERVICE_NAME"] == service
    assert variables["POWERTOOLS_METRICS_NAMESPACE"] == "SpotifyPipeline"
    assert variables["POWERTOOLS_LOG_LEVEL"] == "INFO"


def test_the_stack_outputs_are_those_that_the_plays_cli_needs(on_aws):
    outputs = on_aws.template["Outputs"].items()

    assert {name: on_aws.readable(output["Value"]) for name, output in outputs} == OUTPUTS


def test_the_plays_cli_links_to_the_deployed_cloudwatch_dashboard(on_aws, monkeypatch):
    target = Target("aws", "SpotifyPipeline", boto3.Session(region_name="eu-west-1"))
    monkeypatch.setitem(vars(target), "outputs", OUTPUTS)

    (dashboard,) = on_aws.resources("AWS::CloudWatch::Dashboard").values()

    name = dashboard["Properties"]["DashboardName"]
    assert dashboard_url(target).endswith(f"?region=eu-west-1#dashboards:name={name}")


def test_the_layer_is_built_for_the_functions_runtime_and_architecture(on_aws):
    layer = on_aws.properties("Functions/Dependencies")

    assert layer["CompatibleArchitectures"] == ["arm64"]
    assert layer["CompatibleRuntimes"] == ["python3.14"]
    assert {"--python-platform=aarch64-manylinux2014", "--python-version=3.14"} <= set(INSTALL)


def test_the_layer_contains_exactly_the_locked_libraries():
    assert {"--require-hashes", "--no-deps"} <= set(INSTALL)


def test_the_layer_lock_excludes_boto3_which_the_runtime_has():
    locked = set(re.findall(r"^([a-z0-9-]+)==", LOCK.read_text(), re.MULTILINE))

    assert {"aws-lambda-powertools", "pg8000", "pydantic", "requests"} <= locked
    assert not {"boto3", "botocore", "aws-xray-sdk"} & locked
