"""The numbers that the overview, the top lists, the days and the items show."""

import csv
import io
import json
import re
from collections import Counter
from datetime import UTC, date, datetime
from html import unescape

import pytest

from dashboard.timeline import Timeline
from dashboard.view import MEASURES, RULES
from shared.models import Play
from tests.integration.dashboard.site import KINDS, PATHS, plain, with_query

LISTS = [path for path in PATHS if path == "/" or path.startswith("/top")]


def rows_of(answer):
    """The rows of a CSV file."""
    return list(csv.DictReader(io.StringIO(answer.text)))


def at(hour, minute, day=5, month=3):
    return datetime(2025, month, day, hour, minute, tzinfo=UTC)


def a_play(played_at, number=0, ms_played=180_000, **given):
    return Play(
        track_uri=f"spotify:track:4uLU6hMCjMI75M1A2tKU{number:02}",
        **{"track_name": f"Salt {number}", "artist_name": "Ada Quince"} | given,
        played_at=played_at,
        ms_played=ms_played,
    )


@pytest.fixture
def in_berlin(owner, database):
    owner.run("INSERT INTO listener_setting VALUES ('me', 'Europe/Berlin')")


@pytest.fixture
def polled(empty_site):
    """Store a poll without a new play: all days up to an instant are known."""
    return empty_site.poll


@pytest.fixture
def shown(get):
    """Return the text of a page, which must load without an error."""

    def page(path):
        answer = get(path)
        assert answer.status_code == 200, plain(answer.text)
        return plain(answer.text)

    return page


@pytest.mark.parametrize("kind", KINDS)
def test_the_page_of_an_unknown_item_returns_404(one_play, get, kind):
    answer = get(f"/{kind}/1")

    assert answer.status_code == 404
    assert f"me has played no such {kind}" in plain(answer.text)


def test_the_overview_counts_a_single_play(one_play, shown):
    text = shown("/?period=2025")

    assert "plays 1 " in text
    assert "listened 3 min" in text
    assert "artists 1 " in text
    assert "days with music 1 " in text
    assert "new artists, skips too 1 " in text
    assert "Salt & <Vinegar> Ada Quince 3:00" in text


def test_the_last_play_is_shown_with_a_date_if_not_from_today(load, get):
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    load(a_play(at(21, 4), 1), a_play(today, 2))

    plays = [
        re.sub(r"<.*?>|&ensp;", " ", each).split()[:4]
        for each in re.findall(r"<time .*?</li>", get("/?period=all").text)
    ]

    assert plays == [["00:00", "Salt", "2", "Ada"], ["21:04", "5", "Mar", "2025"]]


def test_the_period_all_time_has_no_comparison(one_play, shown):
    assert " against " not in shown("/?period=all")


def test_names_are_html_escaped_on_the_page(one_play, get):
    text = get("/?period=2025").text

    assert "Salt &amp; &lt;Vinegar&gt;" in text
    assert "<Vinegar>" not in text


def test_a_day_page_uses_the_listeners_time_zone(load, in_berlin, shown):
    """The clock of Berlin went from 2 to 3 on 30 March 2025, and from 3 back to 2 on 26 October."""
    load(
        a_play(at(22, 59, 29), 1),
        a_play(at(23, 0, 29), 2),
        a_play(at(21, 59, 30), 3),
        a_play(at(22, 0, 30), 4),
        a_play(at(21, 59, 25, 10), 5),
        a_play(at(22, 0, 25, 10), 6),
        a_play(at(22, 59, 26, 10), 7),
        a_play(at(23, 0, 26, 10), 8),
    )

    days = {
        day: re.findall(r"(\d\d:\d\d) (Salt \d)", shown(f"/day/2025-{day}"))
        for day in ("03-29", "03-30", "03-31", "10-25", "10-26", "10-27")
    }
    assert days == {
        "03-29": [("23:59", "Salt 1")],
        "03-30": [("00:00", "Salt 2"), ("23:59", "Salt 3")],
        "03-31": [("00:00", "Salt 4")],
        "10-25": [("23:59", "Salt 5")],
        "10-26": [("00:00", "Salt 6"), ("23:59", "Salt 7")],
        "10-27": [("00:00", "Salt 8")],
    }


def test_each_day_page_lists_exactly_the_plays_of_that_day(sample, get, owner):
    days = owner.run(
        "SELECT listened_date, count(*) FROM reporting.plays GROUP BY 1 ORDER BY 1 LIMIT 12"
    )

    rows = [(day, get(f"/day/{day}").text.count("<time ")) for day, _ in days]
    assert rows == [(day, count) for day, count in days]


