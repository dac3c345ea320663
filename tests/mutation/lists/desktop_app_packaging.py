"""Mistakes in desktop_app/packaging/."""

from tests.mutation.mutant import Mutant

MUTANTS = [
    Mutant("desktop_app/packaging/sbom.py", "version.replace('+', '%2B')", "version", "tests/test_supply.py"),
    Mutant(
        "desktop_app/packaging/sbom.py",
        'name.lower().replace("_", "-").replace(".", "-")',
        "name",
        "tests/test_supply.py",
    ),
    Mutant(
        "desktop_app/packaging/sbom.py",
        '[part["bom-ref"] for part in components]',
        '[part["bom-ref"] for part in components[:-1]]',
        "tests/test_supply.py",
    ),
    Mutant("desktop_app/packaging/sbom.py", "licence[:200]", "licence", "tests/test_supply.py"),
    Mutant(
        "desktop_app/packaging/linux.py",
        '[ ! -x "$place/noiseloom" ]; then',
        '[ ! -x "$place/noise" ]; then',
        "tests/packaging/test_linux.py -k one_file",
    ),
    Mutant(
        "desktop_app/packaging/linux.py",
        'stub.count("\\n") + 1',
        'stub.count("\\n")',
        "tests/packaging/test_linux.py -k one_file",
    ),
    Mutant(
        "desktop_app/packaging/linux.py",
        'replace("-", "\\\\-")',
        'replace("-", "-")',
        "tests/packaging/test_linux.py -k man_page_has",
    ),
]
