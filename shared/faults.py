"""Turns pydantic's validation errors into text for a person; pure."""

import re

from pydantic import ValidationError

_LIBRARY_WORDS = re.compile(
    r"^Value error, |, unable to (?:interpret input|parse string as an? \w+)$"
)


def faults_of(error: ValidationError) -> list[str]:
    """Return `field.inner: reason` for each fault, without the value, which may be a secret."""
    return [
        f"{'.'.join(map(str, fault['loc'])) or 'all'}: {in_plain_words(fault['msg'])}"
        for fault in error.errors(include_input=False, include_url=False)
    ]


def in_plain_words(message: str) -> str:
    """Remove pydantic's own terms from its message, because they say nothing to a person."""
    return _LIBRARY_WORDS.sub("", message)
