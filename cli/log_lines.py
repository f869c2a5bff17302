"""Parses the log lines of the functions, and of the local Postgres, into `LogLine`s."""

import json
import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

from pydantic import Field

from cli.output import Document, Instant

FAILURES = ("ERROR", "CRITICAL", "FATAL", "PANIC")

_ENVELOPE = {
    *("level", "log_level", "location", "message", "timestamp", "service", "cold_start"),
    *("function_name", "function_memory_size", "function_arn", "function_request_id", "requestId"),
    *("exception", "exception_name", "stack_trace", "stackTrace", "xray_trace_id"),
    *("errorMessage", "errorType"),
}
"""The fields of every line; the rest are the facts of one."""
_FRAME = re.compile(r"(?:START|END|REPORT|INIT_START) (?:RequestId: (\S+))?")
"""What Lambda, or MiniStack in its place, writes around each invocation."""
_TRACEBACK = "Traceback (most recent call last)"
_TIMED_OUT = "Task timed out"
_POSTGRES = re.compile(r"([\d-]{10} [\d:.]{12}) UTC \[\d+\] (?:\S+@\S+ )?([A-Z]+\d?):  (.*)")
_PART = ("DETAIL", "HINT", "STATEMENT", "CONTEXT", "QUERY", "LOCATION")
"""Lines that belong to the one before."""


class LogLine(Document):
    """One line of a log."""

    at: Instant
    log: str
    """The function, such as `loader`, or `postgres`."""
    level: str
    message: str
    facts: dict[str, Any] = Field(default_factory=dict)
    exception: str | None = None
    """The traceback, if there is one."""
    request_id: str | None = None
    """The invocation of the function, if the line belongs to one."""

    @property
    def is_failure(self) -> bool:
        """True if the level is that of an error, such as ERROR or FATAL."""
        return self.level in FAILURES


def function_lines(log: str, events: Iterable[tuple[datetime, str]]) -> Iterator[LogLine]:
    """Parse one log stream of a function; skip metrics, and START, END and REPORT lines.

    Args:
        log: The function's short name.
        events: When each line was stored, and its text: JSON by Powertools or Lambda, or plain.
            MiniStack, the local AWS emulator, stores them all at the end of an invocation, and a
            traceback line by line.
    """
    traceback: LogLine | None = None
    request_id = None
    for at, text in events:
        fields, frame = _fields(text), _FRAME.match(text)
        if fields is None and traceback and not frame:
            traceback = _longer(traceback, text)
            continue
        if traceback:
            yield traceback
        traceback = None
        if frame:
            request_id = frame[1]
        elif fields is not None:
            yield from _json_line(log, at, fields)
        elif text.startswith(_TRACEBACK):
            traceback = LogLine(at=at, log=log, level="ERROR", message=text, exception=text,
                                request_id=request_id)  # fmt: skip
        elif text.strip():
            level = "ERROR" if _TIMED_OUT in text else "INFO"
            yield LogLine(at=at, log=log, level=level, message=text.strip(), request_id=request_id)
    if traceback:
        yield traceback


def _fields(text: str) -> dict[str, Any] | None:
    try:
        fields = json.loads(text)
    except ValueError:
        return None
    return fields if isinstance(fields, dict) else None


def _longer(traceback: LogLine, text: str) -> LogLine:
    """Add a line to a traceback, and make it the message: the last line names the error."""
    exception = f"{traceback.exception}\n{text}"
    return traceback.model_copy(update={"message": text.strip(), "exception": exception})


def _json_line(log: str, at: datetime, fields: dict[str, Any]) -> Iterator[LogLine]:
    if "type" in fields and "record" in fields:
        yield from _invocation(log, at, fields)
    elif "_aws" not in fields:
        yield _own_line(log, at, fields)


def _invocation(log: str, at: datetime, fields: dict[str, Any]) -> Iterator[LogLine]:
    """Yield a log line for Lambda's report of a failed invocation; none for a successful one."""
    record = fields["record"]
    status = record.get("status", "success")
    if fields["type"] == "platform.report" and status != "success":
        message = f"Lambda ended the function: {record.get('errorType') or status}"
        facts, request_id = record.get("metrics") or {}, record.get("requestId")
        yield LogLine(
            at=at, log=log, level="ERROR", message=message, facts=facts, request_id=request_id
        )


def _own_line(log: str, at: datetime, fields: dict[str, Any]) -> LogLine:
    # Powertools and the runtime write the time in different forms of ISO 8601.
    written = fields.get("timestamp")
    stack = fields.get("exception") or "\n".join(map(str, fields.get("stackTrace") or ()))
    if kind := fields.get("errorType"):
        stack += f"\n{kind}: {fields.get('errorMessage')}"
    return LogLine(
        at=datetime.fromisoformat(written).astimezone(UTC) if written else at,
        log=log,
        level=str(fields.get("level") or fields.get("log_level") or "INFO"),
        message=str(fields.get("message") or fields.get("errorMessage") or ""),
        facts={name: value for name, value in fields.items() if name not in _ENVELOPE},
        exception=stack.strip() or None,
        request_id=fields.get("function_request_id") or fields.get("requestId"),
    )


def postgres_lines(texts: Iterable[str]) -> Iterator[LogLine]:
    """Parse the log of the local Postgres; add DETAIL and continuation lines to the line before."""
    line: LogLine | None = None
    for text in texts:
        found = _POSTGRES.match(text)
        if found and found[2] not in _PART:
            if line:
                yield line
            at = datetime.fromisoformat(found[1]).replace(tzinfo=UTC)
            line = LogLine(at=at, log="postgres", level=found[2], message=found[3].rstrip())
        elif line:
            more = f"{found[2]}: {found[3]}" if found else text
            line = line.model_copy(update={"message": f"{line.message} {more.strip()}"})
    if line:
        yield line
