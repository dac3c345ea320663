"""`python -m tests.fuzz.guided NAME --runs N`: wrong files guided by the code that they reach (atheris; extra `fuzz`).

Begins from the same valid files and makes the same mistakes in them as the tests; a file that fails is kept beside.
"""

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any

import atheris as _atheris

atheris: Any = _atheris  # it declares nothing
with atheris.instrument_imports(include=["ml", "desktop_app"]):
    from tests.fuzz.formats import NAMES, Format
from tests.fuzz.mutations import mutated  # noqa: E402
from tests.fuzz.watch import MOST_S, open_one  # noqa: E402

FORKS = 64  # of the bytes that choose, at most: a choice takes a few


def main() -> None:
    """Fuzz one format until so many inputs were opened, or one fails."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.guided")
    parser.add_argument("name", choices=sorted(NAMES))
    parser.add_argument("--runs", type=int, default=10_000)
    options = parser.parse_args()
    form: Format = NAMES[options.name]
    seeds = form.seeds()
    open_one(form, form.wrap(seeds[0]))  # what is imported and built once

    def one(choices: bytes) -> None:
        provider = atheris.FuzzedDataProvider(choices)
        content = mutated(seeds, provider.ConsumeIntInRange)
        try:
            open_one(form, form.wrap(content), MOST_S)
        except AssertionError:
            kept = Path(tempfile.gettempdir(), f"noiseloom-{Path(form.file).name}")
            kept.write_bytes(form.wrap(content))
            print(f"The file is kept as {kept}.", file=sys.stderr)
            raise

    atheris.Setup([sys.argv[0], f"-runs={options.runs}", f"-max_len={FORKS}", "-rss_limit_mb=0"], one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
