#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""Multicast between two hosts (network namespaces): a sender on one, processes
with queue pairs in the group on the other, IPv4 and IPv6; perftest's -g; what
the kernel was told of the groups; and an interface that comes later."""

import re
import time

import harness
import netns
import perftest_matrix
from harness import check

GROUPS = {"IPv4": "::ffff:239.12.13.14", "IPv6": "ff0e::1:2:3"}


def as_perftest_writes(gid):
    """Sixteen numbers, with colons."""
    import socket
    raw = socket.inet_pton(socket.AF_INET6, gid)
    return ":".join(str(byte) for byte in raw)


def program(network, name):
    """The cases of a test program whose peers are processes of the other
    host."""
    done = network.a.environment.run(
        [harness.test_program("multicast"), name], timeout=120,
        variables={"VT_PEER_NETWORK": f"/proc/{network.b.pid}/ns/net"})
    check(done.status == 0 and "1 passed" in done.output(), done.tail())


def perftest(network, tool, family):
    pair = network.pair(tool, ["-c", "UD", "-g", "-n", "200", "-s", "64", "-M",
                               as_perftest_writes(GROUPS[family])],
                        ipv6=family == "IPv6")
    pair.finish(120)
    perftest_matrix.check_rows(pair.client.output(), [64])


def memberships(host):
    """What the host told the network that it wants."""
    text = host.do("ip maddr show dev " + host.link)
    return set(re.findall(r"inet6?\s+(\S+)", text))


def joining(network):
    """A host is in a group as long as a queue pair of it is."""
    before = memberships(network.b)
    server = network.b.environment.start(
        [harness.test_program("multicast_wait")], "member")
    try:
        patience = harness.Patience(30)
        while "attached" not in server.output():
            check(not patience.is_over(), f"no member\n{server.tail()}")
            time.sleep(0.05)
        check({"239.7.8.9", "ff15::7:8:9"} <= memberships(network.b),
              f"not joined: {memberships(network.b)}")
        # Another interface of the host joins, too.
        network.b.do("ip link add later0 type veth peer name later1 && "
                     "ip link set later0 up && ip link set later1 up && "
                     "ip addr add 10.78.0.1/24 dev later0")
        while "239.7.8.9" not in network.b.do("ip maddr show dev later0"):
            check(not patience.is_over(), "the new interface did not join")
            time.sleep(0.05)
    finally:
        server.end()
    check(memberships(network.b) == before, "the groups are still joined")


def main():
    args = harness.arguments(__doc__.splitlines()[0])
    harness.need_program("ib_send_bw")
    netns.inside()
    environment = harness.environment_of(args)
    report = harness.Report("multicast between two hosts")
    with netns.Network(environment) as network:
        for family in ("ipv4", "ipv6"):
            report.case(f"processes of another host, {family}", program,
                        network, f"processes_get_it_{family}")
        for family in GROUPS:
            for tool in ("ib_send_lat", "ib_send_bw"):
                report.case(f"{tool} -g, {family}", perftest, network, tool,
                            family)
        report.case("a host is in the groups of its queue pairs", joining,
                    network)
    return report.finish()


if __name__ == "__main__":
    harness.main_guard(main)
