"""Ctrl-C in the first second of a process, while it imports its modules."""

import os
import subprocess
import sys

import pytest

from infra.local.state import REPOSITORY

INTERRUPTING = """\
import os, signal, sys

class Finder:
    def find_spec(name, path=None, target=None):
        if name == {trigger!r}:
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Finder)
signal.signal(signal.SIGINT, signal.default_int_handler)
"""


@pytest.mark.parametrize(
    ("module", "trigger", "ended"),
    [
        ("cli", "cli.commands.upload", (130, "", "plays: stopped\n")),
        ("cli.page", "waitress", (0, "", "")),
    ],
)
def test_ctrl_c_during_the_imports_shows_no_traceback(tmp_path, module, trigger, ended):
    (tmp_path / "sitecustomize.py").write_text(INTERRUPTING.format(trigger=trigger))
    search_path = os.pathsep.join([str(tmp_path), str(REPOSITORY)])

    done = subprocess.run(  # noqa: S603 - the command is ours
        [sys.executable, "-m", module, "status"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": search_path},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert (done.returncode, done.stdout, done.stderr) == ended
