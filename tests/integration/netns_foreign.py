#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""Packets from strangers change nothing but counters.

A program of ours holds a connection between two hosts. From the host of one
side, raw UDP datagrams are sent to the other: junk, and packets that are right
but for one thing. After each kind the right counter has counted all of them,
and the connection carries every kind of message with every byte as it must be.
"""

import re
import socket
import struct
import subprocess
import time
import zlib

import harness
import netns
from harness import Failure, check

PORT = 4791
COUNT = 25  # of each kind of packet

SEND_ONLY, WRITE_ONLY, READ_REQUEST, ACKNOWLEDGE, FETCH_ADD = 4, 10, 12, 17, 20
READ_RESPONSE_ONLY = 16
UC, UD, XRC = 0x20, 0x60, 0xa0
IP_MTU_DISCOVER, IP_PMTUDISC_DO = 10, 2


def bth(opcode, qpn, psn, pkey=0xffff, version=0, ack=True):
    return struct.pack("!BBHII", opcode, 0x40 | version, pkey, qpn,
                       (ack << 31) | psn & 0xffffff)


def icrc(source, destination, port, payload):
    """Over IPv4 with DF and identification 0, as an unconnected socket that
    discovers the path MTU sends."""
    length = 28 + len(payload) + 4
    ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0xff, length, 0, 0x4000, 0xff, 17,
                     0xffff, socket.inet_aton(source),
                     socket.inet_aton(destination))
    udp = struct.pack("!HHHH", port, PORT, length - 20, 0xffff)
    covered = bytearray(b"\xff" * 8 + ip + udp + payload)
    covered[8 + 20 + 8 + 4] = 0xff  # of the BTH, what routers may change
    return struct.pack("<I", zlib.crc32(bytes(covered)))


SENDER = """
import socket, sys
source, destination = sys.argv[1:3]
out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
out.setsockopt(socket.IPPROTO_IP, 10, 2)
out.bind((source, 50999))
for line in sys.stdin:
    out.sendto(bytes.fromhex(line), (destination, 4791))
