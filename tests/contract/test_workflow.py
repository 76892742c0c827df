"""The workflow of continuous integration: what it may do, what it runs, and on which versions."""

import re
import tomllib
from typing import Any

import pytest
import yaml

from exchanges_db.database.hosts import OLDEST_POSTGRESQL
from tests.fix_server import ROOT

TEXT = (ROOT / ".github/workflows/ci.yml").read_text()
PINNED = re.compile(r"[\w.-]+/[\w.-]+@[0-9a-f]{40}")
PINNED_LINE = re.compile(r"uses: \S+@[0-9a-f]{40} # v[0-9]+\.[0-9]+\.[0-9]+")


def workflow() -> dict[str, Any]:
    """Return the workflow; YAML 1.1 reads its key `on` as True."""
    loaded: dict[str, Any] = yaml.safe_load(TEXT)
    return loaded


JOBS: dict[str, Any] = workflow()["jobs"]


def commands(job: str) -> str:
    """Return what a job runs."""
    return "\n".join(step.get("run", "") for step in JOBS[job]["steps"])


def test_it_may_only_read() -> None:
    """Only the release has one right more: with its id-token it proves to the registry that it is this workflow."""
    assert workflow()["permissions"] == {"contents": "read"}
    rights = {name: job["permissions"] for name, job in JOBS.items() if "permissions" in job}
    assert rights == {"release": {"id-token": "write"}}


@pytest.mark.parametrize("job", JOBS)
def test_every_action_is_pinned_by_commit(job: str) -> None:
    """A tag can be moved to other code; the comment beside the commit says which version it is."""
    for step in JOBS[job]["steps"]:
        assert PINNED.fullmatch(step.get("uses", "a/b@" + "0" * 40))
    assert TEXT.count("uses: ") == len(PINNED_LINE.findall(TEXT))


def test_one_commit_of_an_action_is_used_everywhere() -> None:
    """Else one of them is forgotten when they are renewed."""
    used = {step["uses"] for job in JOBS.values() for step in job["steps"] if "uses" in step}
    assert len({action.partition("@")[0] for action in used}) == len(used)


def test_a_push_to_a_pull_request_runs_once() -> None:
    """Branches run as pull requests only, and a newer push ends the run of the older."""
    loaded = workflow()
    triggers = loaded[True]  # type: ignore[index]
    assert triggers == {"push": {"branches": ["main"], "tags": ["v*"]}, "pull_request": None}
    assert "pull_request" in loaded["concurrency"]["cancel-in-progress"]


def test_every_supported_python_is_tested() -> None:
    """The classifiers, the lower bound and the matrix say the same."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    found = [re.fullmatch(r"Programming Language :: Python :: (3\.[0-9]+)", line) for line in project["classifiers"]]
    classified = [match[1] for match in found if match]
    assert JOBS["test"]["strategy"]["matrix"]["python"] == classified
    assert project["requires-python"] == f">={classified[0]}"


def test_the_oldest_postgresql_is_tested_over_tcp() -> None:
    """The version that older ones are refused below is the first of the matrix."""
    job = JOBS["postgres"]
    versions = job["strategy"]["matrix"]["postgres"]
    assert min(map(int, versions)) == OLDEST_POSTGRESQL
    assert job["services"]["postgres"]["image"] == "postgres:${{ matrix.postgres }}"
    assert "localhost:5432" in job["env"]["DATABASE_URL"]


def test_the_plugin_is_required_in_one_job() -> None:
    """It is downloaded once and kept, since its name holds its hash."""
    requiring = {
        name: step
        for name, job in JOBS.items()
        for step in job["steps"]
        if "REQUIRE_PLUGIN" in {**job.get("env", {}), **step.get("env", {})}
    }
    assert list(requiring) == ["generated"]
    assert ".ci/sqlc-diff" in requiring["generated"]["run"]
    assert any("actions/cache@" in step.get("uses", "") for step in JOBS["generated"]["steps"])


@pytest.mark.parametrize(("job", "target"), [("lowest", "lowest"), ("integrate", "integrate")])
def test_a_job_runs_its_target(job: str, target: str) -> None:
    """What the workflow does can be done by anyone with make."""
    assert f"make {target}" in commands(job)
    assert re.search(rf"(?m)^{target}:", (ROOT / "Makefile").read_text())


def test_a_release_waits_for_everything() -> None:
    """Nothing is published that one of the other jobs has not passed, and only from a tag and an environment."""
    release = JOBS["release"]
    assert set(release["needs"]) == JOBS.keys() - {"release"}
    assert "refs/tags/v" in release["if"]
    assert release["environment"] == "pypi"
