"""Mistakes in desktop_app/text/."""

from tests.mutation.mutant import Mutant

MUTANTS = [
    Mutant(
        "desktop_app/text/display_names.py",
        "if word in ACRONYMS else word",
        "if word in () else word",
        "tests/app/viewmodels/test_tasks.py",
    ),
    Mutant(
        "desktop_app/text/formatting.py",
        "if number >= 950_000",
        "if number >= 1_000_000",
        "tests/app/viewmodels/test_tasks.py",
    ),
    Mutant(
        "desktop_app/text/formatting.py", "if size >= 10e6", "if size >= 100e6", "tests/app/viewmodels/test_tasks.py"
    ),
    Mutant(
        "desktop_app/text/formatting.py",
        "hours, minutes = divmod(minutes, 60)",
        "hours, minutes = divmod(minutes, 24)",
        "tests/app/viewmodels/test_tasks.py",
    ),
    Mutant(
        "desktop_app/text/formatting.py",
        "whole = max(0, round(seconds))",
        "whole = round(seconds)",
        "tests/app/viewmodels/test_tasks.py",
    ),
    Mutant(
        "desktop_app/text/formatting.py",
        'if number == 1 else f"{number:,} {what}s"',
        'if number <= 1 else f"{number:,} {what}s"',
        "tests/app/viewmodels/test_tasks.py",
    ),
]
