import json
from pathlib import Path

import pytest

from infra.cdk.config import PipelineConfig, Place, load
from infra.cdk.sizes import ConsumerConfig, EnricherConfig
from shared.errors import SettingsError

LOCAL = {"target": "local", "database.mode": "external"}
NETWORK = {
    "vpc_id": "vpc-0a1b2c3d",
    "subnet_ids": ["subnet-0a1b2c3d"],
    "security_group_id": "sg-0a1b2c3d",
}
CONTEXT = json.loads((Path(__file__).parents[2] / "cdk.json").read_text())["context"]


@pytest.mark.parametrize(
    ("given", "target"), [({}, "aws"), ({"target": "aws"}, "aws"), ({"target": "local"}, "local")]
)
def test_the_context_of_cdk_json_is_valid_for_each_target(given, target):
    assert load(CONTEXT | given).target == target


def test_a_target_section_of_cdk_json_overrides_only_options_it_contains():
    context = {
        "pipeline": {"poll_minutes": 20, "name": "plays"},
        "pipeline:local": {"poll_minutes": 1},
    }

    config = load(context | LOCAL)

    assert (config.poll_minutes, config.name) == (1, "plays")


def test_the_command_line_overrides_cdk_json():
    context = LOCAL | {"pipeline:local": {"poll_minutes": 1}, "poll_minutes": "7"}

    assert load(context).poll_minutes == 7


def test_account_and_region_are_those_of_the_aws_credentials():
    place = {"CDK_DEFAULT_ACCOUNT": "111122223333", "CDK_DEFAULT_REGION": "us-gov-west-1"}

    assert load(CONTEXT, place).place == Place(account="111122223333", region="us-gov-west-1")


@pytest.mark.parametrize(
    "place", [{}, {"CDK_DEFAULT_REGION": "us-east-1"}], ids=["nothing", "only a region"]
)
def test_without_aws_credentials_account_and_region_are_unset(place):
    assert load(CONTEXT, place).place is None


def test_a_nested_option_changes_only_its_own_value():
    config = load({"enricher.timeout_s": "30"})

    assert config.enricher == EnricherConfig(timeout_s=30)


def test_a_list_option_of_the_command_line_is_split_at_commas():
    assert load({"listeners": "me,anna"}).listeners == ("me", "anna")


@pytest.mark.parametrize(("text", "value"), [("false", False), ("true", True)])
def test_a_boolean_option_of_the_command_line_is_true_or_false(text, value):
    assert load({"polling_enabled": text}).polling_enabled is value


@pytest.mark.parametrize(
    ("given", "named"),
    [
        pytest.param({"polling_enable": "false"}, "polling_enable", id="a misspelt name"),
        pytest.param({"loader.timeout": "5"}, "loader.timeout", id="a misspelt name inside"),
        pytest.param({"place.account": "me"}, "place.account", id="no account"),
        pytest.param({"place.region": "a b"}, "place.region", id="no region"),
        pytest.param({"target": "moon"}, "target", id="an unknown target"),
        pytest.param({"listeners": "Me!"}, "listeners.0", id="a listener unfit for a key"),
        pytest.param({"listeners": []}, "listeners", id="no listener"),
        pytest.param({"poll_minutes": 26}, "poll_minutes", id="polls that can miss plays"),
        pytest.param({"poll_minutes": 14}, "poll_minutes", id="too many token versions"),
        pytest.param({"feature_sources": "x"}, "feature_sources.0", id="an unknown source"),
        pytest.param({"features_login": "anna"}, "features_login", id="a login of no listener"),
        pytest.param({"healer.most_tracks": 0}, "healer.most_tracks", id="no tracks"),
        pytest.param({"reccobeats_url": "http://x/"}, "reccobeats_url", id="a trailing slash"),
        pytest.param(
            {"reccobeats_url": "http://x"}, "must be https, .* reccobeats_url", id="features"
        ),
        pytest.param(
            {"spotify_api_url": "http://api.spotify.com"},
            "must be https, .* spotify_api_url",
            id="plays in the clear",
        ),
        pytest.param(
            {"spotify_accounts_url": "http://accounts.spotify.com"},
            "must be https, .* spotify_accounts_url",
            id="tokens in the clear",
        ),
        pytest.param({"alert_email": "nobody"}, "alert_email", id="no address"),
        pytest.param({"database.mode": "lost"}, "database.mode", id="an unknown mode"),
        pytest.param({"target": "local"}, "database.mode", id="a host in the local cloud"),
        pytest.param({"host.instance_type": "t3.micro"}, "instance_type", id="a host that is x86"),
        pytest.param({"host.volume_gib": 0}, "volume_gib", id="no disk"),
        pytest.param({"host.snapshot_id": "x"}, "snapshot_id", id="no snapshot"),
        pytest.param({"host.postgres_major": 18}, "postgres_major", id="an upgrade by deployment"),
        pytest.param({"host.data_studio_cidrs": "0.0.0.0/0"}, "too wide.* /16", id="the internet"),
        pytest.param({"host.data_studio_cidrs": "8.8.8.8/8"}, "cidrs.0", id="no network"),
        pytest.param({"monthly_budget_usd": -1}, "monthly_budget_usd", id="negative"),
        pytest.param({"github_repository": "anna"}, "github_repository", id="half a repository"),
        pytest.param({"github_repository": "anna/*"}, "github_repository", id="a wildcard"),
        pytest.param({"name": "a" * 28}, "name", id="a name too long for a bucket"),
        pytest.param({"backfill.batch_size": 2}, "backfill.batch_size", id="two uploads at once"),
        pytest.param({"database.verify_tls": "false"}, "verify_tls", id="unverified TLS on AWS"),
        pytest.param({"loader.visibility_s": 359}, "loader", id="below the advice of AWS"),
    ],
)
def test_an_invalid_option_value_is_refused_by_option_name(given, named):
    with pytest.raises(SettingsError, match=f"bad configuration: .*{named}"):
        load(given)


