#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""ibverbs-utils and what goes around them: discovery, ibv_rc_pingpong with its
options, the same for UC, UD and SRQs, several pairs at once, one server after
another, sysfs paths that programs hard-code."""

import contextlib
import pathlib
import re
import shutil
import signal
import subprocess
import time

import harness
from harness import DEVICE, Failure, Pair, check


def ibv_devices(environment):
    done = environment.run(["ibv_devices"])
    check(done.status == 0, done.tail())
    check(re.search(rf"^\s*{DEVICE}\s+[0-9a-f]{{16}}\s*$", done.output(),
                    re.M), f"no line of {DEVICE}\n{done.tail()}")


def devinfo(environment):
    done = environment.run(["ibv_devinfo", "-v", "-d", DEVICE])
    check(done.status == 0, done.tail(40))
    return done.output()


def ibv_devinfo(environment):
    text = devinfo(environment)
    for words in ("transport:\\s+InfiniBand", "state:\\s+PORT_ACTIVE",
                  "link_layer:\\s+Ethernet", "GID\\[\\s*0\\]:",
                  "RoCE v2", "max_sge:\\s+(?:[3-9]\\d|\\d{3,})"):
        check(re.search(words, text), f"no '{words}' in\n{text}")


def ibv_asyncwatch(environment):
    watch = environment.start(["ibv_asyncwatch", "-d", DEVICE], "asyncwatch",
                              use_terminal=True)
    try:
        deadline = time.monotonic() + 30
        while "async event FD" not in watch.output():
            check(watch.running(), f"ended\n{watch.tail()}")
            check(time.monotonic() < deadline, f"no start\n{watch.tail()}")
            time.sleep(0.01)
        time.sleep(0.2)
        check(watch.running(), f"ended by itself\n{watch.tail()}")
        watch.signal(signal.SIGINT)
        status = watch.wait(10)
        check(status in (-signal.SIGINT, 0), f"ended with {status}")
    finally:
        watch.end()


def pingpong(environment, *options, timeout=60, program="ibv_rc_pingpong"):
    pair = Pair(environment, program, list(options))
    pair.finish(timeout)
    for side in pair.sides():
        check(" iters in " in side.output(), f"no result\n{side.tail()}")
        check("invalid data" not in side.output(),
              f"data is damaged\n{side.tail()}")
    return pair


def supports(text, option):
    """Whether the device's attributes promise what the option needs."""
    if option == "-t":
        return "completion timestamp_mask:" in text
    if option == "-j":
        return "maximum available device memory:" in text
    odp = text.partition("general_odp_caps:")[2]
    general = odp.partition("rc_odp_caps:")[0]
    rc = odp.partition("rc_odp_caps:")[2].partition("uc_odp_caps:")[0]
    return "ODP_SUPPORT" in general and all(
        word in rc for word in ("SUPPORT_SEND", "SUPPORT_RECV"))


REFUSALS = {
    "-t": "isn't completion timestamp capable",
    "-o": "isn't ODP capable",
    "-j": "doesn't support dm allocation",
}


def works_or_is_refused(environment, option):
    if supports(devinfo(environment), option):
        pingpong(environment, option, "-n", "1000")
        return
    done = environment.run(["ibv_rc_pingpong", "-d", DEVICE, "-p",
                            str(harness.free_port()), option])
    check(done.status == 1 and REFUSALS[option] in done.output(),
          f"status {done.status}\n{done.tail()}")


def pairs_at_once(environment, count):
    pairs = []
    try:
        for _ in range(count):
            pairs.append(Pair(environment, "ibv_rc_pingpong", ["-n", "300"]))
        for pair in pairs:
            pair.finish(120)
    finally:
        for pair in pairs:
            pair.end()


def clients_of_restarted_server(environment, count):
    """The stock server takes one client: it is started again for each, on the
    same port."""
    port = harness.free_port()
    for number in range(count):
        try:
            Pair(environment, "ibv_rc_pingpong", ["-n", "50"],
                 port=port).finish()
        except Failure as failure:
            raise Failure(f"client {number + 1}: {failure}") from None


def clients_of_one_server(environment, count):
    """A server of our own, which listens once and serves all of them."""
    done = environment.run([harness.test_program("many_clients"), str(count)],
                           timeout=300)
    check(done.status == 0, f"status {done.status}\n{done.tail()}")


