import gzip
from contextlib import nullcontext
from functools import partial
from io import BytesIO
from itertools import chain, repeat
from secrets import token_bytes
from time import monotonic

import pytest
import requests

from shared.answers import HugeAnswerError, Session, whole_answer
from tests.unit.slow_server import a_slow_server, chunk, endless, head, trickling

BODY = bytes(range(256)) * 1_000


@pytest.fixture
def server():
    with a_slow_server() as server:
        yield server


@pytest.fixture
def session():
    with Session() as session:
        session.trust_env = False
        yield session


@pytest.fixture
def ask(server, session):
    """Ask for the whole answer of the server."""

    def get(timeout=5, **bounds):
        call = partial(session.get, server.url, timeout=timeout, stream=True)
        return whole_answer(call, **bounds)

    return get


def seconds_of(call):
    began = monotonic()
    call()
    return monotonic() - began


class FromAFile(requests.adapters.HTTPAdapter):
    """Answers without a network."""

    def send(self, *_, **__):
        response = requests.Response()
        response.raw = BytesIO(BODY)
        return response


class Seconds:
    """A clock that is moved by hand."""

    time = 0

    def __call__(self):
        return self.time


WHOLE = {
    "with a length": [head(len(BODY)), BODY],
    "in chunks": [head(Transfer_Encoding="chunked"), chunk(BODY[:9]), chunk(BODY[9:]), chunk(b"")],
    "compressed": [head(len(gzip.compress(BODY)), Content_Encoding="gzip"), gzip.compress(BODY)],
}


@pytest.mark.parametrize("pieces", WHOLE.values(), ids=WHOLE)
def test_an_answer_is_read_to_its_end_and_its_connection_used_again(server, ask, pieces):
    server.keeps, server.pieces = True, lambda: pieces

    answers = [ask() for _ in range(3)]

    assert [answer.content for answer in answers] == [BODY] * 3
    assert answers[0].status_code == 200
    assert server.connections == 1


def test_an_empty_answer_is_one(server, ask):
    server.keeps, server.pieces = True, lambda: [head(0)]

    assert [ask().content, ask().content] == [b"", b""]
    assert server.connections == 1


def test_an_answer_without_a_length_ends_with_its_connection(server, ask):
    server.pieces = lambda: [head(), BODY[:7], BODY[7:]]

    assert ask().content == BODY


def test_an_answer_of_another_adapter_is_read_as_well(server, session, ask):
    session.mount(server.url, FromAFile())

    assert ask().content == BODY


# Noise does not come out of its compression bit by bit.
COMPRESSED = gzip.compress(token_bytes(10_000))
NAMED = b"\x1f\x8b\x08\x08" + bytes(6)
REDIRECT = b"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 1000000000\r\n\r\n"
ENDLESS = {
    "with a length": trickling,
    "without one": lambda: chain([head()], repeat(b" ")),
    "in chunks": lambda: chain([head(Transfer_Encoding="chunked")], repeat(chunk(b" "))),
    "compressed": lambda: chain(
        [head(Content_Encoding="gzip")], (bytes([one]) for one in COMPRESSED)
    ),
    "with an endless name": lambda: chain([head(Content_Encoding="gzip"), NAMED], repeat(b"x")),
    "that leads elsewhere": lambda: chain([REDIRECT], repeat(b" ")),
}


@pytest.mark.parametrize("pieces", ENDLESS.values(), ids=ENDLESS)
def test_a_server_that_trickles_is_given_up_in_time(server, ask, pieces):
    server.pieces, server.pause_s = pieces, 0.01

    def give_up():
        with pytest.raises(requests.ReadTimeout, match=r"no end after 0\.3 s"):
            ask(longest_s=0.3)

    assert 0.3 <= seconds_of(give_up) < 1


def test_a_server_is_told_at_once_that_it_was_given_up(server, ask):
    server.pieces, server.pause_s = trickling, 0.01

    # What is raised keeps the response, and so its connection, from being collected.
    with pytest.raises(requests.ReadTimeout) as given_up:
        ask(longest_s=0.1)

    assert server.gave_up.wait(1)
    assert given_up


def test_a_wait_that_has_begun_ends_with_its_own_timeout(server, ask):
    server.pieces, server.pause_s = lambda: [head(2), b" ", b" "], 3

    def give_up():
        with pytest.raises(requests.ReadTimeout):
            ask(timeout=0.3, longest_s=0.1)

    assert seconds_of(give_up) < 1


@pytest.mark.parametrize(
    ("longest_s", "outcome"),
    [(10, pytest.raises(requests.ReadTimeout)), (11, nullcontext())],
    ids=["late", "in time"],
)
def test_the_time_until_an_answer_begins_counts_as_well(server, session, longest_s, outcome):
    server.pieces = lambda: [head(1), b" "]
    clock = Seconds()

    def ask():
        clock.time += 11
        return session.get(server.url, stream=True)

    with outcome:
        whole_answer(ask, longest_s, clock=clock)


def test_an_answer_of_the_greatest_size_is_read(server, ask):
    server.pieces = lambda: [head(len(BODY)), BODY]

    assert ask(most_bytes=len(BODY)).content == BODY


BOMB = gzip.compress(bytes(50_000_000))
HUGE = {
    "by a byte": lambda: [head(len(BODY) + 1), BODY, b" "],
    "without end": endless,
    "once decompressed": lambda: [head(len(BOMB), Content_Encoding="gzip"), BOMB],
}


@pytest.mark.parametrize("pieces", HUGE.values(), ids=HUGE)
def test_an_answer_that_is_too_large_is_given_up(server, ask, pieces):
    server.pieces = pieces

    with pytest.raises(HugeAnswerError, match="more than 256000 bytes"):
        ask(most_bytes=len(BODY))


@pytest.mark.parametrize("bounds", [{"longest_s": 0}, {"most_bytes": 10}], ids=["time", "size"])
def test_what_is_left_of_an_answer_is_not_taken_for_the_next(server, ask, bounds):
    server.keeps, server.pieces = True, lambda: [head(len(BODY)), BODY]
    with pytest.raises(requests.RequestException):
        ask(**bounds)

    assert ask().content == BODY
    assert server.connections == 2


@pytest.mark.parametrize(
    ("pieces", "error"),
    [
        ([head(len(BODY)), BODY[:-1]], requests.exceptions.ChunkedEncodingError),
        (
            [head(Transfer_Encoding="chunked"), chunk(BODY)],
            requests.exceptions.ChunkedEncodingError,
        ),
        (
            [head(len(BODY), Content_Encoding="gzip"), BODY],
            requests.exceptions.ContentDecodingError,
        ),
        ([head(2, Content_Encoding="br"), b"  "], requests.exceptions.ContentDecodingError),
        ([], requests.ConnectionError),
    ],
    ids=["short", "last chunk missing", "not compressed", "otherwise compressed", "nothing"],
)
def test_an_answer_that_breaks_off_is_none(server, ask, pieces, error):
    server.pieces = lambda: pieces

    with pytest.raises(error):
        ask()
