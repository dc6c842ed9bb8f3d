#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""Processes that open and close devices at the same time, half of them killed
at a random moment: while they make the domain's folder, enter the directory,
create objects or leave. Those that are not killed must never notice, and in the
end nothing is left of the dead."""

import os
import pathlib
import random
import signal
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] /
                       "integration"))
import harness  # noqa: E402
import kill9  # noqa: E402
from harness import Failure  # noqa: E402

WORKERS = 4


def one_process(environment, chance):
    process = environment.start([harness.test_program("first_numbers"), "3"])
    try:
        if chance.random() < 0.5:
            time.sleep(chance.random() * 0.08)
            process.signal(signal.SIGKILL)
            return
        if process.wait(60) != 0:
            raise Failure(f"status {process.status}\n{process.tail()}")
    finally:
        process.end()


def churn(environment, count, seed):
    failures = []

    def work(number):
        chance = random.Random(f"{seed}.{number}")
        try:
            for _ in range(count // WORKERS):
                if failures:
                    return
                one_process(environment, chance)
        except Failure as failure:
            failures.append(failure)

    workers = [threading.Thread(target=work, args=(number,))
               for number in range(WORKERS)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    if failures:
        raise failures[0]


def main():
    args = harness.arguments(
        __doc__.splitlines()[0],
        count=dict(type=int, default=120, help="how many processes"),
        seed=dict(type=int, default=7, help="of the moments"))
    folder = tempfile.mkdtemp(prefix="arnica-churn-", dir="/dev/shm")
    os.chmod(folder, 0o700)
    environment = harness.environment_of(args).with_(
        variables={"ARNICA_RUNTIME_DIR": folder})
    report = harness.Report("churn")
    try:
        report.case(f"{args.count} processes", churn, environment, args.count,
                    args.seed)
        report.case("nothing is left of the dead", kill9.nothing_is_left,
                    environment, folder)
    finally:
        kill9.remove(folder)
    return report.finish()


if __name__ == "__main__":
    harness.main_guard(main)
