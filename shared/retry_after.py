"""Reads the wait in a `Retry-After` header; pure.

Source:
    https://www.rfc-editor.org/rfc/rfc9110#name-retry-after
    Whole seconds or a date; some servers write a sign, a fraction or leading zeros.
"""

import math
import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime


def retry_after_s(header: str, now: datetime, most: int) -> int | None:
    """Read the header; return None if it holds no wait.

    A wait of 0 s, or until a date in the past, is no wait, because the server has just refused a
    call. The caller then uses its own backoff.

    Args:
        header: The text of the header; empty if the header is missing.
        now: The time from which a date is counted.
        most: The longest accepted wait, in seconds.

    Returns:
        Seconds from 1 to `most`, rounded up, because a late call does no harm.
    """
    text = header.strip()
    if match := re.fullmatch(r"\+?0*([0-9]*)(\.[0-9]*)?", text):
        # Python refuses to read an integer of thousands of digits.
        wait_s = int(match[1][:9] or 0) + bool((match[2] or "").strip(".0"))
    else:
        try:
            at = parsedate_to_datetime(text)
        except (ValueError, OverflowError):
            return None
        # HTTP dates are in UTC; Python reads one without a zone as naive.
        wait_s = math.ceil((at.replace(tzinfo=at.tzinfo or UTC) - now).total_seconds())
    return min(wait_s, most) if wait_s > 0 else None
