"""The text of a validation error; pure."""

from pydantic import ValidationError


def faults_of(error: ValidationError) -> list[str]:
    """Return `field.inner: reason` for each fault, without the value, which may be a secret."""
    return [
        f"{'.'.join(map(str, fault['loc'])) or 'all'}: {fault['msg']}"
        for fault in error.errors(include_input=False, include_url=False)
    ]
