#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""Speed of the adapter between two processes, measured with perftest.

Prints a table: the median of some runs, all runs, and the target of each
figure. It judges nothing by status: it fails only where a program fails. The
two processes run on processors 0 and 1.
"""

import os
import pathlib
import statistics
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] /
                       "integration"))
import harness  # noqa: E402
from harness import Failure, Pair  # noqa: E402

MIB = 1024 * 1024


def pinned(environment):
    """Environments of server and client, each on a processor of its own."""
    last = (os.cpu_count() or 1) - 1
    return [environment.with_(wrap=environment.wrap +
                              ["taskset", "-c", str(min(cpu, last))])
            for cpu in (0, 1)]


def result_row(output, size):
    for line in output.splitlines():
        words = line.split()
        if len(words) >= 5 and words[0] == str(size) and words[1].isdigit():
            return words
    raise Failure(f"no row of {size} bytes\n{output}")


def perftest(environment, program, size, iterations, options=()):
    server, client = pinned(environment)
    pair = Pair(server, program, ["-F", "-s", str(size), "-n",
                                  str(iterations), *options],
                client_environment=client)
    pair.finish(timeout=120)
    return result_row(pair.client.output(), size)


def typical_latency(environment, program, size, iterations):
    return float(perftest(environment, program, size, iterations)[4])


def bandwidth(environment, program, size, iterations):
    """GB/s from perftest's MiB/s."""
    row = perftest(environment, program, size, iterations)
    return float(row[3]) * MIB / 1e9


def message_rate(environment, program, size, iterations, options=()):
    row = perftest(environment, program, size, iterations, options)
    return float(row[4])


# Name, function, arguments, unit, target, whether less is better.
FIGURES = (
    ("ib_send_lat 8 B", typical_latency, ("ib_send_lat", 8, 200000), "us",
     0.6, True),
    ("ib_write_lat 8 B", typical_latency, ("ib_write_lat", 8, 100000), "us",
     3.0, True),
    ("ib_write_bw 1 MiB", bandwidth, ("ib_write_bw", MIB, 5000), "GB/s", 8.0,
     False),
    ("ib_write_bw 8 B", message_rate, ("ib_write_bw", 8, 1000000),
     "million/s", 0.6, False),
    ("ib_send_bw 8 B", message_rate, ("ib_send_bw", 8, 2000000), "million/s",
     3.0, False),
)


def idle_cpu(environment, seconds):
    """Milliseconds of CPU that two connected, idle processes use."""
    done = environment.run([harness.test_program("idle_pair"), str(seconds)],
                           timeout=seconds + 60)
    if done.status:
        raise Failure(f"status {done.status}\n{done.tail()}")
    return max(float(line.split()[0]) for line in done.output().splitlines()
               if line.endswith("ms of CPU while idle"))


def one_start(line, environ):
    begin = time.perf_counter()
    subprocess.run(line, env=environ, check=True)
    return (time.perf_counter() - begin) * 1000


def start_cost(environment, count):
    """Milliseconds that `arnica run` adds to /bin/true; the two take turns."""
    environ = environment.environ()
    plain, run = [], []
    for _ in range(count):
        plain.append(one_start(["/bin/true"], environ))
        run.append(one_start(environment.command(["/bin/true"]), environ))
    return statistics.median(run) - statistics.median(plain)


def print_row(name, values, unit, target, less):
    median = statistics.median(values)
    met = median <= target if less else median >= target
    runs = " ".join(f"{value:.3g}" for value in values)
    print(f"{name:<34} {median:>9.3f} {unit:<10} "
          f"{'<=' if less else '>='} {target:<5} {'yes' if met else 'NO':<4} "
          f"{runs}", flush=True)


def main():
    args = harness.arguments(
        __doc__.splitlines()[0],
        runs=dict(type=int, default=5, help="runs of each figure"),
        quick=dict(action="store_true",
                   help="one short run of each: does it print?"))
    for program in ("ib_send_lat", "taskset"):
        harness.need_program(program)
    environment = harness.environment_of(args)
    runs, idle_s, starts = (1, 1, 5) if args.quick else (args.runs, 10, 100)
    print(f"{'figure':<34} {'median':>9} {'unit':<10} {'target':<8} "
          f"{'met':<4} runs")
    failed = 0
    for name, function, arguments, unit, target, less in FIGURES:
        if args.only and args.only not in name:
            continue
        program, size, iterations = arguments
        if args.quick:
            iterations = 1000
        try:
            values = [function(environment, program, size, iterations)
                      for _ in range(runs)]
        except Failure as failure:
            print(f"{name:<34} failed: {failure}")
            failed += 1
            continue
        print_row(name, values, unit, target, less)
    for name, function, argument, unit, target in (
            (f"CPU of an idle process in {idle_s} s", idle_cpu, idle_s, "ms",
             1.0),
            ("arnica run -- true", start_cost, starts, "ms", 5.0)):
        if args.only and args.only not in name:
            continue
        try:
            print_row(name, [function(environment, argument)], unit, target,
                      True)
        except Failure as failure:
            print(f"{name:<34} failed: {failure}")
            failed += 1
    return 1 if failed else 0


if __name__ == "__main__":
    harness.main_guard(main)
