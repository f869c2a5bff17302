from pathlib import Path

import pytest

from dashboard import assets
from dashboard.assets import Assets

STRICT = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; connect-src 'none'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'"
)


@pytest.fixture
def get(browse, no_listener):
    return browse(no_listener)


@pytest.fixture
def styles():
    return Assets().path("page.css")


@pytest.mark.parametrize("path", ["/", "/no/such/page", "/static/0/page.css", "/artist/x"])
def test_every_response_has_security_headers_and_no_cookie(get, path):
    headers = get(path).headers

    assert headers["Content-Security-Policy"] == STRICT
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cache-Control"] == "no-store"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert "Set-Cookie" not in headers


@pytest.mark.parametrize("host", ["127.0.0.1:8100", "localhost:8100", "[::1]:8100", "localhost:1"])
def test_loopback_host_names_with_a_port_are_accepted(get, host):
    assert get("/", Host=host).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "localhost",
        "example.org:8100",
        "127.0.0.1.example.org:8100",
        "localhost:8100.example.org",
        "0.0.0.0:8100",
        "192.168.0.7:8100",
        "localhost:81000000",
        "LOCALHOST.:8100",
    ],
)
def test_a_foreign_host_header_is_refused_for_pages_and_files(get, styles, host):
    for path in ("/", styles):
        answer = get(path, Host=host)

        assert answer.status_code == 403
        assert "127.0.0.1, localhost" in answer.text


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://example.org"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:3000"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
    ],
    ids=str,
)
def test_a_cross_site_request_is_refused(get, headers):
    assert get("/", **headers).status_code == 403


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://127.0.0.1:8100"},
        {"Sec_Fetch_Site": "same-origin"},
        {"Sec_Fetch_Site": "none"},
    ],
    ids=str,
)
def test_a_same_origin_request_is_accepted(get, headers):
    assert get("/", **headers).status_code == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
def test_methods_other_than_get_and_head_are_refused(get, method):
    answer = get("/", method=method)

    assert answer.status_code == 405
    assert answer.headers["Content-Security-Policy"] == STRICT


def test_head_is_answered_without_a_body(get):
    answer = get("/", method="HEAD")

    assert (answer.status_code, answer.data) == (200, b"")


def test_a_static_file_is_compressed_and_cacheable_for_ever(get, styles):
    plain, packed = get(styles), get(styles, Accept_Encoding="gzip")

    assert plain.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert plain.content_type.startswith("text/css")
    assert packed.headers["Content-Encoding"] == "gzip"
    assert len(packed.data) < len(plain.data) / 2
    assert b"--accent" in plain.data


def test_changed_content_changes_the_url_of_a_static_file(tmp_path):
    def path(content):
        (tmp_path / "a.css").write_text(content)
        return Assets({"page.css": (tmp_path / "a.css",)}).path("page.css")

    assert path("a {}") != path("b {}")


def test_if_the_chart_library_is_missing_the_page_says_what_to_do(tmp_path):
    with pytest.raises(FileNotFoundError, match="make setup"):
        Assets({"d3.js": (tmp_path / "d3.js",)})


def test_no_file_of_the_web_page_references_another_host():
    folder = Path(assets.__file__).parent
    ours = [*folder.glob("static/**/*.*"), *folder.glob("templates/*.html")]
    allowed = "http://www.w3.org/2000/svg"
    foreign = [path.name for path in ours if "://" in path.read_text().replace(allowed, "")]

    assert len(ours) > 5
    assert foreign == []
