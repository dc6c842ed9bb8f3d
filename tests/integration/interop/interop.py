#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""The adapter against the Linux kernel's rdma_rxe: ibverbs-utils, perftest, and
random operations with all data checked. One side runs here under `arnica run`,
the other in a virtual machine with a stock kernel; both directions.

It needs qemu, busybox, a kernel with rdma_rxe (this system's, or Debian's
package, which is fetched once), /dev/net/tun, and root or user namespaces; what
is missing is said. All of it happens in a network namespace of its own. The
machine is emulated, so speeds mean nothing here.
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

import guest as guests  # noqa: E402
import harness  # noqa: E402
import kernel as kernels  # noqa: E402
import stall  # noqa: E402
from harness import DEVICE, Failure, check  # noqa: E402

INSIDE_NAMESPACE = "ARNICA_INTEROP_NAMESPACE"
RXE = "rxe0"
PORT = 18600
DIRECTIONS = ("to rxe", "from rxe")
ATTEMPTS = 5
STALLS = 2


def skip(reason):
    print(f"skipped: {reason}")
    sys.exit(harness.SKIP)


def enter_namespace(folder):
    """Runs this program again in a network namespace of its own, where no
    kernel could be fetched any more."""
    try:
        kernels.find(folder)
    except harness.Skip as reason:
        skip(reason)
    words = ["unshare", "--net", "--mount"]
    if os.geteuid() != 0:
        words += ["--user", "--map-root-user"]
    tried = subprocess.run(words + ["true"], capture_output=True, text=True)
    if tried.returncode:
        skip("no network namespace of its own (root, or user namespaces, are "
             "needed): " + tried.stderr.strip())
    os.environ[INSIDE_NAMESPACE] = "1"
    os.execvp(words[0], words + [sys.executable, "-B"] + sys.argv)


class Side:
    """Where a program runs, and what the other side calls it."""

    def __init__(self, name, device, address, address6):
        self.name, self.device = name, device
        self.address, self.address6 = address, address6

    def find_gids(self, text):
        """Indexes of the GIDs of the two addresses, out of ibv_devinfo -v."""
        gids = re.findall(r"GID\[\s*(\d+)\]:\s*(\S+?),?(?:\s+RoCE v2)?\s*$",
                          text, re.M)
        self.gid = index_of(gids, f"::ffff:{self.address}")
        self.gid6 = index_of(gids, self.address6)


def index_of(gids, address):
    import ipaddress
    wanted = ipaddress.IPv6Address(address)
    for index, text in gids:
        if ipaddress.IPv6Address(text) == wanted:
            return int(index)
    raise Failure(f"no GID of {address} among {gids}")


class Here(Side):
    def __init__(self, environment):
        super().__init__("arnica", DEVICE, guests.OUTSIDE, guests.OUTSIDE6)
        self.environment = environment

    def start(self, words, name):
        return self.environment.start(words, f"{name} (arnica)",
                                      use_terminal=True)

    def wait_listening(self, process, port):
        harness.wait_listening(process, port, 30)


class There(Side):
    def __init__(self):
        super().__init__("rxe", RXE, guests.INSIDE, guests.INSIDE6)

    def start(self, words, name):
        return guests.Program(words, f"{name} (rxe)")

    def wait_listening(self, process, port):
        guests.wait_listening(port, 120)


class Stalled(Failure):
    """rdma_rxe stands in the middle of a message, by itself."""


