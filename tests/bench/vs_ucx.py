#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""One-sided speed against UCX over POSIX shared memory, which is what a user
would pick for speed on one host.

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


def figures(environment, quick):
    """Name, unit, ours, UCX's, what ours should be, as a text and a function
    of both medians."""
    def count(number):
        return number // 100 if quick else number
    return (
        ("8 B: ib_write_lat, tag_lat", "us",
         lambda: bench.typical_latency(environment, "ib_write_lat", 8,
                                       count(200000)),
         lambda: ucx_latency("tag_lat", 8, count(200000)),
         "at most 0.25 us", lambda ours, theirs: ours <= 0.25),
        ("64 KiB: ib_write_bw, ucp_put_bw", "GB/s",
         lambda: bench.bandwidth(environment, "ib_write_bw", 65536,
                                 count(20000)),
         lambda: ucx_bandwidth("ucp_put_bw", 65536, count(20000)),
         "", None),
        ("1 MiB: ib_write_bw, ucp_put_bw", "GB/s",
         lambda: bench.bandwidth(environment, "ib_write_bw", MIB, count(5000)),
         lambda: ucx_bandwidth("ucp_put_bw", MIB, count(5000)),
         "at least 0.8 of it", lambda ours, theirs: ours >= 0.8 * theirs),
    )


def main():
    args = harness.arguments(
        __doc__.splitlines()[0],
        quick=dict(action="store_true", help="a short run, to see it works"),
        turns=dict(type=int, default=5, help="of each figure (default 5)"))
    for program in ("ib_write_lat", "ucx_perftest", "taskset"):
        harness.need_program(program)
    environment = harness.environment_of(args)
    print(f"{'figure':<34} {'arnica':>9} {'UCX':>9} {'ratio':>6}")
    for name, unit, ours, theirs, wish, met in figures(environment,
                                                       args.quick):
        if args.only and args.only not in name:
            continue
        pairs = [(ours(), theirs())
                 for _ in range(1 if args.quick else args.turns)]
        a, b = (statistics.median(values) for values in zip(*pairs))
        verdict = f"{wish}: {'yes' if met(a, b) else 'NO'}" if met else ""
        print(f"{name:<34} {a:>9.3f} {b:>9.3f} {a / b:>6.2f} {unit:<5} "
              f"{verdict}", flush=True)
    return 0


if __name__ == "__main__":
    harness.main_guard(main)
