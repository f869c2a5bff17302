from datetime import UTC, datetime

import pytest

from shared.retry_after import retry_after_s

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
DAY = 86_400


@pytest.mark.parametrize(
    ("header", "wait_s"),
    [
        ("7", 7),
        ("0", None),
        ("000", None),
        ("0.0", None),
        ("007", 7),
        ("0000000052531", 52_531),
        ("+5", 5),
        (" 5 ", 5),
        ("+0", None),
        ("52531", 52_531),
        ("1.5", 2),
        ("1.0", 1),
        ("1.", 1),
        ("0.001", 1),
        ("9999999999", DAY),
        ("9" * 5_000, DAY),
        ("Mon, 23 Nov 2026 08:10:00 GMT", 600),
        ("Mon, 23 Nov 2026 08:10:00 -0000", 600),
        ("Mon, 23 Nov 2026 09:10:00 +0100", 600),
        ("Wed, 21 Oct 2015 07:28:00 GMT", None),
        ("Mon, 23 Nov 2026 08:00:00 GMT", None),
        ("Wed, 21 Oct 9999 07:28:00 GMT", DAY),
        ("Wed, 21 Oct 99999999999999999999 07:28:00 GMT", None),
        ("-5", None),
        (".5", 1),
        (".", None),
        ("5, 10", None),
        ("1e3", None),
        ("\u00b2", None),
        ("soon", None),
        ("", None),
    ],
    ids=lambda value: str(value)[:30],
)
def test_retry_after_can_be_seconds_or_a_date(header, wait_s):
    assert retry_after_s(header, NOW, DAY) == wait_s


def test_a_retry_after_date_is_rounded_up_to_whole_seconds():
    now = NOW.replace(microsecond=1)

    assert retry_after_s("Mon, 23 Nov 2026 08:00:05 GMT", now, DAY) == 5