class Lab:
    def __init__(self, guest, here, there, timeout):
        self.guest, self.here, self.there = guest, here, there
        self.timeout = timeout
        self.port = PORT

    def sides(self, direction):
        """Client and server."""
        if direction == "from rxe":
            return self.there, self.here
        return self.here, self.there

    def run(self, direction, tool, options, ipv6=False):
        """The tool as a server on one side and as a client on the other. All
        data were exchanged when perftest finds that it cannot measure the
        emulated processor's clock; then it is asked again. So it is, a few
        times, when rdma_rxe has stopped by itself."""
        stalls = 0
        for attempt in range(ATTEMPTS):
            try:
                self.run_once(direction, tool, options, ipv6)
                return
            except Stalled as failure:
                stalls += 1
                if stalls > STALLS:
                    raise
                print(f"again: {str(failure).splitlines()[0]}", flush=True)
            except Failure as failure:
                if attempt == ATTEMPTS - 1 or \
                        "Can't produce a report" not in str(failure):
                    raise

    def run_once(self, direction, tool, options, ipv6):
        client, server = self.sides(direction)
        self.port += 1
        gid = "-g" if tool.startswith("ibv_") else "-x"

        def line(side):
            index = side.gid6 if ipv6 else side.gid
            return [tool, "-d", side.device, "-p", self.port, gid, index,
                    *options]

        for process in self.pair(server, line(server), client,
                                 line(client) + [server.address]):
            check("invalid data" not in process.output(),
                  f"data is damaged\n{process.tail()}")

    def check_data(self, direction, kinds, seed, ipv6=False):
        """Random operations of one side on the other's memory."""
        client, server = self.sides(direction)
        self.port += 1

        def line(side, *settings):
            return ["env", f"VT_DEVICE={side.device}",
                    f"VT_GID={side.gid6 if ipv6 else side.gid}",
                    f"VT_KINDS={kinds}", f"VT_SEED={seed}",
                    f"VT_PEER_PORT={self.port}", f"VT_LIMIT={self.timeout}",
                    "VT_BATCHES=30", "VT_MAX=100000", "VT_TIMEOUT=18",
                    *settings, harness.test_program("data_check"),
                    "random_operations_of_the_first_seed"]

        self.pair(server, line(server), client,
                  line(client, f"VT_PEER_HOST={server.address}"))

    def pair(self, server, server_line, client, client_line):
        started = []
        try:
            started.append(server.start(server_line, "server"))
            server.wait_listening(started[0], self.port)
            started.append(client.start(client_line, "client"))
            status = started[1].wait(self.timeout)
            started[0].wait(2 if status else self.timeout)
            check(all(p.status == 0 for p in started), "status " + ", ".join(
                f"{p.status} of {p.name}" for p in started))
        except Failure as failure:
            psns = stall.where_silent(self.guest)
            for process in started:
                process.end()
            reason = str(failure).splitlines()[0]
            tails = "\n".join(process.tail(20) for process in started)
            if any(stall.in_message(psns, process.command, process.output())
                   for process in started
                   if isinstance(process, guests.Program)):
                raise Stalled(f"{reason}: rdma_rxe stands in the middle of a "
                              f"message\n{tails}") from None
            raise Failure(f"{reason}\n{tails}") from None
        finally:
            for process in started:
                process.end()
        return started


# These programs have a timeout of 67 ms, after which rdma_rxe repeats a message
# whether or not it is acknowledged by then; one of more than 64 packets (at MTU
# 1500) takes it long enough to hear of that while it does (docs/wire.md).
def pingpong_cases():
    for tool, sizes in (("ibv_rc_pingpong", (1, 4096, 50001, 100000)),
                        ("ibv_uc_pingpong", (1, 4096, 65536)),
                        ("ibv_ud_pingpong", (1, 1023, 1024))):
        for size in sizes:
            yield tool, ["-s", size, "-n", 100, *(
                ["-c"] if tool == "ibv_rc_pingpong" else [])], False
    yield "ibv_rc_pingpong", ["-e", "-c", "-n", 100], False
    yield "ibv_rc_pingpong", ["-c", "-m", 256, "-n", 100], False
    yield "ibv_rc_pingpong", ["-c", "-n", 100], True
    yield "ibv_ud_pingpong", ["-n", 100], True


# A busy host may keep the emulated machine waiting for more than the half
# second after which perftest's queue pairs give up: 4.096 us << 18 for a try.
PATIENT = ["-u", 18]


def perftest_cases():
    for tool, options, ipv6 in perftest_options():
        yield tool, [*options, *PATIENT], ipv6


