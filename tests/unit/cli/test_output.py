import pytest

from cli.output import byte_progress, count_progress

NAME = "Streaming_History_Audio_2013-2015_0.json"


@pytest.fixture
def narrow(monkeypatch):
    """Give terminals 80 columns."""
    monkeypatch.setenv("COLUMNS", "80")


@pytest.mark.parametrize("name", [NAME, NAME * 3], ids=["as Spotify names it", "longer"])
@pytest.mark.parametrize(
    ("begin", "numbers"),
    [
        pytest.param(byte_progress, "3.5/7.0 MB", id="bytes"),
        pytest.param(count_progress, "3500000/7000000", id="plays"),
    ],
)
def test_a_long_name_leaves_room_for_the_bar_and_its_numbers(narrow, capsys, begin, numbers, name):
    with begin() as progress:
        progress.add_task(name, completed=3_500_000, total=7_000_000)

    shown = capsys.readouterr().err
    assert shown.startswith("Streaming_History_Audio_2013-2015_0…")
    assert numbers in shown
    assert "━━━━━━" in shown
    assert len(shown.splitlines()) == 1
