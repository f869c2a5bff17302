"""The construct paths and types of all resources equal a reviewed snapshot.

CloudFormation identifies a resource by its construct path: if the path changes, the resource is
created again, and the old one is deleted. Other tests check the properties and the rights.
"""

import os
from pathlib import Path

REVIEWED = Path(__file__).parent / "snapshots" / "resources.txt"


def lines_of(stack):
    return [
        f"{stack.stack} {stack.path_of(logical_id)} {resource['Type']}"
        for logical_id, resource in stack.template["Resources"].items()
    ]


def test_the_stack_resources_equal_the_reviewed_snapshot(aws, deployer):
    found = sorted(line for stack in (*aws.values(), deployer) for line in lines_of(stack))
    if "RENEW_SNAPSHOTS" in os.environ:
        REVIEWED.write_text("".join(f"{line}\n" for line in found))

    reviewed = REVIEWED.read_text().splitlines()

    assert found == reviewed, "run `make snapshots` and review what changed"
