"""The libraries that all functions share, installed by uv for the machine they run on: no Docker.

boto3 is not among them: the Lambda runtime brings it.
"""

import shutil
import subprocess
import sys
from pathlib import Path

from uv import find_uv_bin

LOCK = Path(__file__).parents[2] / "requirements" / "runtime.txt"
INSTALL = (
    # The lock names every library, so a release of tomorrow has no say.
    *("pip", "install", "--quiet", "--require-hashes", "--no-deps", "--only-binary=:all:"),
    # The machine's own authorities, as for pip: uv has a list of its own.
    "--system-certs",
    *("--python-platform=aarch64-manylinux2014", "--python-version=3.14"),
    # Neither links into uv's cache nor the time of the installation belong in an archive.
    *("--link-mode=copy", "--no-installer-metadata"),
)


def install_into(folder: Path) -> None:
    """Install the locked libraries as a layer holds them, for python3.14 on arm64.

    Raises:
        subprocess.CalledProcessError: uv could not; its words are on stderr.
    """
    target = folder / "python"
    subprocess.run(  # noqa: S603 - the arguments are ours
        [find_uv_bin(), *INSTALL, f"--python={sys.executable}", f"--target={target}", f"-r{LOCK}"],
        check=True,
    )
    # Commands, which Lambda never runs: they start with the path of this machine's Python.
    shutil.rmtree(target / "bin", ignore_errors=True)
    (target / ".lock").unlink(missing_ok=True)
