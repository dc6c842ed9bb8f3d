#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""Speed of the wire between two hosts (network namespaces joined by veth),
beside what UDP does by itself between the same two, in one table.

Bandwidth: ib_write_bw, 64 KiB at an MTU of 4096, beside datagrams of 4096 bytes
with and without segmentation offload (what arrives is counted), and with it in
the pieces that such messages have: the bound for whoever sends them; short
messages, which the program posts one by one. Latency:
ib_send_lat of 8 bytes beside a UDP ping-pong that never sleeps. The figures
take turns, so that the machine's moods meet all of them; the table has medians.

It judges nothing by status: it fails only where a program fails."""

import pathlib
import re
import statistics
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] /
                       "integration"))
import bench  # noqa: E402
import harness  # noqa: E402
import netns  # noqa: E402
from harness import Failure, check  # noqa: E402

MIB = 1024 * 1024
CPUS = (0, 1)  # of host a and host b


def floor_program():
    return harness.build_dir() / "tests" / "bench" / "udp_floor"


class Udp:
    """The two halves of udp_floor, each on its host and processor."""

    def __init__(self, network):
        self.network = network

    def start(self, host, cpu, *words):
        return subprocess.Popen(
            [*host.enter, "taskset", "-c", str(cpu), str(floor_program()),
             *[str(word) for word in words]], stdout=subprocess.PIPE,
            text=True, preexec_fn=harness.die_with_parent)

    def run(self, receiver, sender, amount, mode, patience, received=None):
        a, b = self.network.a, self.network.b
        first = self.start(b, CPUS[1], receiver, received or mode, b.ipv4,
                           patience)
        try:
            wait_bound(b)
            second = self.start(a, CPUS[0], sender, mode, b.ipv4, amount)
            answer, _ = second.communicate(timeout=300)
            check(second.returncode == 0, f"udp_floor {sender} failed")
            if receiver == "echo":
                first.kill()
            counted, _ = first.communicate(timeout=300)
        finally:
            first.kill()
            first.wait()
        return answer or counted

    def bandwidth(self, mode, seconds, received="offload"):
        text = self.run("receive", "send", seconds + 1, mode, seconds, received)
        found = re.match(r"(\d+) bytes in ([\d.]+) s", text)
        check(found, f"udp_floor receive: {text!r}")
        return int(found.group(1)) / float(found.group(2)) / 1e9

    def latency(self, count):
        text = self.run("echo", "ping", count, "-", 100)
        found = re.match(r"([\d.]+) us", text)
        check(found, f"udp_floor ping: {text!r}")
        return float(found.group(1))


def wait_bound(host):
    wanted = f":{40791:04X}"
    for _ in range(1000):
        table = pathlib.Path(f"/proc/{host.pid}/net/udp").read_text()
        if any(line.split()[1].endswith(wanted)
               for line in table.splitlines()[1:]):
            return
        subprocess.run(["sleep", "0.01"])
    raise Failure("udp_floor does not bind its port")


def perftest(network, program, size, iterations, *options):
    pair = network.run(program, ["-s", str(size), "-n", str(iterations),
                                 *options], timeout=300)
    return bench.result_row(pair.client.output(), size)


def pin(network):
    for host, cpu in zip((network.a, network.b), CPUS):
        host.environment = host.environment.with_(
            wrap=host.environment.wrap + ["taskset", "-c", str(cpu)])


def figures(network, quick):
    """Name, unit, function; in the order in which they take turns."""
    udp = Udp(network)
    seconds, messages, pings = (0.3, 200, 500) if quick else (2, 20000, 50000)
    return (
        ("UDP, segmentation offload", "GB/s",
         lambda: udp.bandwidth("offload", seconds)),
        ("UDP, in pieces of such messages", "GB/s",
         lambda: udp.bandwidth("messages", seconds)),
        ("UDP, plain", "GB/s",
         lambda: udp.bandwidth("plain", seconds, "plain")),
        ("ib_write_bw 64 KiB", "GB/s", lambda: float(perftest(
            network, "ib_write_bw", 65536, messages, "-m", "4096")[3]) *
            MIB / 1e9),
        ("ib_write_bw 8 B", "million/s", lambda: float(perftest(
            network, "ib_write_bw", 8, 25 * messages, "-m", "4096")[4])),
        ("UDP ping-pong 8 B", "us", lambda: udp.latency(pings)),
        ("ib_send_lat 8 B", "us", lambda: float(perftest(
            network, "ib_send_lat", 8, pings)[4])),
    )


def ratio(medians, over, under):
    return medians[over] / medians[under] if medians.get(under) else 0


def print_table(network, results):
    medians = {name: statistics.median(values)
               for (name, _), values in results.items()}
    print(f"\nveth, MTU {network.mtu}; medians of "
          f"{len(next(iter(results.values())))} turns\n")
    print("| figure | median | unit | all |")
    print("|---|---|---|---|")
    for (name, unit), values in results.items():
        every = " ".join(f"{value:.2f}" for value in values)
        print(f"| {name} | {medians[name]:.2f} | {unit} | {every} |")
    bandwidth = ratio(medians, "ib_write_bw 64 KiB",
                      "UDP, segmentation offload")
    latency = ratio(medians, "ib_send_lat 8 B", "UDP ping-pong 8 B")
    print(f"\nbandwidth: {bandwidth:.2f} of UDP with segmentation offload "
          "(wanted: at least 0.6)")
    print(f"latency: {latency:.2f} times the UDP ping-pong "
          "(wanted: at most 2)")


def main():
    args = harness.arguments(
        __doc__.splitlines()[0],
        quick=dict(action="store_true", help="a short run, to see it works"),
        turns=dict(type=int, default=5, help="of each figure (default 5)"))
    harness.need_program("ib_write_bw")
    if not floor_program().exists():
        raise SystemExit(f"{floor_program()} is not built")
    netns.inside()
    environment = harness.environment_of(args)
    with netns.Network(environment, 9000) as network:
        pin(network)
        wanted = figures(network, args.quick)
        results = {(name, unit): [] for name, unit, _ in wanted}
        for _ in range(1 if args.quick else args.turns):
            for name, unit, measure in wanted:
                if args.only and args.only not in name:
                    continue
                results[name, unit].append(measure())
        results = {key: values for key, values in results.items() if values}
        print_table(network, results)
    return 0


if __name__ == "__main__":
    harness.main_guard(main)
