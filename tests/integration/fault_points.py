#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""Kills or stops one of eight clients at every fault point of the adapter.

The connections of the eight share one completion queue in a server. The names
of the points are learnt by one run that lists what it passes. Then each name is
taken in turn: the client is killed there, or stopped, at its first hit (during
set-up) and at later ones (in the data path), while the server polls, or sleeps
until an event comes, or polls and has a receive queue that all connections
share, with a limit. The other seven clients and the server must go on each
time. Needs a build with fault points (preset dev).
"""

import itertools
import os
import tempfile

import harness
from harness import Failure, Skip, check

NOT_REACHED = 2
SERVERS = ("poll", "sleep", "srq")


def shared_cq(environment, fault, rounds, how, variables=None):
    done = environment.run([harness.test_program("shared_cq"), fault,
                            str(rounds), how], timeout=120,
                           variables=variables)
    if done.status not in (0, NOT_REACHED):
        raise Failure(f"status {done.status}\n{done.tail(20)}")
    return done.status


def learn_points(environment):
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "points")
        for how in SERVERS:
            status = shared_cq(environment, "none", 10, how,
                               {"ARNICA_FAULT_LIST": path})
            check(status == NOT_REACHED, f"status {status} without a fault")
        if not os.path.exists(path):
            raise Skip("this build has no fault points")
        with open(path) as listed:
            return sorted(set(listed.read().split()))


def main():
    args = harness.arguments(
        __doc__.splitlines()[0],
        counts=dict(default="1,12", help="hits at which to act"),
        rounds=dict(type=int, default=2,
                    help="rounds of the others afterwards"))
    environment = harness.environment_of(args)
    report = harness.Report("fault points")
    names = []

    def learn():
        names.extend(learn_points(environment))

    report.case("list of points", learn)
    reached = 0
    for name, action, count, how in itertools.product(
            names, ("kill", "stop"), args.counts.split(","), SERVERS):
        fault = f"{name}:{count}:{action}"
        label = f"{fault}, server: {how}"
        if args.only and args.only not in label:
            continue

        def run(fault=fault, how=how):
            nonlocal reached
            reached += shared_cq(environment, fault, args.rounds, how) == 0

        report.case(label, run)
    print(f"{len(names)} points; acted in {reached} runs")
    return report.finish()


if __name__ == "__main__":
    harness.main_guard(main)
