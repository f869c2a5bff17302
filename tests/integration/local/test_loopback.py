import pytest

from infra.local.loopback import is_named


@pytest.mark.parametrize(
    ("host", "port", "named"),
    [
        ("127.0.0.1", 80, True),
        ("[::1]", 80, True),
        ("127.0.0.1:80", 80, True),
        ("127.0.0.1", 8765, False),
        ("evil.example", 80, False),
        (None, 80, False),
    ],
)
def test_a_host_header_can_omit_the_port_only_if_it_is_80(host, port, named):
    assert is_named(host, port) is named
