# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""Does rdma_rxe stand still by itself? Its requester may be left asleep in the
middle of a message (docs/wire.md), whoever the peer is.

It is that, and no fault of the peer, when for several of its timeouts it has
sent nothing, having begun a message and not ended it: were anything of what it
sent not acknowledged, it would repeat that.
"""
import re
import time

COUNTERS = "/sys/class/infiniband/rxe0/ports/1/hw_counters"
SILENCE = 10  # seconds: nine of its timeouts at -u 18


def packets_sent(guest):
    return int(guest.run(["cat", f"{COUNTERS}/sent_pkts"]))


def where_silent(guest):
    """The PSN that each queue pair is at, if none has anything to send."""
    before = packets_sent(guest)
    time.sleep(SILENCE)
    if packets_sent(guest) != before:
        return {}
    return {int(qpn): int(psn) for qpn, psn in re.findall(
        r"lqpn (\d+) .*?type RC state RTS .*?sq-psn (\d+)",
        guest.run(["rdma", "resource", "show", "qp"]))}


def in_message(psns, line, output):
    """Is a queue pair of this perftest in the middle of a message? Its output
    says at which PSN each began."""
    mtu = re.search(r"Mtu\s*:\s*(\d+)", output)
    if not mtu or "-s" not in line:
        return False
    packets = -(-int(line[line.index("-s") + 1]) // int(mtu[1]))
    return any(
        (psns[int(qpn, 16)] - int(psn, 16)) % 0x1000000 % packets
        for qpn, psn in re.findall(
            r"local address:.* QPN 0x(\w+) PSN 0x(\w+)", output)
        if int(qpn, 16) in psns)
