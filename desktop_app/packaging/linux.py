"""`python -m desktop_app.packaging.linux`: hand dist/noiseloom out as a Debian package and as one file that runs.

The package is laid out as Debian's are: the program in /usr/lib/noiseloom, its command, menu entry, icon, file type and
man page where the system looks for them. It has no scripts: dpkg's triggers bring menus up to date. The one file is a
shell script with the program behind it; it unpacks itself into the person's cache at the first start, needs no place to
write beside itself, and starts from there at once the next time.
"""

import argparse
import gzip
import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import textwrap
from pathlib import Path
from typing import Any

from desktop_app.lesson_file import SUFFIX
from desktop_app.packaging.build import NAME, ROOT
from ml import __version__

PROGRAM = Path("usr/lib") / NAME
MAINTAINER = "The Noiseloom authors <authors@noiseloom.org>"
# What Qt needs of the system, as in launch.py; names of Debian 12 and of its successors.
DEPENDS = (
    "libc6 (>= 2.28), libglib2.0-0 | libglib2.0-0t64, libgl1, libegl1, libx11-6, libx11-xcb1, libxkbcommon0, "
    "libxkbcommon-x11-0, libdbus-1-3, libfontconfig1, libxcb-cursor0, libxcb-icccm4, libxcb-image0, libxcb-keysyms1, "
    "libxcb-randr0, libxcb-render-util0, libxcb-shape0, libxcb-sync1, libxcb-xfixes0, libxcb-xkb1"
)
LESSON_TYPE = "application/x-noiseloom-lesson"
MIME = f"""<?xml version="1.0" encoding="UTF-8"?>
<mime-info xmlns="http://www.freedesktop.org/standards/shared-mime-info">
  <mime-type type="{LESSON_TYPE}">
    <comment>Noiseloom lesson</comment>
    <sub-class-of type="application/json"/>
    <icon name="noiseloom"/>
    <glob pattern="*{SUFFIX}"/>
  </mime-type>
</mime-info>
"""
# The program brings its own libraries, as PyInstaller's programs do, so that it runs on more than one release.
OVERRIDES = ("embedded-library", "custom-library-search-path", "unstripped-binary-or-object")
STUB = """#!/bin/sh
# Noiseloom @VERSION@: unpacks itself once into the cache, and starts from there.
set -eu
cache="${XDG_CACHE_HOME:-$HOME/.cache}/noiseloom"
place="$cache/program-@HASH@"
if [ ! -x "$place/noiseloom" ]; then
  mkdir -p "$cache"
  new=$(mktemp -d "$cache/unpacking.XXXXXX")
  trap 'rm -rf "$new"' EXIT
  echo "noiseloom: unpacking into $place, once" >&2
  tail -n +@LINE@ "$0" | tar -xJ -C "$new"
  mv -T "$new" "$place" 2>/dev/null || [ -x "$place/noiseloom" ]
  rm -rf "$new"
fi
exec "$place/noiseloom" "$@"
"""


