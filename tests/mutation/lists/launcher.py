"""Mistakes in launch.py."""

from tests.mutation.mutant import Mutant

BUILD = "tests/test_launch.py -k the_build_follows"
MUTANTS = [
    Mutant("launch.py", "if numbers(build)[0] <= cuda]", "if numbers(build)[0] < cuda]", BUILD),
    Mutant("launch.py", "return max(fitting, key=numbers)", "return max(fitting)", BUILD),
    Mutant("launch.py", '"torch", python) & builds(', '"torch", python) | builds(', BUILD),
    Mutant("launch.py", 'torch == "default" or (torch', "(torch", BUILD),
    Mutant(
        "launch.py",
        '(torch == "cpu" and not linux)',
        '(torch == "cpu" and linux)',
        "tests/test_launch.py -k no_index_is_asked",
    ),
    Mutant("launch.py", "thread.join(INDEX_S)", "thread.join()", "tests/test_launch.py -k long_to_look_up"),
    Mutant("launch.py", "-{tag}-{tag}-", "-cp3\\d+-cp3\\d+-", "tests/test_launch.py -k an_index_is_read"),
    Mutant("launch.py", 'torch or "default")', 'torch or "auto")', "tests/test_launch.py -k a_stamp_is_read"),
]
