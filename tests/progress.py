"""Says where a run of the tests stands, and at the end what was skipped, and how to repeat what failed.

A line for each file that is done, with the time left, in the place of pytest's dots; on a terminal also a line that is
written anew after each test. How long each test took is kept in pytest's cache: the time left follows from it, and the
order in which several processes are given the files, longest first, so that none is left with a long one at the end.
`-v` brings pytest's own lines back.
"""

import json
import os
import shlex
from collections import Counter, defaultdict
from collections.abc import Generator, Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

SECONDS = "noiseloom/seconds"  # in pytest's cache: seconds of each test
# Where nothing is known yet: seconds of the longest files, and of a test in any other.
LONGEST_S: dict[str, float] = {
    "tests/ml/distributed/test_two_processes.py": 30,
    "tests/ml/training/test_trainer.py": 29,
    "tests/app/window/test_stops.py": 28,
    "tests/app/pages/test_generate.py": 25,
    "tests/app/pages/test_exports.py": 23,
    "tests/app/window/test_monkey.py": 21,
    "tests/app/pages/test_interpolate.py": 18,
    "tests/app/pages/test_every_page.py": 17,
    "tests/ml/generation/test_clip_matcher.py": 15,
    "tests/ml/training/test_sigkill.py": 13,
}
TEST_S = 0.2
SURE_S = 10.0  # of tests, after which half of what is thought of those to come is from this run
MATTERS = ("NOISELOOM_TEST_PATIENCE", "NOISELOOM_DATA", "NOISELOOM_FUZZ", "ONEDNN_MAX_CPU_ISA")
SHOWN = 3  # files of a reason to skip
Report = pytest.TestReport | pytest.CollectReport


def file_of(test: str) -> str:
    return test.partition("::")[0]


def by_file(tests: Iterable[str]) -> dict[str, list[str]]:
    files = defaultdict[str, list[str]](list)
    for test in tests:
        files[file_of(test)].append(test)
    return dict(files)


def expected(tests: Iterable[str], known: Mapping[str, float]) -> dict[str, float]:
    """Seconds that each test should take: as last time, else its part of its file's, else those of any test."""
    return {
        test: known.get(test, LONGEST_S[file] / len(inside) if file in LONGEST_S else TEST_S)
        for file, inside in by_file(tests).items()
        for test in inside
    }


def longest_first(items: list[pytest.Item], known: Mapping[str, float]) -> None:
    """Sort by files, those first that take longest; within a file nothing changes."""
    whole = defaultdict[str, float](float)
    for test, seconds in expected([item.nodeid for item in items], known).items():
        whole[file_of(test)] += seconds
    items.sort(key=lambda item: (-whole[file_of(item.nodeid)], file_of(item.nodeid)))


def about(seconds: float) -> str:
    """A time that is not known exactly."""
    if seconds < 57.5:
        return f"about {max(5, 5 * round(seconds / 5))} s"
    return f"about {round(seconds / 60)} min"


def command(test: str, config: pytest.Config) -> str:
    """The one command that repeats a test, or what is in a file."""
    words = ["python3", "launch.py", "test"]
    if config.option.markexpr != "not slow and not bench":
        words.append("--all")
    words.append("--")
    if shuffled(config):
        # Which tests came before it may matter: those of its file come before it again.
        words += ["-p", "randomly", f"--randomly-seed={config.getoption('randomly_seed')}"]
        test = file_of(test)
    variables = [f"{name}={shlex.quote(os.environ[name])}" for name in MATTERS if name in os.environ]
    return " ".join([*variables, *map(shlex.quote, [*words, test])])


def shuffled(config: pytest.Config) -> bool:
    return config.pluginmanager.has_plugin("randomly") and bool(config.getoption("randomly_reorganize"))


def why(report: Report) -> str:
    """The reason of a skip, or the line that says what went wrong."""
    told = report.longrepr
    text = told[2] if isinstance(told, tuple) else getattr(getattr(told, "reprcrash", None), "message", None) or told
    lines = str(text or "").strip().splitlines() or [""]
    marked = [line[1:].strip() for line in lines if line.startswith("E ")]  # in a file that cannot be read
    return (marked[-1] if marked else lines[0]).removeprefix("Skipped: ")


