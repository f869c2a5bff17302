"""The named statements in `statements.sql`, and a function that turns their rows into documents."""

from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

from cli.output import Document
from shared.named_sql import read

_Document = TypeVar("_Document", bound=Document)

STATEMENTS = read(Path(__file__).with_suffix(".sql"))


def as_document(model: type[_Document], row: Sequence[object]) -> _Document:
    """Build a document from a row whose columns are in the order of the document's fields."""
    return model.model_validate(dict(zip(model.model_fields, row, strict=True)))