def perftest_options():
    sizes = (8, 1024, 4097, 65536, 1048576)
    for operation in ("send", "write", "read"):
        for kind in ("bw", "lat"):
            for size in sizes:
                yield (f"ib_{operation}_{kind}",
                       ["-s", size, "-n", 20 if size > 65536 else 100], False)
    for operation in ("FETCH_AND_ADD", "CMP_AND_SWAP"):
        for kind in ("bw", "lat"):
            yield f"ib_atomic_{kind}", ["-A", operation, "-n", 200], False
    for connection, tools, size in (
            ("UC", ("ib_send_bw", "ib_send_lat", "ib_write_bw"), 4096),
            ("UD", ("ib_send_bw", "ib_send_lat"), 1024)):
        for tool in tools:
            yield tool, ["-c", connection, "-s", size, "-n", 200], False
    for kind in ("bw", "lat"):
        yield f"ib_send_{kind}", ["-e", "-s", 1024, "-n", 100], False
    yield "ib_write_bw", ["-q", 4, "-s", 4096, "-n", 100], False
    yield "ib_send_bw", ["-b", "-s", 4096, "-n", 200], False
    yield "ib_write_bw", ["-b", "-s", 65536, "-n", 100], False
    yield "ib_read_bw", ["-b", "-s", 65536, "-n", 100], False
    for operation in ("send", "write", "read"):
        yield (f"ib_{operation}_bw", ["-s", 65536, "-n", 100, "--ipv6"], True)


def needed_tools(cases):
    for tool in sorted({tool for tool, _, _ in cases}):
        if not shutil.which(tool):
            skip(f"{tool} is not installed (Debian: ibverbs-utils, perftest)")


def start_guest(args):
    try:
        guests.make_network(args.mtu)
        guest = guests.Guest(pathlib.Path(args.folder), args.mtu)
    except harness.Skip as reason:
        skip(reason)
    return guest


def run_cases(report, args, lab, cases):
    for tool, options, ipv6 in cases:
        for direction in DIRECTIONS:
            name = " ".join([tool, *map(str, options), direction])
            if not args.only or args.only in name:
                report.case(name, lab.run, direction, tool, options, ipv6)


def run_data_checks(report, args, lab):
    # An odd seed asks for the largest MTU, an even one for the smallest.
    for kinds, seed, ipv6 in (("send", 1, False), ("write", 1, False),
                              ("read", 1, False), ("atomic", 1, False),
                              ("all", 1, False), ("all", 2, False),
                              ("all", 3, True)):
        for direction in DIRECTIONS:
            name = (f"data_check {kinds} seed {seed}"
                    f"{' IPv6' if ipv6 else ''} {direction}")
            if not args.only or args.only in name:
                report.case(name, lab.check_data, direction, kinds, seed, ipv6)


def main():
    args = harness.arguments(
        __doc__,
        folder={"default": str(harness.build_dir() / "interop"),
                "help": "keeps the guest's kernel and console"},
        mtu={"type": int, "default": 1500, "help": "of the virtual network"},
        timeout={"type": int, "default": 120, "help": "seconds for each case"},
        pcap={"metavar": "FILE", "help": "capture with tcpdump"})
    if INSIDE_NAMESPACE not in os.environ:
        enter_namespace(pathlib.Path(args.folder))
    cases = list(pingpong_cases()) + list(perftest_cases())
    needed_tools(cases)
    environment = harness.environment_of(args)
    guest = start_guest(args)
    capture = None
    try:
        if args.pcap:
            capture = subprocess.Popen(
                ["tcpdump", "-i", guests.TAP, "-w", args.pcap, "-U",
                 "udp port 4791"], stderr=subprocess.DEVNULL,
                preexec_fn=harness.die_with_parent)
        guest.wait_ready()
        here, there = Here(environment), There()
        there.find_gids(guest.run(["ibv_devinfo", "-v", "-d", RXE]))
        here.find_gids(environment.run(["ibv_devinfo", "-v", "-d", DEVICE])
                       .output())
        print(f"guest: Linux {guest.kernel.version}, MTU {args.mtu}")
        report = harness.Report("interop")
        lab = Lab(guest, here, there, args.timeout)
        run_data_checks(report, args, lab)
        run_cases(report, args, lab, cases)
        return report.finish()
    finally:
        if capture:
            time.sleep(0.5)
            capture.terminate()
            capture.wait()
        guest.end()


if __name__ == "__main__":
    harness.main_guard(main)
