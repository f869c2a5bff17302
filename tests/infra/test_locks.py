import re
from pathlib import Path

import pytest

REQUIREMENTS = Path(__file__).parents[2] / "requirements"
LOCKS = sorted(REQUIREMENTS.glob("*.txt"), key=lambda path: path.name)
DEVELOPMENT = {"cfn-lint", "hypothesis", "import-linter", "moto", "mypy", "pytest", "ruff", "uv"}


def packages(lock: str) -> list[str]:
    """Return each package of a lock file as `name==version`, with its platform marker."""
    text = (REQUIREMENTS / f"{lock}.txt").read_text()
    return re.findall(r"^(\S+==[^\\\n]+?) ?\\?$", text, re.MULTILINE)


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.stem)
def test_each_package_in_a_lock_file_has_a_hash_and_no_url(lock):
    text = lock.read_text()
    hashed = re.findall(r"^\S+==[^\n]+ \\\n    --hash=sha256:[0-9a-f]{64}", text, re.MULTILINE)

    assert len(hashed) == len(packages(lock.stem)) > 0
    assert "://" not in text


def test_the_run_and_runtime_locks_have_the_same_versions_as_the_dev_lock():
    assert set(packages("run")) <= set(packages("dev"))
    assert set(packages("runtime")) <= set(packages("run"))


def test_the_run_lock_contains_no_development_tool():
    names = {package.partition("==")[0] for package in packages("run")}

    assert names.isdisjoint(DEVELOPMENT)
    assert {package.partition("==")[0] for package in packages("dev")} >= DEVELOPMENT
