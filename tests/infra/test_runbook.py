"""Every command in the documents exists, and every alarm has a section in the runbook."""

import re
import shlex
from collections.abc import Iterable, Iterator
from decimal import Decimal
from pathlib import Path

import pytest
import typer

from cli.main import app
from infra.cdk.config import PipelineConfig
from infra.cdk.database import DatabaseConfig, HostConfig, NetworkConfig

ROOT = Path(__file__).parents[2]
OPERATE, DEPLOY = ROOT / "docs" / "operate.md", ROOT / "docs" / "deploy.md"
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", DEPLOY, OPERATE]
MOST_USD = 13
"""Budget of an idle deployment for one listener, per month."""
TARGETS = set(re.findall(r"^([a-z0-9]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
FENCED = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


def typed(block: str) -> list[str]:
    """Return the lines of a code block that a person types.

    If some lines have a prompt, the others are output.
    """
    return re.findall(r"^\$ (.+)", block, re.MULTILINE) or block.splitlines()


def commands(document: Path, program: str) -> Iterator[list[str]]:
    """Yield the arguments of each call of a program in the code of a document."""
    text = document.read_text()
    lines = [line for block in FENCED.findall(text) for line in typed(block)]
    lines += re.findall(r"`([^`\n]+)`", FENCED.sub("", text))
    for line in lines:
        if call := re.fullmatch(rf"(?:\.venv/bin/)?{program} (.+)", line):
            yield shlex.split(call[1])


def all_commands(program: str) -> list[tuple[str, list[str]]]:
    return [
        (document.name, words) for document in DOCUMENTS for words in commands(document, program)
    ]


def unknown_in(words: list[str]) -> list[str]:
    """Return the arguments of a `plays` call that the CLI does not know, without running it."""
    command, context, options = typer.main.get_command(app), None, {"--help"}
    given = [word.partition("=")[0] for word in words if re.match("--?[a-z]", word)]
    while True:
        context = command.make_context("plays", list(words), context, resilient_parsing=True)
        options |= {option for each in command.params for option in each.opts}
        options |= {option for each in command.params for option in each.secondary_opts}
        words = [*context._protected_args, *context.args]  # noqa: SLF001 - no other way to them
        unknown = [option for option in given if option not in options]
        if not hasattr(command, "resolve_command") or not words:
            return unknown
        _, command, rest = command.resolve_command(context, words)
        if command is None:
            return words[:1]
        words = rest


def anchor_of(title: str) -> str:
    return re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-")


def anchors(document: Path) -> set[str]:
    titles = re.findall(r"^#+ (.+)", FENCED.sub("", document.read_text()), re.MULTILINE)
    return {anchor_of(title) for title in titles}


def texts(document: Path) -> dict[str, str]:
    """Return the text below each title of a document, by the anchor of the title."""
    _, *parts = re.split(r"^#+ (.+)", document.read_text(), flags=re.MULTILINE)
    return dict(zip(map(anchor_of, parts[::2]), parts[1::2], strict=True))


def set_in(text: str, facts: Iterable[str]) -> set[str]:
    """Return the shell variables that a document's commands set, and those set on the host."""
    names = re.findall(r"^ *([A-Z_]+)=", text, re.MULTILINE)
    for line in re.findall(r"^export (.+)", text, re.MULTILINE):
        names += re.findall(r"([A-Z_]+)=", line)
    return {*names, *(facts if ". /opt/pg/env" in text else ())}


def test_the_runbook_has_exactly_one_section_for_each_alarm(on_aws, data):
    alarms = {
        path.rpartition("/")[2]
        for stack in (on_aws, data)
        for path in stack.resources("AWS::CloudWatch::Alarm")
    }

    sections = re.findall(r"^### (.+)", OPERATE.read_text(), re.MULTILINE)

    assert sorted(sections) == sorted(alarms)


def test_the_documented_prices_count_the_disks_alarms_and_secrets_of_the_templates(on_aws, data):
    text = DEPLOY.read_text()
    disk = data.properties("Postgres/Data")["Size"]
    [root] = data.properties("Postgres/Group/LaunchTemplate")["LaunchTemplateData"][
        "BlockDeviceMappings"
    ]
    root_disk = root["Ebs"]["VolumeSize"]
    alarms = [path for each in (on_aws, data) for path in each.resources("AWS::CloudWatch::Alarm")]
    secrets = [
        path for each in (on_aws, data) for path in each.resources("AWS::SecretsManager::Secret")
    ]

    assert (
        f"| EBS gp3, {root_disk} GiB of root and {disk} GiB of data | "
        f"${Decimal('0.08') * (root_disk + disk):.2f} ("
    ) in text
    assert f"| `host.volume_gib` | {disk} |" in text
    assert (
        f"| {len(alarms)} alarms, 10 of them free, $0.10 each | "
        f"${Decimal('0.10') * (len(alarms) - 10):.2f} |"
    ) in text
    assert f"{len(alarms)} alarms by mail" in (ROOT / "README.md").read_text()
    assert (
        f"| one secret, the login of the listener | ${Decimal('0.40') * len(secrets):.2f} |" in text
    )


def test_every_make_target_in_a_document_exists():
    named = {
        (name, word)
        for name, words in all_commands("make")
        for word in words
        if re.fullmatch("[a-z0-9]+", word)
    }

    assert {word for _, word in named} >= {"deploy", "destroy", "diff", "synth"}
    assert {(name, word) for name, word in named if word not in TARGETS} == set()


@pytest.mark.parametrize(("name", "words"), all_commands("plays"), ids=str)
def test_every_plays_command_in_a_document_is_valid(name, words):
    assert unknown_in(words) == []


@pytest.mark.parametrize("document", [DEPLOY, OPERATE], ids=lambda path: path.name)
def test_a_document_sets_path_and_profile_before_it_calls_plays(document):
    typed_lines = [line for block in FENCED.findall(document.read_text()) for line in typed(block)]
    [called, *_] = [at for at, line in enumerate(typed_lines) if line.startswith("plays ")]

    assert 'export PATH="$PWD/.venv/bin:$PATH"' in typed_lines[:called]
    assert "export AWS_PROFILE=me AWS_REGION=eu-west-1" in typed_lines[:called]


@pytest.mark.parametrize("document", [DEPLOY, OPERATE], ids=lambda path: path.name)
def test_every_link_to_a_section_resolves(document):
    links = re.findall(r"\]\(([\w.]*)#([\w-]+)\)", document.read_text())

    broken = {
        (name, anchor)
        for name, anchor in links
        if anchor not in anchors(document.parent / name if name else document)
    }

    assert links
    assert broken == set()


def test_a_restore_runs_the_migrations_before_the_loader(on_aws):
    restore = texts(OPERATE)["restore-after-a-loss"]

    places = [
        restore.index(step)
        for step in (
            "restore.sh dumps/",
            "`host.snapshot_id`",
            "OutputKey=='MigratorFunction'",
            'aws lambda invoke --function-name "$FUNCTION"',
            "update-event-source-mapping --enabled",
        )
    ]

    assert places == sorted(places)


@pytest.mark.parametrize("document", [DEPLOY, OPERATE], ids=lambda path: path.name)
def test_every_stack_output_used_in_a_document_exists(document, aws):
    asked = re.findall(r"--stack-name (\w+) .*OutputKey=='(\w+)'", document.read_text())

    unknown = {(stack, name) for stack, name in asked if name not in aws[stack].template["Outputs"]}

    assert unknown == set()


@pytest.mark.parametrize("document", [DEPLOY, OPERATE], ids=lambda path: path.name)
def test_every_shell_variable_in_a_document_is_set_before_use(document, facts):
    # Account and region are chosen once, at the beginning.
    chosen = {"AWS_PROFILE", "AWS_REGION", "HOME", "PATH", "PWD"}
    known = {
        title: chosen.union(
            *(
                set_in(texts(document)[place], facts)
                for place in (title, *re.findall(r"\]\(#([\w-]+)\)", text))
            )
        )
        for title, text in texts(document).items()
    }

    unset = {
        (title, name)
        for title, text in texts(document).items()
        for name in re.findall(r"\$\{?([A-Z_]+)", text)
        if name not in known[title]
    }

    assert unset == set()


def test_every_cdk_option_is_documented():
    text = DEPLOY.read_text()
    options = [name for name in PipelineConfig.model_fields if name not in ("database", "host")]
    options += [f"database.{name}" for name in DatabaseConfig.model_fields]
    options += [f"database.network.{name}" for name in NetworkConfig.model_fields]
    options += [f"host.{name}" for name in HostConfig.model_fields]

    assert [name for name in options if f"`{name}`" not in text] == []


def test_the_documented_costs_equal_their_total_and_those_in_the_readme():
    table, _, rest = DEPLOY.read_text().partition("| **sum** | ")
    _, _, table = table.partition("## What it costs")
    items = re.findall(r" \| \$([\d.]+)(?: \(\$([\d.]+)\))? \|$", table, re.MULTILINE)

    virginia = sum(Decimal(here) for here, _ in items)
    ireland = sum(Decimal(there or here) for here, there in items)

    assert rest.startswith(f"**${virginia:.2f} (${ireland:.2f})** |")
    assert virginia <= MOST_USD
    assert f"about ${virginia:.0f} a month" in (ROOT / "README.md").read_text()
