"""Every lock has all that exchanges_db needs: a lock that nobody made anew breaks only what is seldom run."""

import re
import tomllib
from pathlib import Path

import pytest

from tests.fix_server import ROOT

LOCKS = sorted(
    path.relative_to(ROOT)
    for path in ROOT.rglob("requirements.lock")
    if not any(part.startswith(".") for part in path.relative_to(ROOT).parts)
)


def names(requirements: list[str]) -> set[str]:
    """The packages that lines of requirements begin with."""
    return {
        found[0].lower().replace("_", "-") for line in requirements if (found := re.match(r"[A-Za-z0-9._-]+", line))
    }


def test_there_are_locks() -> None:
    assert len(LOCKS) >= 4


@pytest.mark.parametrize("lock", LOCKS, ids=str)
def test_a_lock_has_every_dependency(lock: Path) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = names([*project["dependencies"], *project["optional-dependencies"]["embedded"]])
    assert wanted - names((ROOT / lock).read_text().splitlines()) == set()
