import json

import pytest

from cli.output import Document, byte_progress, count_progress, emit, note, printable, show, table

NAME = "Streaming_History_Audio_2013-2015_0.json"


@pytest.fixture
def narrow(monkeypatch):
    """Set the terminal width to 80 columns."""
    monkeypatch.setenv("COLUMNS", "80")


@pytest.mark.parametrize("name", [NAME, NAME * 3], ids=["as Spotify names it", "longer"])
@pytest.mark.parametrize(
    ("begin", "numbers"),
    [
        pytest.param(byte_progress, "3.5/7.0 MB", id="bytes"),
        pytest.param(count_progress, "3500000/7000000", id="plays"),
    ],
)
def test_a_long_file_name_leaves_room_for_the_progress_bar(narrow, capsys, begin, numbers, name):
    with begin() as progress:
        progress.add_task(name, completed=3_500_000, total=7_000_000)

    shown = capsys.readouterr().err
    assert shown.startswith("Streaming_History_Audio_2013-2015_0…")
    assert numbers in shown
    assert "━━━━━━" in shown
    assert len(shown.splitlines()) == 1


MARKS = "\u061c\u200e\u200f\ufeff"
HOSTILE = f"Boats\x1b]0;owned\x07\x1b[2J \x9b31m \x7f \u202egnp.exe\u2066{MARKS} \rpaid \ud800"
CONTROL = set("\x1b\x07\x9b\x7f\u202e\u2066\r\ud800").union(MARKS)


class Named(Document):
    name: str


def in_a_table(text):
    shown = table("name", numbers=("rows",))
    shown.add_row(text, "1")
    show(shown)


def as_a_bar(text):
    with count_progress() as progress:
        progress.add_task(text, total=1)


@pytest.mark.parametrize(
    "write", [show, note, in_a_table, as_a_bar], ids=["line", "note", "table", "bar"]
)
def test_every_output_function_escapes_control_characters(capsys, monkeypatch, write):
    monkeypatch.setenv("COLUMNS", "200")

    write(HOSTILE)

    shown = "".join(capsys.readouterr())
    assert "Boats\\u001b]0;owned\\u0007" in shown
    assert not CONTROL & set(shown.replace("\r", "") if write is as_a_bar else shown)


def test_json_escapes_control_characters_without_loss(capsys):
    name = HOSTILE.replace("\ud800", "")

    emit(Named(name=name))

    shown = capsys.readouterr().out
    assert json.loads(shown) == {"name": name}
    assert not CONTROL & set(shown)


@pytest.mark.parametrize(
    "text",
    ["Björk \N{EN DASH} Jóga", "\u0645\u0646", "\U0001f468\u200d\U0001f469", "a\tb\nc", ":bug:"],
)
def test_text_without_control_characters_is_unchanged(text):
    assert printable(text) == text


@pytest.mark.parametrize("text", [":bug:", "[bold]x[/bold]", "[/]"])
@pytest.mark.parametrize("write", [show, note, in_a_table], ids=["line", "note", "table"])
def test_markup_in_a_name_is_printed_literally(capsys, write, text):
    write(text)

    assert text in "".join(capsys.readouterr())


@pytest.mark.parametrize("write", [show, in_a_table], ids=["line", "table"])
@pytest.mark.parametrize("line_break", ["\n", "\r\n", "\u2028"])
def test_a_line_break_in_a_value_becomes_a_space(capsys, write, line_break):
    write(f"one{line_break}two")

    assert "one two" in capsys.readouterr().out


def finished(begin, **task):
    with begin() as progress:
        progress.add_task("a.zip", **task)


@pytest.mark.parametrize(
    ("begin", "task", "numbers"),
    [
        pytest.param(byte_progress, {"completed": 12, "total": 12}, "12/12 bytes", id="no speed"),
        pytest.param(count_progress, {"completed": 7, "total": None}, "7 0:00:00", id="no total"),
    ],
)
def test_a_progress_bar_omits_an_unknown_speed_or_total(narrow, capsys, begin, task, numbers):
    finished(begin, **task)

    shown = capsys.readouterr().err
    assert shown.rstrip().endswith(numbers)
    assert "?" not in shown


@pytest.mark.parametrize("begin", [byte_progress, count_progress])
def test_a_progress_bar_with_a_total_of_0_is_not_shown(narrow, capsys, begin):
    finished(begin, total=0)

    assert capsys.readouterr().err.strip() == ""
