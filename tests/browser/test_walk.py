"""A person uses the page on a phone: by touch, by keyboard, without scripts."""

import json
import re
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urljoin, urlsplit

import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.expected_conditions import staleness_of
from selenium.webdriver.support.ui import Select, WebDriverWait

from bench.browser import DESKTOP, PHONE
from dashboard.amounts import MONTHS
from dashboard.view import RULES

PATIENCE_S = 20
PLAYS_OF_YEAR = (
    "SELECT sum(plays_30s), sum(plays_done) FROM reporting.listening_daily "
    "WHERE listener = :listener AND extract(year FROM listened_date) = :year"
)
TRACKS_BY_TIME = (
    "SELECT track_name FROM reporting.tracks_by_month "
    "WHERE listener = 'me' AND extract(year FROM listened_month) = :year "
    "GROUP BY track_id, track_name ORDER BY sum(ms) DESC LIMIT 8"
)


@pytest.fixture(scope="module")
def year(site) -> int:
    return site.reader.run("SELECT extract(year FROM now())::int - 1")[0][0]


@pytest.fixture
def overview(chromium, site, year):
    """The overview of last year on a phone."""
    chromium.look(PHONE)
    assert chromium.visit(f"{site.url}/?listener=me&period={year}").errors == ()
    return chromium.driver


def plays_of(site, listener, year) -> tuple[int, int]:
    """Count a year's plays by two rules."""
    ((by_30s, done),) = site.reader.run(PLAYS_OF_YEAR, listener=listener, year=year)
    return int(by_30s or 0), int(done or 0)


def first_number(driver) -> int:
    """The number of plays on the first card."""
    return int(re.sub(r"\D", "", driver.find_element(By.CSS_SELECTOR, ".card strong").text))


def state(driver) -> dict[str, str]:
    query = parse_qs(urlsplit(driver.current_url).query)
    return {name: value for name, (value,) in query.items()}


def wait_for_the_next_page(driver, act) -> None:
    body = driver.find_element(By.TAG_NAME, "body")
    act()
    WebDriverWait(driver, PATIENCE_S).until(staleness_of(body))


def choose(driver, name: str, text: str) -> None:
    """Select an option in the head of the page, which opens the page for it."""
    listed = Select(driver.find_element(By.NAME, name))
    wait_for_the_next_page(driver, lambda: listed.select_by_visible_text(text))


def mark_of(driver, chart: str, wanted) -> tuple[dict[str, Any], ActionChains]:
    """Move the mouse to the bar or square of the highest matching datum; return both."""
    figure = driver.find_element(By.CSS_SELECTOR, f"figure.chart[data-chart={chart}]")
    text = figure.find_element(By.TAG_NAME, "script").get_attribute("textContent")
    data = json.loads(text)["data"]
    datum = max(filter(wanted, data), key=lambda each: each["value"])
    # The first group of rectangles has one for each datum.
    mark = figure.find_elements(By.CSS_SELECTOR, "svg g > rect")[data.index(datum)]
    driver.execute_script("arguments[0].scrollIntoView({ block: 'center' })", mark)
    return datum, ActionChains(driver).move_to_element(mark)


def track_names(driver) -> list[str]:
    """The names of the top tracks."""
    ranked = driver.find_elements(By.CSS_SELECTOR, "a[href*='/track/']:has(.rank) .name")
    return [name_of(name) for name in ranked]


def name_of(name) -> str:
    """A name of a list, without the small text after it."""
    return name.get_attribute("textContent").split("\N{EN SPACE}")[0]


def test_selecting_a_period_changes_the_url_and_the_counts(overview, site, year):
    choose(overview, "period", str(year - 1))

    assert state(overview)["period"] == str(year - 1)
    assert first_number(overview) == plays_of(site, "me", year - 1)[0]


