import os
import termios
from threading import Thread

import pytest

from cli.login.terminal_input import TerminalInput


@pytest.fixture
def pipe():
    read, write = os.pipe()
    with os.fdopen(read, "rb"), os.fdopen(write, "wb", buffering=0) as writing:
        yield TerminalInput(read), writing


def test_a_line_may_arrive_in_several_reads(pipe):
    typed, writing = pipe
    writing.write(b"one\ntwo\r\nthr")

    one, two = typed.line(), typed.line()
    writing.write(b"ee\n")

    assert (one, two, typed.line()) == ("one", "two", "three")


def test_the_last_line_needs_no_line_break(pipe):
    typed, writing = pipe
    writing.write(b"one\ntwo")
    writing.close()

    assert [typed.line(), typed.line(), typed.line()] == ["one", "two", ""]
    assert not typed.is_open


def test_lines_that_arrive_in_one_read_are_kept_for_later(pipe):
    typed, writing = pipe
    writing.write(b"id\nhttp://127.0.0.1\n")

    assert typed.line() == "id"
    assert list(typed.lines()) == ["http://127.0.0.1"]


def test_invalid_utf_8_is_replaced(pipe):
    typed, writing = pipe
    writing.write(b"\xff\n")

    assert typed.line() == "\N{REPLACEMENT CHARACTER}"


def test_a_question_is_printed_to_stderr(pipe, capsys):
    typed, writing = pipe
    writing.write(b"app\n")

    assert typed.ask("Client ID: ") == "app"
    assert capsys.readouterr() == ("", "Client ID: ")
    assert not typed.is_terminal


def test_a_terminal_does_not_show_hidden_input(terminal, eventually):
    person, program = terminal
    typed, answers = TerminalInput(program), []
    thread = Thread(target=lambda: answers.append(typed.ask_hidden("Secret: ")))

    thread.start()
    eventually(lambda: not termios.tcgetattr(program)[3] & termios.ECHO)
    os.write(person, b"hidden\n")
    thread.join()
    os.write(program, b"end")

    assert typed.is_terminal
    assert answers == ["hidden"]
    assert b"hidden" not in os.read(person, 1000)
    assert termios.tcgetattr(program)[3] & termios.ECHO
