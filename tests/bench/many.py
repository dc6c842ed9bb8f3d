#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""What idle queue pairs cost: a program with 16 of them and one with 50,000 take
turns; what a post costs in each, the time to make, connect and destroy one, and
the memory of the process for each (adapter and library together; their rings
and shared parts are in the segment). Medians; it judges nothing by status."""

import pathlib
import statistics
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] /
                       "integration"))
import harness  # noqa: E402

FEW = 16
ASKED = 1.2


def figures(environment, count):
    return harness.bench_figures(environment, "many", count, timeout=900)


def main():
    args = harness.arguments(
        __doc__.splitlines()[0],
        quick=dict(action="store_true", help="a short run, to see it works"),
        count=dict(type=int, default=50000, help="of idle queue pairs"),
        turns=dict(type=int, default=7, help="of each (default 7)"))
    environment = harness.environment_of(args)
    many = 1000 if args.quick else args.count
    seen = {FEW: [], many: []}
    for _ in range(1 if args.quick else args.turns):
        for count in seen:
            seen[count].append(figures(environment, count))
    names = list(seen[FEW][0])
    print(f"{'':<16}", *(f"{name:>14}" for name in names))
    medians = {}
    for count, rows in seen.items():
        medians[count] = {name: statistics.median(row[name] for row in rows)
                          for name in names}
        print(f"{count:<16}", *(f"{medians[count][name]:>14.2f}"
                                for name in names))
    ratio = medians[many]["post_ns"] / medians[FEW]["post_ns"]
    print(f"a post among {many}, against {FEW}: {ratio:.2f} times "
          f"(asked: at most {ASKED})")
    return 0


if __name__ == "__main__":
    harness.main_guard(main)