def test_selecting_a_listener_keeps_the_period(overview, site, year):
    choose(overview, "period", "All time")
    choose(overview, "listener", "anna")

    assert state(overview).items() >= {"listener": "anna", "period": "all"}.items()
    every = sum(plays_of(site, "anna", each)[0] for each in range(year - 4, year + 2))
    assert first_number(overview) == every


def test_selecting_a_counting_rule_changes_the_counts(overview, site, year):
    choose(overview, "rule", RULES["done"].meaning)

    assert state(overview)["rule"] == "done"
    assert first_number(overview) == plays_of(site, "me", year)[1]


def test_selecting_a_measure_changes_the_ranking(overview, site, year):
    by_plays = track_names(overview)
    minutes = overview.find_element(By.CSS_SELECTOR, "input[name=measure][value=minutes]")

    wait_for_the_next_page(overview, minutes.find_element(By.XPATH, "..").click)

    assert state(overview)["measure"] == "minutes"
    by_time = [name for (name,) in site.reader.run(TRACKS_BY_TIME, year=year)]
    assert track_names(overview) == by_time != by_plays


@pytest.mark.parametrize(
    ("period", "chart", "opened"),
    [
        ("{year}-07", "bars", "/day/{date}?period={year}-07"),
        ("{year}-07", "calendar", "/day/{date}?period={year}-07"),
        ("all", "bars", "/?period={month}"),
        ("all", "months", "/?period={month}"),
    ],
)
def test_a_click_in_a_chart_opens_its_day_or_month(overview, year, period, chart, opened):
    shown = {"listener": "me", "measure": "minutes", "rule": "done"}
    overview.get(
        urljoin(overview.current_url, f"/?period={period.format(year=year)}&{urlencode(shown)}")
    )
    datum, mouse = mark_of(overview, chart, lambda _: True)
    wanted = urlsplit(opened.format(year=year, date=datum["on"], month=datum["on"][:7]))

    wait_for_the_next_page(overview, mouse.click().perform)

    assert urlsplit(overview.current_url).path == wanted.path
    assert state(overview) == {**shown, **dict(parse_qsl(wanted.query))}


@pytest.mark.parametrize("chart", ["bars", "calendar"])
def test_chart_tooltips_mark_estimated_minutes(overview, site, chart):
    overview.get(f"{site.url}/?listener=me&period=7d&measure=minutes")

    datum, mouse = mark_of(overview, chart, lambda datum: "≈" in datum["text"])
    mouse.perform()

    svg = overview.find_element(By.CSS_SELECTOR, f"[data-chart={chart}] svg")
    wait = WebDriverWait(overview, PATIENCE_S)
    assert wait.until(lambda _: datum["text"] in svg.text)


def test_opening_an_artist_keeps_the_period(overview, year):
    link = overview.find_element(By.CSS_SELECTOR, "ol.list a[href*='/artist/']")
    name = name_of(link.find_element(By.CLASS_NAME, "name"))

    wait_for_the_next_page(overview, link.click)

    assert overview.find_element(By.TAG_NAME, "h1").text.startswith(name)
    assert state(overview)["period"] == str(year)


def test_a_day_in_a_chart_can_be_opened_by_keyboard(overview, site):
    overview.find_element(By.CSS_SELECTOR, "details.table summary").send_keys(Keys.ENTER)
    link = overview.find_element(By.CSS_SELECTOR, "details.table a[href*='/day/']")
    day = re.search(r"/day/([\d-]+)", link.get_attribute("href")).group(1)

    wait_for_the_next_page(overview, lambda: link.send_keys(Keys.ENTER))

    ((plays,),) = site.reader.run(
        "SELECT count(*) FROM reporting.plays WHERE listener = 'me' AND listened_date = :day::date",
        day=day,
    )
    assert len(overview.find_elements(By.CSS_SELECTOR, "main time[datetime]")) == plays


def test_the_heading_of_a_day_fits_one_line(chromium, addresses):
    chromium.look(PHONE)
    chromium.visit(addresses["day"])

    height = chromium.driver.find_element(By.TAG_NAME, "h1").rect["height"]

    assert height < 2 * 20  # the font of a heading is 20 px


