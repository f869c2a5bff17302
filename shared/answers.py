"""Reads the answers of external servers, up to a size limit.

The timeouts of requests limit only the wait from one byte to the next; the timeout of the Lambda
function limits the whole call.
"""

import requests

MAX_BYTES = 10_000_000
"""The largest accepted body after decompression. 50 plays are 0.2 MB; no call returns more."""

CHUNK_BYTES = 65_536


class HugeAnswerError(requests.RequestException):
    """The body of an answer is larger than `MAX_BYTES`, which no valid answer reaches."""


def read_body(response: requests.Response) -> requests.Response:
    """Read the body of a response that was requested with `stream=True`.

    Returns:
        The same response; its connection is free for the next call.

    Raises:
        HugeAnswerError: The body is larger than `MAX_BYTES`. Its connection is closed.
        requests.RequestException: The body is incomplete or damaged.
    """
    body = bytearray()
    with response:
        for chunk in response.iter_content(CHUNK_BYTES):
            body += chunk
            if len(body) > MAX_BYTES:
                raise HugeAnswerError(f"the answer has more than {MAX_BYTES} bytes")
    response._content = bytes(body)  # noqa: SLF001 - requests cannot limit the size of `content`
    return response
