#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""Two programs on one host (one network namespace) that do not belong together:
of two users, or in mount and pid namespaces of their own as in two containers
that share the host's network. Each pair either communicates or is told, in one
clear line for each side that notices, why not; nothing crashes, nothing hangs,
and no two queue pairs have the same number.

And `arnica stat` and `arnica devices` say which programs are of another network.

With ARNICA_LOOPBACK=off the same over the wire: processes of one domain share
the port and may communicate where they cannot open each other; others are told
whose the port is. One of two that has it decides for both."""

import re
import time

import harness
import netns
from harness import Failure, Skip, check

USER = "nobody"


class Place:
    """A way to start programs on a host, as netns.Pair wants a host."""

    def __init__(self, host, environment):
        self.pid, self.ipv4, self.ipv6 = host.pid, host.ipv4, host.ipv6
        self.gid_index = host.gid_index
        self.environment = environment


class Places:
    def __init__(self, server, client):
        self.b, self.a = server, client


def another_user(host, environment):
    harness.need_program("setpriv")
    as_user = ["setpriv", "--reuid", USER, "--regid",
               harness.primary_group(USER), "--clear-groups", "--"]
    if not netns.permitted([*host.enter, *as_user, "true"]):
        raise Skip("another user needs root")
    return Place(host, environment.with_(
        arnica=harness.reachable_arnica(environment.arnica, USER),
        wrap=environment.wrap + host.enter + as_user))


def container(host, environment):
    """Its own pids and mounts, the host's network."""
    wrap = ["unshare", "-m", "-p", "-f", "--kill-child", "--mount-proc"]
    if not netns.permitted([*host.enter, *wrap, "true"]):
        raise Skip("pid and mount namespaces are not permitted here")
    return Place(host, environment.with_(
        wrap=environment.wrap + host.enter + wrap))


def complaints(process):
    return [line for line in process.output().splitlines()
            if line.startswith("arnica: ")]


def qpns(pair):
    """Both numbers, as either side prints them."""
    return {word for side in pair.sides() for word in
            re.findall(r"address: .*QPN 0x(\w+)", side.output())}


def meet(server, client, variables, words):
    """True when they communicated. Otherwise there must be a line, with one of
    these words, and not more than one for each process."""
    pair = netns.Pair(Places(server, client), "ibv_rc_pingpong",
                      ["-n", "200", "-c"], None, False, variables)
    try:
        pair.finish(200)
        worked = True
    except Failure as failure:
        if "did not end" in str(failure):
            raise
        worked = False
    lines = [complaints(side) for side in pair.sides()]
    check(len(qpns(pair)) == 2, f"QP numbers {qpns(pair)}\n{pair.tail()}")
    check(all(len(of_side) <= 1 for of_side in lines),
          f"more than a line\n{pair.tail()}")
    if worked:
        check("invalid data" not in pair.client.output(), pair.tail())
        return True
    said = [line for of_side in lines for line in of_side]
    check(said, f"neither communicates nor says why\n{pair.tail()}")
    check(all(any(word in line for word in words) for line in said),
          f"not clear: {said}")
    return False


def must_meet(*arguments):
    check(meet(*arguments, ()), "they do not communicate")


def in_either_case(*arguments):
    meet(*arguments)


def both_ways(report, what, first, second, words):
    for one, other, way in ((first, second, ""), (second, first,
                                                  ", the other way round")):
        report.case(what + way, in_either_case, one, other, {}, words)
        report.case(f"{what} over the wire{way}", in_either_case, one, other,
                    {"ARNICA_LOOPBACK": "off"}, words)


def listing(host, command):
    done = host.environment.run_tool([command])
    check(done.status == 0, done.tail())
    return done.output()


def networks_are_told_apart(network):
    """A program on host a, as `arnica` on either host shows it."""
    where = ", in another network namespace\n"
    port = 17000 + network.a.pid % 1000
    server = network.a.environment.start(
        ["ibv_rc_pingpong", "-d", harness.DEVICE, "-p", str(port)])
    try:
        harness.wait_listening(server, port, pid=network.a.pid)
        line = f"process {server.pid} ibv_rc_pingpong"
        check(line + "\n" in listing(network.a, "stat"), "host a, stat")
        check(line + where in listing(network.b, "stat"), "host b, stat")
        of_a, of_b = (re.findall(
            rf"^ +process {server.pid} .*?(?=\n)\n",
            listing(host, "devices").partition("  open elsewhere by\n")[part],
            re.M) for host, part in ((network.a, 0), (network.b, 2)))
        check(len(of_a) == 1 and "network" not in of_a[0], f"host a: {of_a}")
        check(len(of_b) == 1 and of_b[0].endswith(where), f"host b: {of_b}")
    finally:
        server.end()


def datagrams_in_vain_are_told(environment):
    """Only loopback, and only the sender takes the wire."""
    host = netns.Host("host c", environment)
    sides = []
    try:
        host.do("ip link set lo up")
        tool = ["ibv_ud_pingpong", "-d", harness.DEVICE, "-g", "0"]
        sides.append(host.environment.start(tool, "server"))
        harness.wait_listening(sides[0], 18515, pid=host.pid)
        sides.append(host.environment.start(
            [*tool, "127.0.0.1"], "client",
            variables={"ARNICA_LOOPBACK": "off"}))
        patience = harness.Patience(60)
        while not complaints(sides[1]):
            check(not patience.is_over(), f"no line\n{sides[1].tail()}")
            time.sleep(0.01)
        check("Set ARNICA_LOOPBACK=off for both." in complaints(sides[1])[0],
              sides[1].tail())
    finally:
        for side in sides:
            side.end()
        host.end()


def nobody_is_said_to_be_there(box):
    """In a pid namespace nothing runs but what is started there."""
    text = listing(box, "stat")
    check(text == "arnica stat: no process of yours has the device open\n",
          text)


def case_of(report, name, make, *arguments):
    """What is made needs rights that not everybody has."""
    made = []
    if report.case(f"{name} can be started", lambda: made.append(
            make(*arguments))):
        return made[0]
    return None


def main():
    args = harness.arguments(__doc__.splitlines()[0])
    harness.need_program("ibv_rc_pingpong")
    netns.inside()
    environment = harness.environment_of(args)
    report = harness.Report("isolation")
    with netns.Network(environment) as network:
        host = network.a
        plain = Place(host, host.environment)
        report.case("two of one user", must_meet, plain, plain, {})
        report.case("two of one user over the wire", must_meet, plain, plain,
                    {"ARNICA_LOOPBACK": "off"})
        forced = Place(host, host.environment.with_(
            variables={**host.environment.variables,
                       "ARNICA_LOOPBACK": "off"}))
        report.case("one of two over the wire", must_meet, plain, forced, {})
        report.case("one of two over the wire, the other way round",
                    must_meet, forced, plain, {})
        report.case("datagrams in vain are told", datagrams_in_vain_are_told,
                    environment)
        user = case_of(report, "another user", another_user, host, environment)
        if user:
            both_ways(report, "two users", plain, user,
                      ("same user", "shares no adapter with this one"))
            report.case("two of the other user", must_meet, user, user, {})
        report.case("two networks are told apart", networks_are_told_apart,
                    network)
        box = case_of(report, "a container", container, host, environment)
        if box:
            report.case("nobody has the device open",
                        nobody_is_said_to_be_there, box)
            other = container(host, environment)
            words = ("PID namespace",)
            both_ways(report, "host and container", plain, box, words)
            both_ways(report, "two containers", box, other, words)
    return report.finish()


if __name__ == "__main__":
    harness.main_guard(main)
