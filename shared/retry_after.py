"""How long a server wants to be left alone, as its `Retry-After` tells; pure.

Source:
    https://www.rfc-editor.org/rfc/rfc9110#name-retry-after
    It is whole seconds or a date; some servers write a fraction.
"""

import math
import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime


def retry_after_s(header: str, now: datetime, most: int) -> int | None:
    """Read the header; None if it tells no time.

    Args:
        header: Its text; empty if there is none.
        now: What a date is counted from; one that has passed is 0 s away.
        most: The longest wait, in seconds, that is accepted: a server may ask for any.

    Returns:
        Seconds, rounded up: a call that comes too late does no harm.
    """
    if match := re.fullmatch(r"([0-9]+)(\.[0-9]*)?", header):
        # Python refuses to read numbers of thousands of digits.
        return min(int(match[1][:9]) + bool((match[2] or "").strip(".0")), most)
    try:
        at = parsedate_to_datetime(header)
    except (ValueError, OverflowError):
        return None
    # A date without a known zone is read as naive; HTTP dates are in UTC.
    wait_s = math.ceil((at.replace(tzinfo=at.tzinfo or UTC) - now).total_seconds())
    return max(0, min(wait_s, most))
