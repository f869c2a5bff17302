"""Calling a deployed function, and waiting for its answer."""

import json
from typing import Any

from cli.errors import CommandError
from cli.target import Target


def call(target: Target, name: str, event: dict[str, Any]) -> bytes:
    """Call a function of the stack; gives its answer, which is JSON.

    Args:
        target: Where it is deployed.
        name: As the output of the stack names it, before `Function`.
        event: What it is to do.

    Raises:
        CommandError: It failed; tells its own words.
    """
    answer = target.client("lambda").invoke(
        FunctionName=target.output(f"{name}Function"), Payload=json.dumps(event).encode()
    )
    told: bytes = answer["Payload"].read()
    if "FunctionError" in answer:
        raise CommandError(f"the {name.lower()} failed: {json.loads(told)['errorMessage']}")
    return told
