#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""Speed beside the Linux kernel's rdma_rxe, both in the same virtual machine
(tests/integration/interop), over the same pair of interfaces, in turn.

Two hosts within one machine: the ends of a veth pair. rdma_rxe of many kernels
receives in the first network namespace only, so its two devices sit on the two
ends there, and routing rules take what one address sends to the other through
the pair and not around it. The adapter has the pair between two namespaces, as
UDP port 4791 of the first one belongs to rdma_rxe. Each packet takes the same
way for both: route, veth, softirq, UDP socket. A loopback on one device would
compare other things: rdma_rxe then hands its packets over without a network,
and the adapter copies without packets. That is the second table: two programs of one
machine, on one interface, as each adapter does it by itself.

    tests/bench/rxe.py [--quick] [--turns N] [--messages N] [--pings N]

The machine is emulated, so the figures mean something only beside each other.
The tables have medians; status 77: skipped, with the reason."""

import os
import pathlib
import statistics
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
TESTS = HERE.parent / "integration"
sys.path[:0] = [str(TESTS), str(TESTS / "interop")]

import harness  # noqa: E402
from harness import Failure, check  # noqa: E402

MTU = 4500  # of the interfaces; the path MTU is 4096 for both
LINKS, ADDRESSES = ("bench0", "bench1"), ("10.9.2.1", "10.9.2.2")
SPACES = ("bench-a", "bench-b")
ALONE, ALONE_ADDRESS = "bench2", "10.9.3.1"
PORT = 18700
# What a longer run takes beyond a short one, without network: at least.
SLOPE_S = 3
# A sample takes one of the two processors for a millisecond or two.
SAMPLE_S, SAMPLE_PART = 0.02, 0.03  # at least, and of what the run lasted yet
NO_REPORT = "Can't produce a report"  # perftest finds no clock
PATIENT = ["-u", "18"]  # an emulated machine may be slow to answer


def do(command):
    done = subprocess.run(command.split(), capture_output=True, text=True)
    if done.returncode:
        raise Failure(f"{command}: {done.stderr.strip()}")


def configure(enter, link, address):
    do(f"{enter}ip addr replace {address}/24 dev {link}")
    do(f"{enter}ip link set {link} mtu {MTU} up")


class Adapter:
    """Two hosts; `enter` leads a command to each, `start` a program of RDMA."""

    def __init__(self):
        self.enter, self.start = [[], []], [[], []]
        self.device = [None, None]
        self.gid = [0, 0]
        self.addresses = ADDRESSES
        self.witness = "self"  # a process of host 0

    def perftest(self, program, size, count, *options):
        """Seconds that one message took: between the time that a tenth of the
        run's bytes had left host 0, and nine tenths of them. Not by perftest's
        own figures: on an emulated processor it mistakes the speed of the cycle
        counter, by much and each time anew."""
        samples = self.run(program, size, count, options)
        first, total = samples[0][1], samples[-1][1] - samples[0][1]
        begin, end = (when(samples, first + total * part)
                      for part in (0.1, 0.9))
        return (end - begin) / (0.8 * count)

    def sent_bytes(self):
        """By host 0, on the pair. Without a program that has to be started for
        it: on an emulated processor that takes as long as a hundred messages,
        and as much of the processors that are measured."""
        for line in pathlib.Path("/proc", self.witness, "net/dev") \
                .read_text().splitlines():
            name, _, numbers = line.partition(":")
            if name.strip() == LINKS[0]:
                return int(numbers.split()[8])
        raise Failure(f"host 0 has no {LINKS[0]}")

    def launch(self, program, size, count, options):
        """The client and the server, which is host 1."""
        processes = []
        for host, target in ((1, []), (0, [self.addresses[1]])):
            # A processor for each: to spin beside each other costs a tick.
            words = ["taskset", "-c", host, *self.start[host], program, "-d",
                     self.device[host], "-x", self.gid[host], "-p", PORT, "-F", "-s", size, "-n", count,
                     *PATIENT, *options, *target]
            processes.append(harness.Process(
                [str(word) for word in words], program, dict(os.environ)))
            if host == 1:
                wait_listening(processes[0], self.enter[1])
        return processes

    def run(self, program, size, count, options):
        """Samples (time, bytes sent) of a run."""
        samples = [(time.monotonic(), self.sent_bytes())]
        processes = self.launch(program, size, count, options)
        try:
            deadline = time.monotonic() + 600
            while processes[1].running() and time.monotonic() < deadline:
                sent = samples[-1][1] - samples[0][1]
                if sent < size * count / 100:
                    begun = time.monotonic()
                time.sleep(max(SAMPLE_S,
                               SAMPLE_PART * (time.monotonic() - begun)))
                samples.append((time.monotonic(), self.sent_bytes()))
            end_well(processes)
            check(samples[-1][1] - samples[0][1] >= size * count,
                  "the packets took another way")
            return samples
        finally:
            for process in processes:
                process.end()


def end_well(processes):
    for process in reversed(processes):
        check(process.wait(600) == 0 or NO_REPORT in process.output(),
              f"status {process.status}\n" +
              "\n".join(one.tail() for one in processes))


def when(samples, wanted):
    """The time at which `wanted` bytes had been sent."""
    for (t0, b0), (t1, b1) in zip(samples, samples[1:]):
        if b1 >= wanted:
            return t0 + (t1 - t0) * (wanted - b0) / max(b1 - b0, 1)
    raise Failure("the bytes do not add up")


def wait_listening(process, enter):
    """The table of ports is a namespace's."""
    for _ in range(3000):
        done = subprocess.run([*enter, "cat", "/proc/net/tcp",
                               "/proc/net/tcp6"], capture_output=True,
                              text=True)
        if any(line.split()[1].endswith(f":{PORT:04X}") and
               line.split()[3] == "0A" for line in done.stdout.splitlines()):
            return
        check(process.running(), f"ended\n{process.tail()}")
        time.sleep(0.05)
    raise Failure(f"nobody listens on port {PORT}\n{process.tail()}")


