"""No option collides with deployed resources or causes an update that AWS refuses.

CloudFormation identifies a resource by its logical id, its name in the template. Three kinds of
change fail on a living deployment:
- a change of a property that can never be updated;
- a change that replaces a resource with a fixed name, or a subnet, because the replacement would
  need the name or the addresses of the old one, which still exists;
- a new logical id for a resource whose fixed name is taken.
"""

import re
from pathlib import Path
from typing import Any

import pytest
from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER

from infra.cdk.config import PipelineConfig, load
from infra.cdk.constructs.network import zone_cidr
from infra.cdk.sizes import Part
from shared.errors import SettingsError
from tests.infra.conftest import cdk_context, synthesise

SNAPSHOT, ZONE = "snap-0123456789abcdef0", "eu-west-1b"
NEVER_UPDATED = {
    "AWS::EC2::Volume": {
        *("AvailabilityZone", "Encrypted", "KmsKeyId", "MultiAttachEnabled", "SnapshotId"),
    }
}
"""Properties that CloudFormation refuses to update, by docs/adr/0012: the schemas omit it."""
ONE_AT_A_TIME = {"AWS::EC2::Subnet"}
"""The old one holds the addresses until the new one exists."""
ADR = Path(__file__).parents[2] / "docs" / "adr" / "0012-what-an-update-does.md"


def a_network(digit):
    return {
        "vpc_id": f"vpc-{digit * 8}",
        "subnet_ids": [f"subnet-{digit * 8}"],
        "security_group_id": f"sg-{digit * 8}",
    }


BEFORE: dict[str, dict[str, Any]] = {
    "external": {
        "database.mode": "external",
        "database.network": a_network("a"),
        "github_repository": "anna/plays",
    }
}
"""The options before a change, if they are not the defaults."""
CHANGES: dict[str, dict[str, Any]] = {
    "origin": {"host.snapshot_id": SNAPSHOT, "host.availability_zone": ZONE},
    # Each option that reaches a template and may change on a living deployment, all at once.
    "rest": {
        "listeners": "anna,me",
        "poll_minutes": 25,
        "polling_enabled": "false",
        "alert_email": "owner@example.org",
        "monthly_budget_usd": 30,
        "log_level": "DEBUG",
        "feature_sources": "spotify,reccobeats",
        "spotify_daily_calls": 100,
        "features_login": "anna",
        "match_window_s": 60,
        "host.instance_type": "m8g.large",
        "host.volume_gib": 8,
        "host.data_studio_cidrs": "142.251.74.0/23",
        **{
            f"{name}_url": f"https://{name}.example.org"
            for name in ("spotify_api", "spotify_accounts", "reccobeats")
        },
        **{
            f"{name}.{size}": value
            for name in (
                *("collector", "backfill", "enricher", "healer", "loader", "migrator", "queries"),
                "derive",
            )
            for size, value in {"timeout_s": 45, "memory_mb": 2_048, "disk_mb": 5_000}.items()
        },
        **{
            f"{name}.{option}": value
            for name in ("backfill", "enricher", "loader")
            for option, value in {"window_s": 9, "max_receives": 7, "visibility_s": 999}.items()
        },
        "enricher.batch_size": 5,
        "loader.batch_size": 5,
        "healer.every_minutes": 120,
        "derive.every_minutes": 120,
        "healer.most_tracks": 1_000,
    },
    "external": {
        "database.mode": "external",
        "database.network": a_network("b"),
        "github_repository": "anna/other",
    },
}
EXCUSED = {
    "target": "for the local cloud",
    "place": "another place is another deployment",
    "name": "never changes on a living deployment (docs/deploy.md)",
    "dependency_layer": "for the local cloud",
    "database.mode": "changes by hand (docs/deploy.md)",
    "database.verify_tls": "for the local cloud",
    "host.postgres_major": "has one value",
    "backfill.batch_size": "has one value",
}
"""The options that do not change on a living deployment on AWS, and why."""


def options(part=PipelineConfig, prefix=""):
    """Yield the dotted name of each CDK option; `database.network` counts as one option."""
    for name, field in part.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, Part):
            yield from options(kind, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}"


def test_every_cdk_option_has_an_update_test_or_a_reason_for_none():
    changed = {
        option
        for name, change in CHANGES.items()
        for option, value in change.items()
        if value != BEFORE.get(name, {}).get(option)
    }

    assert changed | EXCUSED.keys() == set(options())
    assert changed & EXCUSED.keys() == set()


@pytest.fixture(scope="module")
def before(aws, tmp_path_factory):
    return dict.fromkeys(CHANGES, aws) | {
        name: synthesise(tmp_path_factory.mktemp(f"before-{name}"), **given)
        for name, given in BEFORE.items()
    }


@pytest.fixture(scope="module")
def changed(tmp_path_factory):
    return {
        name: synthesise(tmp_path_factory.mktemp(name), **given) for name, given in CHANGES.items()
    }


