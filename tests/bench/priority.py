#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""What 8 bytes wait for beside a queue pair that writes 1 MiB messages without pause.

A program has two queue pairs in one function. The time of a write of 8 bytes, from
its post to its completion, is measured alone and beside the long messages, in turn:
without a class, with the highest class, and through the priority area. The long
messages are posted and polled by the same thread or by another one, and carried out
by these, the agent, and in the last rows an engine thread. Asked for is that the
class and the area cost at most 2 times what one gather entry takes, which is measured
as what a write of 64 KiB takes longer than one of 8 bytes. Medians; it judges nothing
by status, and fails only where a program fails.
"""

import pathlib
import statistics
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] /
                       "integration"))
import harness  # noqa: E402

ASKED = 2  # times a gather entry
KINDS = ("none", "class", "area")
MEMORY = {"adopted": "all", "private": "off"}
WAYS = [(poster, engines, memory) for memory in MEMORY
        for engines in ("0", "1") for poster in ("same", "other")]


def figures(environment, kind, way, rounds):
    poster, engines, memory = way
    return harness.bench_figures(
        environment, "priority", kind, poster, rounds, timeout=300,
        variables={"ARNICA_ENGINES": engines, "ARNICA_ADOPT": MEMORY[memory]})


def main():
    args = harness.arguments(
        __doc__.splitlines()[0],
        quick=dict(action="store_true", help="a short run, to see it works"),
        rounds=dict(type=int, default=480, help="measured in a run (default 480)"),
        turns=dict(type=int, default=3, help="of each row (default 3)"))
    environment = harness.environment_of(args)
    turns, rounds = (1, 32) if args.quick else (args.turns, args.rounds)
    ways = WAYS[:2] if args.quick else WAYS
    rows = {(way, kind): [] for way in ways for kind in KINDS}
    for _ in range(turns):
        for way, kind in rows:
            rows[way, kind].append(figures(environment, kind, way, rounds))
    print(f"us; medians of {turns} turns")
    print(f"{'posted by, engine threads, memory':<34} {'has':>6} {'alone':>7} "
          f"{'beside':>8} {'99 %':>8} {'entry':>7} {'entries more':>13}")
    for (way, kind), seen in rows.items():
        of = {word: statistics.median(row[word] for row in seen)
              for word in seen[0]}
        more = (of["under_us"] - of["alone_us"]) / of["entry_us"]
        verdict = "" if kind == "none" else "  ok" if more <= ASKED else "  TOO LATE"
        name = f"{way[0]} thread, {way[1]}, {way[2]}"
        print(f"{name:<34} {kind:>6} {of['alone_us']:>7.2f} "
              f"{of['under_us']:>8.2f} {of['late_us']:>8.2f} "
              f"{of['entry_us']:>7.2f} {more:>13.2f}{verdict}", flush=True)
    return 0


if __name__ == "__main__":
    harness.main_guard(main)
