#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""What registering memory costs, with adopted memory and without.

Each row is measured with ARNICA_ADOPT off, auto and all in turn, as a program
that is connected to a peer; the medians of the turns are printed. Then a million
small regions: time and memory for each, and what they do to a lookup. It judges
nothing by status: it fails only where a program fails.
"""

import pathlib
import statistics
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] /
                       "integration"))
import harness  # noqa: E402

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30
# Bytes, rounds.
SIZES = ((4 * KIB, 1001), (8 * KIB, 501), (64 * KIB, 501), (MIB, 101),
         (64 * MIB, 5), (GIB, 1))
MODES = ("off", "auto", "all")


def figures(environment, *words, mode="auto"):
    return harness.bench_figures(environment, "registration", *words,
                                 variables={"ARNICA_ADOPT": mode})


def name_of(size):
    for unit, name in ((GIB, "GiB"), (MIB, "MiB"), (KIB, "KiB")):
        if size >= unit:
            return f"{size // unit} {name}"
    return f"{size} B"


def measure_size(environment, size, rounds, turns):
    seen = {mode: [] for mode in MODES}
    for _ in range(turns):
        for mode in MODES:
            seen[mode].append(figures(environment, "size", size, rounds,
                                      "peer", mode=mode))
    def of(mode, name):
        return statistics.median(row[name] for row in seen[mode])
    columns = [f"{of('off', 'memset_us'):>12.2f}"]
    for mode in MODES:
        columns += [f"{of(mode, 'reg_us'):>12.2f}",
                    f"{of(mode, 'dereg_us'):>12.2f}"]
    print(f"{name_of(size):<8}", *columns, flush=True)
    return of("off", "memset_us"), {mode: of(mode, "reg_us") for mode in MODES}


def judge(name, value, limit, unit=""):
    print(f"{name:<58} {value:>8.2f} {unit:<6} at most {limit:<5} "
          f"{'yes' if value <= limit else 'NO'}", flush=True)


def main():
    args = harness.arguments(
        __doc__.splitlines()[0],
        quick=dict(action="store_true", help="a short run, to see it works"),
        count=dict(type=int, default=1000000, help="of small regions"),
        turns=dict(type=int, default=5, help="of each row (default 5)"))
    environment = harness.environment_of(args)
    print("us; medians of", 1 if args.quick else args.turns, "turns")
    print(f"{'bytes':<8} {'memset':>12}",
          *(f"{'reg ' + mode:>12} {'dereg ' + mode:>12}" for mode in MODES))
    for size, rounds in SIZES[:3] if args.quick else SIZES:
        memset_us, reg_us = measure_size(environment, size,
                                         5 if args.quick else rounds,
                                         1 if args.quick else args.turns)
        if size == 4 * KIB:
            judge("4 KiB, not adopted", reg_us["off"], 5, "us")
        if size == GIB:
            for mode in MODES:
                judge(f"1 GiB against memset, {mode}",
                      reg_us[mode] / memset_us, 2)
    many = figures(environment, "many", 10000 if args.quick else args.count)
    judge("the last of the regions, against the first",
          many["reg_last_us"] / many["reg_us"], 1.2)
    judge("memory for each", many["bytes"], 256, "bytes")
    judge("a write through one region, after against before",
          many["one_after_ns"] / many["one_ns"], 1.2)
    judge("a write through 64 in turn, after against before",
          many["turn_after_ns"] / many["turn_ns"], 1.2)
    return 0


if __name__ == "__main__":
    harness.main_guard(main)
