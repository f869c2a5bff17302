"""A gateway around MiniStack that restricts access and corrects differences from AWS.

Access: MiniStack serves every web page and every user of the machine. It does not verify the
administrator's secret, allows every origin, and one request can delete all its data. The gateway
rejects such requests; ADR 14 says who is kept out, and who is not.

TLS: the policies of queues, bucket and topic deny plain HTTP. Like a proxy that terminates TLS, the
gateway marks each request as received over TLS; MiniStack derives `aws:SecureTransport` from that.

Stops: MiniStack stops without waiting for running functions, and after a restart their messages
stay invisible until the visibility timeout. The gateway waits for the functions, and makes such
messages visible at the start; see ADR 21.

Queues: MiniStack has no metric for the age of the oldest message. The gateway adds this age to the
attributes of a queue. It also adds the number of messages that wait for another attempt and the
time of the next one, which real SQS does not report.

Logs: MiniStack returns only the oldest 10,000 events of a log group. The gateway adds the token of
the next page.

Events: MiniStack leaves the version of an object out of S3's events. The gateway adds it.

Run this file by its path, with `python -P`. It imports nothing from this project. Such an import
would need PYTHONPATH, which the functions would inherit, or modules in its working directory, which
is the home directory of the local cloud.
"""

import asyncio
import json
import os
import re
import resource
import socket
import sys
import time
from contextlib import suppress
from contextvars import ContextVar
from typing import Any
from urllib.parse import parse_qs

import uvicorn
from ministack.core import lambda_runtime
from ministack.core.iam_evaluator import (
    ResolvedCredential,
    is_root_access_key,
    resolve_credential,
)
from ministack.core.router import extract_access_key_id

ACCOUNT = "000000000000"
ADMINISTRATOR = os.environ["AWS_ACCESS_KEY_ID"]
"""The only key id that MiniStack accepts for the account's root; random for each home."""

KEEP_ALIVE_S = 75
"""The same as in MiniStack's own server."""

DRAIN_S = 5
"""How long a stop waits for running functions. A batch takes a second, and so does a poll, which
may have to store a new refresh token."""
POLL_S = 0.05
LONG_POLL_S = 1
"""How long a stop then waits for requests, such as long polls of a queue."""

CALLBACK = "/_ministack/cfn-response/"
"""Custom resources answer CloudFormation at this path plus a random token, without credentials."""
CALLBACK_BYTES = 4_096
"""CloudFormation's size limit for such an answer."""

XML = re.compile(rb"/(s3|cloudformation|iam|sts|sns)/aws4_request")
"""Services whose clients expect errors as XML, by their names in a signature."""

_BY = b"x-forwarded-proto"
_credentials_by_names = lambda_runtime.execution_credentials


def _execution_credentials(config: dict[str, Any]) -> dict[str, str]:
    """Return session keys of a function's role that cannot be computed from public names.

    MiniStack derives the keys from the names of function and role, which are the same in every home
    directory. So put the administrator's secret key id in front of the role's ARN: the derivation
    includes it, while MiniStack reads the role's name only from the last part.
    """
    role = f"{ADMINISTRATOR}/{config.get('Role', '')}"
    keys: dict[str, str] = _credentials_by_names(config | {"Role": role})
    return keys


lambda_runtime.execution_credentials = _execution_credentials

_PORT = os.environ["GATEWAY_PORT"]
# MiniStack stores a queue under a URL that contains its port. Functions must still find the queue
# after a restart on another port, so queue URLs always contain port 4566.
os.environ["GATEWAY_PORT"] = "4566"
from ministack.services import sqs  # noqa: E402 - it reads the port now

os.environ["GATEWAY_PORT"] = _PORT
from ministack.app import app as ministack  # noqa: E402 - after the queues
from ministack.services import (  # noqa: E402 - after the queues
    cloudwatch_logs,
    eventbridge,
    lambda_svc,
    s3,
)

_restore_queues = sqs.load_persisted_state


def _restore_queues_without_consumers(data: Any) -> None:
    """Restore the queues, and make the messages that were in flight visible again.

    The functions that had received them no longer run, so the attempt does not count.
    """
    _restore_queues(data)
    now = time.time()
    for queue in sqs._queues._data.values():  # noqa: SLF001 - all accounts and regions
        for message in queue["messages"]:
            if message["receive_count"] and message["visible_at"] > now:
                message["visible_at"] = now
                message["receive_count"] -= 1


sqs.load_persisted_state = _restore_queues_without_consumers

_refresh_counts = sqs._refresh_counts  # noqa: SLF001 - no public hook


