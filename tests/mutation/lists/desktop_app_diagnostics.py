"""Mistakes in desktop_app/diagnostics/."""

from tests.mutation.mutant import Mutant

MUTANTS = [
    Mutant(
        "desktop_app/diagnostics/headless_demo.py",
        "self._left = {DIGITS, FILM}",
        "self._left = {DIGITS}",
        "tests/app/diagnostics/test_headless_demo.py::test_a_first_visit_leaves_a_grid_a_film_and_a_screenshot",
    ),
    Mutant(
        "desktop_app/diagnostics/startup_report.py",
        "self.seconds.setdefault(what, round(time.monotonic() - self.began, 3))",
        "self.seconds[what] = round(time.monotonic() - self.began, 3)",
        "tests/app/window/test_window.py::test_the_stopwatch_tells_the_first_of_each",
    ),
]
