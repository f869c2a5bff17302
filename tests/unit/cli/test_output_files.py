import pytest

from cli.errors import CommandError
from cli.output_files import written_whole


def write_half(path, fault):
    with written_whole(path, force=True) as temporary:
        temporary.write_text("half")
        raise fault


def test_a_file_appears_only_when_it_is_complete(tmp_path):
    path = tmp_path / "plays.csv"

    with written_whole(path, force=False) as temporary:
        temporary.write_text("all")
        assert not path.exists()

    assert path.read_text() == "all"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("fault", [KeyboardInterrupt, CommandError])
def test_an_interrupted_write_keeps_the_old_file_and_deletes_the_temporary_one(tmp_path, fault):
    path = tmp_path / "plays.csv"
    path.write_text("before")

    with pytest.raises(fault):
        write_half(path, fault)

    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


def test_an_existing_file_is_replaced_only_with_option_force(tmp_path):
    path = tmp_path / "plays.csv"
    path.write_text("before")

    with (
        pytest.raises(CommandError, match="exists: pass --force"),
        written_whole(path, force=False),
    ):
        raise AssertionError

    with written_whole(path, force=True) as temporary:
        temporary.write_text("after")
    assert path.read_text() == "after"
