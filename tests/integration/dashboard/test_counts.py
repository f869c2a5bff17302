"""The page Counts: four rules side by side."""


def test_four_rules_count_the_same_plays(site):
    text = site.text("/counts?period=2025")

    assert "every play 6 Skips too" in text
    assert "30 s or more 5 At least" in text
    assert "half or 4 minutes 4 Half" in text
    assert "played to the end 4 At most 2 seconds were missing" in text
    assert "The smallest count is 33 % below the largest" in text


def test_estimated_time_is_marked(site):
    # 850 seconds, of which 200 belong to the polled play.
    assert "2025: 14 min. Of these 3 min (≈ 24 %) are estimated" in site.text("/counts?period=2025")


def test_each_rule_has_a_link(site):
    source = site.source("/counts?period=2025")

    assert "/counts?period=2025&amp;rule=half" in source
    assert source.count('aria-current="true"') == 1


def test_artists_are_marked_if_another_rule_moves_them(site):
    site.play("2025-07-15 08:00", "Kites", "Wren", 200_000)

    # Every play: Ada 4, Wren 3. 30 seconds: 3 each, so both are first. The others: Wren 3, Ada 2.
    source = site.source("/counts?period=2025&rule=all")

    assert source.count('class="item moved"') == 5
