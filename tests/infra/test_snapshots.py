"""A change of a template is seen where it is reviewed; `make snapshots` writes them anew."""

import json
import os
import re
from pathlib import Path

import pytest

SNAPSHOTS = Path(__file__).parent / "snapshots"
# What follows from the content of code and scripts, which are reviewed as themselves.
MASKS = (
    (re.compile(r"\b[0-9a-f]{64}\b"), "<hash>"),
    (re.compile(r"fingerprint: [0-9a-f]{16}"), "fingerprint: <hash>"),
    (re.compile(r"(CurrentVersion[0-9A-F]{8})[0-9a-f]{32}"), r"\1<hash>"),
)


def masked(stack):
    resources = {
        name: {key: value for key, value in resource.items() if key != "Metadata"}
        for name, resource in stack.template["Resources"].items()
    }
    text = json.dumps(stack.template | {"Resources": resources}, indent=1, sort_keys=True)
    for pattern, mask in MASKS:
        text = pattern.sub(mask, text)
    return f"{text}\n"


NAMES = ("SpotifyData", "SpotifyPipeline", "SpotifyDeployer")


@pytest.fixture(scope="module")
def stacks(aws, deployer):
    return aws | {deployer.stack: deployer}


@pytest.fixture(scope="module", autouse=True)
def _renew(stacks):
    for name in stacks if "RENEW_SNAPSHOTS" in os.environ else ():
        (SNAPSHOTS / f"{name}.json").write_text(masked(stacks[name]))


@pytest.mark.parametrize("name", NAMES)
def test_a_template_is_as_it_was_reviewed(stacks, name):
    reviewed = (SNAPSHOTS / f"{name}.json").read_text()

    assert masked(stacks[name]) == reviewed, "run `make snapshots` and review what changed"


@pytest.mark.parametrize("name", NAMES)
def test_a_snapshot_does_not_change_with_the_code(stacks, name):
    assert re.findall(r"\b[0-9a-f]{64}\b|print: [0-9a-f]{16}", masked(stacks[name])) == []