def test_a_day_page_keeps_the_selected_period_measure_and_rule(one_play, get):
    text = get("/day/2025-03-05?period=2025-03&measure=minutes&rule=all").text

    assert '<option value="2025-03" selected>' in text
    assert 'value="minutes" checked' in text
    assert '<option value="all" selected>' in text
    assert 'href="/top?period=2025-03&amp;measure=minutes&amp;rule=all"' in text


def test_a_day_page_says_that_a_day_has_no_plays(one_play, load, shown):
    load(a_play(at(9, 0, 7), 3), source="recently-played")

    assert "Nothing was played on this day." in shown("/day/2025-03-06")


def test_every_page_marks_the_length_of_a_polled_play_as_estimated(load, shown):
    load(a_play(at(20, 0), 1, ms_played=None, duration_ms=200_000), source="recently-played")

    assert "≈ 3:20" in shown("/day/2025-03-05")
    overview = shown("/?period=2025")
    assert "listened ≈ 3 min" in overview
    assert "100 % of the time is estimated" in overview
    assert "≈ 3 min" in shown("/top?period=2025")


def test_the_overview_and_the_day_page_show_an_open_gap(one_play, empty_site, polled, shown):
    polled("2025-04-01 00:00")
    empty_site.gap("2025-03-04 20:00", "2025-03-05 20:00")

    assert "At least. Plays of 4–5 Mar 2025 may be missing" in shown("/?period=2025-03")
    assert "At least." not in shown("/?period=2025-02")
    assert "Plays of this day may be missing" in shown("/day/2025-03-05")


@pytest.mark.usefixtures("sample")
@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize(
    "period", ["2025", "2025-02-05..2025-07-20", "2025-03-05..2025-04-20", "all"]
)
def test_the_top_list_counts_each_play_once(get, owner, period, measure, rule):
    # There are plays on 1 March and 30 June, where whole months meet single days.
    dates = Timeline(date(2000, 1, 1), date(2100, 1, 1)).parse(period)
    for kind in KINDS:
        counted = owner.run(
            f"SELECT sum(plays_{rule})::integer, sum(ms)::bigint FROM reporting.plays "  # noqa: S608 - our own words
            f"WHERE {kind}_id IS NOT NULL AND listened_date BETWEEN :first AND :last "
            f"GROUP BY {kind}_id HAVING sum(plays_{rule}) > 0",
            first=dates.first,
            last=dates.last,
        )
        rows = rows_of(get(f"/top.csv?kind={kind}&period={period}&measure={measure}&rule={rule}"))

        amounts = [float(row[measure]) for row in rows]
        assert len(amounts) > 10
        assert amounts == sorted(amounts, reverse=True)
        assert Counter((int(row["plays"]), float(row["minutes"])) for row in rows) == Counter(
            (plays, round(ms / 60_000, 2)) for plays, ms in counted
        )
        assert sum(float(row["share"]) for row in rows) == pytest.approx(1, abs=0.001)


def test_tied_artists_share_a_rank_in_the_top_list(load, get):
    load(
        *(a_play(at(10, n), 1, artist_name="Slow", ms_played=60_000) for n in (1, 5)),
        *(a_play(at(11, n), 2, artist_name="Quick", ms_played=40_000) for n in (1, 5)),
        a_play(at(12, 0), 3, artist_name="Once"),
    )

    rows = rows_of(get("/top.csv?period=2025"))
    assert [(row["artist"], row["rank"]) for row in rows] == [
        ("Slow", "1"),
        ("Quick", "1"),
        ("Once", "3"),
    ]


def test_the_previous_rank_uses_the_chosen_measure(load, polled, get):
    names = ("Long", "Often", "Skipped")
    polled("2025-04-01 00:00")
    load(
        a_play(at(10, 0, day=1, month=2), 0, artist_name="Long", ms_played=180_000),
        *(a_play(at(11, n, month=2), 1, artist_name="Often", ms_played=40_000) for n in (1, 5)),
        a_play(at(12, 0, month=2), 2, artist_name="Skipped", ms_played=20_000),
        *(a_play(at(10 + n, 0), n, artist_name=name) for n, name in enumerate(names)),
    )

    rows = rows_of(get("/top.csv?period=2025-03&measure=minutes"))
    assert [(row["artist"], row["rank_before"]) for row in rows] == [
        ("Long", "1"),
        ("Often", "2"),
        ("Skipped", ""),
    ]


