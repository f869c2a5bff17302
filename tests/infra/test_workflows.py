"""What GitHub's machines run, and with which rights."""

import os
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
WORKFLOWS = ROOT / ".github" / "workflows"
NAMES = ("checks.yml", "deploy.yml")


def text_of(name):
    return (WORKFLOWS / name).read_text()


def test_every_workflow_is_looked_at():
    assert {path.name for path in WORKFLOWS.iterdir()} == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_an_action_is_pinned_to_a_commit_and_tells_its_version(name):
    used = re.findall(r"uses: (?!\./)(.+)", text_of(name))

    loose = [
        each for each in used if not re.fullmatch(r"[\w/-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", each)
    ]

    assert loose == []


@pytest.mark.parametrize("name", NAMES)
def test_a_workflow_may_read_the_code_and_no_more(name):
    assert "\npermissions:\n  contents: read\n\n" in text_of(name)


def test_only_the_job_that_deploys_gets_a_token_for_aws():
    rights = {name: re.findall(r"([\w-]+): write", text_of(name)) for name in NAMES}
    _, job = text_of("deploy.yml").split("\n  deploy:\n")

    assert rights == {"checks.yml": [], "deploy.yml": ["id-token"]}
    assert "id-token: write" in job


def test_what_is_deployed_was_checked_on_main():
    deploy = text_of("deploy.yml")

    assert "on:\n  push:\n    branches: [main]\n\n" in deploy
    assert "  deploy:\n    needs: checks\n" in deploy
    assert "uses: ./.github/workflows/checks.yml" in deploy


def test_workflows_use_the_doors_of_people():
    runs = [line for name in NAMES for line in re.findall(r"- run: (.+)", text_of(name))]

    assert runs == [
        'sudo --set-home env "PATH=$PATH" .ci/run',
        "make audit",
        "make deploy < /dev/null",
    ]


def test_the_checks_are_the_doors_of_people_as_root():
    script = ROOT / ".ci" / "run"

    assert os.access(script, os.X_OK)
    assert "\nmake check\nmake test\n" in script.read_text()


def test_what_is_deployed_was_audited_too():
    jobs = re.findall(r"^  (\w+):\n    runs-on:", text_of("checks.yml"), re.MULTILINE)

    assert jobs == ["checks", "audit"]
    assert "if:" not in text_of("checks.yml")
    assert "continue-on-error" not in text_of("checks.yml")
