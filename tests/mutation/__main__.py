"""`python -m tests.mutation [TEXT]`: plant the mistakes whose file or text has TEXT in it, and say which survive.

Exit code 0 where all were noticed but those that are said to do no harm.
"""

import argparse
import os
import sys
import tempfile
from pathlib import Path

from tests.mutation.lists import MUTANTS
from tests.mutation.runner import BROKEN, NOTICED, SURVIVED, Outcome, misplaced, run


def survivors(outcomes: list[Outcome]) -> str:
    """A table of those that survived: which mistake it was, and why it does no harm."""
    rows = [(str(it.mutant), it.mutant.harmless or "NOT EXPLAINED") for it in outcomes if it.kind == SURVIVED]
    share = len(rows) / max(1, len(outcomes))
    return "\n".join([f"{len(rows)} of {len(outcomes)} survive ({share:.1%})", *(f"- {a}\n    {b}" for a, b in rows)])


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__)
    parser.add_argument("text", nargs="?", default="", help="only mutants whose file, text or tests contain this")
    parser.add_argument("--processes", type=int, default=min(4, os.cpu_count() or 1))
    parser.add_argument("--output", action="store_true", help="show what pytest printed for those that survived")
    parser.add_argument("--out", type=Path, help="folder for what pytest printed (else a temporary one)")
    parser.add_argument("--trust", action="store_true", help="do not first run the tests without a mistake")
    parser.add_argument("--some", type=int, metavar="NUMBER", help="only so many, spread evenly over all")
    options = parser.parse_args()
    chosen = [m for m in MUTANTS if options.text in f"{m.file} {m.old} {m.new} {m.tests}"]
    if options.some and options.some < len(chosen):
        chosen = [chosen[k * len(chosen) // options.some] for k in range(options.some)]
    for line in (wrong := misplaced(chosen)):
        print("misplaced:", line, file=sys.stderr)
    if wrong:
        return 2
    out = options.out or Path(tempfile.mkdtemp(prefix="noiseloom-mutation-"))
    out.mkdir(parents=True, exist_ok=True)
    print(f"what pytest prints: {out}", flush=True)
    outcomes: list[Outcome] = []
    for number, outcome in enumerate(run(chosen, options.processes, check=not options.trust), start=1):
        outcomes.append(outcome)
        (out / f"{number:03}-{outcome.kind}.txt").write_text(f"{outcome.mutant}\n\n{outcome.output}", encoding="utf-8")
        what = f"{outcome.kind} in {outcome.seconds:.0f} s: {outcome.mutant} ({outcome.why})"
        print(f"{number}/{len(chosen)} {what}", flush=True)
        if outcome.kind == BROKEN or (options.output and outcome.kind == SURVIVED):
            print(outcome.output[-3000:])
    print(survivors(outcomes))
    for outcome in outcomes:
        if outcome.kind == NOTICED and outcome.mutant.harmless:
            print(f"noticed, and so not harmless: {outcome.mutant}")
    kinds = [outcome.kind for outcome in outcomes]
    print(", ".join(f"{kinds.count(kind)} {kind}" for kind in (NOTICED, SURVIVED, BROKEN)))
    bad = [it for it in outcomes if it.kind == BROKEN or (it.kind == SURVIVED and not it.mutant.harmless)]
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
