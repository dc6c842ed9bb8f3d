#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""Programs that connect by address between two hosts (network namespaces), over
IPv4 and IPv6."""

import contextlib
import time

import connections
import harness
import netns
from harness import check


@contextlib.contextmanager
def somebody(host):
    """A process that listens for something else. On a host without any there is
    no adapter, and nobody refuses requests."""
    other = host.environment.start(["rping", "-s", "-P", "-a", host.ipv4, "-p",
                                    "19999"], "somebody")
    patience = harness.Patience(30)
    try:
        while ":4791" not in host.do("ss -Huln"):
            check(not patience.is_over(), f"no adapter\n{other.tail()}")
            time.sleep(0.05)
        yield
    finally:
        other.end()


def main():
    args = harness.arguments(__doc__.splitlines()[0])
    harness.need_program("rping")
    netns.inside()
    environment = harness.environment_of(args)
    report = harness.Report("connections between two hosts")
    with netns.Network(environment) as network, somebody(network.b):
        connections.cases(report, network.b.environment,
                          network.a.environment,
                          {"IPv4": network.b.ipv4, "IPv6": network.b.ipv6},
                          args.only)
    return report.finish()


if __name__ == "__main__":
    harness.main_guard(main)
