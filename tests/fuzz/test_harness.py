import subprocess
import sys
from pathlib import Path

import pytest

from tests.fuzz import harness
from tests.fuzz.harness import CrashError, NoValueError, Target, TooSlowError, plain, run
from tests.fuzz.tape import Tape, changed, changed_json

ROOT = Path(__file__).parents[2]


def make(tape):
    return b"%d" % tape.below(100)


def a_target(read):
    return Target("numbers", make, plain(read))


@pytest.fixture(autouse=True)
def found(tmp_path, monkeypatch):
    monkeypatch.setattr(harness, "FOUND", tmp_path / "found")
    return tmp_path / "found"


def test_values_and_reasons_are_counted():
    def read(content):
        if int(content) % 2:
            raise NoValueError

    tally = run(a_target(read), start=1, inputs=800)

    assert tally.inputs == tally.values + tally.reasons == 800
    assert 200 < tally.values < 600


def test_a_crash_keeps_its_input_and_names_the_command(found):
    def read(content):
        assert int(content) < 60

    with pytest.raises(CrashError, match="--input") as crash:
        run(a_target(read), start=1, inputs=800)

    path = Path(str(crash.value).rpartition(" ")[2])
    assert path.parent == found
    assert int(path.read_bytes()) >= 60


def test_an_input_beyond_the_time_bound_crashes(monkeypatch):
    monkeypatch.setattr(harness, "MOST_S", 0.01)

    def read(content):
        while content:
            pass

    with pytest.raises(CrashError) as crash:
        run(a_target(read), start=1, inputs=8)

    assert isinstance(crash.value.__cause__, TooSlowError)


def test_an_error_that_is_no_reason_of_the_reader_crashes():
    def read(content):
        raise KeyError(content)

    with pytest.raises(CrashError):
        run(a_target(read), start=1, inputs=8)


def test_the_same_seed_makes_the_same_inputs():
    first: list[bytes] = []
    second: list[bytes] = []
    for inputs in (first, second):
        run(a_target(inputs.append), start=7, inputs=400)

    assert first == second


def test_no_choice_changes_nothing():
    assert changed(Tape(b""), b"abc") == b"abc"
    assert changed_json(Tape(b""), {"a": [1]}) == b'{"a": [1]}'


def test_the_command_repeats_an_input(tmp_path):
    path = tmp_path / "input"
    path.write_bytes(b"120")
    command = [sys.executable, "-m", "tests.fuzz", "retry-after", "--input", str(path)]

    done = subprocess.run(command, cwd=ROOT, capture_output=True, check=False)  # noqa: S603 - our own command

    assert (done.returncode, done.stdout, done.stderr) == (0, b"a value\n", b"")
