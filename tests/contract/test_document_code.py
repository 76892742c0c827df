"""The Python code in the documents is typed as strictly as the code it explains."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fix_server import ROOT

# docs/integrate.md is made of whole files for other packages: `make integrate` has those, and checks it there.
DOCUMENTS = sorted({*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")} - {ROOT / "docs/integrate.md"})
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def code_of(text: str) -> str:
    """Return the Python blocks of a document as one file, each line where it stands in the document."""
    lines = [""] * len(text.splitlines())
    for block in BLOCK.finditer(text):
        first = text[: block.start(1)].count("\n")
        code = block[1].splitlines()
        lines[first : first + len(code)] = code
    return "\n".join(lines) + "\n"


def mypy(*files: Path) -> str:
    """What mypy --strict says of files outside of the repository, under its configuration."""
    result = subprocess.run(
        [sys.executable, "-m", "mypy", "--config-file", "pyproject.toml", "--strict", "--warn-unused-ignores",
         "--no-error-summary", *map(str, files)],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    return result.stdout + result.stderr


def test_the_code_in_the_documents_passes_mypy_strict(tmp_path: Path) -> None:
    """All documents in one run; what a reader copies does not fail in their editor."""
    files = []
    for document in DOCUMENTS:
        code = code_of(document.read_text(encoding="utf-8"))
        if code.strip():
            name = re.sub(r"\W", "_", str(document.relative_to(ROOT)))
            files.append(tmp_path / f"{name}.py")
            files[-1].write_text(code, encoding="utf-8")
    assert {file.name for file in files} >= {"README_md.py", "docs_order_rules_md.py"}
    assert mypy(*files) == ""


def test_a_mistake_in_a_document_is_found_with_its_line(tmp_path: Path) -> None:
    """The check above can fail: a look-up may find nothing."""
    text = "# Title\n\n```python\nfrom exchanges_db import get_exchange_by_id\n```\n\nThen:\n\n```python\n"
    text += "async def name() -> str:\n    return (await get_exchange_by_id(1)).name\n```\n"
    (tmp_path / "wrong.py").write_text(code_of(text), encoding="utf-8")
    assert re.search(r'wrong\.py:11: error: Item "None" of .* has no attribute "name"', mypy(tmp_path / "wrong.py"))


@pytest.mark.parametrize("file", [*DOCUMENTS, *sorted((ROOT / "examples").rglob("*.py"))], ids=lambda file: file.name)
def test_shown_code_silences_no_checker(file: Path) -> None:
    """A reader would copy the comment too."""
    code = file.read_text(encoding="utf-8")
    assert "type: ignore" not in (code_of(code) if file.suffix == ".md" else code)
