"""Rules of the house, held against the source."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = sorted((ROOT / "src").glob("**/*.py"))
EVERYTHING = [
    file
    for file in sorted(ROOT.glob("**/*"))
    if file.is_file()
    and not {".venv", ".tools", ".git", "__pycache__"} & set(file.parts)
    and not any(part.endswith("_cache") or part == ".hypothesis" for part in file.parts)
    and file.suffix in (".py", ".md", ".toml", ".txt", ".json", "")
]
LEFTOVERS = {"utils", "common", "helpers", "base", "manager", "misc"}


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: str(source.relative_to(ROOT)))
def test_a_module_says_what_lives_in_it(source: Path) -> None:
    """Its first line is one sentence; a package's file holds nothing else; none is a room for leftovers."""
    tree = ast.parse(source.read_text())

    assert (ast.get_docstring(tree) or "").split("\n")[0].endswith((".", ":"))
    assert source.stem not in LEFTOVERS
    if source.name == "__init__.py":
        assert len(tree.body) == 1


@pytest.mark.parametrize("file", EVERYTHING, ids=lambda file: str(file.relative_to(ROOT)))
def test_the_project_makes_sense_alone(file: Path) -> None:
    """No path of somebody's machine, and no address of a package registry."""
    text = file.read_text(errors="ignore")

    assert not re.search(r"/(?:work|root|home)/\w+/|pypi\.\w+/|registry\.npmjs", text)


def test_no_lock_files() -> None:
    """Versions are pinned in `constraints.txt` alone."""
    assert not [name for name in ("uv.lock", "poetry.lock", "package-lock.json") if (ROOT / name).exists()]
