#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""SIGKILL of one side of ibv_rc_pingpong at a random moment, many times.

The other side must get an error completion (or event) within a second and end
by itself. Afterwards a pingpong works, and once a device was opened again
nothing is left of the dead: no slot of the directory, no file, no process that
still holds a segment of theirs.

--seed repeats a sequence of moments; each failure names its round.
"""

import os
import pathlib
import random
import re
import shutil
import signal
import tempfile
import time

import harness
import pingpong
from harness import Failure, Pair, check

# A second, as promised, and what a loaded machine of two processors may add.
LIMIT_S = 1.0
MARGIN_S = 4.0

OPTIONS = (["-n", "100000000"], ["-n", "100000000", "-e"],
           ["-n", "100000000", "-s", "1"],
           ["-n", "100000000", "-s", "300000"],
           ["-n", "100000000", "-g", "0", "-r", "8"])

# The server of a client that died before it came still waits for one.
STARTED = "remote address"


def wait_started(pair, timeout=30):
    deadline = time.monotonic() + timeout
    while not all(STARTED in side.output() for side in pair.sides()):
        for side in pair.sides():
            check(side.running(), f"{side.name} ended early\n{side.tail()}")
        check(time.monotonic() < deadline, f"no start\n{pair.tail()}")
        time.sleep(0.001)


def one_round(environment, chance, slowest):
    """Kills one side; returns how long the other took to end."""
    options = chance.choice(OPTIONS)
    pair = Pair(environment, "ibv_rc_pingpong", options, use_terminal=True)
    try:
        victim, other = chance.sample(pair.sides(), 2)
        early = chance.random() < 0.2
        if not early:
            wait_started(pair)
        time.sleep(chance.random() * (0.03 if early else 0.15))
        victim.signal(signal.SIGKILL)
        killed = time.monotonic()
        while other.running():
            took = time.monotonic() - killed
            if took > LIMIT_S + MARGIN_S:
                if STARTED not in other.output() and other is pair.server:
                    return None  # it never had a client
                raise Failure(
                    f"{other.name} of {' '.join(options)} goes on after "
                    f"{took:.1f} s ({other.describe_threads()})\n"
                    f"{pair.tail()}")
            time.sleep(0.002)
        took = time.monotonic() - killed
        slowest.append(took)
        if not early:
            check_end(other)
        return took
    finally:
        pair.end()


def check_end(other):
    check(other.status > 0,
          f"{other.name} ended with status {other.status}\n{other.tail()}")
    check("Failed status" in other.output() or "poll CQ" in other.output()
          or "post" in other.output(),
          f"{other.name} names no error completion\n{other.tail()}")


def rounds(environment, count, seed, slowest):
    chance = random.Random(seed)
    never_met = 0
    for number in range(count):
        try:
            if one_round(environment, chance, slowest) is None:
                never_met += 1
        except Failure as failure:
            raise Failure(f"round {number}, seed {seed}: {failure}") from None
    check(never_met < count / 2 + 1, f"{never_met} rounds were for nothing")


def holders(word):
    """Processes that hold a file or mapping whose name has the word in it."""
    found = []
    for process in pathlib.Path("/proc").iterdir():
        if not process.name.isdigit():
            continue
        try:
            names = [os.readlink(fd) for fd in (process / "fd").iterdir()]
        except OSError:
            continue
        if any(word in name for name in names):
            found.append(process.name)
    return found


def files_below(folder):
    """Names of all files; the tree's own name is a hash of its content."""
    return sorted(re.sub(r"sysfs-[0-9a-f]{16}", "sysfs", str(
        path.relative_to(folder))) for path in pathlib.Path(folder).rglob("*")
        if not path.is_dir())


def nothing_is_left(environment, folder):
    """After one more open, the domain's folder is as if nobody had died."""
    done = environment.run(["ibv_devinfo", "-d", harness.DEVICE])
    check(done.status == 0, done.tail())
    files = files_below(folder)
    clean = tempfile.mkdtemp(prefix="arnica-clean-", dir="/dev/shm")
    reference = environment.with_(
        variables={**environment.variables, "ARNICA_RUNTIME_DIR": clean})
    done = reference.run(["ibv_devinfo", "-d", harness.DEVICE])
    check(done.status == 0, done.tail())
    expected = files_below(clean)
    remove(clean)
    check(files == expected, f"files {files}, in a new folder {expected}")
    check(not holders(folder), f"processes {holders(folder)} hold the folder")
    listing = environment.run_tool(["devices"])
    check(listing.status == 0, listing.tail())


def remove(folder):
    shutil.rmtree(folder, ignore_errors=True)


def main():
    args = harness.arguments(
        __doc__.splitlines()[0],
        rounds=dict(type=int, default=30, help="how many kills"),
        seed=dict(type=int, default=20240229, help="of the moments"))
    harness.need_program("ibv_rc_pingpong")
    folder = tempfile.mkdtemp(prefix="arnica-kill9-", dir="/dev/shm")
    os.chmod(folder, 0o700)
    environment = harness.environment_of(args).with_(
        variables={"ARNICA_RUNTIME_DIR": folder})
    report = harness.Report("kill -9")
    slowest = []
    try:
        report.case(f"{args.rounds} kills", rounds, environment, args.rounds,
                    args.seed, slowest)
        if slowest:
            slowest.sort()
            print(f"      the other side ended after "
                  f"{slowest[len(slowest) // 2]:.3f} s (median), "
                  f"{slowest[-1]:.3f} s (longest)")
        report.case("pingpong works afterwards",
                    lambda: pingpong.pingpong(environment, "-n", "1000"))
        report.case("nothing is left of the dead", nothing_is_left,
                    environment, folder)
    finally:
        remove(folder)
    return report.finish()


if __name__ == "__main__":
    harness.main_guard(main)