"""


class Attack:
    """Sends from an address of one host to the other."""

    def __init__(self, host, source, destination):
        self.host, self.source, self.destination = host, source, destination

    def send(self, payloads, spoil=False):
        lines = []
        for payload in payloads:
            check_sum = icrc(self.source, self.destination, 50999, payload)
            if spoil:
                check_sum = bytes([check_sum[0] ^ 1]) + check_sum[1:]
            lines.append((payload + check_sum).hex())
        self.send_raw(lines)

    def send_raw(self, lines):
        done = subprocess.run(
            [*self.host.enter, "python3", "-c", SENDER, self.source,
             self.destination], input="\n".join(lines), text=True,
            capture_output=True)
        check(done.returncode == 0, done.stderr)


class Victim:
    """tests/integration/verbs/victim.c with a requester on host a and a
    responder on host b."""

    def __init__(self, network):
        host = network.a
        environ = host.environment.environ()
        environ.update(VT_GID=str(host.gid_index(host.ipv4)),
                       VT_PEER_NETWORK=f"/proc/{network.b.pid}/ns/net")
        self.environment = host.environment
        self.popen = subprocess.Popen(
            host.environment.command([harness.test_program("victim")]),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, env=environ, text=True, cwd="/",
            preexec_fn=harness.die_with_parent)
        self.requester, self.responder = self.side(), self.side()
        self.messages = 0

    def side(self):
        line = self.popen.stdout.readline()
        found = re.fullmatch(r"\w+ pid (\d+) qpn (\d+) psn (\d+)\n", line)
        if not found:
            raise Failure(line + self.popen.stdout.read())
        return [int(word) for word in found.groups()]

    @property
    def next_psn(self):
        """The PSN that the responder expects."""
        return (self.requester[2] + self.messages) & 0xffffff

    def check(self):
        self.popen.stdin.write("check\n")
        self.popen.stdin.flush()
        line = self.popen.stdout.readline()
        if line != "whole\n":
            raise Failure(f"not whole: {line}{self.popen.stdout.read()}")
        self.messages += 4 * 20

    def counters(self, pid):
        done = self.environment.run_tool(["stat", "--all", str(pid)])
        check(done.status == 0, done.tail())
        return {name: int(value) for name, value in
                re.findall(r"^  (\w+) +(\d+) ", done.output(), re.M)}

    def end(self):
        self.popen.stdin.close()
        try:
            status = self.popen.wait(100)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            self.popen.wait()
            raise Failure("the victim does not end") from None
        finally:
            self.popen.stdout.close()
        check(status == 0, f"the victim ended with status {status}")


def counted(victim, pid, name, before, at_least):
    """Waits until the agent or a poll has looked at the packets."""
    deadline = time.monotonic() + 100
    while True:
        now = victim.counters(pid)
        if now[name] - before[name] >= at_least:
            return now
        if time.monotonic() > deadline:
            moved = {key: value - before[key] for key, value in now.items()
                     if value != before[key]}
            raise Failure(f"{name} did not count {at_least}: {moved}")
        time.sleep(0.05)


# What may move beside the counter that must: that packets came, and answers:
# one NAK for a gap, an ACK for each duplicate.
BESIDE = {"wire_early": {"wire_naks"}, "wire_ghosts": {"wire_duplicates"}}


def attacked(victim, pid, name, send):
    before = victim.counters(pid)
    send()
    after = counted(victim, pid, name, before, COUNT)
    moved = {key for key, value in after.items() if value != before[key]}
    allowed = {name, "wire_received", "wire_sent"} | BESIDE.get(name, set())
    check(moved <= allowed, f"other counters moved: {moved}")
    check(after["messages"] == before["messages"], "a message was taken")
    victim.check()


def payload_of(opcode):
    if opcode & 0x1f == WRITE_ONLY:
        return struct.pack("!QII", 0x1000, 0x1234, 8) + b"x" * 8
    if opcode & 0x1f == FETCH_ADD:
        return struct.pack("!QIQQ", 0x1000, 0x1234, 1, 0)
    if opcode & 0x1f == READ_REQUEST:
        return struct.pack("!QII", 0x1000, 0x1234, 8)
    if opcode & 0x1f == ACKNOWLEDGE:
        return struct.pack("!I", 0x1f000000)
    return b"x" * 8


def kinds(victim, peer, stranger):
    """Name of the case, counter, what is sent to the responder."""
    _, qpn, _ = victim.responder
    unused = next(number for number in range(qpn ^ 0x40, 1 << 24, 7)
                  if number not in (victim.requester[1], qpn))

    def packets(sender, opcode, to=qpn, ahead=0, **keywords):
        psn = victim.next_psn + ahead
        return lambda: sender.send([bth(opcode, to, psn, **keywords) +
                                    payload_of(opcode)] * COUNT)

    yield ("a QP number that nobody has", "wire_no_qp",
           packets(peer, SEND_ONLY, to=unused))
    for opcode, what in ((SEND_ONLY, "SEND"), (WRITE_ONLY, "RDMA WRITE"),
                         (READ_REQUEST, "RDMA READ"),
                         (FETCH_ADD, "FETCH_ADD")):
        yield (f"{what} from a strange address", "wire_source",
               packets(stranger, opcode))
        yield (f"{what} far ahead of the window", "wire_early",
               packets(peer, opcode, ahead=1 << 20))
    yield ("SEND and WRITE that came before", "wire_duplicates",
           packets(peer, SEND_ONLY, ahead=-1000))
    yield ("a READ that came long before", "wire_ghosts",
           packets(peer, READ_REQUEST, ahead=-100000))
    yield ("an atomic operation that came long before", "wire_ghosts",
           packets(peer, FETCH_ADD, ahead=-100000))
    for opcode, what in ((UC | SEND_ONLY, "UC"), (UD | SEND_ONLY, "UD")):
        extra = struct.pack("!II", 0x11111111, 7) if opcode & UD == UD else b""
        yield (f"a packet of {what}", "wire_type",
               lambda opcode=opcode, extra=extra: peer.send(
                   [bth(opcode, qpn, victim.next_psn) + extra +
                    b"x" * 8] * COUNT))
    yield ("another partition", "wire_pkey",
           packets(peer, SEND_ONLY, pkey=0x8001))
    yield ("QP 0", "wire_port_qp", packets(peer, SEND_ONLY, to=0))
    yield ("QP 1", "mads_refused", packets(peer, SEND_ONLY, to=1))
    yield ("an opcode that is not spoken", "wire_bad_opcode",
           packets(peer, 0x5f))
    yield ("another version", "wire_bad_packet",
           packets(peer, SEND_ONLY, version=3))
    yield ("a wrong ICRC", "wire_bad_icrc", lambda: peer.send(
        [bth(SEND_ONLY, qpn, victim.next_psn) + b"x" * 8] * COUNT, spoil=True))
    yield ("junk", "wire_bad_packet", lambda: peer.send_raw(
        [("00" * size) for size in range(1, 16)] * COUNT))


def answers_of_strangers(victim, network, stranger_address):
    """ACK, NAK and read responses that the requester did not ask for."""
    pid, qpn, _ = victim.requester
    genuine = Attack(network.b, network.b.ipv4, network.a.ipv4)
    stranger = Attack(network.b, stranger_address, network.a.ipv4)
    acknowledges, responses = [], []
    for ahead in (0, 5, 1 << 20, -1, -1000):
        psn = victim.next_psn + ahead
        # A NAK of what was acknowledged already is nobody's business either;
        # those of the future name nothing that was sent.
        for syndrome in (0x1f, 0x60, 0x62, 0x21):
            acknowledges.append(bth(ACKNOWLEDGE, qpn, psn, ack=False) +
                                struct.pack("!I", syndrome << 24 | 9))
        responses.append(bth(READ_RESPONSE_ONLY, qpn, psn, ack=False) +
                         struct.pack("!I", 0x1f000009) + b"y" * 200)
    stranger.send(acknowledges * 5)
    genuine.send((acknowledges + responses) * 5)
    deadline = time.monotonic() + 100
    while victim.counters(pid)["wire_source"] < 100:
        check(time.monotonic() < deadline, f"{victim.counters(pid)}")
        time.sleep(0.05)
    victim.check()


def main():
    args = harness.arguments(__doc__.splitlines()[0])
    netns.inside()
    environment = harness.environment_of(args)
    report = harness.Report("packets of strangers")
    with netns.Network(environment) as network:
        for host, address in ((network.a, "10.77.0.91"),
                              (network.b, "10.77.0.92")):
            host.gid_index(host.ipv4)
            host.do(f"ip addr add {address}/24 dev {host.link}")
        victim = Victim(network)
        try:
            if not report.case("the connection works", victim.check):
                return report.finish()
            peer = Attack(network.a, network.a.ipv4, network.b.ipv4)
            stranger = Attack(network.a, "10.77.0.91", network.b.ipv4)
            for name, counter, send in kinds(victim, peer, stranger):
                report.case(name, attacked, victim, victim.responder[0],
                            counter, send)
            report.case("answers that nobody asked for", answers_of_strangers,
                        victim, network, "10.77.0.92")
        finally:
            report.case("the victim ends in good order", victim.end)
    return report.finish()


if __name__ == "__main__":
    harness.main_guard(main)