class Rxe(Adapter):
    """Both ends in the first namespace."""

    # What comes in at an end is for this machine; what one address sends to
    # the other goes out at its end. Only then the table of own addresses.
    RULES = ([f"pref {10 + end} iif {LINKS[end]} lookup local"
              for end in (0, 1)] +
             [f"pref {20 + end} from {ADDRESSES[end]} to {ADDRESSES[1 - end]} "
              f"lookup {100 + end}" for end in (0, 1)] +
             ["pref 30 lookup local"])

    def __enter__(self):
        do(f"ip link add {LINKS[0]} type veth peer name {LINKS[1]}")
        for name in ("all", *LINKS):
            settings = pathlib.Path("/proc/sys/net/ipv4/conf", name)
            (settings / "accept_local").write_text("1")
            (settings / "rp_filter").write_text("0")
        for rule in self.RULES:
            do(f"ip rule add {rule}")
        do("ip rule del pref 0")
        for end in (0, 1):
            configure("", LINKS[end], ADDRESSES[end])
            do(f"ip route add {ADDRESSES[1 - end]} dev {LINKS[end]} "
               f"src {ADDRESSES[end]} table {100 + end}")
            self.device[end] = f"rxe-{LINKS[end]}"
            do(f"rdma link add {self.device[end]} type rxe netdev {LINKS[end]}")
            self.gid[end] = self.find_gid(end)
        return self

    def find_gid(self, end):
        wanted = "0000:0000:0000:0000:0000:ffff:" + "{:02x}{:02x}:{:02x}{:02x}" \
            .format(*map(int, self.addresses[end].split(".")))
        folder = pathlib.Path("/sys/class/infiniband", self.device[end],
                              "ports/1/gids")
        for _ in range(200):
            for file in folder.iterdir():
                try:
                    if file.read_text().strip() == wanted:
                        return int(file.name)
                except OSError:
                    pass  # an empty slot
            time.sleep(0.05)
        raise Failure(f"{self.device[end]} has no GID {wanted}")

    def __exit__(self, *unused):
        for device in filter(None, self.device):
            do(f"rdma link del {device}")
        do("ip rule add pref 0 lookup local")
        for rule in self.RULES:
            do("ip rule del " + " ".join(rule.split()[:2]))
        do(f"ip link del {LINKS[0]}")


class Arnica(Adapter):
    """The same pair between two namespaces."""

    def __init__(self, arnica):
        super().__init__()
        self.arnica = arnica

    def __enter__(self):
        do(f"ip link add {LINKS[0]} type veth peer name {LINKS[1]}")
        for end in (0, 1):
            space = SPACES[end]
            do(f"ip netns add {space}")
            do(f"ip link set {LINKS[end]} netns {space}")
            do(f"ip -n {space} link set lo up")
            configure(f"ip netns exec {space} ", LINKS[end], ADDRESSES[end])
            self.device[end] = harness.DEVICE
            self.enter[end] = ["ip", "netns", "exec", space]
            self.start[end] = [*self.enter[end], str(self.arnica), "run", "--"]
            self.gid[end] = self.find_gid(end)
        self.sleeper = subprocess.Popen([*self.enter[0], "sleep", "infinity"])
        self.witness = str(self.sleeper.pid)
        comm = pathlib.Path("/proc", self.witness, "comm")
        while comm.read_text().strip() != "sleep":
            time.sleep(0.05)
        return self

    def find_gid(self, end):
        done = subprocess.run([*self.enter[end], str(self.arnica), "devices"],
                              capture_output=True, text=True)
        for line in done.stdout.splitlines():
            words = line.split()
            if words[:1] == ["gid"] and \
                    words[2].rpartition(":")[2] == self.addresses[end]:
                return int(words[1])
        raise Failure(f"no GID {self.addresses[end]}\n{done.stdout}{done.stderr}")

    def __exit__(self, *unused):
        self.sleeper.kill()
        self.sleeper.wait()
        for space in SPACES:
            do(f"ip netns del {space}")


