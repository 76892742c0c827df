"""Guard 2, .ci/sqlc-diff: a stale file, a missing plugin and broken SQL are never taken for one another.

sqlc is played by a script that says what sqlc 1.31 says, as the plugin cannot be had everywhere.
"""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
NO_PLUGIN = (
    "# package python\n"
    "error generating code: loadBytes: http.Get: https://downloads.example/plugin.wasm"
    ' Get "https://downloads.example/plugin.wasm": dial tcp: lookup downloads.example: no such host'
)
STALE = "--- a/src/generated/exchanges_sql/exchanges.py\n+++ b/src/generated/exchanges_sql/exchanges.py\n-id=0\n+id=1"


def run_guard(folder: Path, says: str, status: int, require_plugin: str = "") -> subprocess.CompletedProcess[str]:
    """Run the guard with a sqlc that prints `says` to stderr and exits with `status`."""
    sqlc = folder / "sqlc"
    sqlc.write_text(
        f"#!/bin/sh\ncat >&2 <<'END'\n{says}\nEND\n[ -z \"${{DATABASE_URL+set}}\" ] || exit 99\nexit {status}\n"
    )
    sqlc.chmod(0o755)
    return subprocess.run(
        [ROOT / ".ci/sqlc-diff"],
        env={
            "PATH": f"{folder}:{os.environ['PATH']}",
            "DATABASE_URL": "postgresql://nowhere",
            "REQUIRE_PLUGIN": require_plugin,
        },
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("require_plugin", ["", "1"])
def test_equal_files_pass(tmp_path: Path, require_plugin: str) -> None:
    """What sqlc finds equal is one line and success, and DATABASE_URL plays no part."""
    run = run_guard(tmp_path, "", 0, require_plugin)
    assert (run.returncode, run.stdout.count("\n")) == (0, 1)
    assert "is what sqlc prints" in run.stdout


@pytest.mark.parametrize("require_plugin", ["", "1"])
def test_a_stale_file_fails_with_the_diff(tmp_path: Path, require_plugin: str) -> None:
    """A difference is shown, and what to do about it."""
    run = run_guard(tmp_path, STALE, 1, require_plugin)
    assert run.returncode == 1
    assert run.stdout.startswith(STALE)
    assert "make generate" in run.stdout


def test_a_missing_plugin_leaves_the_manifest_alone_on_guard(tmp_path: Path) -> None:
    """Where the plugin cannot be downloaded, one line says so."""
    run = run_guard(tmp_path, NO_PLUGIN, 1)
    assert (run.returncode, run.stdout.count("\n")) == (0, 1)
    assert "only the manifest guards the generated code" in run.stdout
    assert "no such host" in run.stdout


def test_a_missing_plugin_fails_where_it_is_required(tmp_path: Path) -> None:
    """With REQUIRE_PLUGIN=1 the same is an error, in one line."""
    run = run_guard(tmp_path, NO_PLUGIN, 1, require_plugin="1")
    assert (run.returncode, run.stdout.count("\n")) == (1, 1)
    assert "REQUIRE_PLUGIN=1" in run.stdout


def test_a_download_without_an_answer_is_a_missing_plugin(tmp_path: Path) -> None:
    """Exit status 124 is timeout's own: a network that hangs."""
    assert run_guard(tmp_path, "", 124).returncode == 0
    assert run_guard(tmp_path, "", 124, require_plugin="1").returncode == 1


@pytest.mark.parametrize(
    "says",
    [
        'db/queries/exchanges.sql:98:8: column "nope" does not exist',
        "error generating code: loadBytes: invalid checksum: expected 00, got 11",
        "--- a/models.py\n+++ b/models.py\n+error generating code: loadBytes: http.Get: https://x no such host",
        "error parsing sqlc.yaml: http.Get: https://x",
        "",
    ],
    ids=["broken SQL", "wrong checksum", "a diff that speaks of a download", "broken sqlc.yaml", "silence"],
)
def test_anything_else_fails(tmp_path: Path, says: str) -> None:
    """Only a failed download excuses the plugin."""
    run = run_guard(tmp_path, says, 1)
    assert run.returncode == 1
    assert says in run.stdout


def test_a_machine_without_sqlc_fails(tmp_path: Path) -> None:
    """No sqlc is no missing plugin."""
    tools = tmp_path / "bin"
    tools.mkdir()
    for tool in ("bash", "dirname", "sed", "grep", "timeout"):
        (tools / tool).symlink_to(shutil.which(tool) or "")
    run = subprocess.run(
        [ROOT / ".ci/sqlc-diff"], env={"PATH": str(tools)}, capture_output=True, text=True, check=False
    )
    assert (run.returncode, run.stdout.count("\n"), run.stderr) == (1, 1, "")
    assert "sqlc is not installed or not in PATH" in run.stdout
