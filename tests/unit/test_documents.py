"""Every file, folder and test that a document names exists."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("docs/adr/*.md")])
FOLDERS = "services|shared|infra|cli|dashboard|tests|docs|bench|requirements|\\.github|\\.ci"
# From the root, as in `shared/models.py`; URLs and paths below another folder do not match.
NAMED = re.compile(rf"(?<![\w./-])(?:{FOLDERS})/[\w./-]*[\w/]")
LINKED = re.compile(r"\]\((?!https?:|#)([^)#\s]+)")

TESTS = re.compile(r"(tests/[\w/]+\.py)::(test_\w+)")


def missing_from(text: str, folder: Path) -> set[str]:
    """Return the paths in a text that do not exist: from the root, or linked from a folder."""
    named = {path for path in NAMED.findall(LINKED.sub("", text)) if not (ROOT / path).exists()}
    return named | {path for path in LINKED.findall(text) if not (folder / path).exists()}


def absent_tests(text: str) -> set[tuple[str, str]]:
    """Return the tests in a text, as `file::name`, that do not exist."""
    return {
        (path, name)
        for path, name in TESTS.findall(text)
        if not re.search(rf"^def {name}\(", (ROOT / path).read_text(), re.MULTILINE)
    }


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_path_in_a_document_exists(document):
    assert missing_from(document.read_text(), document.parent) == set()


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_test_named_in_a_document_exists(document):
    assert absent_tests(document.read_text()) == set()


def test_the_document_check_reports_a_missing_test():
    known = "tests/unit/test_documents.py::test_every_path_in_a_document_exists"

    assert absent_tests(f"`{known}`, `{known}_not`") != set()
    assert absent_tests(known) == set()


def test_each_trust_boundary_on_the_security_page_names_a_test():
    page = (ROOT / "docs/security.md").read_text()
    tables = [part.split("\n\n")[0] for part in page.split("| held by |\n|---|---|---|\n")[1:]]
    rows = [row for table in tables for row in table.strip().split("\n")]

    assert len(rows) > 20
    assert [row for row in rows if not TESTS.search(row)] == []


@pytest.mark.parametrize(
    "text", ["see `shared/no_such.py`.", "in `infra/nowhere/`:", "[ADR](docs/adr/9999.md)"]
)
def test_the_document_check_reports_a_missing_path(text):
    assert missing_from(text, ROOT) != set()