@pytest.mark.parametrize(
    ("given", "named"),
    [
        pytest.param({"vpc_id": "vpc-X"}, "network.vpc_id", id="no VPC"),
        pytest.param({"subnet_ids": []}, "network.subnet_ids", id="no subnet"),
        pytest.param({"subnet_ids": "vpc-0a1b2c3d"}, "network.subnet_ids.0", id="another id"),
        pytest.param({"security_group_id": ""}, "network.security_group_id", id="no group"),
        pytest.param({"subnets": "all"}, "network.subnets", id="a misspelt name"),
    ],
)
def test_an_invalid_network_option_is_refused_by_option_name(given, named):
    database = {"mode": "external", "network": NETWORK | given}

    with pytest.raises(SettingsError, match=f"bad configuration: database.{named}: "):
        load({"database": database})


def test_a_network_without_subnets_and_security_group_is_refused():
    with pytest.raises(SettingsError, match=r"subnet_ids: .*security_group_id: "):
        load({"database.mode": "external", "database.network.vpc_id": "vpc-0a1b2c3d"})


@pytest.mark.parametrize(
    ("given", "named"),
    [
        pytest.param({}, "if mode is managed", id="managed"),
        pytest.param(LOCAL, "the local cloud uses the loopback", id="local"),
    ],
)
def test_a_network_is_accepted_only_with_an_external_database_on_aws(given, named):
    with pytest.raises(SettingsError, match=f"network must be unset.*{named}"):
        load(given | {"database.network": NETWORK})


@pytest.mark.parametrize("name", ["anna/plays", "anna-b@12/my.plays_2@345"])
def test_a_github_repository_can_include_its_numeric_ids(name):
    assert load({"github_repository": name}).github_repository == name


def test_the_local_cloud_uses_simulators_without_tls():
    config = load(LOCAL | {"spotify_api_url": "http://127.0.0.1:1"})

    assert config.spotify_api_url == "http://127.0.0.1:1"


def test_a_local_visibility_timeout_can_be_shorter_than_recommended():
    config = load(LOCAL | {"loader.visibility_s": 60})

    assert config.loader.visibility_timeout_s == 60


def test_the_default_visibility_timeout_is_the_recommended_one():
    consumer = ConsumerConfig(timeout_s=10, window_s=3)

    assert consumer.visibility_timeout_s == 63


def test_a_visibility_timeout_below_the_function_timeout_is_refused():
    with pytest.raises(SettingsError, match="visibility_s must be at least timeout_s"):
        load(LOCAL | {"loader.visibility_s": 59})


def test_a_database_without_tls_gets_no_ca_parameter():
    config = load(LOCAL | {"database.verify_tls": False})

    assert config.database_ca_parameter == ""


def test_parameters_and_secrets_start_with_the_pipeline_name():
    config = PipelineConfig(name="plays")

    assert config.database_login_parameter("reader") == "/plays/database/reader"
    assert config.database_host_parameter == "/plays/database/host"
    assert config.database_ca_parameter == "/plays/database/ca-pem"
    assert config.listener_secret_prefix == "plays/listener/"  # noqa: S105 - a name