XRC_DOMAIN = pathlib.Path("/tmp/xrc_domain")  # of ibv_xsrq_pingpong
PERFTEST_DOMAINS = [pathlib.Path(f"/tmp/xrc_domain_{side}")
                    for side in ("client", "server")]


def remove(path):
    """Is it gone?"""
    with contextlib.suppress(OSError):
        path.unlink()
    return not path.exists()


def xsrq(environment, clients, *options):
    """The stock server takes all its clients before it begins, and answers one
    through another, which takes a domain that all of them have. Only who made
    its file can read it, so it must not be left to the next user; where it was,
    each process has a domain of its own, which is enough for one client."""
    if not remove(XRC_DOMAIN):
        clients = 1
    try:
        run_xsrq(environment, clients, *options)
    finally:
        remove(XRC_DOMAIN)


def run_xsrq(environment, clients, *options):
    port = harness.free_port()
    line = ["ibv_xsrq_pingpong", "-d", DEVICE, "-p", str(port), *options]
    sides = [environment.start([*line, "-c", str(clients)], "server")]
    try:
        harness.wait_listening(sides[0], port)
        for number in range(clients):
            sides.append(environment.start(
                [*line, harness.loopback_host()], f"client {number}"))
        for side in sides:
            check(side.wait(60) == 0, f"{side.name}\n{side.tail()}")
        for side in sides[1:]:
            check("success" in side.output(), f"no result\n{side.tail()}")
    finally:
        for side in sides:
            side.end()


def perftest_xrc(environment, program, *options):
    """Not in the matrix: XRC is a connection type of its own. perftest has
    files for its domains that it does not remove, and cannot do without."""
    for file in PERFTEST_DOMAINS:
        if not remove(file):
            raise harness.Skip(f"{file} is another user's")
    try:
        Pair(environment, program,
             ["-F", "-c", "XRC", "-n", "200", *options]).finish(120)
    finally:
        for file in PERFTEST_DOMAINS:
            remove(file)


XRC_PERFTEST = (("ib_send_bw", "-q", "4"), ("ib_read_lat",), ("ib_atomic_bw",))


def perftest_counters(environment):
    """perftest opens /sys/class/infiniband/DEVICE/ports/1/... by name."""
    names = "counters/port_xmit_data,counters/port_rcv_data"
    pair = Pair(environment, "ib_send_bw",
                ["-F", "-n", "200", "--report-counters=" + names])
    pair.finish()
    for name in names.split(","):
        check(re.search(rf"{name}=\d+", pair.client.output()),
              f"no {name}\n{pair.client.tail(20)}")


SYSFS = """
test -d /sys/class/infiniband/{0} &&
test "$(cat /sys/class/infiniband/{0}/node_type)" = "1: CA" &&
cat /sys/class/infiniband/{0}/ports/1/gids/0 &&
grep -q "RoCE v2" /sys/class/infiniband/{0}/ports/1/gid_attrs/types/0 &&
netdev=$(cat /sys/class/infiniband/{0}/ports/1/gid_attrs/ndevs/0) &&
test -d /sys/class/net/$netdev &&
for name in /sys/class/infiniband/{0}/device/net/*; do
    test -d /sys/class/net/$(basename $name) || exit 1; done &&
ls /sys/class/infiniband_verbs/ | grep -q uverbs0 &&
test -c /dev/infiniband/uverbs0 && test -r /dev/infiniband/uverbs0
"""


def hard_coded_paths(environment):
    done = environment.run(["sh", "-c", SYSFS.format(DEVICE)])
    check(done.status == 0, f"status {done.status}\n{done.tail()}")


def other_programs(environment):
    """What does not use RDMA notices nothing."""
    for line in (["git", "--version"], ["python3", "-c", "print(6 * 7)"],
                 ["find", "/sys/class/net"], ["sh", "-c", "exit 7"],
                 ["ls", "-la", "/dev/null", "/sys/class/tty/console"],
                 ["sh", "-c", "cat /proc/self/status | wc -l; kill -9 $$"]):
        if not shutil.which(line[0]):
            continue
        plain = subprocess.run(line, capture_output=True, text=True, cwd="/")
        done = environment.run(line)
        check(done.status == plain.returncode,
              f"{line}: status {done.status}, not {plain.returncode}")
        check(done.output() == plain.stdout + plain.stderr,
              f"{line}: other output\n{done.tail()}")