@pytest.fixture(scope="module")
def restored(changed):
    return changed["origin"]["SpotifyData"]


def ids(stack, kind):
    resources = stack.template["Resources"].items()
    return {logical_id for logical_id, each in resources if each["Type"] == kind}


def top_level(paths):
    return {path.split("/")[2] for path in paths or ()}


def changes(before, after):
    """Yield path, resource and changed properties of each resource that keeps its logical id."""
    kept = (
        (template, logical_id, each, after[name].template["Resources"][logical_id])
        for name, template in before.items()
        for logical_id, each in template.template["Resources"].items()
        if logical_id in after[name].template["Resources"]
    )
    for template, logical_id, each, other in kept:
        old, new = each.get("Properties", {}), other.get("Properties", {})
        names = {name for name in {*old, *new} if old.get(name) != new.get(name)}
        yield template.path_of(logical_id), each, names


def schema(kind):
    known = "AWS::CloudFormation::CustomResource" if kind.startswith("Custom::") else kind
    return PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", known).schema


def is_replaced(each, names):
    return bool(names & top_level(schema(each["Type"]).get("createOnlyProperties")))


def set_for_good(each):
    """Return the create-only properties of a resource.

    CloudFormation replaces the resource if one of them changes, or refuses the update.
    """
    known = schema(each["Type"])
    paths = {
        path.removeprefix("/properties/")
        for kind in ("createOnlyProperties", "conditionalCreateOnlyProperties")
        for path in known.get(kind, ())
    }
    return {
        path.replace("/", ".")
        for path in paths | NEVER_UPDATED.get(each["Type"], set())
        if is_set(each.get("Properties", {}), *path.split("/"))
    }


def is_set(properties, name, *below):
    return name in properties and (not below or is_set(properties[name], *below))


def has_fixed_name(each):
    known = schema(each["Type"])
    named = top_level(known["primaryIdentifier"]) - top_level(known.get("readOnlyProperties"))
    # The identifier of a secret and a topic is the ARN, but their names are unique as well.
    named |= {name for name in top_level(known.get("createOnlyProperties")) if "Name" in name}
    return bool(named & set(each.get("Properties", {})))


@pytest.mark.parametrize("name", CHANGES)
def test_no_option_changes_a_property_that_cloudformation_cannot_update(before, changed, name):
    refused = {
        (path, property_)
        for path, each, names in changes(before[name], changed[name])
        for property_ in names & NEVER_UPDATED.get(each["Type"], set())
    }

    assert refused == set()


@pytest.mark.parametrize("name", CHANGES)
def test_no_option_replaces_a_resource_with_a_fixed_name(before, changed, name):
    collides = {
        path
        for path, each, names in changes(before[name], changed[name])
        if is_replaced(each, names) and (has_fixed_name(each) or each["Type"] in ONE_AT_A_TIME)
    }

    assert collides == set()


@pytest.mark.parametrize("name", CHANGES)
def test_an_option_never_moves_a_fixed_name_to_another_logical_id(before, changed, name):
    def names(stacks):
        return {
            (each["Type"], name): (template.stack, logical_id)
            for template in stacks.values()
            for logical_id, each in template.template["Resources"].items()
            for key, value in each.get("Properties", {}).items()
            if key.endswith("Name")
            and key in top_level(schema(each["Type"]).get("createOnlyProperties"))
            # A reference to another resource is not a name.
            and not (name := template.readable(value)).startswith("<")
        }

    old, new = names(before[name]), names(changed[name])

    assert old
    assert {key for key in old.keys() & new.keys() if old[key] != new[key]} == set()


def test_adr_12_lists_exactly_the_resource_types_of_the_templates(aws, before, changed):
    table, _, _ = ADR.read_text().partition("\nWhat no update changes")
    listed = {
        kind
        for cell in re.findall(r"^\| (`[^|]+) \|", table, re.MULTILINE)
        for kind in re.findall(r"`(\w+::\w+)`", cell)
    }

    used = {
        each["Type"].removeprefix("AWS::")
        for stacks in (aws, *before.values(), *changed.values())
        for stack in stacks.values()
        for each in stack.template["Resources"].values()
    }

    assert listed == used


def test_adr_12_lists_exactly_the_create_only_properties_of_the_templates(aws, before, changed):
    _, _, table = ADR.read_text().partition("\n| resource | property that no update changes |")
    listed = {
        (f"{'' if kind.startswith('Custom') else 'AWS::'}{kind}", name)
        for kinds, names in re.findall(r"^\| (`[^|]+) \| (`[^|]+) \|", table, re.MULTILINE)
        for kind in re.findall(r"`(\w+::\w+)`", kinds)
        for name in re.findall(r"`([\w.]+)`", names)
    }

    used = {
        (each["Type"], name)
        for stacks in (aws, *before.values(), *changed.values())
        for stack in stacks.values()
        for each in stack.template["Resources"].values()
        for name in set_for_good(each)
    }

    assert listed == used


