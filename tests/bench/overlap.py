#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""How much of a transfer is over when a computation beside it is.

A program posts a write of 64 MiB to a process that sleeps, computes for one and a
half times as long as the transfer takes alone, and polls. It is measured with the
agent alone and with an engine thread, with adopted memory and without, in turn; the
medians of the turns are printed. The share that was hidden is what of the transfer's
own time the program did not have to wait for. It needs two processors, and judges
nothing by status: it fails only where a program fails.
"""

import os
import pathlib
import statistics
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] /
                       "integration"))
import harness  # noqa: E402

MIB = 1 << 20
KINDS = [(f"{who}, {what}", {"ARNICA_ENGINES": engines, "ARNICA_ADOPT": adopt})
         for engines, who in (("0", "agent"), ("1", "engine thread"))
         for adopt, what in (("off", "private memory"), ("all", "adopted memory"))]


def figures(environment, variables, size, rounds):
    return harness.bench_figures(environment, "overlap", size, rounds,
                                 timeout=300, variables=variables)


def hidden(row):
    """Share of the transfer that cost the program no time."""
    waited = row["both_us"] - row["compute_us"]
    return 1 - min(max(waited / row["alone_us"], 0), 1)


def main():
    args = harness.arguments(
        __doc__.splitlines()[0],
        quick=dict(action="store_true", help="a short run, to see it works"),
        turns=dict(type=int, default=5, help="of each row (default 5)"))
    environment = harness.environment_of(args)
    turns, rounds, size = (1, 3, 4) if args.quick else (args.turns, 15, 64)
    kinds = KINDS[::2] if args.quick else KINDS
    seen = {name: [] for name, _ in kinds}
    for _ in range(turns):
        for name, variables in kinds:
            seen[name].append(figures(environment, variables, size * MIB, rounds))
    print(f"{size} MiB, {len(os.sched_getaffinity(0))} processors; us; "
          f"medians of {turns} turns")
    print(f"{'':<30} {'alone':>9} {'1st post':>9} {'post':>8} {'with computing':>15} {'hidden':>8}")
    for name, rows in seen.items():
        def of(word, rows=rows):
            return statistics.median(row[word] for row in rows)
        share = statistics.median(hidden(row) for row in rows)
        print(f"{name:<30} {of('alone_us'):>9.0f} {of('first_us'):>9.1f} "
              f"{of('post_us'):>8.1f} "
              f"{of('both_us'):>15.0f} {share:>7.0%}", flush=True)
    return 0


if __name__ == "__main__":
    harness.main_guard(main)