PINGPONGS = {
    "plain": ["-n", "100000"],
    "-g 0": ["-g", "0", "-n", "10000"],
    "-e": ["-e", "-n", "5000"],
    "-e -g 0": ["-e", "-g", "0", "-n", "1000"],
    "-s 1": ["-s", "1", "-n", "10000"],
    "-s 1048576": ["-s", "1048576", "-n", "300"],
    "-m 1024": ["-m", "1024", "-n", "10000"],
    "-m 4096": ["-m", "4096", "-s", "100000", "-n", "1000"],
    "-N": ["-N", "-n", "10000"],
    "-N -e": ["-N", "-e", "-n", "1000"],
    "-c": ["-c", "-n", "10000"],
    "-c -s 65536": ["-c", "-s", "65536", "-n", "1000"],
    "-r 1 (queues of one)": ["-r", "1", "-n", "1000"],
}


# The size of ibv_ud_pingpong must fit the MTU, and an address handle needs a GID
# on every RoCE device.
OTHER_PINGPONGS = {
    "ibv_uc_pingpong": (["-n", "10000"], ["-g", "0", "-e", "-n", "1000"],
                        ["-m", "4096", "-s", "100000", "-n", "500"]),
    "ibv_ud_pingpong": (["-g", "0", "-n", "10000"],
                        ["-g", "0", "-e", "-n", "1000"],
                        ["-g", "0", "-c", "-s", "200", "-n", "5000"]),
    "ibv_srq_pingpong": (["-n", "20000"], ["-q", "8", "-n", "10000"],
                         ["-e", "-n", "2000"],
                         ["-q", "16", "-g", "0", "-e", "-n", "2000"],
                         ["-q", "2", "-s", "100000", "-n", "500"],
                         ["-q", "4", "-r", "8", "-n", "5000"]),
}


def cases():
    """Name and function of every case, in order; functions take the
    environment."""
    yield "ibv_devices", ibv_devices
    yield "ibv_devinfo -v", ibv_devinfo
    yield "ibv_asyncwatch", ibv_asyncwatch
    for name, options in PINGPONGS.items():
        yield (f"ibv_rc_pingpong {name}",
               lambda environment, options=options:
               pingpong(environment, *options, timeout=120))
    for program, variants in OTHER_PINGPONGS.items():
        for options in variants:
            yield (f"{program} {' '.join(options)}",
                   lambda environment, options=options, program=program:
                   pingpong(environment, *options, timeout=120,
                            program=program))
    for option in REFUSALS:
        yield (f"ibv_rc_pingpong {option} works or is refused",
               lambda environment, option=option:
               works_or_is_refused(environment, option))
    yield "eight pairs at once", lambda e: pairs_at_once(e, 8)
    yield ("20 clients of a server that is started again",
           lambda e: clients_of_restarted_server(e, 20))
    yield ("100 clients of one server, one after another",
           lambda e: clients_of_one_server(e, 100))
    for clients, options in ((1, ()), (4, ("-n", "200")),
                             (2, ("-e", "-s", "100000"))):
        yield (f"ibv_xsrq_pingpong of {clients} {' '.join(options)}",
               lambda environment, clients=clients, options=options:
               xsrq(environment, clients, *options))
    for words in XRC_PERFTEST:
        yield (f"{words[0]} -c XRC {' '.join(words[1:])}",
               lambda environment, words=words:
               perftest_xrc(environment, *words))
    yield "perftest --report-counters", perftest_counters
    yield "hard-coded sysfs and device paths", hard_coded_paths
    yield "programs without RDMA notice nothing", other_programs


def main():
    args = harness.arguments(__doc__.splitlines()[0])
    harness.need_program("ibv_rc_pingpong")
    environment = harness.environment_of(args)
    report = harness.Report("pingpong")
    for name, function in cases():
        if not args.only or args.only in name:
            report.case(name, function, environment)
    return report.finish()


if __name__ == "__main__":
    harness.main_guard(main)
