"""Every hint that leads to a deletion says so."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[3]
DELETING = ("plays local reset", "plays login --start-over")


def strings(source: str) -> Iterator[str]:
    """Yield the strings of a module; of an f-string, the text around its values."""
    nodes = list(ast.walk(ast.parse(source)))
    formatted = [node for node in nodes if isinstance(node, ast.JoinedStr)]
    parts = {part for text in formatted for part in text.values}
    for text in formatted:
        yield "".join(str(part.value) for part in text.values if isinstance(part, ast.Constant))
    for node in nodes:
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in parts:
            yield node.value


def texts() -> Iterator[str]:
    """Yield the strings of the code, the lines of the templates and the paragraphs of README."""
    for folder in ("cli", "dashboard", "infra"):
        for module in (ROOT / folder).rglob("*.py"):
            yield from strings(module.read_text())
        for template in (ROOT / folder).rglob("*.html"):
            yield from template.read_text().splitlines()
    yield from (ROOT / "README.md").read_text().split("\n\n")


def test_every_hint_at_a_command_that_deletes_says_that_it_deletes():
    hints = [text for text in texts() if any(command in text for command in DELETING)]

    assert len(hints) >= 9
    assert [text for text in hints if "delet" not in text] == []