@pytest.mark.parametrize(
    "given",
    [{"host.snapshot_id": SNAPSHOT}, {"host.availability_zone": ZONE}],
    ids=["snapshot", "zone"],
)
def test_a_changed_snapshot_or_zone_creates_a_new_volume_and_host(data, synthesised, given):
    stack = synthesised(**given)["SpotifyData"]
    launch = "Postgres/Group/LaunchTemplate"

    assert ids(stack, "AWS::EC2::Volume").isdisjoint(ids(data, "AWS::EC2::Volume"))
    # The name of the group stays, and its launch template gets another version.
    assert ids(stack, "AWS::EC2::LaunchTemplate") == ids(data, "AWS::EC2::LaunchTemplate")
    assert (
        stack.properties(launch)["LaunchTemplateData"]["UserData"]
        != data.properties(launch)["LaunchTemplateData"]["UserData"]
    )


def test_a_replaced_data_volume_is_retained(data, restored):
    [old], [new] = (
        [stack.template["Resources"][name] for name in ids(stack, "AWS::EC2::Volume")]
        for stack in (data, restored)
    )

    # The deletion policy applies to a resource that leaves a template.
    assert old["DeletionPolicy"] == new["DeletionPolicy"] == "RetainExceptOnCreate"


def test_a_volume_starts_from_its_snapshot_in_its_zone(restored):
    [volume] = restored.resources("AWS::EC2::Volume").values()

    assert volume["Properties"]["SnapshotId"] == SNAPSHOT
    assert volume["Properties"]["AvailabilityZone"] == ZONE


def test_only_the_new_data_volume_gets_nightly_snapshots(data, restored):
    def tag(stack):
        [volume] = stack.resources("AWS::EC2::Volume").values()
        tags = {tag["Key"]: tag["Value"] for tag in volume["Properties"]["Tags"]}
        return tags["snapshots-of"]

    [wanted] = restored.properties("Snapshots/Policy")["PolicyDetails"]["TargetTags"]
    [deletion] = [
        statement for _, statement in restored.statements()
        if statement["Action"] == "ec2:DeleteSnapshot"
    ]  # fmt: skip

    assert tag(data) == "spotify-pipeline"
    assert tag(restored) != tag(data)
    assert wanted == {"Key": "snapshots-of", "Value": tag(restored)}
    assert deletion["Condition"]["StringEquals"] == {"aws:ResourceTag/snapshots-of": tag(restored)}


def test_volume_subnet_and_host_are_in_the_configured_zone(restored):
    path = f"Network/Database-{ZONE}"
    subnet = restored.properties(f"{path}/Subnet")

    assert restored.properties("Postgres/Group/ASG")["VPCZoneIdentifier"] == [f"<{path}/Subnet>"]
    assert subnet["AvailabilityZone"] == ZONE
    assert restored.properties(f"{path}/DefaultRoute")["DestinationCidrBlock"] == "0.0.0.0/0"
    assert restored.waits_for("Postgres/Group/ASG") >= {
        "Network/Vpc/VPCGW",
        f"{path}/DefaultRoute",
        f"{path}/RouteTableAssociation",
    }
    assert restored.waits_for(f"{path}/DefaultRoute") >= {"Network/Vpc/VPCGW"}


def test_a_changed_zone_does_not_move_the_functions(data, restored):
    subnets = data.resources("AWS::EC2::Subnet")

    assert len(subnets) == 4
    assert restored.resources("AWS::EC2::Subnet").items() >= subnets.items()


def test_each_availability_zone_has_its_own_address_range(data):
    taken = {
        each["Properties"]["CidrBlock"] for each in data.resources("AWS::EC2::Subnet").values()
    }
    zones = {zone_cidr(f"eu-west-1{letter}") for letter in "abcdefgh"}

    assert len(zones) == 8
    assert zones.isdisjoint(taken)
    assert zone_cidr("eu-west-1a") == "10.42.8.0/24"
    assert zone_cidr("us-gov-west-1h") == "10.42.15.0/24"


@pytest.mark.parametrize("zone", ["euw1-az2", "eu-west-1", "us-east-1-bos-1a-", "eu-west-1z"])
def test_an_invalid_availability_zone_name_is_refused(zone):
    with pytest.raises(SettingsError, match=r"host\.availability_zone"):
        load(cdk_context(**{"host.availability_zone": zone}))


def test_a_zone_of_another_region_is_refused():
    place = {"CDK_DEFAULT_ACCOUNT": "111122223333", "CDK_DEFAULT_REGION": "us-east-1"}

    with pytest.raises(SettingsError, match="eu-west-1b is not in us-east-1"):
        load(cdk_context(**{"host.availability_zone": ZONE}), place)
