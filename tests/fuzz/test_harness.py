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


def test_the_tally_counts_inputs_that_were_read_and_inputs_refused():
    def read(content):
        if int(content) % 2:
            raise NoValueError

    tally = run(a_target(read), start=1, inputs=800)

    assert tally.inputs == tally.values + tally.reasons == 800
    assert 200 < tally.values < 600


def test_a_crash_saves_its_input_and_prints_the_command_to_repeat_it(found):
    def read(content):
        assert int(content) < 60

    with pytest.raises(CrashError, match="--input") as crash:
        run(a_target(read), start=1, inputs=800)

    path = Path(str(crash.value).rpartition(" ")[2])
    assert path.parent == found
    assert int(path.read_bytes()) >= 60


def test_an_input_that_takes_too_long_is_reported_as_a_crash(monkeypatch):
    monkeypatch.setattr(harness, "MOST_S", 0.01)

    def read(content):
        while content:
            pass

    with pytest.raises(CrashError) as crash:
        run(a_target(read), start=1, inputs=8)

    assert isinstance(crash.value.__cause__, TooSlowError)


def test_an_unexpected_exception_is_reported_as_a_crash():
    def read(content):
        raise KeyError(content)

    with pytest.raises(CrashError):
        run(a_target(read), start=1, inputs=8)


def test_the_same_seed_generates_the_same_inputs():
    first: list[bytes] = []
    second: list[bytes] = []
    for inputs in (first, second):
        run(a_target(inputs.append), start=7, inputs=400)

    assert first == second


def test_an_empty_tape_changes_no_input():
    assert changed(Tape(b""), b"abc") == b"abc"
    assert changed_json(Tape(b""), {"a": [1]}) == b'{"a": [1]}'


def test_option_input_reads_a_saved_input_again(tmp_path):
    path = tmp_path / "input"
    path.write_bytes(b"120")
    command = [sys.executable, "-m", "tests.fuzz", "retry-after", "--input", str(path)]

    done = subprocess.run(command, cwd=ROOT, capture_output=True, check=False)  # noqa: S603 - our own command

    assert (done.returncode, done.stdout, done.stderr) == (0, b"a value\n", b"")
