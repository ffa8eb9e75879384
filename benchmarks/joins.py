"""How near the stated hit rate of each join comes to the rate over all lines: python benchmarks/joins.py LOG_OR_RUN…

A look measures its rules by at most eight thousand lines whose trace is hidden from them. Here the same rules are measured by every line
that has one.
"""

from __future__ import annotations

import argparse

import proofbook as pb
from proofbook.investigation.following import traffic
from proofbook.investigation.following.joins import GUESSES, Measured, Rule
from proofbook.investigation.records import Records


def rules(read: Records, *, lines: int) -> dict[Rule, Measured]:
    """The rules measured by so many lines."""
    usual, traffic.TESTED = traffic.TESTED, lines
    try:
        return traffic.of(read).rules
    finally:
        traffic.TESTED = usual


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("logs", nargs="+")
    print("| log | rule | stated | over all lines | apart | shown |\n|---|---|---|---|---|---|")
    for log in parser.parse_args().logs:
        read = pb.look(log).records
        stated, whole = rules(read, lines=traffic.TESTED), rules(read, lines=max(read.count, 1))
        for rule in GUESSES:
            one, other = stated[rule], whole[rule]
            if one.rate is None or other.rate is None:
                print(f"| {log} | {rule} | not measured | {other.tested:,} lines | | no |")
                continue
            apart = 100 * (one.rate - other.rate)
            print(f"| {log} | {rule} | {one.right:,} of {one.tested:,} ({one.rate:.1%}) | {other.right:,} of {other.tested:,} ({other.rate:.1%}) | {apart:+.1f} | {'yes' if one.is_shown else 'no'} |")  # fmt: skip


if __name__ == "__main__":
    main()