def test_figures_are_not_compared_with_a_previous_period_without_plays(load, polled, get, shown):
    polled("2025-04-01 00:00")
    load(a_play(at(10, 0, month=1)), a_play(at(10, 0)))

    assert "artists 1 tracks 1 days with music 1" in shown("/?period=2025-03")
    assert [row["rank_before"] for row in rows_of(get("/top.csv?period=2025-03"))] == [""]


def test_the_csv_column_rank_before_holds_the_rank_in_the_previous_period(load, polled, get):
    polled("2025-04-01 00:00")
    load(
        a_play(at(10, 0, day=1, month=2), 3, artist_name="Gone"),
        *(a_play(at(10, minute), 1, artist_name="Old and new") for minute in range(0, 30, 10)),
        *(a_play(at(11, minute), 2, artist_name="Fresh") for minute in range(0, 40, 10)),
        *(a_play(at(10, minute, month=2), 3, artist_name="Gone") for minute in range(0, 30, 10)),
        *(
            a_play(at(11, minute, month=2), 1, artist_name="Old and new")
            for minute in range(0, 40, 10)
        ),
    )

    rows = rows_of(get("/top.csv?period=2025-03"))
    assert [(row["artist"], row["plays"], row["rank_before"]) for row in rows] == [
        ("Fresh", "4", ""),
        ("Old and new", "3", "1"),
    ]


def test_items_found_by_a_search_keep_their_ranks(load, shown):
    load(
        *(a_play(at(10, minute), 1, track_name="First") for minute in range(0, 30, 10)),
        a_play(at(12, 0), 2, track_name="Second % sign"),
    )

    found = shown("/top?period=2025&kind=track&search=%25+SIGN")
    assert re.search(r"\b2 Second % sign", found)
    assert "First" not in found
    assert "No track matches “third”" in shown("/top?period=2025&kind=track&search=third")


def test_a_spreadsheet_formula_in_a_name_is_escaped_in_the_csv(one_play, get):
    answer = get("/top.csv?kind=album&period=2025")

    assert answer.content_type.startswith("text/csv")
    assert "attachment" in answer.headers["Content-Disposition"]
    assert ",'=Tides," in answer.text


def test_a_page_shows_only_plays_of_the_selected_listener(load, shown):
    load(a_play(at(10, 0), 1, artist_name="Mine"))
    load(a_play(at(12, 0), 2, artist_name="Hers"), listener="she")

    assert "Mine" in shown("/?period=2025&listener=me")
    assert "Hers" not in shown("/?period=2025&listener=me")
    assert "Hers" in shown("/?period=2025")


def test_an_item_page_counts_plays_of_the_selected_period(load, shown, owner):
    load(
        *(a_play(at(10, minute), 1, album_name="Tides") for minute in range(0, 30, 10)),
        *(a_play(at(11, minute), 2, album_name="Ebb") for minute in range(0, 20, 10)),
        a_play(at(12, 0), 3, artist_name="Somebody else", album_name="Tides"),
        a_play(at(10, 0, month=2), 1, album_name="Tides"),
    )
    ((artist, track, album),) = owner.run(
        "SELECT DISTINCT artist_id, track_id, album_id FROM reporting.plays "
        "WHERE track_name = 'Salt 1'"
    )

    text = shown(f"/artist/{artist}?period=2025-03")
    assert "plays 5 in March 2025" in text
    assert "plays of all time 6" in text
    assert re.search(
        r"Tracks plays · time · March 2025 1 Salt 1 3 9 min 2 Salt 2 2 6 min Albums", text
    )
    assert re.search(
        r"Albums plays · time · March 2025 1 Tides 3 9 min 2 Ebb 2 6 min Counted", text
    )
    assert "first heard 5 Feb 2025" in text
    assert "plays 3 in March 2025" in shown(f"/track/{track}?period=2025-03")
    assert "plays 3 in March 2025" in shown(f"/album/{album}?period=2025-03")


def test_a_day_in_a_gap_shows_a_dash_not_0(one_play, empty_site, polled, get):
    polled("2025-04-01 00:00")
    empty_site.gap("2025-03-05 22:00", "2025-03-06 20:00")

    rows = re.findall(r"(\d+ Mar 2025)</a></th><td>(.*?)</td>", get("/?period=2025-03").text)
    assert rows == [("5 Mar 2025", "at least 1"), ("6 Mar 2025", "–")]