def _refresh_counts_and_ages(queue: dict[str, Any]) -> None:
    """Add to a queue's attributes the age of its oldest message, and the messages awaiting a retry.

    In AWS the age is a CloudWatch metric, and SQS does not distinguish a failed message from one
    that is being processed.
    """
    _refresh_counts(queue)
    attributes, now = queue["attributes"], time.time()
    age, retry_at = "ApproximateAgeOfOldestMessage", "NextRetryTimestamp"
    for name in (age, retry_at):
        attributes.pop(name, None)
    if sent := [message["sent_at"] for message in queue["messages"]]:
        attributes[age] = str(int(now - min(sent)))
    retries = [
        message["visible_at"]
        for message in queue["messages"]
        if message["visible_at"] > now and message["visible_at"] == message.get("failed_until")
    ]
    attributes["NumberOfMessagesAwaitingRetry"] = str(len(retries))
    if retries:
        attributes[retry_at] = str(int(min(retries)))


sqs._refresh_counts = _refresh_counts_and_ages  # noqa: SLF001 - no public hook

_run_batch = lambda_svc._run_sqs_batch  # noqa: SLF001 - no public hook


def _run_batch_and_mark(
    mapping: Any, function: Any, event: Any, batch: list[dict[str, Any]], *queue: Any
) -> None:
    """Invoke a function with a batch, then mark the batch's messages as failed.

    The mark counts until a message is visible again. It has no effect on messages that succeeded,
    because they have been deleted.
    """
    try:
        _run_batch(mapping, function, event, batch, *queue)
    finally:
        for message in batch:
            message["failed_until"] = message["visible_at"]


lambda_svc._run_sqs_batch = _run_batch_and_mark  # noqa: SLF001 - no public hook

_EVENTS_PER_PAGE = 10_000
_filter_log_events = cloudwatch_logs._filter_log_events  # noqa: SLF001 - no public hook


def _filter_log_events_by_page(request: dict[str, Any]) -> Any:
    """Return a page of log events with the token of the next page.

    A token is the time of the last event of a page, and the number of events of that time which
    were returned.
    """
    at, _, returned = request.get("nextToken", "").partition("/")
    skipped = int(returned or 0)
    most = min(request.get("limit", _EVENTS_PER_PAGE) + skipped, _EVENTS_PER_PAGE)
    since = {"startTime": int(at)} if at else {}
    status, headers, body = _filter_log_events({**request, **since, "limit": most})
    answer = json.loads(body)
    if len(events := answer.get("events", ())) < most:
        answer |= {"events": events[skipped:]} if events else {}
    else:
        last = events[-1]["timestamp"]
        same = sum(event["timestamp"] == last for event in events)
        answer |= {"events": events[skipped:], "nextToken": f"{last}/{same}"}
    return status, headers, json.dumps(answer).encode()


cloudwatch_logs._filter_log_events = _filter_log_events_by_page  # noqa: SLF001 - no public hook


_send_s3_event, _dispatch_event = s3._fire_s3_event, eventbridge._dispatch_event  # noqa: SLF001 - no public hook
_version_id: ContextVar[str | None] = ContextVar("_version_id", default=None)


def _send_s3_event_with_version(
    *arguments: Any, version_id: str | None = None, **options: Any
) -> None:
    """Send an S3 event, and keep the object's version in a context variable of its thread."""
    _version_id.set(version_id)
    _send_s3_event(*arguments, version_id=version_id, **options)


def _dispatch_with_version(event: dict[str, Any]) -> Any:
    """Add the object's version to an S3 event, as AWS does, and dispatch the event."""
    if event["Source"] == "aws.s3" and (version_id := _version_id.get()):
        detail = json.loads(event["Detail"])
        detail["object"]["version-id"] = version_id
        event = {**event, "Detail": json.dumps(detail)}
    return _dispatch_event(event)


s3._fire_s3_event = _send_s3_event_with_version  # noqa: SLF001 - no public hook
eventbridge._dispatch_event = _dispatch_with_version  # noqa: SLF001 - no public hook


class _Server(uvicorn.Server):
    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Drain the functions while they can still reach AWS; then stop serving, and save."""
        await asyncio.to_thread(_drain)
        await super().shutdown(sockets)


def _drain() -> None:
    """Stop consuming messages, wait for the running functions, and kill those that take too long.

    The event source mappings stay disabled until the next start has deployed the pipeline.
    """
    for mapping in lambda_svc._esms._data.values():  # noqa: SLF001 - all accounts and regions
        mapping |= {"Enabled": False, "State": "Disabled"}
    deadline = time.monotonic() + DRAIN_S
    while lambda_runtime.workers_in_use() and time.monotonic() < deadline:
        time.sleep(POLL_S)
    lambda_runtime.reset()


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Forward a request as one received over TLS, or reject it with the reason."""
    if scope["type"] != "http":
        await ministack(scope, receive, send)
        return
    if reason := refusal(scope):
        await _refuse(scope, send, reason)
        return
    others = [header for header in scope["headers"] if header[0] != _BY]
    await ministack(
        {**scope, "headers": [*others, (_BY, b"https")]}, receive, _without_origins(send)
    )


