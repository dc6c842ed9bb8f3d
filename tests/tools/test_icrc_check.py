#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""The checker itself: what it must find right, and what it must not."""
import contextlib
import io
import pathlib
import struct
import subprocess
import sys
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
import icrc_check  # noqa: E402

CAPTURE = HERE.parent / "data" / "rxe.pcap"
FRAMES = [frame for _, frame, _ in icrc_check.read_capture(CAPTURE)]
PACKETS = [frame[14:] for frame in FRAMES]
KINDS = [frame[12:14] for frame in FRAMES]


def pcap(link, frames, order="<", lengths=None):
    lengths = lengths or [len(frame) for frame in frames]
    data = struct.pack(order + "IHHIIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, link)
    for frame, length in zip(frames, lengths):
        data += struct.pack(order + "4I", 1, 2, len(frame), length) + frame
    return data


def block(order, kind, body):
    body += bytes(-len(body) % 4)
    size = struct.pack(order + "I", len(body) + 12)
    return struct.pack(order + "I", kind) + size + body + size


def pcapng(link, frames, order="<", simple=False):
    data = block(order, 0x0a0d0d0a,
                 struct.pack(order + "IHHq", 0x1a2b3c4d, 1, 0, -1))
    data += block(order, 1, struct.pack(order + "HHI", link, 0, 0))
    data += block(order, 5, bytes(20))  # statistics: not a packet
    for frame in frames:
        if simple:
            data += block(order, 3, struct.pack(order + "I", len(frame)) + frame)
        else:
            data += block(order, 6, struct.pack(
                order + "5I", 0, 1, 2, len(frame), len(frame)) + frame)
    return data


def check(data):
    """Numbers of right and wrong packets."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        with contextlib.redirect_stdout(io.StringIO()):
            opcodes, wrong = icrc_check.check_file(file.name, False)
    return sum(opcodes.values()), wrong


class Formats(unittest.TestCase):
    def assert_all_right(self, data):
        self.assertEqual(check(data), (len(FRAMES), 0))

    def test_capture_of_another_implementation(self):
        self.assertGreater(len(FRAMES), 80)
        self.assert_all_right(CAPTURE.read_bytes())

    def test_pcap_of_both_byte_orders(self):
        self.assert_all_right(pcap(1, FRAMES, "<"))
        self.assert_all_right(pcap(1, FRAMES, ">"))

    def test_pcapng_of_both_byte_orders(self):
        for order in "<>":
            self.assert_all_right(pcapng(1, FRAMES, order))
            self.assert_all_right(pcapng(1, FRAMES, order, simple=True))

    def test_link_types(self):
        vlan = [frame[:12] + b"\x81\x00\x00\x07" + frame[12:]
                for frame in FRAMES]
        self.assert_all_right(pcap(1, vlan))
        for link in (12, 101):
            self.assert_all_right(pcap(link, PACKETS))
        cooked = [bytes(14) + kind + packet
                  for kind, packet in zip(KINDS, PACKETS)]
        self.assert_all_right(pcap(113, cooked))
        cooked2 = [kind + bytes(18) + packet
                   for kind, packet in zip(KINDS, PACKETS)]
        self.assert_all_right(pcapng(276, cooked2))
        loopback = [bytes([2, 0, 0, 0]) + packet for packet in PACKETS]
        self.assert_all_right(pcap(0, loopback))

    def test_unknown_link_type_is_said(self):
        self.assertEqual(check(pcap(9, FRAMES[:3])), (0, 3))

    def test_ethernet_padding_is_not_part_of_the_packet(self):
        self.assert_all_right(pcap(1, [frame + bytes(9) for frame in FRAMES]))


class Findings(unittest.TestCase):
    def test_each_bit_but_the_masked_ones(self):
        """Of the first packet, from the IP identification on."""
        packet = PACKETS[0]
        self.assertEqual(packet[0], 0x45)
        # TTL, protocol (no UDP then), IP checksum, ports (not 4791 then), UDP
        # checksum, FECN and what is reserved beside it
        ignored = {8, 10, 11, 26, 27, 32}
        other = {2, 3, 6, 7, 9, 22, 23}
        for byte in set(range(4, len(packet))) - other:
            for bit in range(8):
                wrong = bytearray(packet)
                wrong[byte] ^= 1 << bit
                self.assertEqual(check(pcap(101, [bytes(wrong)])),
                                 (1, 0) if byte in ignored else (0, 1),
                                 f"byte {byte} bit {bit}")

    def test_each_byte_of_ipv6_payloads(self):
        packet = next(p for p in PACKETS if p[0] >> 4 == 6)
        for byte in range(48, len(packet)):
            wrong = bytearray(packet)
            wrong[byte] ^= 0x10
            self.assertEqual(check(pcap(101, [bytes(wrong)])),
                             (1, 0) if byte == 52 else (0, 1))

    def test_packets_cut_off_are_wrong(self):
        frame = FRAMES[0]
        self.assertEqual(check(pcap(1, [frame[:-1]], lengths=[len(frame)])),
                         (0, 1))

    def test_files_cut_off_are_wrong(self):
        data = pcap(1, FRAMES)
        self.assertEqual(check(data[:-1]), (len(FRAMES) - 1, 1))
        self.assertEqual(check(pcapng(1, FRAMES)[:-4]), (len(FRAMES) - 1, 1))
        self.assertEqual(check(b"not a capture"), (0, 1))

    def test_others_are_not_counted(self):
        frame = bytearray(FRAMES[0])
        frame[36:38] = b"\x12\xb8"
        arp = FRAMES[0][:12] + b"\x08\x06" + bytes(28)
        self.assertEqual(check(pcap(1, [bytes(frame), arp])), (0, 0))

    def status(self, *arguments):
        return subprocess.run(
            [sys.executable, "-B", str(HERE / "icrc_check.py"), *arguments],
            capture_output=True).returncode

    def test_exit_status(self):
        self.assertEqual(self.status(str(CAPTURE)), 0)
        self.assertEqual(self.status("--min", "100000", str(CAPTURE)), 1)
        with tempfile.NamedTemporaryFile() as file:
            file.write(pcap(1, []))
            file.flush()
            self.assertEqual(self.status(file.name), 1)
            self.assertEqual(self.status(file.name, str(CAPTURE)), 1)


if __name__ == "__main__":
    unittest.main()
