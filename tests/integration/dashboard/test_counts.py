"""The page Counts: four rules side by side."""


def test_the_counts_page_compares_the_four_counting_rules(site):
    text = site.text("/counts?period=2025")

    assert "every play 6 Skips too" in text
    assert "30 s or more 5 At least" in text
    assert "half or 4 minutes 4 Half" in text
    assert "played to the end 4 At most 2 seconds were missing" in text
    assert "The smallest count is 33 % below the largest" in text


def test_the_counts_page_marks_estimated_listening_time(site):
    # 850 seconds, of which 200 belong to the polled play.
    assert "2025: 14 min. Of these 3 min (≈ 24 %) are estimated" in site.text("/counts?period=2025")


def test_the_counts_page_links_to_each_counting_rule(site):
    source = site.source("/counts?period=2025")

    assert "/counts?period=2025&amp;rule=half" in source
    assert source.count('aria-current="true"') == 1


def test_artists_whose_rank_differs_by_rule_are_marked(site):
    site.play("2025-07-15 08:00", "Kites", "Wren", 200_000)

    # Every play: Ada 4, Wren 3. 30 seconds: 3 each, so both are first. The others: Wren 3, Ada 2.
    source = site.source("/counts?period=2025&rule=all")

    assert source.count('class="item moved"') == 5
