"""Writes src/generated/manifest.sha256, the hashes of what sqlc reads and writes; the last step of `make generate`.

The file has the format of sha256sum. `make check` compares it with the files, so that an input or a generated file that
was changed alone is noticed.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
MANIFEST = "src/generated/manifest.sha256"
INPUTS = ("sqlc.yaml", "db/bookkeeping.sql", "db/migrations/*", "db/queries/*")
OUTPUTS = ("src/generated/exchanges_sql/**/*",)


def describe(root: Path) -> str:
    """Return the manifest of the project at `root`: one line per file that sqlc reads or writes."""
    files = {
        path
        for pattern in INPUTS + OUTPUTS
        for path in root.glob(pattern)
        if path.is_file() and "__pycache__" not in path.parts
    }
    return "".join(
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(root)}\n" for path in sorted(files)
    )


def differences(root: Path) -> list[str]:
    """Return which files differ from the manifest at `root`, and how."""
    recorded, found = (
        {name: digest for digest, _, name in (line.partition("  ") for line in text.splitlines())}
        for text in ((root / MANIFEST).read_text(), describe(root))
    )
    return [
        *(f"{name}: missing" for name in sorted(recorded.keys() - found.keys())),
        *(f"{name}: not in the manifest" for name in sorted(found.keys() - recorded.keys())),
        *(f"{name}: changed" for name in sorted(recorded.keys() & found.keys()) if recorded[name] != found[name]),
    ]


if __name__ == "__main__":
    (ROOT / MANIFEST).write_text(describe(ROOT))
