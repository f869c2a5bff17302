"""The page of the plays of an hour, a weekday or a device, and the charts that link to it."""

import re

import pytest


def ends(site, query):
    """The local end times of the listed plays, in the order of the page."""
    return re.findall(r'<time datetime="([\d-]+T\d\d:\d\d)', site.source(f"/plays?{query}"))


def test_the_newest_play_is_listed_first(site):
    assert ends(site, "period=2025-07") == [
        "2025-07-14T10:00",
        "2025-07-13T12:00",
        "2025-07-13T00:30",
    ]


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        ("hour=0", ["2025-07-13T00:30"]),
        ("hour=21", ["2025-03-04T21:11", "2025-03-04T21:10", "2025-03-04T21:00"]),
        ("weekday=7", ["2025-07-13T12:00", "2025-07-13T00:30"]),
        ("weekday=7&hour=12", ["2025-07-13T12:00"]),
        ("weekday=1&platform=ios", ["2025-07-14T10:00"]),
    ],
)
def test_a_filter_lists_only_matching_plays(site, chosen, expected):
    site.play("2025-07-14 09:00", "Ferries", "Ada", 200_000, platform="linux")

    found = ends(site, f"period=2025&{chosen}")

    assert found == expected


def test_the_active_filter_is_named_and_kept_when_the_period_changes(site):
    text = site.source("/plays?period=2025&weekday=2&hour=21&platform=ios&rule=done")

    assert "<h1>Tue · 21:00 · iOS</h1>" in text
    assert "/plays?period=2024&amp;rule=done&amp;hour=21&amp;weekday=2&amp;platform=ios" in text


def test_plays_that_the_counting_rule_excludes_are_listed_too(site):
    assert "3 plays 2 count (30 s or more)" in site.text("/plays?period=2025&hour=21")


def test_plays_in_both_passes_of_the_repeated_dst_hour_are_listed(site):
    for hour in range(3):
        site.play(f"2025-10-26 0{hour}:30", "Ferries", "Ada", 200_000)

    assert ends(site, "period=2025&hour=2") == ["2025-10-26T02:30", "2025-10-26T02:30"]
    assert ends(site, "period=2025&hour=3") == ["2025-10-26T03:30"]


@pytest.mark.parametrize("chosen", ["", "&weekday=1", "&platform=ios"])
def test_a_truncated_list_of_plays_says_which_part_it_shows(site, chosen):
    for number in range(201):
        site.play(
            f"2025-09-01 1{number // 60}:{number % 60:02}",
            "Ferries",
            "Ada",
            200_000,
            platform="ios",
        )

    assert "201 plays the newest 200 of 201" in site.text(f"/plays?period=2025-09{chosen}")
    found = ends(site, f"period=2025-09{chosen}")
    assert len(found) == 200
    assert found[-1] == "2025-09-01T12:01"


@pytest.mark.parametrize("chosen", ["platform=ios", "weekday=1&platform=ios"])
def test_plays_of_a_device_are_counted_in_partial_months_too(site, chosen):
    # Mondays: in the first and the last part of a month, in the whole month, and outside.
    numbers = {"08-25": 67, "09-15": 67, "10-06": 67, "08-18": 1, "10-13": 1}
    for date, number in numbers.items():
        for minute in range(number):
            at = f"2025-{date} 1{minute // 60}:{minute % 60:02}"
            site.play(at, "Ferries", "Ada", 60_000, platform="ios")
    site.play("2025-09-15 20:00", "Ferries", "Ada", 60_000, platform="linux")

    text = site.text(f"/plays?period=2025-08-20..2025-10-10&{chosen}")

    assert "201 plays the newest 200 of 201" in text


def test_a_list_of_200_plays_is_not_truncated(site):
    for number in range(200):
        site.play(f"2025-09-01 1{number // 60}:{number % 60:02}", "Ferries", "Ada", 200_000)

    assert "the newest" not in site.text("/plays?period=2025-09")


def test_a_filter_without_matches_shows_a_message(site):
    assert "Nothing was played then" in site.text("/plays?period=2025&hour=5")
    assert "Nothing was played then" in site.text("/plays?platform=%27%20OR%20true")


@pytest.mark.parametrize("wrong", ["hour=24", "hour=", "hour=x", "weekday=0", "weekday=8"])
def test_an_hour_or_weekday_out_of_range_gets_400(site, wrong):
    answer = site.get(f"/plays?{wrong}")

    assert answer.status_code == 400
    assert "Use one of" in answer.text


@pytest.mark.parametrize(
    ("page", "leads"),
    [
        ("/when", "weekday=2&amp;hour=21"),
        ("/when", "weekday=7"),
        ("/when", "hour=21"),
        ("/skips", "hour=21"),
        ("/skips", "platform=ios"),
    ],
)
def test_the_chart_of_hours_and_weekdays_links_to_their_plays(site, page, leads):
    state = "period=2025&amp;measure=minutes&amp;rule=all"

    source = site.source(f"{page}?period=2025&measure=minutes&rule=all")

    assert re.search(f'href="/plays\\?{state}&amp;{leads}"', source)


def test_an_hour_without_plays_has_no_link_in_the_chart(site):
    assert "weekday=6&amp;hour=22" not in site.source("/when?period=2025")