@pytest.mark.parametrize("period", ["all", "2025"])
def test_every_list_and_item_page_works_with_a_play_of_0_s(get, load, period):
    load(a_play(at(10, 0), ms_played=0, album_name="Tides"))
    lists = [get(with_query(path, f"period={period}&rule=all&measure=minutes")) for path in LISTS]
    links = re.findall(r'href="(/(?:artist|track|album)/[^"]+)"', "".join(p.text for p in lists))
    items = [get(unescape(link)) for link in set(links)]

    assert items
    assert {answer.status_code for answer in (*lists, *items)} == {200}


def test_a_day_before_the_first_play_shows_a_dash_not_0(one_play, polled, shown, get):
    polled("2025-04-01 00:00")

    days = re.findall(r'"on": "2025-03-(\d\d)"', get("/?period=2025-03").text)
    assert days[:1] == ["05"]
    assert "plays \N{EN DASH}" in shown("/?period=2024")
    assert "Nothing is known of this period" in shown("/?period=2024")


def test_days_after_the_last_play_or_poll_are_shown_as_unknown(one_play, shown):
    text = shown("/?period=2025-03")

    assert "Known until 5 Mar 2025. No poll and no export reaches further" in text
    assert "may be missing;" not in text
    assert "No comparison: 30 of 30 days unknown in April 2025" in shown("/?period=2025-04")


def test_estimated_minutes_of_the_previous_period_are_marked_too(load, polled, shown):
    polled("2025-04-01 00:00")
    load(
        a_play(at(10, 0, day=1, month=2), 1, ms_played=None, duration_ms=200_000),
        a_play(at(10, 0), 1),
    )

    assert re.search(
        r"listened 3 min [^a-z]* \u2248 3 min in February 2025", shown("/?period=2025-03")
    )


def test_the_overviews_sparklines_use_the_chosen_counting_rule(load, polled, get):
    polled("2025-06-01 00:00")
    load(
        *(a_play(at(10, 0, day=1, month=month), 1) for month in (3, 4, 5)),
        *(
            a_play(at(11, 0, month=4), n, ms_played=10_000, artist_name=f"Skipped {n}")
            for n in (2, 3)
        ),
    )

    heights = {
        rule: [
            re.findall(r",([\d.]+)", line)[:3]
            for line in re.findall(
                r'<polyline points="(.*?)"', get(f"/?period=2025&rule={rule}").text
            )
        ]
        for rule in ("30s", "all")
    }

    # The third line is of artists, from March on; 1.0 is the top.
    assert heights["30s"][2] == ["1.0", "1.0", "1.0"]
    assert heights["all"][2] == ["14.3", "1.0", "14.3"]


def test_the_best_month_of_an_item_uses_the_chosen_counting_rule(load, shown, owner):
    load(
        a_play(at(10, 0), 1, album_name="Tides"),
        a_play(at(10, 30), 1, ms_played=10_000, album_name="Tides"),
    )
    ((artist, album),) = owner.run("SELECT artist_id, album_id FROM reporting.plays LIMIT 1")

    assert "most in a month 1 play" in shown(f"/artist/{artist}?period=2025")
    assert "most in a month 2 plays" in shown(f"/artist/{artist}?period=2025&rule=all")
    assert "Rank by month of all albums" in shown(f"/album/{album}?period=2025")


