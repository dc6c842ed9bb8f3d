#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""Raw packets on interfaces of their own: from one host to another (network
namespaces joined by a veth pair), what the other host's kernel sends, and on a
host that has the loopback interface only."""

import harness
import netns
from harness import check


def program(environment, name, cases=(), variables=None):
    done = environment.run([harness.test_program(name), *cases], timeout=120,
                           variables=variables)
    check(done.status == 0 and "passed" in done.output(), done.tail(30))


def main():
    args = harness.arguments(__doc__.splitlines()[0])
    netns.inside()
    environment = harness.environment_of(args)
    report = harness.Report("raw packets on interfaces of their own")
    with netns.Network(environment) as network:
        other = {"VT_PEER_NETWORK": f"/proc/{network.b.pid}/ns/net",
                 "VT_PEER_IPV4": network.b.ipv4}
        for case in ("processes_ping_each_other",
                     "the_kernel_s_datagrams_come_whole"):
            report.case(f"two hosts: {case}", program, network.a.environment,
                        "raw_packets", [case], other)
        report.case("one host, ethernet", program, network.a.environment,
                    "raw_packets")
    lonely = netns.Host("host of its own", environment)
    try:
        lonely.do("ip link set lo up")
        for name in ("raw_packets", "work_queues"):
            report.case(f"loopback interface: {name}", program,
                        lonely.environment, name)
    finally:
        lonely.end()
    return report.finish()


if __name__ == "__main__":
    harness.main_guard(main)
