"""The recipes of docs/extending.md, applied to a copy of the program.

A recipe is the `diff` blocks of a section. The first line of a block names the file; `@@` begins a hunk, whose lines
that are kept or removed stand exactly once in the file. A file that is not there yet is made of the lines added.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.patience import WAIT_S

REPO = Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"^```diff\n\+\+\+ (?P<file>\S+)\n(?P<hunks>.*?)^```$", re.DOTALL | re.MULTILINE)


class Copy:
    """A copy of the program in a folder, to be changed by recipes and run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for package in ("ml", "desktop_app"):
            shutil.copytree(REPO / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
        (folder / "resources").symlink_to(REPO / "resources", target_is_directory=True)

    def apply(self, title: str) -> None:
        """Follow the recipe in the section of that title."""
        for file, hunks in recipe(title):
            path = self.folder / file
            text = path.read_text(encoding="utf-8") if path.exists() else ""
            for hunk in hunks:
                before, after = _side(hunk, "-"), _side(hunk, "+")
                assert not before or text.count(before) == 1, (
                    f"{file} has these lines {text.count(before)} times:\n{before}"
                )
                text = text.replace(before, after) if before else text + after
            path.write_text(text, encoding="utf-8")

    def changed(self) -> set[str]:
        """The files that are not as in the program."""
        found = {path for package in ("ml", "desktop_app") for path in (self.folder / package).rglob("*.py")}
        names = {path.relative_to(self.folder).as_posix(): path for path in found}
        return {name for name, path in names.items() if not _same(path, REPO / name)}

    def run(self, script: str) -> str:
        """What a Python script prints that imports the copy."""
        own = os.environ | {"NOISELOOM_HOME": str(self.folder / "home"), "QT_QPA_PLATFORM": "offscreen"}
        done = subprocess.run(
            [sys.executable, "-c", script], cwd=self.folder, env=own, capture_output=True, text=True, timeout=WAIT_S
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


def recipe(title: str) -> Iterator[tuple[str, list[str]]]:
    """The files of a recipe, each with its hunks."""
    document = (REPO / "docs/extending.md").read_text(encoding="utf-8")
    section = re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", document, re.DOTALL | re.MULTILINE)
    assert section, f"docs/extending.md has no section {title!r}"
    for block in BLOCK.finditer(section[1]):
        yield block["file"], [hunk for hunk in re.split(r"^@@.*\n", block["hunks"], flags=re.MULTILINE) if hunk]


def _side(hunk: str, sign: str) -> str:
    """The lines of a hunk before (`-`) or after (`+`) it is applied; an empty line is one that is kept."""
    return "".join(line[1:] or "\n" for line in hunk.splitlines(keepends=True) if line[0] in (sign, " ", "\n"))


def _same(path: Path, other: Path) -> bool:
    return other.exists() and path.read_bytes() == other.read_bytes()
