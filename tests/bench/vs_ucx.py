#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""Speed against UCX over POSIX shared memory, which is what a user would pick
for speed on one host.

perftest over arnica and ucx_perftest take turns on the same two processors; the
medians are printed, and what they are asked to be. It judges nothing by status:
it fails only where a program fails.
"""

import os
import pathlib
import statistics
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] /
                       "integration"))
import bench  # noqa: E402
import harness  # noqa: E402
from harness import Failure  # noqa: E402

MIB = 1 << 20


def ucx_row(test, size, iterations):
    """Words of the last row of ucx_perftest's client."""
    environ = dict(os.environ, UCX_TLS="posix,self", UCX_LOG_LEVEL="error")
    port = harness.free_port()
    last = (os.cpu_count() or 1) - 1
    server = harness.Process(
        ["taskset", "-c", "0", "ucx_perftest", "-p", str(port)], "server",
        environ)
    try:
        harness.wait_listening(server, port)
        client = harness.Process(
            ["taskset", "-c", str(min(1, last)), "ucx_perftest", "-p",
             str(port), "127.0.0.1", "-t", test, "-s", str(size), "-n",
             str(iterations)], "client", environ)
        try:
            status = client.wait(120)
        finally:
            client.end()
    finally:
        server.end()
    # The last row has a word before it.
    rows = [line.replace("Final:", "").split()
            for line in client.output().splitlines()]
    rows = [words for words in rows if words and words[0].isdigit()]
    if status or not rows or len(rows[-1]) != 8:
        raise Failure(f"status {status}\n{client.tail()}")
    return rows[-1]


def ucx_latency(test, size, iterations):
    return float(ucx_row(test, size, iterations)[1])


def ucx_bandwidth(test, size, iterations):
    """GB/s from MiB/s."""
    return float(ucx_row(test, size, iterations)[5]) * MIB / 1e9


def ucx_rate(test, size, iterations):
    """Million messages a second."""
    return float(ucx_row(test, size, iterations)[7]) / 1e6


class Figure:
    """One row: ours and UCX's, and what ours should be: a multiple of UCX's, or
    a number of its own. Of a latency less is better."""

    def __init__(self, name, unit, ours, theirs, times=None, plainly=None,
                 less=False):
        self.name, self.unit = name, unit
        self.ours, self.theirs = ours, theirs
        self.times, self.plainly, self.less = times, plainly, less

    def bar(self, theirs):
        return self.plainly if self.times is None else self.times * theirs

    def wish(self):
        side = "at most" if self.less else "at least"
        if self.times is None:
            return f"{side} {self.plainly:g} {self.unit}"
        return f"{side} {self.times:g} of UCX's"

    def met(self, ours, theirs):
        bar = self.bar(theirs)
        return ours <= bar if self.less else ours >= bar


def figures(environment, quick):
    def count(number):
        return number // 100 if quick else number

    def latency(program, times):
        return Figure(
            f"8 B: {program}, tag_lat", "us",
            lambda: bench.typical_latency(environment, program, 8,
                                          count(200000)),
            lambda: ucx_latency("tag_lat", 8, count(200000)),
            times=times, less=True)

    def bandwidth(program, test, size, name, number):
        return Figure(
            f"{name}: {program}, {test}", "GB/s",
            lambda: bench.bandwidth(environment, program, size, count(number)),
            lambda: ucx_bandwidth(test, size, count(number)), times=0.9)

    def rate(program, test, title, options, bar):
        return Figure(
            f"8 B{title}: {program}, {test}", "M/s",
            lambda: bench.message_rate(environment, program, 8,
                                       count(2000000), options),
            lambda: ucx_rate(test, 8, count(2000000)), plainly=bar)

    return (
        latency("ib_send_lat", 1.25),
        latency("ib_write_lat", 1.0),
        bandwidth("ib_send_bw", "tag_bw", 65536, "64 KiB", 20000),
        bandwidth("ib_send_bw", "tag_bw", MIB, "1 MiB", 4000),
        bandwidth("ib_write_bw", "ucp_put_bw", 65536, "64 KiB", 20000),
        bandwidth("ib_write_bw", "ucp_put_bw", MIB, "1 MiB", 4000),
        rate("ib_write_bw", "ucp_put_bw", ", lists of 32", ("-l", "32"), 10),
        rate("ib_write_bw", "ucp_put_bw", "", (), None),
        rate("ib_send_bw", "tag_bw", "", (), None),
    )


def main():
    args = harness.arguments(
        __doc__.splitlines()[0],
        quick=dict(action="store_true", help="a short run, to see it works"),
        turns=dict(type=int, default=5, help="of each figure (default 5)"))
    for program in ("ib_write_lat", "ucx_perftest", "taskset"):
        harness.need_program(program)
    environment = harness.environment_of(args)
    print(f"{'figure':<38} {'arnica':>8} {'UCX':>8} {'ratio':>6}")
    for figure in figures(environment, args.quick):
        if args.only and args.only not in figure.name:
            continue
        pairs = [(figure.ours(), figure.theirs())
                 for _ in range(1 if args.quick else args.turns)]
        a, b = (statistics.median(values) for values in zip(*pairs))
        verdict = ""
        if figure.bar(b) is not None:
            verdict = (f"{figure.wish()}: "
                       f"{'yes' if figure.met(a, b) else 'NO'}")
        print(f"{figure.name:<38} {a:>8.3f} {b:>8.3f} {a / b:>6.2f} "
              f"{figure.unit:<4} {verdict}", flush=True)
    return 0


if __name__ == "__main__":
    harness.main_guard(main)
