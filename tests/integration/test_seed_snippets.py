"""The seed document's own scripts run as they stand there, with other import lines."""

import asyncio
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

SNIPPETS = dict(
    re.findall(
        r"^## (\w+)\n\n```python\n(.*?)^```",
        (Path(__file__).parent / "seed_snippets.txt").read_text(encoding="utf-8"),
        re.MULTILINE | re.DOTALL,
    )
)
EXPECTED = {
    "model": ["Created: MEXC_SPOT - MEXC Spot Trading", "Converted back: MEXC_SPOT"],
    "lookups": ["MEXC: MEXC Spot Trading", "Active exchanges: 3", "  GATEIO_FUTURES: Gate.io Futures Trading"],
    "crud": ["Inserted test exchange with ID: 4", "Update successful: True", "'total_exchanges': 4"],
    "validate_exchanges": ["Table accessible: 3 active", "Insert successful: ID 4", "Deactivation successful: True",
                           "Exchange Table Validation Complete"],
}  # fmt: skip


@pytest.mark.parametrize("name", EXPECTED)
async def test_a_script_of_the_seed_runs_as_it_stands(name: str, default_url: str, tmp_path: Path) -> None:
    """DATABASE_URL is all it needs: no traceback, no warning, no failure mark, nothing left open."""
    assert os.environ["DATABASE_URL"] == default_url
    script = tmp_path / f"{name}.py"
    script.write_text(SNIPPETS[name], encoding="utf-8")
    result = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-W", "error", "-X", "dev", "-X", "utf8", str(script)],
        capture_output=True, encoding="utf-8", check=False, timeout=60, cwd=tmp_path,
    )  # fmt: skip
    # In development mode asyncio tells of whatever takes long, which on a busy machine is the import.
    complaints = re.sub(r"^Executing .* took [0-9.]+ seconds\n", "", result.stderr, flags=re.MULTILINE)
    assert (result.returncode, complaints) == (0, "")
    assert "❌" not in result.stdout
    for line in EXPECTED[name]:
        assert line in result.stdout


def test_every_script_of_the_file_is_run() -> None:
    """A snippet that is added is a test that is added."""
    assert SNIPPETS.keys() == EXPECTED.keys()
