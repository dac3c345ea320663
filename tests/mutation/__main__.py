"""`python -m tests.mutation [TEXT]`: plant the mistakes whose file or text has TEXT in it, and say which survive."""

import argparse
import sys

from tests.mutation.lists import MUTANTS
from tests.mutation.runner import BROKEN, NOTICED, SURVIVED, misplaced, run


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__)
    parser.add_argument("text", nargs="?", default="", help="only mutants whose file, text or tests contain this")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--output", action="store_true", help="show what pytest printed for those that survived")
    options = parser.parse_args()
    chosen = [m for m in MUTANTS if options.text in f"{m.file} {m.old} {m.new} {m.tests}"]
    for line in (wrong := misplaced(chosen)):
        print("misplaced:", line, file=sys.stderr)
    if wrong:
        return 2
    counts = dict.fromkeys((NOTICED, SURVIVED, BROKEN), 0)
    for number, outcome in enumerate(run(chosen, options.processes), start=1):
        counts[outcome.kind] += 1
        why = f" ({outcome.mutant.harmless})" if outcome.mutant.harmless else ""
        print(f"{number}/{len(chosen)} {outcome.kind} in {outcome.seconds:.0f} s: {outcome.mutant}{why}", flush=True)
        if outcome.kind == BROKEN or (options.output and outcome.kind == SURVIVED):
            print(outcome.output[-3000:])
    print(", ".join(f"{count} {kind}" for kind, count in counts.items()))
    return 1 if counts[SURVIVED] or counts[BROKEN] else 0


if __name__ == "__main__":
    sys.exit(main())