def main(arguments: list[str] | None = None) -> int:
    """Write both beside the program's folder; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m desktop_app.packaging.linux", description="Make a .deb and one file that runs."
    )
    parser.add_argument("--out", type=Path, default=ROOT / "dist", help="the folder that has the program")
    options = parser.parse_args(arguments)
    if not (options.out / NAME / NAME).is_file():
        print(f"There is no program in {options.out}: run python -m desktop_app.packaging.build.", file=sys.stderr)
        return 2
    for made in (debian_package(options.out / NAME, options.out), one_file(options.out / NAME, options.out)):
        print(f"{made}: {made.stat().st_size / 1e6:,.1f} MB")
    return 0


def debian_package(program: Path, out: Path, version: str = __version__) -> Path:
    """A .deb of a program's folder, in `out`. Raises CalledProcessError, FileNotFoundError without dpkg-deb."""
    machine = subprocess.run(
        ["dpkg", "--print-architecture"], capture_output=True, text=True, check=True
    ).stdout.strip()
    tree = out / f"{NAME}_{version}_{machine}"
    shutil.rmtree(tree, ignore_errors=True)
    shutil.copytree(program, tree / PROGRAM, symlinks=True, ignore=shutil.ignore_patterns("share"))
    shutil.copytree(program / "share", tree / "usr/share")
    _write(tree / f"usr/share/mime/packages/{NAME}.xml", MIME)
    _write_packed(tree / f"usr/share/man/man1/{NAME}.1.gz", man_page())
    _write_packed(tree / f"usr/share/doc/{NAME}/changelog.gz", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"))
    _write(tree / f"usr/share/doc/{NAME}/copyright", _copyright())
    _write(tree / f"usr/share/lintian/overrides/{NAME}", "".join(f"{NAME}: {tag}\n" for tag in OVERRIDES))
    (tree / "usr/bin").mkdir()
    (tree / "usr/bin" / NAME).symlink_to(Path("..") / PROGRAM.relative_to("usr") / NAME)
    for path in (tree, *tree.rglob("*")):
        if not path.is_symlink():
            runs = path.is_dir() or (path.stat().st_mode & 0o100 and ".so" not in path.name)
            path.chmod(0o755 if runs else 0o644)
    size = sum(path.lstat().st_size for path in tree.rglob("*") if path.is_file()) // 1024
    control = (
        f"Package: {NAME}\nVersion: {version}\nArchitecture: {machine}\nMaintainer: {MAINTAINER}\n"
        f"Installed-Size: {size}\nDepends: {DEPENDS}\nSection: education\nPriority: optional\n"
        "Description: watch, generate and train diffusion models on digits\n"
        " Noiseloom shows how a diffusion model turns noise into handwritten digits. You can\n"
        " watch it draw, ask it for digits, train a model of your own, and export everything\n"
        " you see. Trained models are included.\n"
    )
    _write(tree / "DEBIAN/control", control)
    package = tree.with_name(f"{tree.name}.deb")
    subprocess.run(
        ["dpkg-deb", "--root-owner-group", "-Zxz", "--build", tree, package], check=True, capture_output=True
    )
    shutil.rmtree(tree)
    return package


def one_file(program: Path, out: Path) -> Path:
    """The program's folder behind a shell script that unpacks it once and starts it."""
    packed = out / f"{NAME}.tar.xz"
    with tarfile.open(packed, "w:xz") as archive:
        for path in sorted(program.iterdir()):
            archive.add(path, path.name)
    with packed.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()[:16]
    stub = STUB.replace("@VERSION@", __version__).replace("@HASH@", digest)
    stub = stub.replace("@LINE@", str(stub.count("\n") + 1))
    made = out / f"{NAME}-{__version__}-{os.uname().machine}.run"
    with made.open("wb") as file, packed.open("rb") as behind:
        file.write(stub.encode())
        shutil.copyfileobj(behind, file)
    packed.unlink()
    made.chmod(0o755)
    return made


def man_page() -> str:
    """The man page, from the help of the program and of its command line."""
    import typer.main

    from desktop_app.__main__ import make_parser
    from ml.cli.app import app

    group: Any = typer.main.get_command(app)
    lines = [f'.TH NOISELOOM 1 "" "Noiseloom {__version__}" "User Commands"', ".SH NAME"]
    lines += [r"noiseloom \- watch, generate and train diffusion models on digits", ".SH SYNOPSIS", ".B noiseloom"]
    lines += ["[OPTIONS] [FILE]", ".br", ".B noiseloom ml", "COMMAND [OPTIONS]", ".SH OPTIONS", ".nf"]
    lines += [_roff(line) for line in make_parser().format_help().splitlines()]
    lines += [".fi", ".SH COMMANDS"]
    for name, command in sorted(group.commands.items()):
        about = (command.help or "").strip().partition("\n\n")[0]
        lines += [".TP", rf".B noiseloom ml {name}", *(_roff(line) for line in textwrap.wrap(about, 70))]
    lines += [".PP", r"noiseloom ml COMMAND \-\-help lists the options of a command.", ".SH FILES"]
    lines += [
        ".TP",
        ".I ~/.local/share/noiseloom",
        "Runs, models and settings of the person; NOISELOOM_HOME overrides it.",
    ]
    return "\n".join(lines) + "\n"


def _roff(line: str) -> str:
    """A line of text for a man page: hyphens are those of options, and no line is a command."""
    line = line.replace("\\", "\\e").replace("-", "\\-")
    return rf"\&{line}" if line.startswith((".", "'")) else line


def _copyright() -> str:
    licence = (ROOT / "LICENSE").read_text(encoding="utf-8")
    inside = f"The licences of what the program includes are in /{PROGRAM}/licences.\n"
    return f"{NAME}\n\n{licence}\n{inside}"


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def _write_packed(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(text.encode(), 9, mtime=0))


if __name__ == "__main__":
    sys.exit(main())
