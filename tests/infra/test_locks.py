import re
from pathlib import Path

import pytest

REQUIREMENTS = Path(__file__).parents[2] / "requirements"
LOCKS = sorted(REQUIREMENTS.glob("*.txt"), key=lambda path: path.name)
DEVELOPMENT = {"cfn-lint", "hypothesis", "import-linter", "moto", "mypy", "pytest", "ruff", "uv"}


def packages(lock: str) -> list[str]:
    """Return each package of a lock as `name==version`, with the platforms that it is for."""
    text = (REQUIREMENTS / f"{lock}.txt").read_text()
    return re.findall(r"^(\S+==[^\\\n]+?) ?\\?$", text, re.MULTILINE)


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.stem)
def test_each_package_of_a_lock_has_a_hash_and_no_lock_an_address(lock):
    text = lock.read_text()
    hashed = re.findall(r"^\S+==[^\n]+ \\\n    --hash=sha256:[0-9a-f]{64}", text, re.MULTILINE)

    assert len(hashed) == len(packages(lock.stem)) > 0
    assert "://" not in text


def test_what_runs_is_what_is_tested():
    assert set(packages("run")) <= set(packages("dev"))
    assert set(packages("runtime")) <= set(packages("run"))


def test_running_installs_no_tool_of_development():
    names = {package.partition("==")[0] for package in packages("run")}

    assert names.isdisjoint(DEVELOPMENT)
    assert {package.partition("==")[0] for package in packages("dev")} >= DEVELOPMENT