@pytest.mark.parametrize("ago", range(2))
def test_a_calendar_on_a_phone_names_each_month(chromium, site, year, ago):
    chromium.look(PHONE)
    chromium.visit(f"{site.url}/?listener=me&period={year - ago}")

    text = chromium.driver.find_element(By.CSS_SELECTOR, "[data-chart=calendar] svg").text

    assert set(MONTHS) <= set(text.split())


def test_a_long_list_on_a_phone_starts_with_25_and_expands(chromium, site, year):
    chromium.look(PHONE)
    chromium.visit(f"{site.url}/top?listener=me&period={year}")

    def shown():
        return [row for row in rows if row.is_displayed()]

    rows = chromium.driver.find_elements(By.CSS_SELECTOR, "table.top tbody tr")
    before = len(shown())
    chromium.driver.find_element(By.LINK_TEXT, "All 100").click()

    assert (before, len(shown())) == (25, 100)
    assert not chromium.driver.find_elements(By.LINK_TEXT, "All 100")


def test_a_long_list_on_a_desktop_is_shown_in_full(chromium, site, year):
    chromium.look(DESKTOP)
    chromium.visit(f"{site.url}/top?listener=me&period={year}")

    rows = chromium.driver.find_elements(By.CSS_SELECTOR, "table.top tbody tr")

    assert all(row.is_displayed() for row in rows)
    assert len(rows) == 100


@pytest.mark.parametrize(("size", "is_shown"), [(PHONE, False), (DESKTOP, True)])
def test_the_heading_of_the_change_column_is_hidden_with_the_column(
    chromium, site, year, size, is_shown
):
    chromium.look(size)
    chromium.visit(f"{site.url}/?listener=me&period={year}")

    heading = chromium.driver.find_element(By.CSS_SELECTOR, "h2:has(.change)").text
    column = chromium.driver.find_element(By.CSS_SELECTOR, ".list .move")

    assert ("change" in heading, column.is_displayed()) == (is_shown, is_shown)


def test_countries_are_shown_by_name_not_code(chromium, site, year):
    chromium.visit(f"{site.url}/skips?listener=me&period={year}")

    names = chromium.driver.find_elements(By.CSS_SELECTOR, "[data-country]")

    assert {name.get_attribute("data-country"): name.text for name in names}["DE"] == "Germany"


def test_totals_and_lists_are_shown_without_javascript(chromium, site, year):
    text = chromium.read(f"{site.url}/?listener=me&period={year}")

    assert f"{plays_of(site, 'me', year)[0]:,}" in text
    assert "Top artists" in text


def test_a_script_in_a_track_name_does_not_run(chromium, site):
    chromium.look(PHONE)

    visit = chromium.visit(f"{site.url}/top?search=%22%3E%3Cscript%3Ealert(1)%3C/script%3E")

    assert visit.errors == ()


def test_queues_and_logins_are_shown_when_their_link_is_clicked(chromium, site):
    chromium.visit(f"{site.url}/health")

    wait_for_the_next_page(
        chromium.driver, chromium.driver.find_element(By.CSS_SELECTOR, "a[href*=operations]").click
    )

    assert "Dead letters" in chromium.driver.find_element(By.ID, "operations").text


@pytest.mark.parametrize("period", ["30d", "12m"])
def test_lists_on_the_discovery_page_fill_their_panels(chromium, site, period):
    chromium.look(DESKTOP)
    chromium.visit(f"{site.url}/discovery?listener=me&period={period}")

    holes = chromium.driver.execute_script(
        "return [...document.querySelectorAll('.panel:has(> .list)')].map((panel) =>"
        " panel.getBoundingClientRect().bottom -"
        " panel.lastElementChild.getBoundingClientRect().bottom)"
    )

    assert holes
    assert max(holes) < 24  # the padding of a panel is 16 px
