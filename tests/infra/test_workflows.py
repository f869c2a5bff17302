"""The commands and rights of CI, and the configuration files of the repository."""

import os
import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
WORKFLOWS = ROOT / ".github" / "workflows"
NAMES = ("checks.yml", "deploy.yml")
CHECKS = re.search(
    r"^check: .*\n((?:\t.+\n)+)", (ROOT / "Makefile").read_text(), re.MULTILINE
).group(1)
BEFORE_COMMIT = {"ruff format", "ruff check", "mypy", "lint-imports", "shellcheck"}


def text_of(name):
    return (WORKFLOWS / name).read_text()


def test_every_workflow_is_listed_in_this_test_file():
    assert {path.name for path in WORKFLOWS.iterdir()} == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_each_github_action_is_pinned_to_a_commit_with_its_version(name):
    used = re.findall(r"uses: (?!\./)(.+)", text_of(name))

    loose = [
        each for each in used if not re.fullmatch(r"[\w/-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", each)
    ]

    assert loose == []


@pytest.mark.parametrize("name", NAMES)
def test_workflows_have_only_read_access_to_the_repository(name):
    assert "\npermissions:\n  contents: read\n\n" in text_of(name)


def test_only_the_deploy_job_can_request_an_aws_token():
    rights = {name: re.findall(r"([\w-]+): write", text_of(name)) for name in NAMES}
    _, job = text_of("deploy.yml").split("\n  deploy:\n")

    assert rights == {"checks.yml": [], "deploy.yml": ["id-token"]}
    assert "id-token: write" in job


def test_deployment_requires_passing_checks_on_main():
    deploy = text_of("deploy.yml")

    assert "on:\n  push:\n    branches: [main]\n\n" in deploy
    assert "  deploy:\n    needs: checks\n" in deploy
    assert "uses: ./.github/workflows/checks.yml" in deploy


def test_workflows_run_only_the_ci_script_make_audit_and_make_deploy():
    runs = [line for name in NAMES for line in re.findall(r"- run: (.+)", text_of(name))]

    assert runs == [
        ".ci/run",
        "make audit",
        "make deploy < /dev/null",
    ]


def test_ci_runs_make_check_and_make_test_and_only_tests_host_as_root():
    script = ROOT / ".ci" / "run"
    commands = script.read_text().replace("\\\n", "").splitlines()
    as_root = [line.split()[-1] for line in commands if "sudo --" in line]

    assert os.access(script, os.X_OK)
    assert [line for line in commands if line.startswith("make ")] == ["make check", "make test"]
    assert as_root == ["tests/host"]


def test_deployment_requires_a_passing_dependency_audit():
    jobs = re.findall(r"^  (\w+):\n    runs-on:", text_of("checks.yml"), re.MULTILINE)

    assert jobs == ["checks", "audit"]
    assert "if:" not in text_of("checks.yml")
    assert "continue-on-error" not in text_of("checks.yml")


def read_yaml(*parts):
    return yaml.safe_load(ROOT.joinpath(*parts).read_text())


def test_commit_hooks_run_tools_of_make_check_and_push_hooks_run_all_of_it():
    [repository] = read_yaml(".pre-commit-config.yaml")["repos"]
    entries = [hook["entry"] for hook in repository["hooks"]]
    tools = {re.sub(r"^\.venv/bin/| --.*", "", entry) for entry in entries}

    assert tools == BEFORE_COMMIT | {"make check"}
    assert [tool for tool in BEFORE_COMMIT if f"\t@$(BIN)/{tool}" not in CHECKS] == []


def test_dependabot_covers_pip_npm_and_github_actions():
    updates = read_yaml(".github", "dependabot.yml")["updates"]
    folders = {each["package-ecosystem"]: ROOT / each["directory"].strip("/") for each in updates}

    assert set(folders) == {"pip", "npm", "github-actions"}
    assert (folders["pip"] / "dev.txt").exists()
    assert (folders["npm"] / "package-lock.json").exists()


@pytest.mark.parametrize(
    "form", [*(ROOT / ".github" / "ISSUE_TEMPLATE").iterdir()], ids=lambda f: f.name
)
def test_issue_forms_have_the_fields_that_github_requires(form):
    fields = read_yaml(form.relative_to(ROOT))

    assert {"name", "description", "body"} <= fields.keys()
    assert any(part["type"] != "markdown" for part in fields["body"])
