"""Every page in a browser: errors, other hosts, accessibility, width and a screenshot."""

import itertools

import pytest

from bench.addresses import SHOWN
from bench.browser import DESKTOP, PHONE
from infra.local.state import REPOSITORY

SCREENSHOTS = REPOSITORY / "build" / "screenshots"
AXE = (REPOSITORY / "node_modules" / "axe-core" / "axe.min.js").read_text
SIZES = {"desktop": DESKTOP, "phone": PHONE}
LOOKS = [*itertools.product(("light", "dark"), SIZES)]

# Only the first rows of long lists and tables, because the others are alike.
VIOLATIONS = """
const done = arguments[0];
const alike = ["tbody tr:nth-child(n+4)", "ol > li:nth-child(n+4)", "option:nth-child(n+4)"];
axe.run({ exclude: alike }, { resultTypes: ["violations"], preload: false }).then(
    ({ violations }) => done(violations.flatMap(({ id, nodes }) => nodes.map((node) =>
        `${id} at ${node.html.slice(0, 120)}: ${node.failureSummary.replace(/\\s+/g, " ")}`))));
"""


@pytest.fixture(scope="session", autouse=True)
def folder():
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)


def violations(chromium) -> list[str]:
    chromium.driver.execute_script(AXE())
    return chromium.driver.execute_async_script(VIOLATIONS)


@pytest.mark.parametrize("look", LOOKS, ids="-".join)
@pytest.mark.parametrize("page", SHOWN, ids=lambda page: page.name)
def test_a_page_fits_each_width_and_theme_without_browser_errors(
    chromium, site, addresses, page, look
):
    theme, size = look
    chromium.look(SIZES[size], theme)

    visit = chromium.visit(addresses[page.name])
    wide, window = chromium.width()
    (SCREENSHOTS / f"{page.name}-{theme}-{size}.png").write_bytes(chromium.picture(whole=True))

    assert visit.errors == ()
    assert {f"http://{host}" for host in visit.hosts} == {site.url}
    assert wide <= window


@pytest.mark.parametrize(("theme", "size"), [("light", "desktop"), ("dark", "phone")])
@pytest.mark.parametrize("page", SHOWN, ids=lambda page: page.name)
def test_a_page_passes_the_accessibility_checks(chromium, addresses, page, theme, size):
    chromium.look(SIZES[size], theme)
    chromium.visit(addresses[page.name])

    assert violations(chromium) == []


@pytest.mark.parametrize("page", SHOWN, ids=lambda page: page.name)
def test_a_page_of_all_time_by_minutes_has_no_browser_errors(chromium, addresses, page):
    chromium.look(PHONE)

    visit = chromium.visit(f"{addresses[page.name]}period=all&measure=minutes&rule=half")
    wide, window = chromium.width()

    assert visit.errors == ()
    assert wide <= window
