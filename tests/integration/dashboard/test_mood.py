"""The page Mood: averages over the plays with known features."""

from tests.integration.dashboard.site import URIS


def test_without_known_features_the_mood_page_shows_no_averages(site):
    assert "The sound of this period is not known yet." in site.text("/mood?period=2025")


def test_mood_averages_are_weighted_by_plays(site):
    site.feature("Ferries", 0.8)
    site.feature("Kites", 0.2)

    text = site.text("/mood?period=2025")

    # Ferries twice and Kites twice, of 6 plays; Salt is unknown.
    assert "67 % of the plays is known: 4 of 6" in text
    assert "energy 50 % 80 % in 2024" in text
    assert "cheerfulness –" in text


def test_each_mood_average_uses_only_plays_whose_feature_is_known(site):
    site.feature("Ferries", 0.8)
    site.feature("Salt", 0.5)
    site.feature("Kites", 0.2)
    # In one hour of March, two plays have energy, and a third has another feature only.
    site.database.run(
        "UPDATE track_features SET energy = NULL, tempo = 90 WHERE track_uri = :uri",
        uri=URIS["Ferries"],
    )

    for period in ("2025", "2025-03-02..2025-07-30"):
        # Salt twice and Kites twice.
        assert "energy 35 %" in site.text(f"/mood?period={period}")


def test_adjacent_periods_do_not_share_plays_in_their_mood_averages(site):
    site.feature("Ferries", 0.8)
    site.feature("Kites", 0.2)

    # Kites ended on the 13th, Ferries on the 14th of one month.
    text = site.text("/mood?period=2025-07-14..2025-07-14")

    assert "energy 80 % 20 % before" in text


def test_months_and_hours_of_the_mood_curves_have_links(site):
    site.feature("Ferries", 0.8)

    source = site.source("/mood?period=2025")
    curve, table = (source[source.index(mark) :] for mark in ('class="curve"', 'class="numbers"'))

    for href in ("/mood?period=2025-03", "/plays?period=2025&amp;hour=21"):
        assert f'<a href="{href}"' in curve
        assert f'<a href="{href}">' in table


def test_each_month_and_hour_has_its_own_mood_average(site):
    site.feature("Ferries", 0.8)
    site.feature("Kites", 0.2)

    text = site.text("/mood?period=2025")

    assert "Mar 2025: 80 %" in text
    assert "Jul 2025: 40 %" in text
    assert "Apr 2025: –" in text
    assert "21:00: 80 %" in text
    assert "00:00: 20 %" in text
