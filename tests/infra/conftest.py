import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from infra.cdk.app_builder import build, new_app
from infra.cdk.config import load
from infra.local.ports import Ports
from infra.local.run_options import RunOptions

ROOT = Path(__file__).parents[2]
DATA, PIPELINE, DEPLOYER = "SpotifyData", "SpotifyPipeline", "SpotifyDeployer"
ACCOUNT, REGION = "111122223333", "eu-west-1"
ON_POSTGRES = ("Loader", "Migrator", "Queries", "Derive")
FUNCTIONS = ("Collector", "Backfill", "Enricher", "Healer", *ON_POSTGRES)
BY_CDK = "AWSCDK.TriggerCustomResourceProviderCustomResourceProvider"
"""The function that CDK adds for triggers."""
PIPELINES = tuple(f"{name}/{PIPELINE}" for name in ("aws", "elsewhere", "private", "local"))
EVERY = (
    *(f"{name}/{DATA}" for name in ("aws", "elsewhere", "private", "local")),
    f"github/{DEPLOYER}",
    *PIPELINES,
)


def cdk_context(**given):
    return json.loads((ROOT / "cdk.json").read_text())["context"] | {
        "aws:cdk:bundling-stacks": [],  # no layer is built, so no registry is asked
        "aws:cdk:enable-path-metadata": True,
        "aws:cdk:enable-asset-metadata": True,
        **given,
    }


@dataclass(frozen=True)
class Synthesised:
    """A template whose resources are named by construct path instead of logical id."""

    folder: Path
    stack: str
    template: dict[str, Any]

    def path_of(self, logical_id: str) -> str:
        metadata = self.template["Resources"].get(logical_id, {}).get("Metadata", {})
        path = metadata.get("aws:cdk:path", logical_id)
        return re.sub(r"(/Default|/Resource)+$", "", path.removeprefix(f"{self.stack}/"))

    def readable(self, value: Any) -> Any:
        """Return a value with references as `<path>` and `<path.Attribute>`, and joins resolved."""
        match value:
            case {"Ref": name}:
                return f"<{self.path_of(name)}>"
            case {"Fn::GetAtt": [name, attribute]}:
                return f"<{self.path_of(name)}.{attribute}>"
            case {"Fn::Join": [glue, [*parts]]}:
                return glue.join(self.readable(part) for part in parts)
            case {"Fn::Join": [_, {"Fn::Split": [_, inner]}]} | {"Fn::If": [_, _, inner]}:
                return self.readable(inner)
            case dict():
                return {key: self.readable(below) for key, below in value.items()}
        return [self.readable(below) for below in value] if isinstance(value, list) else value

    def resources(self, kind: str | None = None) -> dict[str, Any]:
        return {
            self.path_of(logical_id): self.readable(
                {key: below for key, below in resource.items() if key != "Metadata"}
            )
            for logical_id, resource in self.template["Resources"].items()
            if kind in (None, resource["Type"])
        }

    def properties(self, path: str) -> dict[str, Any]:
        return self.resources()[path]["Properties"]

    def waits_for(self, path: str) -> set[str]:
        """Return the resources that CloudFormation creates before a given one."""
        resources = self.template["Resources"]
        found = {name for name in resources if self.path_of(name) == path}
        ahead = list(found)
        while ahead:
            resource = resources[ahead.pop()]
            named = re.findall(r'"(?:Ref|Fn::GetAtt)": \[?"(\w+)"', json.dumps(resource))
            fresh = ({*named, *resource.get("DependsOn", ())} & set(resources)) - found
            found |= fresh
            ahead += fresh
        return {self.path_of(name) for name in found} - {path}

    def statements(self) -> Iterator[tuple[str, dict[str, Any]]]:
        for policy in self.resources("AWS::IAM::Policy").values():
            for statement in policy["Properties"]["PolicyDocument"]["Statement"]:
                for role in policy["Properties"]["Roles"]:
                    yield role, statement
        for path, role in self.resources("AWS::IAM::Role").items():
            for policy in role["Properties"].get("Policies", []):
                for statement in policy["PolicyDocument"]["Statement"]:
                    yield f"<{path}>", statement

    def rights(self, role: str, effect: str = "Allow") -> set[tuple[str, str]]:
        return {
            (action, resource)
            for holder, statement in self.statements()
            if (holder, statement["Effect"]) == (f"<{role}>", effect)
            for action in listed(statement["Action"])
            for resource in listed(statement["Resource"])
        }

    def asset_of(self, function: str) -> Path:
        [resource] = [
            resource
            for logical_id, resource in self.template["Resources"].items()
            if self.path_of(logical_id) == function
        ]
        return self.folder / resource["Metadata"]["aws:asset:path"]