class Alone:
    """Both programs on one interface; they need not send packets, so that what
    is measured is how much longer a longer run takes."""

    def __init__(self, *args):
        super().__init__(*args)
        self.addresses = (ALONE_ADDRESS, ALONE_ADDRESS)

    def __enter__(self):
        do(f"ip link add {ALONE} type dummy")
        configure("", ALONE, ALONE_ADDRESS)
        self.prepare()
        self.gid = [self.find_gid(end) for end in (0, 1)]
        return self

    def __exit__(self, *unused):
        self.clean()
        do(f"ip link del {ALONE}")

    def duration(self, program, size, count, options):
        begun = time.monotonic()
        processes = self.launch(program, size, count, options)
        try:
            end_well(processes)
            return time.monotonic() - begun
        finally:
            for process in processes:
                process.end()

    def perftest(self, program, size, count, *options):
        """Seconds for each message."""
        short = self.duration(program, size, count, options)
        longer = count
        while True:
            longer *= 4
            more = self.duration(program, size, longer, options) - short
            if more >= SLOPE_S:
                return more / (longer - count)


class RxeAlone(Alone, Rxe):
    def prepare(self):
        self.device = [f"rxe-{ALONE}"] * 2
        do(f"rdma link add {self.device[0]} type rxe netdev {ALONE}")

    def clean(self):
        do(f"rdma link del {self.device[0]}")


class ArnicaAlone(Alone, Arnica):
    """Through memory, without packets."""

    def prepare(self):
        self.device = [harness.DEVICE] * 2
        self.start = [[str(self.arnica), "run", "--"]] * 2

    def clean(self):
        pass


def figures(adapter, messages, pings):
    """In GB/s and us: of a ping-pong, half of the time of a round."""
    bulk = adapter.perftest("ib_write_bw", 65536, messages, "-m", "4096")
    ping = adapter.perftest("ib_send_lat", 8, pings)
    return 65536 / bulk / 1e9, ping / 2 * 1e6


def compare(title, rxe, arnica, args):
    """The turns and the table; arnica's figures by those of rdma_rxe."""
    results = {"rdma_rxe": [], "arnica": []}
    for _ in range(args.turns):
        for name, make in (("rdma_rxe", rxe), ("arnica", arnica)):
            with make() as adapter:
                results[name].append(figures(adapter, args.messages,
                                             args.pings))
            print(f"{name}: {results[name][-1]}", flush=True)
    print(f"\n{title}, in a virtual machine with Linux "
          f"{os.uname().release}; medians of {args.turns} turns\n")
    print("| adapter | ib_write_bw 64 KiB, GB/s | ib_send_lat 8 B, us | all |")
    print("|---|---|---|---|")
    medians = {}
    for name, turns in results.items():
        bandwidth, latency = medians[name] = [
            statistics.median(values) for values in zip(*turns)]
        every = ", ".join(f"{one:.4f} {two:.1f}" for one, two in turns)
        print(f"| {name} | {bandwidth:.4f} | {latency:.1f} | {every} |")
    return [ours / theirs
            for ours, theirs in zip(medians["arnica"], medians["rdma_rxe"])]


def inside(args):
    """In the virtual machine."""
    bandwidth, latency = compare(
        f"veth, MTU {MTU}", Rxe, lambda: Arnica(args.arnica), args)
    print(f"\nbandwidth: {bandwidth:.2f} times rdma_rxe's (wanted: at least 3)")
    print(f"latency: {latency:.2f} times rdma_rxe's (wanted: at most 1)\n")
    bandwidth, latency = compare(
        "one interface for both programs", RxeAlone,
        lambda: ArnicaAlone(args.arnica), args)
    print(f"\nbandwidth: {bandwidth:.2f} times rdma_rxe's, latency: "
          f"{latency:.3f} times\n")


def outside(args, environment):
    """Boots the machine and runs this program in it."""
    import guest as guests
    import interop
    folder = pathlib.Path(args.folder)
    if interop.INSIDE_NAMESPACE not in os.environ:
        interop.enter_namespace(folder)
    guests.make_network(1500)
    guest = guests.Guest(folder, 1500)
    try:
        guest.wait_ready()
        print(guest.run(
            ["python3", "-B", __file__, "--inside", "--arnica",
             environment.arnica, "--turns", args.turns, "--messages",
             args.messages, "--pings", args.pings], args.timeout), end="")
    finally:
        guest.end()
    return 0


def main():
    args = harness.arguments(
        __doc__.splitlines()[0],
        folder={"default": str(harness.build_dir() / "interop"),
                "help": "keeps the machine's kernel and console"},
        inside={"action": "store_true", "help": "this is the machine"},
        quick={"action": "store_true", "help": "a short run, to see it works"},
        turns={"type": int, "default": 5, "help": "of each (default 5)"},
        messages={"type": int, "default": 2000, "help": "for the bandwidth"},
        pings={"type": int, "default": 20000, "help": "for the latency"},
        timeout={"type": int, "default": 7200, "help": "seconds, for all"})
    if args.quick:
        args.turns, args.messages, args.pings = 1, 200, 2000
    harness.need_program("ib_write_bw")
    harness.need_program("ib_send_lat")
    if args.inside:
        inside(args)
        return 0
    return outside(args, harness.environment_of(args))


if __name__ == "__main__":
    harness.main_guard(main)
