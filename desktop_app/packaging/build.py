"""`python -m desktop_app.packaging.build`: build the packaged program, report its size, and compress it.

PyInstaller does the building, by build.spec, with whichever torch is installed. The spec also calls this module for
the licences of everything that goes in. None of this is part of the packaged program.
"""

import argparse
import lzma
import os
import platform
import re
import shutil
import subprocess
import sys
import tarfile
from collections import Counter
from collections.abc import Iterable, Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

from desktop_app.packaging import sbom
from ml import __version__

ROOT = Path(__file__).resolve().parents[2]
NAME = "noiseloom"
LARGEST = 15  # parts that are listed
LICENCE = re.compile(r"(licen[cs]e|copying|notice|authors|copyright)(?!.*\.pyc?$)", re.IGNORECASE)
COMMON = Path("/usr/share/common-licenses")  # Debian's: texts that its packages, and wheels of LGPL and GPL, only name
Copies = list[tuple[str, str]]  # (file, folder in the program), as PyInstaller's `datas`


def main(arguments: list[str] | None = None) -> int:
    """Build, measure, pack; returns the exit code, PyInstaller's where that fails."""
    parser = argparse.ArgumentParser(
        prog="python -m desktop_app.packaging.build", description="Build the program to hand out."
    )
    parser.add_argument("--out", type=Path, default=ROOT / "dist", help="folder for the program and the archive")
    parser.add_argument("--work", type=Path, default=ROOT / "build", help="folder for what PyInstaller keeps")
    parser.add_argument("--no-archive", action="store_true", help="only the folder, which takes half the time")
    options = parser.parse_args(arguments)
    places = ["--distpath", str(options.out), "--workpath", str(options.work)]
    command = [sys.executable, "-m", "PyInstaller", "--noconfirm", "--log-level", "WARN", *places, "build.spec"]
    if code := subprocess.run(command, cwd=ROOT).returncode:
        return code
    folder = options.out / NAME
    print(f"{folder}: {in_mb(sum(parts(folder).values()))} unpacked")
    for part, size in parts(folder).most_common(LARGEST):
        print(f"{in_mb(size):>10}  {part}")
    if not options.no_archive:
        archive = pack(folder)
        print(f"{archive}: {in_mb(archive.stat().st_size)} compressed")
    return 0


def in_mb(size: int) -> str:
    return f"{size / 1e6:,.1f} MB"


def parts(folder: Path) -> Counter[str]:
    """Bytes by top-level entry of a packaged program, or of its inner folder."""
    sizes: Counter[str] = Counter()
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink():
            inside = path.relative_to(folder).parts
            sizes["/".join(inside[: 2 if inside[0] == "_internal" else 1])] += path.stat().st_size
    return sizes


def pack(folder: Path) -> Path:
    """The folder as one compressed archive beside it, named by version, system and flavour."""
    torch = metadata.version("torch")
    flavour = "cpu" if torch.endswith("+cpu") or sys.platform == "darwin" else "cuda"
    stem = f"{NAME}-{__version__}-{platform.system().lower()}-{platform.machine().lower()}-{flavour}"
    if os.name == "nt":
        return Path(shutil.make_archive(str(folder.with_name(stem)), "zip", folder.parent, folder.name))
    archive = folder.with_name(f"{stem}.tar.xz")  # far smaller than .tar.gz, and tar can read it
    jumps = [{"id": lzma.FILTER_X86}] if platform.machine() == "x86_64" else []  # most of it is machine code
    with (
        lzma.open(archive, "wb", filters=[*jumps, {"id": lzma.FILTER_LZMA2, "preset": 9}]) as compressed,
        tarfile.open(fileobj=compressed, mode="w") as file,
    ):
        file.add(folder, stem)
    return archive


# ---- licences


def licences(files: Iterable[str], notes: Path) -> Copies:
    """The licence files of the packages that these files are from; writes `notes`, with a line for each."""
    included = {os.path.realpath(file) for file in files}
    copies, lines, theirs, inside = [], [], set(), []
    for package in sorted(metadata.distributions(), key=lambda package: package.name.lower()):
        owned = [(file, os.path.realpath(file.locate())) for file in package.files or ()]
        if not any(place in included for _, place in owned):
            continue
        theirs |= {place for _, place in owned}
        inside.append((package.name, package.version, _licence(package)))
        found = [
            (place, "/".join(["licences", package.name, *file.parts[1:-1]]))  # torch has one for each of its parts
            for file, place in owned
            if LICENCE.match(file.name) and file.parts[0].endswith(".dist-info")
        ]
        copies += found
        lines.append(f"{package.name} {package.version}: {_licence(package)}{'' if found else ' (no text with it)'}")
    copies.append((str(Path(os.__file__).with_name("LICENSE.txt")), "licences/Python"))
    lines.append(f"Python {platform.python_version()}: PSF-2.0")
    for library, text in _of_the_system(included - theirs):
        copies.append((text, f"licences/{library}"))
        lines.append(f"{library}: a library of the system this was built on")
    copies += [
        (str(COMMON / name), "licences/common") for name in ("LGPL-2.1", "LGPL-3", "GPL-2", "GPL-3", "Apache-2.0")
    ]
    copies = [copy for copy in copies if os.path.isfile(copy[0])]
    notes.write_text("What is inside, and under which licence:\n\n" + "\n".join(lines) + "\n", encoding="utf-8")
    listed = notes.with_name(sbom.FILE)
    sbom.write(listed, inside)
    return [*copies, (str(notes), "licences"), (str(listed), "licences"), (str(ROOT / "LICENSE"), "licences/noiseloom")]


def _licence(package: metadata.Distribution) -> str:
    """The licence that a package's metadata name."""
    fields: dict[str, Any] = package.metadata.json
    classified = [line.rpartition(" :: ")[2] for line in fields.get("classifier", ()) if line.startswith("License")]
    long = fields.get("license", "").strip().partition("\n")[0]
    return fields.get("license_expression") or ", ".join(classified) or long or "not said"


def _of_the_system(files: set[str]) -> Iterator[tuple[str, str]]:
    """Package and copyright file of libraries that came from Debian or Ubuntu itself."""
    if not shutil.which("dpkg-query"):
        return
    libraries = sorted(path for path in files if path.startswith(("/lib/", "/usr/lib/")) and ".so" in path)
    seen = set()
    for path in libraries:
        names = [path, path.removeprefix("/usr")]  # /lib is a link to /usr/lib, and packages know either name
        done = subprocess.run(["dpkg-query", "-S", *names], capture_output=True, text=True)
        package = done.stdout.partition(":")[0]
        text = Path("/usr/share/doc") / package / "copyright"
        if package and package not in seen and text.is_file():
            seen.add(package)
            yield package, str(text)


if __name__ == "__main__":
    sys.exit(main())