def listed(value):
    return value if isinstance(value, list) else [value]


def each_of(stacks):
    """Return a decorator that runs a test for each stack, given as `<deployment>/<stack>`."""
    return pytest.mark.parametrize("stack", stacks, indirect=True)


def offenders(stack, kind, keeps):
    """Return the resources of a type whose properties break a rule."""
    return {path for path, each in stack.resources(kind).items() if not keeps(each["Properties"])}


def an_app(folder, **given):
    context = cdk_context(**given)
    app = new_app(context, folder)
    return app, build(app, load(context))


def synthesise(folder, **given):
    app, stacks = an_app(folder, **given)
    app.synth()
    return {
        stack.stack_name: Synthesised(
            folder, stack.stack_name, json.loads((folder / stack.template_file).read_text())
        )
        for stack in stacks.all
    }


@pytest.fixture(scope="session")
def aws(tmp_path_factory):
    """All stacks with the default configuration."""
    return synthesise(tmp_path_factory.mktemp("aws"), target="aws")


@pytest.fixture(scope="session")
def placed(tmp_path_factory):
    """All stacks as `app.py` builds them if the CDK command line has credentials."""
    folder = tmp_path_factory.mktemp("placed")
    place = {"CDK_DEFAULT_ACCOUNT": ACCOUNT, "CDK_DEFAULT_REGION": REGION}
    context = {"CDK_CONTEXT_JSON": json.dumps(cdk_context()), "CDK_OUTDIR": str(folder)}
    subprocess.run(  # noqa: S603 - the arguments are ours
        [sys.executable, ROOT / "app.py"],
        check=True,
        cwd=ROOT,
        env={**os.environ, **place, **context},
    )
    return {
        name: Synthesised(folder, name, json.loads((folder / f"{name}.template.json").read_text()))
        for name in (DATA, PIPELINE)
    }


@pytest.fixture(scope="session")
def elsewhere(tmp_path_factory):
    """All stacks for an external database."""
    return synthesise(tmp_path_factory.mktemp("elsewhere"), **{"database.mode": "external"})


@pytest.fixture(scope="session")
def private(tmp_path_factory):
    """All stacks for an external database in an existing network."""
    network = {
        "vpc_id": "vpc-0a1b2c3d",
        "subnet_ids": ["subnet-0a1b2c3d", "subnet-4e5f6a7b"],
        "security_group_id": "sg-0a1b2c3d",
    }
    return synthesise(
        tmp_path_factory.mktemp("private"), database={"mode": "external", "network": network}
    )


@pytest.fixture(scope="session")
def by_github(tmp_path_factory):
    """All stacks with a GitHub repository that may deploy them."""
    return synthesise(tmp_path_factory.mktemp("github"), github_repository="anna/plays")


@pytest.fixture(scope="session")
def deployer(by_github):
    return by_github[DEPLOYER]


@pytest.fixture(scope="session")
def on_aws(aws):
    return aws[PIPELINE]


@pytest.fixture(scope="session")
def data(aws):
    return aws[DATA]


@pytest.fixture(scope="session")
def files(data):
    """The files that cfn-init writes on the database host."""
    [resource] = [
        resource
        for resource in data.template["Resources"].values()
        if resource["Type"] == "AWS::AutoScaling::AutoScalingGroup"
    ]
    return data.readable(resource["Metadata"]["AWS::CloudFormation::Init"])["files"]["files"]


@pytest.fixture(scope="session")
def facts(files):
    """The variables of the database host's scripts, by name."""
    lines = files["/opt/pg/env"]["content"].splitlines()
    return dict(line.split("=", 1) for line in lines)


@pytest.fixture(scope="session")
def local(tmp_path_factory):
    """All stacks as a first run of the local cloud deploys them."""
    return synthesise(tmp_path_factory.mktemp("local"), **RunOptions().deployment(Ports()))


@pytest.fixture(scope="session")
def on_local(local):
    return local[PIPELINE]


@pytest.fixture
def synthesised(tmp_path):
    """Return a function that synthesises the stacks with `-c` options."""
    return partial(synthesise, tmp_path / "cdk.out")


@pytest.fixture
def unsynthesised(tmp_path):
    """Return a function that builds the app without synthesis, so that a test can change it."""
    return partial(an_app, tmp_path / "cdk.out")


@pytest.fixture
def stack(request):
    """One stack of one deployment, by the parameter `<deployment>/<stack>`."""
    deployment, _, name = request.param.partition("/")
    fixture = {"github": "by_github"}.get(deployment, deployment)
    return request.getfixturevalue(fixture)[name]