def refusal(scope: Any) -> str | None:
    """Return why a request is rejected; None if it is allowed."""
    headers: dict[bytes, list[bytes]] = {}
    for name, value in scope["headers"]:
        headers.setdefault(name, []).append(value)
    if reason := _sent_by_a_browser(scope, headers):
        return reason
    path = scope["path"]
    if scope["method"] == "PUT" and path.startswith(CALLBACK):
        (size,) = headers.get(b"content-length", [b""])[:1]
        is_small = size.isdigit() and int(size) <= CALLBACK_BYTES
        limit = f"a custom resource's answer needs a Content-Length of at most {CALLBACK_BYTES}"
        return None if is_small else limit
    if path.startswith("/_") or path == "/health":
        return "the local cloud has no administrative paths"
    if not _is_known(_access_key(headers, scope["query_string"])):
        return "unknown access key: use the access_key in cloud.json in the local cloud's folder"
    return None


def _sent_by_a_browser(scope: Any, headers: dict[bytes, list[bytes]]) -> str | None:
    """Return why a request that may come from a web page is rejected; None if it cannot."""
    port = scope["server"][1]
    hosts = [f"{host}:{port}".encode() for host in ("127.0.0.1", "localhost", "[::1]")]
    if b"origin" in headers or any(name.startswith(b"sec-fetch-") for name in headers):
        return "a web page may not use the local cloud"
    if headers.get(b"host") not in [[host] for host in hosts]:
        return f"the Host header must be 127.0.0.1:{port}, localhost:{port} or [::1]:{port}"
    return "the local cloud accepts no OPTIONS requests" if scope["method"] == "OPTIONS" else None


def _access_key(headers: dict[bytes, list[bytes]], query: bytes) -> str:
    """Return the key id that MiniStack will read from a request; empty if it has none."""
    authorization = b", ".join(headers.get(b"authorization", [])).decode("latin-1")
    asked = parse_qs(query.decode("latin-1"), keep_blank_values=True) if query else {}
    key: str = extract_access_key_id({"authorization": authorization}, asked)
    return key


def _is_known(access_key: str) -> bool:
    """True if a key is the administrator's or a role session's; MiniStack checks the secret."""
    # MiniStack also treats a missing key, `test` and every account number as root.
    if is_root_access_key(access_key):
        return access_key == ADMINISTRATOR
    return isinstance(resolve_credential(access_key, ACCOUNT), ResolvedCredential)


async def _refuse(scope: Any, send: Any, reason: str) -> None:
    kind, body = _document(dict(scope["headers"]), reason)
    headers = [(b"content-type", kind), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": 403, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _document(headers: dict[bytes, bytes], reason: str) -> tuple[bytes, bytes]:
    """Return the content type and the body of a refusal, in the format of the service."""
    service = XML.search(headers.get(b"authorization", b""))
    if not service or b"x-amz-target" in headers:
        text = json.dumps({"__type": "AccessDeniedException", "message": reason})
        return b"application/json", text.encode()
    text = f"<Error><Code>AccessDenied</Code><Message>{reason}</Message></Error>"
    if service[1] != b"s3":
        text = f"<ErrorResponse>{text}</ErrorResponse>"
    return b"application/xml", text.encode()


def _without_origins(send: Any) -> Any:
    """Return a `send` that removes the CORS headers, so that web pages cannot read the response."""

    async def send_without(message: Any) -> None:
        if message["type"] == "http.response.start":
            kept = [
                header
                for header in message["headers"]
                if not header[0].lower().startswith(b"access-control-")
            ]
            message = {**message, "headers": kept}
        await send(message)

    return send_without


def main(host: str, port: int) -> None:
    """Serve until SIGTERM, which saves MiniStack's state.

    Uvicorn parses HTTP in C, so a load of 100,000 plays takes 7 % less time than with MiniStack's
    own server.

    Raises:
        OSError: The port is busy. Nothing has been started then, not even a schedule.
    """
    _allow_open_files()
    with socket.create_server((host, port)):
        pass
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        http="httptools",
        loop="uvloop",
        # No part of the pipeline uses WebSocket.
        ws="none",
        access_log=False,
        # MiniStack sends both headers already, and the CDK command line cannot parse two dates.
        date_header=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=LONG_POLL_S,
    )
    _Server(config).run()


def _allow_open_files() -> None:
    """Raise the limit of open files to the maximum, as MiniStack's own server does."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    # macOS reports a maximum that it then rejects; the old limit is enough for a few clients.
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