@pytest.mark.parametrize("period", ["2023-06-01..2025-12-31", "all"])
def test_tied_tracks_on_an_artist_page_are_ordered_by_title(load, shown, owner, period):
    load(
        *(a_play(at(10 + n // 30, n % 30), n) for n in range(10, 41)),
        a_play(at(12, 0), 40),
    )
    ((artist,),) = owner.run("SELECT DISTINCT artist_id FROM reporting.plays")

    text = shown(f"/artist/{artist}?period={period}")

    assert "plays 32 in" in text
    listed = text.partition("Tracks plays")[2].partition("Albums plays")[0]
    assert re.findall(r"Salt (\d+) ", listed) == ["40", *(str(n) for n in range(10, 29))]


def test_an_item_tied_for_second_place_has_rank_2_on_its_page(load, shown, owner):
    load(
        *(a_play(at(10, n), n, artist_name=f"Band {n}", album_name="Tides") for n in (1, 5, 9)),
        a_play(at(12, 0), 1, artist_name="Band 1", album_name="Tides"),
    )
    for kind in KINDS:
        ((item,),) = owner.run(
            f"SELECT {kind}_id FROM reporting.{kind}s WHERE artist_name = 'Band 9'"  # noqa: S608 - our own words
        )
        assert "Mar 2025 2 " in shown(f"/{kind}/{item}?period=2025")


def test_a_season_can_be_selected(load, get):
    load(a_play(at(10, 0, day=5, month=7), 1), a_play(at(10, 0, day=5, month=9), 2))

    text = get("/top?kind=track&period=2025-summer").text

    assert '<option value="2025-summer" selected>Summer 2025</option>' in text
    assert "Salt 1" in text
    assert "Salt 2" not in text


def test_pages_explain_the_artist_name_various_artists(load, get):
    load(
        *(
            Play(
                track_uri=f"spotify:track:{number}",
                track_name="Salt",
                artist_name=artist,
                album_name="Tides",
                played_at=datetime(2025, 3, 5, 20 + number, tzinfo=UTC),
                ms_played=180_000,
            )
            for number, artist in ((1, "Various Artists"), (2, "Ada"))
        )
    )
    note = "the artists of the tracks are unknown"

    for path in ("/top?period=2025", "/?period=2025", "/review?period=2025"):
        assert get(path).text.count(note) == 1, path
    items = dict(re.findall(r'href="(/artist/[^"]+)">([^<]+)<', get("/top?period=2025").text))
    explained = {name: "<b>Artist unknown.</b>" in get(href).text for href, name in items.items()}
    assert explained == {"Various Artists": True, "Ada": False}


def data_of(answer, chart):
    """The tooltips of a chart, by date."""
    (found,) = re.findall(rf'data-chart="{chart}".*?json">(.*?)</script>', answer.text, re.DOTALL)
    return {datum["on"]: datum for datum in json.loads(found)["data"]}


def test_chart_tooltips_show_the_same_values_as_the_table(load, polled, get, shown):
    polled("2025-04-01 00:00")
    load(
        # 59.7, 119.6 and 59.46 minutes.
        a_play(at(20, 0, day=5), 1, ms_played=3_582_000),
        a_play(at(20, 0, day=6), 2, ms_played=7_176_000),
        a_play(at(20, 0, day=7), 3, ms_played=3_567_600),
    )

    path = "/?period=2025-03&measure=minutes"
    texts = {on: datum["text"] for on, datum in data_of(get(path), "bars").items()}

    assert texts["2025-03-05"] == "1 h 00"
    assert texts["2025-03-06"] == "2 h 00"
    assert texts["2025-03-07"] == "59 min"
    assert texts["2025-03-08"] == "0 min"
    for day, text in (("Wed 5", "1 h 00"), ("Thu 6", "2 h 00"), ("Fri 7", "59 min")):
        assert f"{day} Mar 2025 1 {text}" in shown(path)


def test_tooltips_show_means_and_mark_gaps_and_estimates(load, get):
    load(
        *(a_play(at(20, 0, day=day), day) for day in (5, 7, 8, 9, 10)),
        a_play(at(20, 0, day=11), 3, ms_played=None, duration_ms=180_000),
    )
    month = "period=2025-03"

    minutes = data_of(get(f"/?{month}&measure=minutes"), "bars")
    plays = data_of(get(f"/?{month}"), "bars")

    # 6 plays of 3 minutes in 7 days, of which the last is an estimate.
    assert minutes["2025-03-11"]["text"] == "≈ 3 min"
    assert minutes["2025-03-11"]["meanText"] == "≈ 3 min"
    assert plays["2025-03-11"]["meanText"] == "0.9 plays"
    assert "meanText" not in plays["2025-03-10"]
    assert plays["2025-03-20"]["text"] == "\N{EN DASH}"


def test_a_period_inside_a_gap_is_shown_as_unknown_on_every_page(
    one_play, empty_site, polled, shown, owner
):
    polled("2025-08-01 00:00")
    empty_site.gap("2025-05-04 20:00", "2025-07-05 20:00")
    ((artist,),) = owner.run("SELECT artist_id FROM reporting.artists")

    overview = shown("/?period=2025-06")
    for name in ("plays", "artists", "tracks", "days with music", "new artists, skips too"):
        assert f" {name} \N{EN DASH} " in overview
    assert "new albums, skips too \N{EN DASH} " in shown("/discovery?period=2025-06")
    assert " sessions \N{EN DASH} " in shown("/sessions?period=2025-06")
    assert "plays \N{EN DASH} in June 2025" in shown(f"/artist/{artist}?period=2025-06")
    assert "listened \N{EN DASH} in June 2025" in shown(f"/artist/{artist}?period=2025-06")
    assert " plays 0 " in shown("/?period=2025-04")
