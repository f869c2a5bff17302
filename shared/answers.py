"""Reading the answer of a server that may never come to an end.

The timeouts of requests count from one byte to the next, so that a server that sends a byte a
second could hold an invocation until it is killed, and one that sends for ever could fill its
memory. Here an answer has a total time and a size.

The time of one wait for bytes is added to the total, since a wait that has begun is not cut short.
The head of an answer is http.client's to read, and counts once it is there: real servers send it at
once.

Source:
    https://requests.readthedocs.io/en/latest/user/advanced/#timeouts
    https://urllib3.readthedocs.io/en/stable/reference/urllib3.response.html
    `read1` returns what one wait brought; `iter_content` and `read` wait until a whole piece came.
"""

import zlib
from collections.abc import Callable, Iterator
from functools import partial
from io import BytesIO
from time import monotonic
from typing import Any

import requests
from requests.exceptions import ChunkedEncodingError, ContentDecodingError
from urllib3 import BaseHTTPResponse
from urllib3.exceptions import HTTPError, ReadTimeoutError

LONGEST_S = 10
"""The total time of a call, in seconds; only the wait that is under way then may take longer."""

MOST_BYTES = 10_000_000
"""The size of an answer. 50 plays are 0.2 MB, and nothing that we ask for is larger."""

PIECE_BYTES = 65_536


GZIP = 16 + zlib.MAX_WBITS
"""What zlib calls the format."""


class Session(requests.Session):
    """A session that leaves every body to `whole_answer`, and asks for none that this cannot read.

    requests reads the body of a redirect to its end, even where it is told to follow none.
    """

    def __init__(self) -> None:
        super().__init__()
        self.headers["Accept-Encoding"] = "gzip"

    def get_redirect_target(self, resp: requests.Response) -> None:
        """Find nowhere to go on to."""


class HugeAnswerError(requests.RequestException):
    """An answer is larger than anything that was asked for."""


def whole_answer(
    ask: Callable[[], requests.Response],
    longest_s: float = LONGEST_S,
    most_bytes: int = MOST_BYTES,
    clock: Callable[[], float] = monotonic,
) -> requests.Response:
    """Ask, and read the answer to its end.

    Args:
        ask: Calls a server through a `Session`, with `stream=True`.
        longest_s: After how many seconds, with those of `ask`, to give up.
        most_bytes: More than that is not read; counted after decompression.
        clock: Tells the seconds.

    Returns:
        The response with its content at hand; its connection is free for the next call.

    Raises:
        requests.ReadTimeout: The answer did not end in time.
        HugeAnswerError: It did not end within its size.
        requests.RequestException: It broke off, or whatever `ask` raises.
    """
    until = clock() + longest_s
    response = ask()
    body = BytesIO()
    try:
        unpack = _unpacking(response)
        for piece in _pieces(response):
            body.write(unpack(piece, most_bytes + 1 - body.tell()))
            if body.tell() > most_bytes:
                raise HugeAnswerError(f"more than {most_bytes} bytes")
            if clock() > until:
                raise requests.ReadTimeout(f"no end after {longest_s} s")
    except requests.RequestException:
        # A connection with the rest of an answer in it is of no use, and its server sends on.
        response.close()
        raise
    body.seek(0)
    response.raw = body
    return response


def _pieces(response: requests.Response) -> Iterator[bytes]:
    """Read what each wait brings, as it was sent, with the errors that requests would raise.

    To let urllib3 decompress it would be to wait until there is something decompressed.
    """
    raw = response.raw
    # An adapter of one's own may give any file, as requests has it.
    is_urllib3s = isinstance(raw, BaseHTTPResponse)
    read = partial(raw.read1, decode_content=False) if is_urllib3s else raw.read1
    try:
        while piece := read(PIECE_BYTES):
            yield piece
    except ReadTimeoutError as error:
        raise requests.ReadTimeout(error) from error
    except HTTPError as error:
        raise ChunkedEncodingError(error) from error


def _unpacking(response: requests.Response) -> Callable[[bytes, int], bytes]:
    """Give what turns a piece into so many bytes of the body at most."""
    encoding = response.headers.get("Content-Encoding", "identity").lower()
    if encoding == "identity":
        return lambda piece, _: piece
    if encoding != "gzip":
        raise ContentDecodingError(f"an answer in {encoding}, though gzip was asked for")
    decompressor: Any = zlib.decompressobj(GZIP)

    def decompress(piece: bytes, most: int) -> bytes:
        try:
            return bytes(decompressor.decompress(piece, most))
        except zlib.error as error:
            raise ContentDecodingError(error) from error

    return decompress
