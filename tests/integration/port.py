#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""The port follows the network: GID table, state, events, as programs see them.

Runs itself in a network namespace of its own, where it can change interfaces
without harm, and without any right where user namespaces are permitted.
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

import harness
from harness import Failure, Skip, check

INSIDE = "ARNICA_TEST_PORT_INSIDE"
# Numbers of enum ibv_event_type: the names differ between versions.
GIDS, DOWN, UP = "(18)", "(10)", "(9)"
PORT = "/sys/class/infiniband/arnica0/ports/1/"


def enter_namespace():
    """Replaces this process by itself in a new namespace."""
    harness.need_program("unshare")
    harness.need_program("ip")
    options = ["-n"] if os.geteuid() == 0 else ["-r", "-n"]
    probe = ["unshare", *options, "sh", "-c",
             "ip link set lo up && ip link add p0 type veth peer name p1"]
    done = subprocess.run(probe, capture_output=True, text=True)
    if done.returncode != 0:
        raise Skip("no network namespace with a veth pair can be made: "
                   + (done.stderr.strip() or "unshare is refused"))
    os.environ[INSIDE] = "1"
    os.execvp("unshare", ["unshare", *options, sys.executable, "-B",
                          *sys.argv])


def ip(*lines):
    """Several `ip` commands by one process, in order."""
    done = subprocess.run(["ip", "-batch", "-"], input="\n".join(lines),
                          capture_output=True, text=True)
    check(done.returncode == 0, f"ip: {done.stderr}")


def interfaces():
    """lo, and p0 with one address; without the kernel's link-local ones, which
    come when they like."""
    subprocess.run("ip link del p0; ip link del q0", shell=True,
                   capture_output=True)
    ip("link set lo up", "link add p0 type veth peer name p1",
       "link set p0 addrgenmode none", "link set p1 addrgenmode none",
       "link set p0 up", "link set p1 up", "addr add 10.9.0.1/24 dev p0")


class Watch:
    """ibv_asyncwatch, and what it has printed."""

    def __init__(self, environment):
        self.process = environment.start(["ibv_asyncwatch", "-d", "arnica0"],
                                         use_terminal=True)
        self.seen = 0
        self.until("async event FD")

    def events(self):
        return [line for line in self.process.output().splitlines()
                if "event_type" in line]

    def until(self, text, count=1):
        deadline = time.monotonic() + 20
        while self.process.output().count(text) < count:
            check(self.process.running(), f"ended\n{self.process.tail()}")
            if time.monotonic() > deadline:
                raise Failure(f"not {count} times \"{text}\"\n"
                              f"{self.process.tail()}")
            time.sleep(0.005)

    def wait(self, count):
        """Until so many have come since the last time, or none comes."""
        deadline = time.monotonic() + 20
        while (len(self.events()) < self.seen + count and
               time.monotonic() < deadline):
            time.sleep(0.005)

    def take(self):
        """Those since the last time."""
        got = self.events()[self.seen:]
        self.seen += len(got)
        return got

    def expect(self, *wanted):
        """Exactly these since the last time, in this order."""
        expect_of([self], *wanted)


def settle(watches):
    """Until nothing comes for a while: for events that must not come."""
    before = None
    while before != (before := [len(watch.events()) for watch in watches]):
        time.sleep(0.3)


def expect_of(watches, *wanted):
    """Exactly these since the last time, in this order, at each of them."""
    for watch in watches:
        watch.wait(len(wanted))
    settle(watches)
    for watch in watches:
        got = watch.take()
        check(len(got) == len(wanted) and
              all(word in line for word, line in zip(wanted, got)),
              f"events {got}, not {wanted}")


def devinfo(environment):
    done = environment.run(["ibv_devinfo", "-v"])
    check(done.status == 0, f"ibv_devinfo\n{done.tail()}")
    return done.output()


def gids(environment):
    """Index and text of the GIDs that ibv_devinfo shows."""
    found = re.findall(r"GID\[\s*(\d+)\]:\s+(\S+?),?(?:\s|$)",
                       devinfo(environment))
    return {int(index): gid for index, gid in found}


