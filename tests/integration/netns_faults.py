#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""Checked data between two hosts over a network that loses, doubles, reorders
and damages packets: for each family of operations, that no byte is wrong and
no message lost, doubled or out of order, and that atomic operations count
exactly. The captures of both sides must be decoded by tshark without a
malformed frame, and have right ICRCs (tests/tools/icrc_check.py).

With --long 10 GB of each family, and a million atomic operations."""

import collections
import functools
import pathlib
import shutil
import subprocess
import sys
import tempfile

import harness
import netns
from harness import Failure, Skip, check

FAULTS = "drop=5%,reorder=5%,dup=2%,corrupt=1%"
CHECKER = harness.ROOT / "tests" / "tools" / "icrc_check.py"

# Family, and how much of it in short: megabytes, or batches of up to 16.
FAMILIES = {"send": 8, "write": 8, "read": 8, "atomic": 30, "all": 8}
LONG_MBYTES, LONG_BATCHES = 10240, 125000
LONG_LIMIT = 7200


def volume(family, is_long):
    if family == "atomic":
        return {"VT_BATCHES": str(LONG_BATCHES if is_long else
                                  FAMILIES[family])}
    return {"VT_MBYTES": str(LONG_MBYTES if is_long else FAMILIES[family])}


def small_volume(family):
    """For captures, which tshark reads packet by packet."""
    return {"VT_BATCHES": "20"} if family == "atomic" else {"VT_MBYTES": "2"}


def data_check(network, family, seed, faults, is_long=False, **variables):
    """Requester on host a, responder on host b, both with these faults."""
    host = network.a
    settings = {"VT_KINDS": family, "VT_SEED": str(seed),
                "VT_GID": str(host.gid_index(host.ipv4)),
                "VT_PEER_NETWORK": f"/proc/{network.b.pid}/ns/net",
                **volume(family, is_long), **variables}
    if is_long:
        settings["VT_LIMIT"] = str(LONG_LIMIT)
    if faults:
        settings["ARNICA_FAULT"] = f"{faults},seed={seed}"
    done = host.environment.run(
        [harness.test_program("data_check"), "first_seed"],
        variables=settings, timeout=LONG_LIMIT if is_long else 300)
    check(done.status == 0, f"status {done.status}\n{done.tail()}")


def gids_agree(network):
    """data_check uses one GID index for both sides."""
    check(network.a.gid_index(network.a.ipv4) ==
          network.b.gid_index(network.b.ipv4), "the GID tables differ")


@functools.lru_cache
def no_guesses():
    """The data that is carried is random: nobody shall look for protocols of
    the upper layers in it."""
    lines = subprocess.run(["tshark", "-G", "heuristic-decodes"],
                           capture_output=True, text=True).stdout.splitlines()
    names = [line.split("\t")[1] for line in lines
             if line.startswith("infiniband.payload\t")]
    return [word for name in names for word in ("--disable-protocol", name)]


def tshark(path, *options):
    done = subprocess.run(["tshark", "-n", *no_guesses(), "-r", path, *options],
                          capture_output=True, text=True)
    check(done.returncode == 0, f"tshark: {done.stderr}")
    return done.stdout.splitlines()


EXPERT_WARNING = 0x600000  # below it are notes, as of a short time to live
OUTBOUND, INBOUND = "0x00000002", "0x00000001"


def check_capture(path, damage_allowed):
    """Returns how many packets of each direction there are. What was damaged
    on the way arrives, and is marked."""
    rows = [line.split("\t") for line in tshark(
        path, "-T", "fields", "-e", "frame.packet_flags_direction", "-e",
        "frame.packet_flags_crc_error", "-e", "_ws.malformed", "-e",
        "infiniband.bth.opcode", "-e", "_ws.expert.severity")]
    damaged = [row for row in rows if row[1] not in ("0", "False")]
    whole = [row for row in rows if row not in damaged]
    check(damage_allowed or not damaged, f"{len(damaged)} damaged packets")
    check(all(row[0] == INBOUND for row in damaged),
          "a packet was damaged before it was sent")
    for row in whole:
        check(not row[2] and row[3], f"tshark finds it malformed: {row}")
        check(all(int(word) < EXPERT_WARNING for word in row[4].split(",")
                  if word), f"tshark complains: {row}")
    return collections.Counter(row[0] for row in whole), len(damaged)


def check_icrcs(path, damaged):
    done = subprocess.run([sys.executable, "-B", CHECKER, path],
                          capture_output=True, text=True)
    wrong = done.stdout.count(": packet ")
    # One damaged packet of 65536 has an ICRC that another identification
    # would make right, and is shown with it.
    check(wrong <= damaged and (damaged or done.returncode == 0),
          f"{wrong} wrong ICRCs, of which {damaged} may be\n{done.stdout}")


def captures(network, family, faults, folder):
    if not shutil.which("tshark"):
        raise Skip("tshark is not installed")
    name = f"{folder}/{family}-{'bad' if faults else 'good'}-%p.pcapng"
    data_check(network, family, 3, faults, ARNICA_PCAP=name,
               **small_volume(family))
    files = sorted(pathlib.Path(folder).glob(
        pathlib.Path(name).name.replace("%p", "*")))
    check(len(files) == 2, f"files: {files}")
    all_damaged = 0
    for path in files:
        count, damaged = check_capture(path, bool(faults))
        check(count[OUTBOUND] > 3 and count[INBOUND] > 3,
              f"{path.name}: {dict(count)}")
        check_icrcs(path, damaged)
        all_damaged += damaged
    check(all_damaged > 0 or not faults, "nothing was damaged")


def loopback_capture(environment, folder):
    """The same without a network: both processes append to one file."""
    if not shutil.which("tshark"):
        raise Skip("tshark is not installed")
    path = f"{folder}/loopback.pcapng"
    for tool in ("ibv_rc_pingpong", "ibv_uc_pingpong", "ibv_ud_pingpong"):
        harness.Pair(environment, tool, ["-n", "20", "-g", "0"],
                     variables={"ARNICA_PCAP": path}).finish()
    done = environment.run(
        [harness.test_program("data_check"), "first_seed"],
        variables={"ARNICA_PCAP": path, "VT_BATCHES": "10"}, timeout=300)
    check(done.status == 0, done.tail())
    count, _ = check_capture(path, False)
    check(count[OUTBOUND] > 200 and count[INBOUND] > 20, f"{dict(count)}")
    check_icrcs(path, 0)


def wire_on_one_host(environment, folder):
    """--fault takes processes of one host to the wire, and they manage."""
    faulty = environment.with_(options=["--fault", FAULTS + ",seed=5"])
    pair = harness.Pair(faulty, "ibv_rc_pingpong",
                        ["-n", "500", "-c", "-g", "0"])
    pair.finish(300)
    check("invalid data" not in pair.client.output(), pair.tail())
    done = environment.run(["true"], variables={"ARNICA_FAULT": "drop=2"})
    check(done.status == 0, "a program without RDMA does not care")
    done = environment.run(["ibv_devinfo"], variables={"ARNICA_FAULT": "x"})
    lines = [line for line in done.output().splitlines() if "arnica:" in line]
    check(done.status not in (0, None) and len(lines) == 1 and
          "'x' is not a fault" in lines[0], done.tail())


def full_disk(environment, folder):
    """The capture ends with one line, the program goes on."""
    make = "mount -t tmpfs -o size=64k tmpfs " + folder + " && exec \"$@\""
    wrap = ["unshare", "-m", "sh", "-c", make, "sh"]
    here = environment.with_(wrap=environment.wrap + wrap)
    done = here.run([harness.test_program("data_check"), "first_seed"],
                    variables={"ARNICA_PCAP": f"{folder}/x.pcapng",
                               "VT_BATCHES": "10"}, timeout=300)
    lines = [line for line in done.output().splitlines()
             if "the capture to" in line and "No space left" in line]
    check(done.status == 0 and 1 <= len(lines) <= 2, done.tail())


def main():
    args = harness.arguments(
        __doc__.splitlines()[0],
        long=dict(action="store_true", help="10 GB of each family"))
    netns.inside()
    environment = harness.environment_of(args)
    report = harness.Report("faults and captures")
    folder = tempfile.mkdtemp(prefix="arnica-captures-")

    def case(name, function, *arguments):
        if not args.only or args.only in name:
            report.case(name, function, *arguments)

    try:
        with netns.Network(environment, 9000) as network:
            case("both hosts have the same GID table", gids_agree, network)
            for family in FAMILIES:
                for seed in ((7,) if args.long else (7, 8)):
                    # The seed chooses the path MTU, too: 256 or 4096.
                    case(f"{family} with {FAULTS},seed={seed}", data_check,
                         network, family, seed, FAULTS, args.long)
            for family in FAMILIES:
                case(f"capture of {family}", captures, network, family, None,
                     folder)
            case(f"capture of all with {FAULTS}", captures, network, "all",
                 FAULTS, folder)
        case("capture of the loopback path", loopback_capture, environment,
             folder)
        case("faults between processes of one host", wire_on_one_host,
             environment, folder)
        case("a full disk ends the capture", full_disk, environment, folder)
    finally:
        shutil.rmtree(folder)
    return report.finish()


if __name__ == "__main__":
    harness.main_guard(main)
