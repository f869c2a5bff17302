"""The page Skips: rates over plays whose skip state is known, and how plays started and ended."""

import pytest

from tests.integration.dashboard.site import plain


def test_the_skip_rate_covers_only_plays_known_to_be_skipped_or_not(site):
    text = site.text("/skips?period=2025")

    # 2 of the 5 plays of an export; the sixth came from a poll.
    assert "skipped 40 % 0 % in 2024" in text
    assert "plays marked as skipped or not 5 83 % of 6 plays" in text


def test_an_hour_without_known_skips_shows_no_skip_rate(site):
    text = site.text("/skips?period=2025")

    assert "21:00: 67 % of 3 plays known" in text
    assert "00:00: 0 % of 1 play known" in text
    assert "12:00: – of 0 plays known" in text


@pytest.mark.parametrize("page", ["skips", "mood", "health"])
def test_pages_that_count_all_plays_disable_measure_and_rule(page, site):
    source = site.source(f"/{page}?period=2025&measure=minutes&rule=done")

    assert "are of all plays." in plain(source)
    assert '<fieldset class="seg" disabled>' in source
    assert '<select name="rule" form="filters" disabled>' in source
    # A form does not send disabled controls.
    for name, value in (("measure", "minutes"), ("rule", "done")):
        assert f'<input type="hidden" name="{name}" value="{value}">' in source


def test_pages_that_use_measure_and_rule_enable_them(site):
    source = site.source("/top?period=2025&measure=minutes&rule=done")

    assert " disabled" not in source
    assert '<input type="hidden" name="rule"' not in source.split("</form>")[0]


def test_without_an_export_the_skip_rate_is_unknown(empty_site):
    empty_site.play("2025-07-13 10:00", "Kites", "Wren", None)

    text = empty_site.text("/skips?period=2025")

    assert "Skips are not known yet" in text
    assert "skipped –" in text


def test_start_and_end_reasons_are_in_plain_english(site):
    text = site.text("/skips?period=2025")

    # 3 of the 5 plays with a reason were played to the end, and none of them was skipped.
    assert "played to its end 60 % 0 %" in text
    assert "forward button 40 % 100 %" in text
    assert "known of 83 %" in text


def test_shares_by_context_are_equal_in_whole_and_partial_months(site):
    liked = "spotify:user:me:collection"
    site.play("2025-05-10 10:00", "Salt", "Ada", 200_000, context_uri=liked)
    site.play("2025-05-20 10:00", "Salt", "Ada", 200_000, context_uri="spotify:playlist:1")
    site.play("2025-05-21 10:00", "Salt", "Ada", 200_000, context_uri="spotify:playlist:1")

    for period in ("2025-05", "2025-05-01..2025-05-30"):
        text = site.text(f"/skips?period={period}")
        assert "playlist 67 %" in text
        assert "liked songs 33 %" in text


def test_only_artists_with_enough_plays_have_a_skip_rate(site):
    for minute in range(20, 50):
        site.play(f"2025-09-01 12:{minute}", "Salt", "Ada", 10_000)

    # 32 of the 34 known plays of Ada were skipped; Wren has too few plays.
    text = site.text("/skips?period=2025")

    assert "Ada 94 % of 34" in text
    assert "Wren 0 % of" not in text


def test_skip_rates_count_plays_on_days_outside_whole_months(site):
    # 4 March to 13 July: in July, one play has a known skip state, and was not skipped.
    text = site.text("/skips?period=2025-03-04..2025-07-13")

    assert "skipped 50 %" in text
    assert "played to its end 50 % 0 %" in text


def test_spotifys_placeholder_values_are_not_shown(site):
    site.play(
        "2025-09-01 12:00",
        "Salt",
        "Ada",
        200_000,
        platform="not_applicable",
        country="ZZ",
        reason_start="unknown",
    )
    site.play(
        "2025-09-01 13:00",
        "Salt",
        "Ada",
        200_000,
        platform="ios",
        country="NZ",
        reason_start="popup",
    )

    text = site.text("/skips?period=2025-09")

    assert "Devices plays · skipped · known of 50 % iOS 100 % 0 %" in text
    assert "Countries plays · skipped · known of 50 % NZ 100 % 0 %" in text
    assert 'data-country="NZ"' in site.source("/skips?period=2025-09")
    assert "picked in a pop-up 100 % 0 %" in text
    assert not {"ZZ", "not_applicable", "unknown"} & set(text.split())