def mapped(last):
    return f"::ffff:10.9.0.{last}"


def slot(environment, last):
    table = gids(environment)
    found = [index for index, gid in table.items() if gid == mapped(last)]
    check(len(found) == 1, f"{mapped(last)} in {table}")
    return found[0]


def each_change_is_told_once(environment):
    """To each process: all have seen one change before the next is made."""
    watches = []
    try:
        for _ in range(2):
            watches.append(Watch(environment))
        ip("addr add 10.9.0.2/24 dev p0")
        expect_of(watches, GIDS)
        ip("addr del 10.9.0.2/24 dev p0")
        expect_of(watches, GIDS)
        ip("link set p0 down")
        expect_of(watches, DOWN)
        ip("link set p0 up")
        expect_of(watches, UP)
        ip("link set p0 mtu 4000")
        expect_of(watches)
        ip("link del p0")
        expect_of(watches, DOWN, GIDS)
        ip("link add p0 type veth peer name p1",
           "link set p0 addrgenmode none", "link set p1 addrgenmode none",
           "link set p1 up")
        settle(watches)
        first, second = [watch.take() for watch in watches]
        check(first == second, f"one saw {first}, the other {second}")
        ip("link set p0 up")
        expect_of(watches, UP, GIDS)
    finally:
        for watch in watches:
            watch.process.end()


def removed_addresses_leave_their_slots(environment):
    ip("addr add 10.9.0.2/24 dev p0", "addr add 10.9.0.3/24 dev p0")
    watch = Watch(environment)
    try:
        third = slot(environment, 3)
        ip("addr del 10.9.0.2/24 dev p0")
        check(slot(environment, 3) == third, "10.9.0.3 has moved")
        check(mapped(2) not in gids(environment).values(), "10.9.0.2 stayed")
        ip("addr add 10.9.0.4/24 dev p0")
        check(slot(environment, 4) == third - 1, "the hole was not filled")
    finally:
        watch.process.end()
    # Nobody uses the table any more: the next one starts without holes.
    ip("addr del 10.9.0.4/24 dev p0")
    check(slot(environment, 3) == third - 1, "the hole is still there")


def sysfs(environment, name):
    done = environment.run(["cat", PORT + name])
    return done.output().strip() if done.status == 0 else None


def sysfs_shows_the_present(environment):
    watch = Watch(environment)
    try:
        ip("addr add 10.9.0.7/24 dev p0")
        index = slot(environment, 7)
        text = "0000:0000:0000:0000:0000:ffff:0a09:0007"
        check(sysfs(environment, f"gids/{index}") == text, "gids")
        check(sysfs(environment, f"gid_attrs/ndevs/{index}") == "p0", "ndevs")
        check(sysfs(environment, f"gid_attrs/types/{index}") == "RoCE v2",
              "types")
        check(sysfs(environment, "state") == "4: ACTIVE", "state")
        ip("addr del 10.9.0.7/24 dev p0", "link set p0 down")
        check(sysfs(environment, f"gids/{index}").replace(":", "") == "0" * 32,
              "a removed GID is still there")
        check(sysfs(environment, f"gid_attrs/types/{index}") is None,
              "a removed GID has a type")
        check(sysfs(environment, "state") == "1: DOWN", "state down")
        check(sysfs(environment, "phys_state") == "3: Disabled", "phys_state")
        check("PORT_DOWN" in devinfo(environment), "ibv_devinfo says active")
        ip("link set p0 up", "link set p0 name q0")
        check(sysfs(environment, "state") == "4: ACTIVE", "state again")
        done = environment.run(["ls", "/sys/class/infiniband/arnica0/device/"
                                "net"])
        check(done.output().split() == ["q0"], f"net: {done.output()}")
    finally:
        watch.process.end()


def mtu_follows_the_interface(environment):
    for mtu, text in ((1500, "1024"), (9000, "4096"), (2200, "2048"),
                      (1280, "1024"), (700, "512"), (300, "256")):
        ip(f"link set p0 mtu {mtu}")
        check(re.search(r"active_mtu:\s+" + text, devinfo(environment)),
              f"MTU {mtu}: not {text}")
        check(re.search(r"max_mtu:\s+4096", devinfo(environment)), "max_mtu")


