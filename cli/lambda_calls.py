"""Invoke a deployed function and wait for its answer."""

import json
from typing import Any

from cli.errors import CommandError
from cli.target import Target


def call(target: Target, name: str, event: dict[str, Any]) -> bytes:
    """Invoke a function of the stack and return its answer, which is JSON.

    Args:
        target: Where it is deployed.
        name: The stack's output without the suffix `Function`, such as `Healer`.
        event: Its event.

    Raises:
        CommandError: The function failed; the message quotes its error.
    """
    answer = target.client("lambda").invoke(
        FunctionName=target.output(f"{name}Function"), Payload=json.dumps(event).encode()
    )
    payload: bytes = answer["Payload"].read()
    if "FunctionError" in answer:
        raise CommandError(f"the {name.lower()} failed: {json.loads(payload)['errorMessage']}")
    return payload
