"""Mistakes in ml/distributed/."""

from tests.mutation.mutant import Mutant

MUTANTS = [
    Mutant(
        "ml/distributed/torchrun.py",
        '"TORCHELASTIC_RUN_ID" in os.environ and world_size() > 1',
        "world_size() > 1",
        "tests/ml/distributed/test_torchrun.py",
    ),
    Mutant(
        "ml/distributed/torchrun.py",
        '"TORCHELASTIC_RUN_ID" in os.environ and world_size() > 1',
        '"TORCHELASTIC_RUN_ID" in os.environ',
        "tests/ml/distributed/test_torchrun.py",
    ),
    Mutant(
        "ml/distributed/torchrun.py",
        'return _number("LOCAL_WORLD_SIZE")',
        'return _number("WORLD_SIZE")',
        "tests/ml/distributed/test_torchrun.py",
    ),
    Mutant(
        "ml/distributed/torchrun.py",
        'return _number("LOCAL_RANK")',
        'return _number("RANK")',
        "tests/ml/distributed/test_torchrun.py",
    ),
    Mutant(
        "ml/distributed/torchrun.py",
        "int(text) if text.isdecimal() else 0",
        "int(text)",
        "tests/ml/distributed/test_torchrun.py",
    ),
]
