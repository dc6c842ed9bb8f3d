#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""
Checks the RoCE v2 packets of captures: the invariant CRC, exactly, and the
structure (lengths, headers by opcode, pad). Shares no code with the adapter, so
that a mistake in one does not hide in the other.

    icrc_check.py [--min PACKETS] [--list] FILE...

Reads pcap and pcapng with Ethernet (VLAN tags too), raw IP, Linux cooked (v1
and v2) and loopback link types. Prints each wrong packet, then how many packets
were RoCE v2; the exit status is 1 if one was wrong, could not be judged because
the capture cut it off, or fewer than --min (default 1) came.
"""
import argparse
import collections
import struct
import sys
import zlib

ROCE_PORT = 4791

LINK_NULL, LINK_ETHERNET, LINK_LOOP = 0, 1, 108
LINK_RAW, LINK_RAW_BSD, LINK_RAW_OLD = 101, 12, 14
LINK_COOKED, LINK_COOKED2 = 113, 276
LINK_IPV4, LINK_IPV6 = 228, 229
RAW = {LINK_RAW, LINK_RAW_BSD, LINK_RAW_OLD, LINK_IPV4, LINK_IPV6}

ETHER_VLAN = {0x8100, 0x88a8}
ETHER_IP = {0x0800, 0x86dd}

SENDS = {0: "SEND_FIRST", 1: "SEND_MIDDLE", 2: "SEND_LAST",
         3: "SEND_LAST_IMM", 4: "SEND_ONLY", 5: "SEND_ONLY_IMM"}
WRITES = {6: "WRITE_FIRST", 7: "WRITE_MIDDLE", 8: "WRITE_LAST",
          9: "WRITE_LAST_IMM", 10: "WRITE_ONLY", 11: "WRITE_ONLY_IMM"}
OTHERS = {12: "READ_REQUEST", 13: "READ_RESPONSE_FIRST",
          14: "READ_RESPONSE_MIDDLE", 15: "READ_RESPONSE_LAST",
          16: "READ_RESPONSE_ONLY", 17: "ACKNOWLEDGE",
          18: "ATOMIC_ACKNOWLEDGE", 19: "COMPARE_SWAP", 20: "FETCH_ADD",
          22: "SEND_LAST_INV", 23: "SEND_ONLY_INV", 29: "ATOMIC_WRITE"}
NAMES = {**SENDS, **WRITES, **OTHERS}
ANSWERS = range(13, 19)

# Bytes after the BTH, by operation; what is not here has none.
EXTENSIONS = {3: 4, 5: 4, 6: 16, 9: 4, 10: 16, 11: 20, 12: 16, 13: 4, 15: 4,
              16: 4, 17: 4, 18: 12, 19: 28, 20: 28, 22: 4, 23: 4, 29: 16}
NO_PAYLOAD = {12, 17, 18, 19, 20}


class Malformed(Exception):
    pass


def read_pcap(data):
    magic = data[:4]
    orders = {b"\xd4\xc3\xb2\xa1": "<", b"\xa1\xb2\xc3\xd4": ">",
              b"\x4d\x3c\xb2\xa1": "<", b"\xa1\xb2\x3c\x4d": ">"}
    order = orders[magic]
    link = struct.unpack_from(order + "I", data, 20)[0] & 0xffff
    at = 24
    while at < len(data):
        if at + 16 > len(data):
            raise Malformed("the file ends within a packet's header")
        captured, length = struct.unpack_from(order + "II", data, at + 8)
        at += 16
        if at + captured > len(data):
            raise Malformed("the file ends within a packet")
        yield link, data[at:at + captured], length
        at += captured


def read_pcapng(data):
    order, links, at = "<", [], 0
    while at < len(data):
        if at + 12 > len(data):
            raise Malformed("the file ends within a block")
        if data[at:at + 4] == b"\x0a\x0d\x0d\x0a":
            order = "<" if data[at + 8:at + 12] == b"\x4d\x3c\x2b\x1a" else ">"
            links = []
        kind, size = struct.unpack_from(order + "II", data, at)
        if size < 12 or size % 4 or at + size > len(data):
            raise Malformed(f"block of {size} bytes at {at}")
        if struct.unpack_from(order + "I", data, at + size - 4)[0] != size:
            raise Malformed(f"two sizes of the block at {at} differ")
        body = data[at + 8:at + size - 4]
        at += size
        if kind == 1:
            links.append((struct.unpack_from(order + "H", body)[0],
                          struct.unpack_from(order + "I", body, 4)[0]))
        elif kind == 6:
            interface, _, _, captured, length = struct.unpack_from(
                order + "5I", body)
            yield links[interface][0], body[20:20 + captured], length
        elif kind == 3:
            length = struct.unpack_from(order + "I", body)[0]
            captured = min(length, len(body) - 4, links[0][1] or length)
            yield links[0][0], body[4:4 + captured], length


def read_capture(path):
    with open(path, "rb") as file:
        data = file.read()
    if data[:4] == b"\x0a\x0d\x0d\x0a":
        return read_pcapng(data)
    if len(data) >= 24 and data[:4] in (
            b"\xd4\xc3\xb2\xa1", b"\xa1\xb2\xc3\xd4",
            b"\x4d\x3c\xb2\xa1", b"\xa1\xb2\x3c\x4d"):
        return read_pcap(data)
    raise Malformed("neither pcap nor pcapng")


def ip_of(link, frame):
    """The IP packet in a frame, or None."""
    if link == LINK_ETHERNET:
        at, kind = 14, int.from_bytes(frame[12:14], "big")
        while kind in ETHER_VLAN:
            kind = int.from_bytes(frame[at + 2:at + 4], "big")
            at += 4
        return frame[at:] if kind in ETHER_IP else None
    if link == LINK_COOKED:
        kind = int.from_bytes(frame[14:16], "big")
        return frame[16:] if kind in ETHER_IP else None
    if link == LINK_COOKED2:
        kind = int.from_bytes(frame[0:2], "big")
        return frame[20:] if kind in ETHER_IP else None
    if link in (LINK_NULL, LINK_LOOP):
        return frame[4:]
    if link in RAW:
        return frame
    raise Malformed(f"link type {link} is not known")


def masked_ipv4(ip, cut):
    """Header as the ICRC sees it, and the UDP datagram; None: not UDP."""
    header = (ip[0] & 15) * 4
    length = int.from_bytes(ip[2:4], "big")
    if ip[9] != 17:
        return None
    if int.from_bytes(ip[6:8], "big") & 0x1fff:
        return None  # a later fragment: it has no UDP header
    udp = ip[header:length]
    if udp[2:4] != ROCE_PORT.to_bytes(2, "big"):
        return None
    if ip[6] & 0x20:
        raise Malformed("IP fragment")
    if header != 20:
        raise Malformed("IPv4 options")
    if len(ip) < length:
        raise Malformed("cut off by the capture" if cut else "IP total length")
    masked = bytearray(ip[:20])
    masked[1] = masked[8] = masked[10] = masked[11] = 0xff
    return bytes(masked), udp


def masked_ipv6(ip, cut):
    if ip[6] != 17:
        return None
    length = int.from_bytes(ip[4:6], "big")
    udp = ip[40:40 + length]
    if udp[2:4] != ROCE_PORT.to_bytes(2, "big"):
        return None
    if len(ip) < 40 + length:
        raise Malformed("cut off by the capture" if cut else "IP payload length")
    masked = bytearray(ip[:40])
    masked[0] |= 0x0f
    masked[1] = masked[2] = masked[3] = masked[7] = 0xff
    return bytes(masked), udp


def check_structure(payload):
    """Raises Malformed; returns the opcode."""
    if len(payload) < 16:
        raise Malformed(f"{len(payload)} bytes are no packet")
    opcode, flags = payload[0], payload[1]
    operation = opcode & 0x1f
    transport = opcode >> 5
    if flags & 0x0f:
        raise Malformed(f"transport version {flags & 15}")
    if opcode == 0x81:
        extensions = 0
    elif transport == 3 and operation in (4, 5):
        extensions = 8 + EXTENSIONS.get(operation, 0)
    elif transport in (0, 5) and operation in NAMES or \
            transport == 1 and operation in {**SENDS, **WRITES}:
        extensions = EXTENSIONS.get(operation, 0)
        if transport == 5 and operation not in ANSWERS:
            extensions += 4
    else:
        raise Malformed(f"opcode {opcode:#04x}")
    rest = len(payload) - 12 - extensions - 4
    pad = flags >> 4 & 3
    if len(payload) % 4:
        raise Malformed(f"{len(payload)} bytes are not whole words")
    if rest < 0 or pad > rest:
        raise Malformed(f"{len(payload)} bytes are too few for its headers")
    if rest and operation in NO_PAYLOAD and opcode != 0x81:
        raise Malformed("payload where none may be")
    return opcode


def icrc_of(ip_header, udp):
    udp_header = udp[:6] + b"\xff\xff"
    bth = bytearray(udp[8:20])
    bth[4] = 0xff
    covered = b"\xff" * 8 + ip_header + udp_header + bth + udp[20:-4]
    return zlib.crc32(covered)


def check_frame(link, frame, length):
    """The opcode and a text for RoCE v2 packets; None for all others."""
    ip = ip_of(link, frame)
    if not ip:
        return None
    version = ip[0] >> 4
    cut = len(frame) < length
    if version == 4 and len(ip) >= 28:
        found = masked_ipv4(ip, cut)
    elif version == 6 and len(ip) >= 48:
        found = masked_ipv6(ip, cut)
    else:
        return None
    if not found:
        return None
    header, udp = found
    if len(udp) < 8 or int.from_bytes(udp[4:6], "big") != len(udp):
        raise Malformed("UDP length")
    opcode = check_structure(udp[8:])
    stored = int.from_bytes(udp[-4:], "little")
    right = icrc_of(header, udp)
    if stored != right:
        raise Malformed(f"ICRC {stored:#010x}, should be {right:#010x}, "
                        f"opcode {opcode:#04x}, psn {udp[17:20].hex()}")
    return opcode


def check_file(path, show):
    """Numbers of packets (by opcode) and of wrong ones."""
    opcodes, wrong = collections.Counter(), 0
    try:
        for number, (link, frame, length) in enumerate(read_capture(path), 1):
            try:
                opcode = check_frame(link, frame, length)
            except Malformed as reason:
                print(f"{path}: packet {number}: {reason}")
                wrong += 1
                continue
            if opcode is None:
                continue
            opcodes[opcode] += 1
            if show:
                print(f"{path}: packet {number}: {opcode:#04x} right")
    except (Malformed, KeyError, IndexError, struct.error) as reason:
        print(f"{path}: not a capture that can be read: {reason}")
        wrong += 1
    return opcodes, wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--min", type=int, default=1, metavar="PACKETS")
    parser.add_argument("--list", action="store_true",
                        help="print each packet, and how many of each opcode")
    parser.add_argument("files", nargs="+", metavar="FILE")
    arguments = parser.parse_args()
    failed = False
    for path in arguments.files:
        opcodes, wrong = check_file(path, arguments.list)
        right = sum(opcodes.values())
        print(f"{path}: {right + wrong} RoCE v2 packets, {wrong} wrong")
        if arguments.list:
            for opcode, count in sorted(opcodes.items()):
                print(f"    {opcode:#04x} {count}")
        failed = failed or wrong > 0 or right < arguments.min
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