def loopback_is_enough(environment):
    ip("link del p0")
    check(gids(environment) == {0: "::ffff:127.0.0.1"},
          f"GIDs {gids(environment)}")
    check(re.search(r"active_mtu:\s+4096", devinfo(environment)), "MTU of lo")
    check("PORT_ACTIVE" in devinfo(environment), "port of lo is down")
    harness.Pair(environment, "ibv_rc_pingpong", ["-g", "0", "-n", "100"]).finish()


def transfers_go_on_without_the_link(environment):
    """As on an adapter whose packets to itself never reach the cable."""
    pair = harness.Pair(environment, "ibv_rc_pingpong",
                        ["-g", "0", "-n", "50000"])
    try:
        for _ in range(5):
            ip("link set p0 down")
            time.sleep(0.05)
            ip("link set p0 up")
    finally:
        pair.finish(120)


def proc_value(pid, name):
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(re.search(rf"{name}:\s+(\d+)", text).group(1))


def process_of(watch):
    """The process itself: `arnica run` becomes the program."""
    return watch.process.pid


def thousand_changes_leak_nothing(environment):
    watch = Watch(environment)
    pid = process_of(watch)

    def change(times):
        for _ in range(times):
            ip("addr add 10.9.0.9/24 dev p0")
            ip("addr del 10.9.0.9/24 dev p0")
        settle([watch])

    def state():
        return (len(os.listdir(f"/proc/{pid}/fd")), proc_value(pid, "VmRSS"),
                proc_value(pid, "Threads"))

    try:
        change(50)
        fds, memory, threads = state()
        change(500)
        after = state()
        check(after[0] == fds, f"{after[0]} descriptors, {fds} before")
        check(after[1] <= memory + 256, f"{after[1]} KiB, {memory} before")
        check(after[2] == threads, "threads")
        check(all(GIDS in line for line in watch.events()), "other events")
        # Two changes before anybody looked may have undone each other.
        check(len(watch.events()) <= 1100, "more events than changes")
        check(len(watch.events()) >= 500, f"{len(watch.events())} events")
        folder = pathlib.Path(os.environ["ARNICA_RUNTIME_DIR"])
        trees = [path for path in folder.iterdir() if "sysfs" in path.name]
        check(len(trees) == 1, f"trees {trees}")
    finally:
        watch.process.end()


def cpu_ticks(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2]
    return sum(int(field) for field in fields.split()[11:13])


def nothing_runs_while_nothing_changes(environment):
    watch = Watch(environment)
    try:
        ip("addr add 10.9.0.2/24 dev p0")
        watch.expect(GIDS)
        before = cpu_ticks(process_of(watch))
        time.sleep(2)
        check(cpu_ticks(process_of(watch)) - before <= 1, "it used the CPU")
    finally:
        watch.process.end()


CASES = (
    each_change_is_told_once,
    removed_addresses_leave_their_slots,
    sysfs_shows_the_present,
    mtu_follows_the_interface,
    loopback_is_enough,
    transfers_go_on_without_the_link,
    thousand_changes_leak_nothing,
    nothing_runs_while_nothing_changes,
)


def main():
    args = harness.arguments(__doc__.splitlines()[0])
    harness.need_program("ibv_asyncwatch")
    harness.need_program("ibv_devinfo")
    if INSIDE not in os.environ:
        enter_namespace()
    environment = harness.environment_of(args)
    report = harness.Report("port")
    for case in CASES:
        name = case.__name__.replace("_", " ")
        if args.only and args.only not in name:
            continue
        folder = tempfile.mkdtemp(prefix="arnica-port-", dir="/tmp")
        os.environ["ARNICA_RUNTIME_DIR"] = folder
        interfaces()
        report.case(name, case, environment)
        shutil.rmtree(folder, ignore_errors=True)
    return report.finish()


if __name__ == "__main__":
    harness.main_guard(main)
