#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""Connections between two hosts whose network goes away and comes back."""

import pathlib
import re
import time

import harness
import netns
from harness import check

IBV_WC_RETRY_EXC_ERR = 12
MUCH = 1 << 20  # bytes


def flap(host):
    """The host's cable, out and in again."""
    host.do(f"ip link set {host.link} down")
    time.sleep(0.1)
    host.do(f"ip link set {host.link} up")


def sent(host):
    """How many bytes the host has sent."""
    text = pathlib.Path(f"/proc/{host.pid}/net/dev").read_text()
    found = re.search(rf"^\s*{host.link}:(.*)", text, re.M)
    return int(found[1].split()[8])


def started(pair, *senders):
    """Until these hosts send more than programs that introduce themselves."""
    before = [sent(host) for host in senders]
    patience = harness.Patience(60)
    while not all(sent(host) - was > MUCH
                  for host, was in zip(senders, before)):
        check(all(side.running() for side in pair.sides()),
              f"ended\n{pair.tail()}")
        check(not patience.is_over(), f"no connection\n{pair.tail()}")
        time.sleep(0.01)


def endless(network):
    """Both sides have something on its way at any time, and wait a tenth of a
    second for an answer, in eight times. (Of a ping-pong that is cut only one
    side need notice: the other may have its answer and wait for a message.)"""
    return network.pair("ib_write_bw", ["-b", "-u", "14", "-D", "600"])


def gave_up(side):
    """It ended because its peer does not answer."""
    check(side.wait(120) != 0, f"it went on\n{side.tail()}")
    check(re.search(rf"Failed status {IBV_WC_RETRY_EXC_ERR}\b",
                    side.output()), f"another error\n{side.tail()}")


def short_failures_are_bridged(network):
    """The kernel takes a second to use the link again; the connections have
    eight times one for an answer."""
    pair = network.pair("ib_send_bw", ["-u", "18", "-D", "8", "-f", "1"])
    try:
        started(pair, network.a)
        flap(network.a)
        time.sleep(1.5)
        flap(network.b)
    finally:
        pair.finish(120)


def lasting_failure_ends_connections(network):
    pair = endless(network)
    try:
        started(pair, network.a, network.b)
        network.a.do(f"ip link set {network.a.link} down")
        for side in pair.sides():
            gave_up(side)
    finally:
        pair.end()
        network.a.do(f"ip link set {network.a.link} up")


def removed_address_ends_connections(network):
    pair = endless(network)
    try:
        started(pair, network.a, network.b)
        network.a.do(f"ip addr del {network.a.ipv4}/24 dev {network.a.link}")
        for side in pair.sides():
            gave_up(side)
    finally:
        pair.end()
        network.a.do(f"ip addr add {network.a.ipv4}/24 dev {network.a.link}")


def everything_works_again(network):
    network.run("ibv_rc_pingpong", ["-n", "300", "-c"])


CASES = (
    short_failures_are_bridged,
    lasting_failure_ends_connections,
    removed_address_ends_connections,
    everything_works_again,
)


def main():
    args = harness.arguments(__doc__.splitlines()[0])
    harness.need_program("ibv_rc_pingpong")
    harness.need_program("ib_send_bw")
    harness.need_program("ib_write_bw")
    netns.inside()
    environment = harness.environment_of(args)
    report = harness.Report("failing networks")
    for case in CASES:
        name = case.__name__.replace("_", " ")
        if args.only and args.only not in name:
            continue
        with netns.Network(environment) as network:
            report.case(name, case, network)
    return report.finish()


if __name__ == "__main__":
    harness.main_guard(main)
