"""The documents: every link leads somewhere, every name exists, every command is valid, and what is runnable runs."""

import ast
import re
import shlex
import tomllib
from collections.abc import Iterator
from importlib import import_module
from itertools import chain, pairwise
from pathlib import Path
from typing import Any

import pytest
import typer.main

import launch
from ml.cli.app import app
from tests.support.warm_fork import Lives, warm

REPO = Path(__file__).resolve().parent.parent
DOCUMENTS = [
    *(REPO / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
    *sorted((REPO / "docs").glob("*.md")),
]
PACKAGES = ("ml", "desktop_app")
README_LINES = 200
RUNNABLE = "sh runnable"  # marks a block whose commands are all run, one after another, in one folder
ENGINE, RUN_ENGINE = ("-m", "ml"), ("python", "-m", "ml")

FENCE = re.compile(r"^```(.*?)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
CODE = re.compile(r"`([^`\n]+)`")
BOLD = re.compile(r"\*\*(.+?)\*\*")
PATH = re.compile(r"(?:ml|desktop_app|tests|docs|resources|\.ci)(?:/[\w.+-]*)+")
MODULE = re.compile(r"(?:ml|desktop_app|tests)(?:\.\w+)+")

documents = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)


def prose(document: Path) -> str:
    """A document without its blocks of code."""
    return FENCE.sub("", document.read_text(encoding="utf-8"))


def anchors(document: Path) -> set[str]:
    """The anchors of its headings, as GitHub makes them."""
    headings = re.findall(r"^#+ +(.+?)\s*$", prose(document), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", LINK.sub("", heading).lower()).replace(" ", "-") for heading in headings}


def blocks(document: Path) -> Iterator[tuple[str, list[list[str]]]]:
    """The language of each block of shell commands, and the words of its commands."""
    for language, text in FENCE.findall(document.read_text(encoding="utf-8")):
        if language.split()[:1] == ["sh"]:
            commands = [shlex.split(line, comments=True) for line in text.splitlines()]
            yield language, [words for words in commands if words]


def commands(document: Path) -> Iterator[list[str]]:
    """The words of each command, those in the middle of a sentence or a table too."""
    for _, found in blocks(document):
        yield from found
    for text in CODE.findall(prose(document)):
        if re.match(r"(python3?|pytest|noiseloom|torchrun) ", text):
            yield shlex.split(text)


def after(words: list[str], *before: str) -> list[str] | None:
    """What follows `before` in a command; None where it is not in it."""
    places = [k for k in range(len(words)) if tuple(words[k : k + len(before)]) == before]
    return words[places[0] + len(before) :] if places else None


def test_the_readme_is_short() -> None:
    assert len((REPO / "README.md").read_text(encoding="utf-8").splitlines()) <= README_LINES


@documents
def test_links_lead_somewhere(document: Path) -> None:
    for link in LINK.findall(prose(document)):
        if re.match(r"https?://", link):
            continue
        place, _, anchor = link.partition("#")
        target = (document.parent / place).resolve() if place else document
        assert target.exists(), f"{document.name} links to {link}"
        assert not anchor or anchor in anchors(target), f"{document.name} links to {link}"


@documents
def test_what_is_named_exists(document: Path) -> None:
    for text in CODE.findall(prose(document)):
        for word in text.split():
            if PATH.fullmatch(word):
                assert (REPO / word).exists(), f"{document.name} names {word}"
            elif MODULE.fullmatch(word):
                assert is_there(word), f"{document.name} names {word}"


def is_there(dotted: str) -> bool:
    """Whether that is a module, or a name in one."""
    for name in (dotted, dotted.rpartition(".")[0]):
        path = REPO / name.replace(".", "/")
        file = next((file for file in (path.with_suffix(".py"), path / "__init__.py") if file.is_file()), None)
        if file or (name == dotted and path.is_dir()):
            return name == dotted or hasattr(import_module(name), dotted.rpartition(".")[2])
    return False


@documents
def test_commands_are_valid(document: Path) -> None:
    for words in commands(document):
        where = f"{document.name}: {shlex.join(words)}"
        program, *rest = words
        if (engine := after(words, *ENGINE)) is not None or (engine := after(words, "noiseloom", "ml")) is not None:
            if engine and engine != ["COMMAND"]:
                check_engine(engine, where)
        elif "launch.py" in rest:
            cut = rest.index("--") if "--" in rest else len(rest)
            assert set(rest[:cut]) <= {"launch.py", "test", "--all", "--torch", *launch.TORCH}, where
            check_pytest(rest[cut + 1 :], where)
        elif program == "pytest" or after(words, "-m", "pytest") is not None:
            check_pytest(after(words, "pytest") or [], where)
        elif "-m" in rest:
            module = rest[rest.index("-m") + 1]
            assert not module.startswith((*PACKAGES, "tests")) or is_there(module), where


def check_engine(words: list[str], where: str) -> None:
    """Have the command line read a command without carrying it out."""
    group: Any = typer.main.get_command(app)
    name, *arguments = words
    assert name in group.commands, where
    if not arguments:
        return  # it is only named
    try:
        group.commands[name].make_context(name, arguments)
    except Exception as error:  # the class is one of a part of typer that is not public
        pytest.fail(f"{where}: {error}")


def check_pytest(words: list[str], where: str) -> None:
    """Its files exist, and the words of its `-k` are in them."""
    options = dict(pairwise(words))
    values = [options.get("-k"), options.get("-m")]
    files = [REPO / word for word in words if not word.startswith("-") and word not in values]
    for file in files:
        assert file.exists(), where
    text = "\n".join(path.read_text(encoding="utf-8").lower() for path in files if path.is_file())
    for word in re.findall(r"\w+", options.get("-k", "")) if text else []:
        assert word in ("and", "or", "not") or word.lower() in text, where


def test_every_folder_of_the_program_is_in_the_architecture() -> None:
    text = prose(REPO / "docs" / "architecture.md")
    for package in PACKAGES:
        for init in (REPO / package).rglob("__init__.py"):
            folder = init.parent.relative_to(REPO).as_posix()
            assert f"`{folder}/`" in text, folder


def test_every_dependency_has_a_line_in_the_readme() -> None:
    project = tomllib.loads((REPO / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    needed = chain(project["dependencies"], *project["optional-dependencies"].values())
    readme = (REPO / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (?:\*\w+:\* )?([\w, -]+) \|", readme, re.MULTILINE)
    named = {name for row in rows for name in row.split(", ")}
    assert not {re.split(r"[^\w-]", name)[0] for name in needed} - named


def test_labels_in_the_user_guide_are_those_of_the_window() -> None:
    strings: set[str] = set()
    earlier_labels = REPO / "desktop_app" / "lesson_file.py"
    for file in {*(REPO / "desktop_app").rglob("*.py"), REPO / "ml" / "specs.py"} - {earlier_labels}:
        tree = ast.parse(file.read_text(encoding="utf-8"))
        strings |= {str(node.value) for node in ast.walk(tree) if isinstance(node, ast.Constant)}
    labels = set(BOLD.findall(prose(REPO / "docs" / "user-guide.md")))
    assert labels
    assert not sorted(labels - strings)


def test_pre_commit_uses_the_tested_ruff() -> None:
    pinned = re.search(r"^ruff==(.+)$", (REPO / "constraints.txt").read_text(encoding="utf-8"), re.MULTILINE)
    config = (REPO / ".pre-commit-config.yaml").read_text(encoding="utf-8")
    assert pinned and re.search(rf"ruff-pre-commit\n +rev: v{re.escape(pinned[1])} ", config)


@pytest.fixture(scope="module")
def lives(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lives]:
    """A warm process that runs `python -m ml`, with an empty folder for what belongs to the person."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NOISELOOM_HOME", str(tmp_path_factory.mktemp("home")))
        with warm() as process:
            yield process


RUNS = [
    pytest.param(found, id=f"{document.name}-{number}")
    for document in DOCUMENTS
    for number, (language, found) in enumerate(blocks(document), start=1)
    if language == RUNNABLE
]


@pytest.mark.parametrize("found", RUNS)
def test_what_is_marked_as_runnable_runs(found: list[list[str]], lives: Lives, tmp_path: Path) -> None:
    for words in found:
        arguments = after(words, *RUN_ENGINE)
        assert arguments, f"only python -m ml can be marked as runnable, not {shlex.join(words)}"
        log = tmp_path / "log.txt"
        code = lives.end(lives.begin(arguments, log, folder=tmp_path))
        assert code == 0, f"{shlex.join(words)}: {log.read_text(encoding='utf-8')}"
        if "--out" in arguments:
            assert (tmp_path / arguments[arguments.index("--out") + 1]).exists()
