"""The page Health: how recent and how complete the plays are."""

import re

from shared.errors import HistoryError
from tests.integration.dashboard.site import Site


def test_the_health_page_shows_a_gap_with_its_days(site):
    assert "no play is known to be missing" in site.text("/health?period=2025")
    site.gap("2025-05-02 10:00", "2025-05-03 11:30")

    text = site.text("/health?period=2025")

    assert "2 May 2025, 12:00 3 May 2025, 13:30 25 h 30" in text
    assert "open gaps 1" in text
    assert 'class="gap' in site.source("/health?period=2025")


def test_a_day_on_the_health_page_links_to_its_plays(site):
    assert "/day/2025-07-13" in site.source("/health?period=2025")


def test_a_day_without_a_poll_is_not_shown_as_complete(site, owner):
    assert "Tue 4 Mar 2025: 0 % known, 3 plays" in site.text("/health?period=2025")
    owner.run(
        "INSERT INTO import_report (origin, listener, batches, rows_in, published, skipped, "
        "quarantined, files, problems, first_played_at, last_played_at, spans) "
        "VALUES ('history/me/mine.zip?versionId=1', 'me', 1, 9, 6, '{\"podcast\": 2}', "
        "'{\"bad\": 1}', '[]', '[]', '2025-03-01', '2025-08-01', "
        '\'[{"started_at": "2025-03-01", "ended_at": "2025-08-01"}]\')'
    )
    owner.run(
        "INSERT INTO loaded_batch "
        "VALUES ('history/me/mine.zip?versionId=1', 0, 'me', 6, 5, 0, 1, 0)"
    )

    text = site.text("/health?period=2025")

    assert "Tue 4 Mar 2025: all known, 3 plays" in text
    assert "mine.zip 1 Mar 2025 – 1 Aug 2025 9 5 0 1 2 1 complete" in text


def test_the_health_page_shows_long_periods_by_month(site):
    text = site.text("/health?period=2024-01-01..2025-12-31")

    assert "Mar 2025: 0 % known, 3 plays" in text


def test_health_figures_that_ignore_the_period_are_labelled_of_all_time(site):
    text = site.text("/health?period=2024")

    assert "open gaps 0 of all time" in text
    # 200 of 1,050 seconds.
    assert "minutes that are estimated 19 % of all time; an export holds the exact ones" in text
    assert "plays with audio features 0 % 0 of 7 plays of all time" in text


def test_the_health_page_reads_queues_only_if_the_url_requests_it(database, address_of):
    asked = []

    def operations():
        asked.append(1)
        return {
            "dead_letters": 3,
            "token_days_left": {"me": 41},
            "needs_login_since": {"me": None},
            "blocked_until": {"me": None},
            "queues": {"collected-plays": {"visible": 2, "in_flight": 1}},
        }

    site = Site(database, address_of, operations)
    site.two_years()

    assert "Ask the queues and the login" in site.text("/health?period=2025")
    assert asked == []

    text = site.text("/health?period=2025&operations=1")

    assert "Dead letters 3" in text
    assert "Days until the next login 41" in text
    assert "collected-plays 2 waiting, 1 at work" in text


def test_a_failure_to_read_queues_does_not_hide_the_rest_of_the_health_page(database, address_of):
    def operations():
        raise HistoryError("the cloud is away")

    site = Site(database, address_of, operations)
    site.two_years()

    text = site.text("/health?period=2025&operations=1")

    assert "They cannot be asked now: the cloud is away" in text
    assert "Open gaps" in text


def test_a_health_page_that_cannot_read_queues_names_plays_status(site):
    assert "plays status shows dead letters" in site.text("/health?period=2025")


def test_only_days_since_the_first_play_link_to_a_day_page(empty_site):
    empty_site.poll("2025-06-01 12:00")
    empty_site.play("2025-06-05 20:00", "Ferries", "Ada", 200_000)
    empty_site.gap("2025-06-02 00:00", "2025-06-05 21:00")

    for path in ("/health?period=2025-06", "/review?period=2025-06"):
        days = set(re.findall(r"/day/[\d-]+", empty_site.source(path)))

        assert "/day/2025-06-05" in days, path
        assert {empty_site.get(day).status_code for day in days} == {200}, path


def test_a_session_that_began_before_the_first_day_of_history_has_no_link(empty_site):
    empty_site.play("2025-03-05 00:01", "Ferries", "Ada", 200_000)

    for path in ("/sessions?period=2025", "/review?period=2025"):
        assert "Tue 4 Mar 2025" in empty_site.text(path)
        assert "/day/2025-03-04" not in empty_site.source(path)
