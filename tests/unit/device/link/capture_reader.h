/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Reads a capture file back for tests: every block must be well formed, and so
 * must every header before the BTH. What it expects is written here anew, and
 * shares nothing with the code that writes.
 */
#ifndef TESTS_CAPTURE_READER_H
#define TESTS_CAPTURE_READER_H

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <roce/icrc.h>
#include <roce/packet.h>

#define READER_MAX_PACKETS 64u
#define READER_HEAD_BYTES 88u

struct reader_packet {
	bool outbound, crc_error, ipv6;
	uint32_t udp_bytes;
	uint8_t hop_limit, traffic_class;
	struct roce_envelope envelope;
	struct roce_packet roce; /* when the verdict is OK */
	enum roce_verdict verdict;
	bool icrc_right;
};

static struct {
	uint32_t num_packets;
	struct reader_packet packets[READER_MAX_PACKETS];
	uint8_t bytes[1u << 20];
} reader;

static inline uint32_t reader_le32(const uint8_t *at)
{
	return at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 |
	       (uint32_t)at[3] << 24;
}

static inline uint32_t reader_be16(const uint8_t *at)
{
	return (uint32_t)at[0] << 8 | at[1];
}

/* Sum of 16-bit words, which is 0xffff over what includes its checksum. */
static inline uint32_t reader_sum(uint32_t total, const uint8_t *at,
				  uint32_t bytes)
{
	for (uint32_t i = 0; i < bytes; i++)
		total += i % 2 ? at[i] : (uint32_t)at[i] << 8;
	while (total >> 16)
		total = (total & 0xffff) + (total >> 16);
	return total;
}

static inline uint32_t reader_ipv4(struct reader_packet *packet,
				   const uint8_t *ip, uint32_t bytes)
{
	struct roce_envelope *envelope = &packet->envelope;

	assert_int_equal(ip[0], 0x45);
	assert_int_equal(reader_be16(ip + 2), bytes);
	assert_int_equal(reader_be16(ip + 6), 0x4000);
	assert_int_equal(ip[9], 17);
	assert_int_equal(reader_sum(0, ip, 20), 0xffff);
	packet->traffic_class = ip[1];
	packet->hop_limit = ip[8];
	envelope->ip_id = (uint16_t)reader_be16(ip + 4);
	envelope->dont_fragment = true;
	memset(envelope->source + 10, 0xff, 2);
	memcpy(envelope->source + 12, ip + 12, 4);
	memset(envelope->destination + 10, 0xff, 2);
	memcpy(envelope->destination + 12, ip + 16, 4);
	return 20;
}

static inline uint32_t reader_ipv6(struct reader_packet *packet,
				   const uint8_t *ip, uint32_t bytes)
{
	assert_int_equal(ip[0] >> 4, 6);
	assert_int_equal(reader_be16(ip + 4), bytes - 40);
	assert_int_equal(ip[6], 17);
	packet->ipv6 = true;
	packet->traffic_class = (uint8_t)(ip[0] << 4 | ip[1] >> 4);
	packet->hop_limit = ip[7];
	memcpy(packet->envelope.source, ip + 8, 16);
	memcpy(packet->envelope.destination, ip + 24, 16);
	return 40;
}

static inline void reader_frame(struct reader_packet *packet, const uint8_t *ip,
				uint32_t bytes)
{
	const uint8_t *addresses, *udp;
	uint16_t ignored;
	uint32_t header;

	header = ip[0] >> 4 == 4 ? reader_ipv4(packet, ip, bytes) :
				   reader_ipv6(packet, ip, bytes);
	udp = ip + header;
	addresses = header == 20 ? ip + 12 : ip + 8;
	packet->envelope.source_port = (uint16_t)reader_be16(udp);
	packet->envelope.destination_port = (uint16_t)reader_be16(udp + 2);
	assert_int_equal(packet->envelope.destination_port, 4791);
	assert_int_equal(reader_be16(udp + 4), bytes - header);
	assert_int_equal(reader_sum(reader_sum(17 + bytes - header, addresses,
					       header == 20 ? 8 : 32),
				    udp, bytes - header),
			 0xffff);
	packet->udp_bytes = bytes - header - 8;
	packet->verdict = roce_parse(udp + 8, packet->udp_bytes, &packet->roce);
	packet->icrc_right = packet->udp_bytes >= 16 &&
			     roce_icrc_check(&packet->envelope, udp + 8,
					     packet->udp_bytes,
					     &ignored) == ROCE_ICRC_EXACT;
}

static inline uint32_t reader_block(const uint8_t *block)
{
	uint32_t bytes = reader_le32(block + 4);
	uint32_t captured = reader_le32(block + 20);
	struct reader_packet *packet = &reader.packets[reader.num_packets++];
	const uint8_t *options = block + 28 + (captured + 3) / 4 * 4;

	assert_true(reader.num_packets <= READER_MAX_PACKETS);
	memset(packet, 0, sizeof(*packet));
	assert_int_equal(reader_le32(block), 6);
	assert_int_equal(reader_le32(block + 8), 0);
	assert_int_equal(reader_le32(block + 24), captured);
	assert_int_equal(reader_le32(options), 0x00040002);
	packet->outbound = (reader_le32(options + 4) & 3) == 2;
	packet->crc_error = reader_le32(options + 4) >> 24;
	assert_int_equal(reader_le32(options + 8), 0);
	assert_int_equal(reader_le32(options + 12), bytes);
	assert_ptr_equal(options + 16, block + bytes);
	reader_frame(packet, block + 28, captured);
	return bytes;
}

/* Reads the whole file. */
static inline void reader_read(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t size = read(fd, reader.bytes, sizeof(reader.bytes));
	uint32_t at;

	close(fd);
	reader.num_packets = 0;
	assert_in_range(size, READER_HEAD_BYTES, sizeof(reader.bytes) - 1);
	assert_int_equal(reader_le32(reader.bytes), 0x0a0d0d0a);
	for (at = READER_HEAD_BYTES; at < (size_t)size;)
		at += reader_block(reader.bytes + at);
	assert_int_equal(at, size);
}

#endif
