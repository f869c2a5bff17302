"""Every file and folder that a document names exists."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("docs/adr/*.md")])
FOLDERS = "services|shared|infra|cli|dashboard|tests|docs|bench|requirements|\\.github|\\.ci"
# From the root, as in `shared/models.py`; a URL or a path below another folder is none.
NAMED = re.compile(rf"(?<![\w./-])(?:{FOLDERS})/[\w./-]*[\w/]")
LINKED = re.compile(r"\]\((?!https?:|#)([^)#\s]+)")


def missing_from(text: str, folder: Path) -> set[str]:
    """Return the paths in a text that do not exist: from the root, or linked from a folder."""
    named = {path for path in NAMED.findall(LINKED.sub("", text)) if not (ROOT / path).exists()}
    return named | {path for path in LINKED.findall(text) if not (folder / path).exists()}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_path_in_a_document_exists(document):
    assert missing_from(document.read_text(), document.parent) == set()


@pytest.mark.parametrize(
    "text", ["see `shared/no_such.py`.", "in `infra/nowhere/`:", "[ADR](docs/adr/9999.md)"]
)
def test_the_document_check_reports_a_missing_path(text):
    assert missing_from(text, ROOT) != set()