class Outlook:
    """How long the tests that are left will take."""

    def __init__(self, tests: Iterable[str], known: Mapping[str, float], processes: int) -> None:
        self.expected = expected(tests, known)
        self.guessed = self.expected.keys() - known.keys()
        self.left = by_file(self.expected)
        self.processes = processes
        # Those that are known tell how quick this machine is now; those that are not, how good the guess is.
        self.took, self.should = ({True: SURE_S, False: SURE_S} for _ in range(2))

    def done(self, test: str, seconds: float) -> None:
        self.left[file_of(test)].remove(test)
        self.took[test in self.guessed] += seconds
        self.should[test in self.guessed] += self.expected[test]

    def seconds(self) -> float:
        """All that is left, shared by the processes, but no less than the longest file."""
        times = {guessed: self.took[guessed] / self.should[guessed] for guessed in (True, False)}
        files = [sum(self.expected[test] * times[test in self.guessed] for test in left) for left in self.left.values()]
        return max(sum(files) / self.processes, *files, 0.0)


class Progress:
    """Hears what pytest reports, here or from other processes."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.cache: Any = getattr(config, "cache", None)
        self.known: dict[str, float] = self.cache.get(SECONDS, {}) if self.cache else {}
        self.reporter: Any = None
        self.quiet = False  # pytest's own letters and lines are not wanted
        self.live = False  # a line on a terminal is written anew after each test
        self.outlook = Outlook([], {}, 1)
        self.waiting: dict[str, set[str]] = {}
        self.files = 0
        self.width = 0
        self.seconds = defaultdict[str, float](float)
        self.results = defaultdict[str, Counter[str]](Counter)
        self.failed: list[tuple[str, str, str]] = []
        self.skipped = defaultdict[str, Counter[str]](Counter)

    # What there is to do

    def pytest_sessionstart(self) -> None:
        reporter: Any = self.config.pluginmanager.get_plugin("terminalreporter")
        if reporter and self.config.option.verbose <= 0:
            self.quiet, self.reporter, reporter.showfspath = True, reporter, False
            self.live = bool(reporter.isatty) and self.config.option.capture != "no"

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        self.begin([item.nodeid for item in session.items])

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        node.workerinput[SECONDS] = self.known

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, ids: list[str]) -> None:
        if not self.waiting:  # the first process that has found the tests tells of them for all
            self.begin(ids)

    def begin(self, tests: list[str]) -> None:
        processes = self.config.getoption("numprocesses", None) or 1
        self.outlook = Outlook(tests, self.known, processes)
        self.waiting = {file: set(inside) for file, inside in by_file(tests).items()}
        self.files = len(self.waiting)
        self.width = max(map(len, self.waiting), default=0)

    # What happens

    @pytest.hookimpl(wrapper=True)
    def pytest_report_teststatus(self) -> Generator[None, Any, Any]:
        """No letter for a test: its file gets a line."""
        category, letter, word = yield
        return category, "" if self.quiet else letter, word

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self.fails("ERROR", report)
            self.write(f"{report.nodeid}  cannot be read: {why(report)}", red=True)
        elif report.skipped:
            self.skipped[why(report)][file_of(report.nodeid)] += 1

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        test, file = report.nodeid, file_of(report.nodeid)
        category = self.config.hook.pytest_report_teststatus(report=report, config=self.config)[0]
        if category:
            self.results[file][category] += 1
        if report.skipped and not hasattr(report, "wasxfail"):
            self.skipped[why(report)][file] += 1
        if report.failed:
            self.fails("FAILED" if category == "failed" else "ERROR", report)
        self.seconds[test] += getattr(report, "duration", 0.0)
        if report.when not in ("setup", "call", "teardown"):  # the process that ran it is gone
            self.finish(test)

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        self.finish(nodeid)

    @pytest.hookimpl(optionalhook=True, tryfirst=True)
    def pytest_testnodedown(self) -> None:
        self.wipe()

    def fails(self, word: str, report: Report) -> None:
        again = command(report.nodeid, self.config)
        report.sections.append(("To repeat it", again))
        self.failed.append((f"{word} {report.nodeid}", why(report), again))

    def finish(self, test: str) -> None:
        file = file_of(test)
        tests = self.waiting.get(file, set())
        if test not in tests:
            return
        tests.remove(test)
        self.outlook.done(test, self.seconds[test])
        if not tests:
            del self.waiting[file]
            self.write(self.line(file), red=bool(self.results[file].keys() & {"failed", "error"}))
        self.show(file)

    # What is said of it

    def line(self, file: str) -> str:
        done = f"[{self.files - len(self.waiting):{len(str(self.files))}}/{self.files}]"
        results = ", ".join(f"{count} {word}" for word, count in self.results[file].items())
        took = sum(self.seconds[test] for test in self.outlook.expected if file_of(test) == file)
        left = f", {about(self.outlook.seconds())} left" if self.waiting else ""
        return f"{done} {file:{self.width}}  {results}  {took:.{0 if took >= 10 else 1}f} s{left}"

    def write(self, text: str, **colour: bool) -> None:
        if self.quiet:
            self.wipe()
            self.reporter.write_line(text, **colour)
            self.reporter.flush()

    def show(self, file: str) -> None:
        """Where the run stands, on a terminal's last line."""
        if not (self.live and self.waiting):
            return
        tests, left = len(self.outlook.expected), sum(map(len, self.waiting.values()))
        bad = f", {len(self.failed)} failed" if self.failed else ""
        text = f"{tests - left} of {tests} tests{bad}, {about(self.outlook.seconds())} left  {file}"
        self.wipe()
        self.reporter.rewrite(text[: self.reporter._tw.fullwidth - 1])
        self.reporter.flush()

    def wipe(self) -> None:
        if self.live:
            self.reporter.rewrite("", erase=True)
            self.reporter.rewrite("")

    # What remains

    def pytest_sessionfinish(self) -> None:
        self.wipe()
        whole = {test: seconds for test, seconds in self.seconds.items() if seconds}
        if whole and self.cache:
            self.cache.set(SECONDS, self.known | {test: round(seconds, 3) for test, seconds in whole.items()})

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        if self.skipped:
            terminalreporter.write_sep("=", "skipped, and why")
        for reason, files in sorted(self.skipped.items(), key=lambda pair: -pair[1].total()):
            names = ", ".join(sorted(files)[:SHOWN])
            more = f" and {len(files) - SHOWN} more" if len(files) > SHOWN else ""
            terminalreporter.write_line(f"{files.total():4} {reason or 'no reason given'}  ({names}{more})")
        if self.failed:
            terminalreporter.write_sep("=", "failed, and the command that repeats it")
        for name, reason, again in self.failed:
            terminalreporter.write_line(f"{name} - {reason}", red=True)
            terminalreporter.write_line(f"    {again}")


class LongestFirst:
    """In a process that is given files: gives all processes the same order of files."""

    def __init__(self, known: Mapping[str, float]) -> None:
        self.known = known

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        longest_first(items, self.known)


def register(config: pytest.Config) -> None:
    given: dict[str, Any] | None = getattr(config, "workerinput", None)
    if given is None:
        config.option.loadscopereorder = False  # xdist would sort the files by how many tests they have
        config.pluginmanager.register(Progress(config), "noiseloom-progress")
    elif not shuffled(config):
        config.pluginmanager.register(LongestFirst(given.get(SECONDS, {})), "noiseloom-longest-first")


def longest(known: Mapping[str, float], count: int = 10) -> dict[str, float]:
    """The files of which the most is known."""
    files = {file: sum(known[test] for test in tests) for file, tests in by_file(known).items()}
    return dict(sorted(files.items(), key=lambda pair: -pair[1])[:count])


if __name__ == "__main__":  # what LONGEST_S is made of, after a run of all
    kept = Path(".pytest_cache/v") / SECONDS
    for file, seconds in longest(json.loads(kept.read_text(encoding="utf-8"))).items():
        print(f'    "{file}": {seconds:.0f},')
