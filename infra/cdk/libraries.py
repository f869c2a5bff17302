"""Installs the libraries of the functions for Lambda's platform, with uv instead of Docker.

boto3 is not installed, because the Lambda runtime includes it.
"""

import shutil
import subprocess
import sys
from pathlib import Path

LOCK = Path(__file__).parents[2] / "requirements" / "runtime.txt"
INSTALL = (
    # The lock names every library, so later releases are ignored.
    *("pip", "install", "--quiet", "--require-hashes", "--no-deps", "--only-binary=:all:"),
    # Trust the machine's certificate authorities, as pip does; uv has its own list.
    "--system-certs",
    *("--python-platform=aarch64-manylinux2014", "--python-version=3.14"),
    # Neither links into uv's cache nor installation times belong in an archive.
    *("--link-mode=copy", "--no-installer-metadata"),
)


def install_into(folder: Path) -> None:
    """Install the locked libraries for python3.14 on arm64, in the folders of a Lambda layer.

    Raises:
        subprocess.CalledProcessError: uv failed; stderr has its message.
    """
    # The local cloud has no layer, so `make run` does not install uv.
    from uv import find_uv_bin  # noqa: PLC0415 - see above

    target = folder / "python"
    subprocess.run(  # noqa: S603 - the arguments are ours
        [find_uv_bin(), *INSTALL, f"--python={sys.executable}", f"--target={target}", f"-r{LOCK}"],
        check=True,
    )
    # Lambda never runs these commands, which contain the path of this machine's Python.
    shutil.rmtree(target / "bin", ignore_errors=True)
    (target / ".lock").unlink(missing_ok=True)
