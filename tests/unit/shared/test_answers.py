import gzip
from io import BytesIO

import pytest
import requests
from urllib3 import HTTPResponse

from shared.answers import MAX_BYTES, HugeAnswerError, read_body


@pytest.fixture
def answer_of():
    """Build a streamed response with a body and headers."""

    def build(body, **headers):
        response = requests.Response()
        response.raw = HTTPResponse(BytesIO(body), headers, preload_content=False)
        return response

    return build


def test_a_response_of_exactly_the_size_limit_is_read(answer_of):
    body = bytes(MAX_BYTES)

    assert read_body(answer_of(body)).content == body


def test_an_empty_response_body_is_read(answer_of):
    assert read_body(answer_of(b"")).content == b""


def test_a_response_above_the_size_limit_is_refused_and_its_connection_closed(answer_of):
    response = answer_of(bytes(MAX_BYTES + 1) + bytes(1_000_000))

    with pytest.raises(HugeAnswerError, match=r"more than 10000000 bytes"):
        read_body(response)

    assert response.raw.closed


def test_the_size_limit_applies_after_decompression(answer_of):
    bomb = gzip.compress(bytes(5 * MAX_BYTES))

    with pytest.raises(HugeAnswerError):
        read_body(answer_of(bomb, **{"content-encoding": "gzip"}))


def test_a_damaged_body_raises_a_requests_exception(answer_of):
    with pytest.raises(requests.exceptions.ContentDecodingError):
        read_body(answer_of(b"no gzip", **{"content-encoding": "gzip"}))
