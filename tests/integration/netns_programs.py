#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""The programs of ibverbs-utils and perftest between two hosts (network
namespaces), by address: RC, UC and UD, over IPv4 and IPv6, with an MTU of 1500
and of 9000 bytes, and with 16 queue pairs in both directions.

By default each program runs once, and the other dimensions with some of them;
with --all all of them everywhere and with all message sizes."""

import harness
import netns
import perftest_matrix
from harness import check

PINGPONGS = ("ibv_rc_pingpong", "ibv_uc_pingpong", "ibv_ud_pingpong")

# Program, connection.
PERFTESTS = [(f"ib_{verb}_{kind}", connection)
             for verb, connections in (("send", ("RC", "UC", "UD")),
                                       ("write", ("RC", "UC")),
                                       ("read", ("RC",)),
                                       ("atomic", ("RC",)))
             for connection in connections for kind in ("lat", "bw")]

# What UC and UD lose, nobody sends again, and perftest waits for it: all of it
# has room in a socket's buffer while the receiver does not run.
UNRELIABLE_BYTES, UNRELIABLE_COUNT = 16384, "20"

IN_SHORT = {("ib_send_bw", "RC"), ("ib_write_bw", "UC"), ("ib_read_lat", "RC"),
            ("ib_atomic_bw", "RC"), ("ib_send_lat", "UD")}


def pingpong(network, program, ipv6, count):
    pair = network.run(program, ["-n", str(count), "-c"], ipv6=ipv6)
    for side in pair.sides():
        check(" iters in " in side.output(), f"no result\n{side.tail()}")
        check("invalid data" not in side.output(),
              f"data is damaged\n{side.tail()}")


def sizes(program, connection, everything, mtu):
    _, verb, kind = program.split("_")
    if verb == "atomic":
        return [8]
    largest = 1024 if mtu == 1500 else 4096
    if not everything:
        if connection == "UD":
            return [2 if kind == "lat" else largest]
        if connection == "UC":
            return [2 if kind == "lat" else UNRELIABLE_BYTES]
        return [2 if kind == "lat" else 65536]
    powers = range(1, 24)
    if connection == "UD":
        powers = [power for power in powers if 2 ** power <= largest]
    return [2 ** power for power in powers]


def perftest(network, program, connection, ipv6, everything, extra=()):
    verb = program.split("_")[1]
    wanted = sizes(program, connection, everything, network.mtu)
    count = "100" if everything or program.endswith("lat") else "300"
    if connection != "RC" and not everything and program.endswith("bw"):
        count = UNRELIABLE_COUNT
    options = ["-c", connection, "-n", count, *extra]
    if everything and verb != "atomic":
        options += ["-a"]
    elif connection != "RC" and len(wanted) == 1:
        options += ["-s", str(wanted[0])]
    pair = network.run(program, options, ipv6=ipv6, timeout=300)
    perftest_matrix.check_rows(pair.client.output(), wanted)


def one_place(report, network, ipv6, everything, wanted):
    """The programs over one family and MTU; all of them, or those in short."""
    where = f"IPv{6 if ipv6 else 4}, MTU {network.mtu}"
    for program in PINGPONGS:
        name = f"{program}, {where}"
        if wanted(name):
            report.case(name, pingpong, network, program, ipv6,
                        3000 if everything else 300)
    for program, connection in PERFTESTS:
        name = f"{program} {connection}, {where}"
        basic = not ipv6 and network.mtu == 1500
        if wanted(name) and (everything or basic or
                             (program, connection) in IN_SHORT):
            report.case(name, perftest, network, program, connection, ipv6,
                        everything)
    # It waits for the event of its own message before that of the answer.
    name = f"ib_send_lat with events, {where}"
    if wanted(name):
        report.case(name, perftest, network, "ib_send_lat", "RC", ipv6, False,
                    ["-e"])
    for program in ("ib_send_bw", "ib_write_bw", "ib_read_bw"):
        name = f"{program} of 16 queue pairs in both directions, {where}"
        if wanted(name) and (everything or program == "ib_write_bw"):
            report.case(name, perftest, network, program, "RC", ipv6, False,
                        ["-q", "16", "-b"])


def main():
    args = harness.arguments(
        __doc__.splitlines()[0],
        all=dict(action="store_true", help="run everything everywhere"))
    harness.need_program("ibv_rc_pingpong")
    harness.need_program("ib_send_bw")
    netns.inside()
    environment = harness.environment_of(args)
    report = harness.Report("programs between two hosts")

    def wanted(name):
        return not args.only or args.only in name

    places = ([(mtu, ipv6) for mtu in (1500, 9000) for ipv6 in (False, True)]
              if args.all else [(1500, False), (9000, True)])
    for mtu, ipv6 in places:
        with netns.Network(environment, mtu) as network:
            one_place(report, network, ipv6, args.all, wanted)
    return report.finish()


if __name__ == "__main__":
    harness.main_guard(main)
