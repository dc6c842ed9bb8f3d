/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Packets: bytes that another implementation sent against the values that they
 * stand for, in both directions; and what parsing refuses.
 */
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "captured.h"
#include "roce/packet.h"

#define IPV4_BYTES 20
#define IPV6_BYTES 40
#define UDP_BYTES 8

static const uint8_t *payload_of(const uint8_t *ip, uint32_t bytes,
				 uint32_t *length)
{
	uint32_t before = (ip[0] >> 4 == 6 ? IPV6_BYTES : IPV4_BYTES) +
			  UDP_BYTES;

	*length = bytes - before;
	return ip + before;
}

/* Parses, compares, and emits again. */
static void assert_packet(const uint8_t *ip, uint32_t bytes,
			  struct roce_packet want)
{
	uint8_t again[ROCE_MAX_HEADER_BYTES];
	struct roce_packet packet;
	const uint8_t *udp;
	uint32_t length, headers;

	udp = payload_of(ip, bytes, &length);
	assert_int_equal(roce_parse(udp, length, &packet), ROCE_OK);
	headers = roce_header_bytes(want.opcode);
	assert_ptr_equal(packet.payload, udp + headers);
	assert_int_equal(length,
			 roce_packet_bytes(want.opcode, want.payload_bytes));
	assert_int_equal(roce_emit(&want, again), headers);
	assert_memory_equal(again, udp, headers);
	want.payload = packet.payload;
	assert_int_equal(packet.opcode, want.opcode);
	assert_int_equal(packet.solicited, want.solicited);
	assert_int_equal(packet.migration, want.migration);
	assert_int_equal(packet.fecn, want.fecn);
	assert_int_equal(packet.becn, want.becn);
	assert_int_equal(packet.ack_request, want.ack_request);
	assert_int_equal(packet.pkey, want.pkey);
	assert_int_equal(packet.dest_qpn, want.dest_qpn);
	assert_int_equal(packet.psn, want.psn);
	assert_int_equal(packet.xrc_srqn, want.xrc_srqn);
	assert_int_equal(packet.qkey, want.qkey);
	assert_int_equal(packet.source_qpn, want.source_qpn);
	assert_int_equal(packet.address, want.address);
	assert_int_equal(packet.rkey, want.rkey);
	assert_int_equal(packet.dma_length, want.dma_length);
	assert_int_equal(packet.swap_or_add, want.swap_or_add);
	assert_int_equal(packet.compare, want.compare);
	assert_int_equal(packet.syndrome, want.syndrome);
	assert_int_equal(packet.msn, want.msn);
	assert_int_equal(packet.original, want.original);
	assert_int_equal(packet.immediate, want.immediate);
	assert_int_equal(packet.invalidate, want.invalidate);
	assert_int_equal(packet.payload_bytes, want.payload_bytes);
}

#define assert_captured(name, ...)                                             \
	assert_packet(name, sizeof(name),                                      \
		      (struct roce_packet){ .pkey = 0xffff, __VA_ARGS__ })

/* The value in memory of four bytes. */
static uint32_t raw(uint8_t a, uint8_t b, uint8_t c, uint8_t d)
{
	const uint8_t bytes[4] = { a, b, c, d };
	uint32_t value;

	memcpy(&value, bytes, 4);
	return value;
}

static void captured_sends(void **state)
{
	(void)state;
	assert_captured(rc_send_only, .opcode = 0x04, .dest_qpn = 0x1a,
			.ack_request = true, .psn = 0x60dbf8,
			.payload_bytes = 16);
	assert_captured(
		rc_send_only_imm, .opcode = 0x05, .solicited = true,
		.dest_qpn = 0x123456, .ack_request = true, .psn = 0x111111,
		.immediate = raw(0x44, 0x33, 0x22, 0x11), .payload_bytes = 5);
	assert_captured(rc_send_last_imm, .opcode = 0x03, .dest_qpn = 0x123456,
			.ack_request = true, .psn = 0x111112,
			.immediate = raw(0x44, 0x33, 0x22, 0x11),
			.payload_bytes = 3);
	assert_captured(rc_send_last_inv, .opcode = 0x16, .dest_qpn = 0x123456,
			.ack_request = true, .psn = 0x111112,
			.invalidate = 0xa1b2c3d4, .payload_bytes = 1);
	assert_captured(rc_send_only_inv, .opcode = 0x17, .dest_qpn = 0x123456,
			.ack_request = true, .psn = 0x111111,
			.invalidate = 0xa1b2c3d4, .payload_bytes = 3);
	assert_captured(uc_send_only, .opcode = 0x24, .dest_qpn = 0x123456,
			.psn = 0x111111, .payload_bytes = 6);
	assert_captured(
		rc_send_only_imm_v6, .opcode = 0x05, .solicited = true,
		.dest_qpn = 0x123456, .ack_request = true, .psn = 0x111111,
		.immediate = raw(0x44, 0x33, 0x22, 0x11), .payload_bytes = 5);
}

static void captured_datagrams(void **state)
{
	(void)state;
	assert_captured(ud_send_only, .opcode = 0x64, .dest_qpn = 0x654321,
			.qkey = 0x0badcafe, .source_qpn = 0x1c,
			.payload_bytes = 1);
	assert_captured(ud_send_only_imm, .opcode = 0x65, .dest_qpn = 0x654321,
			.psn = 1, .qkey = 0x0badcafe, .source_qpn = 0x1c,
			.immediate = raw(0xcc, 0xbb, 0xaa, 0x99),
			.payload_bytes = 2);
	assert_captured(
		ud_send_only_imm_v6, .opcode = 0x65, .dest_qpn = 0x654321,
		.psn = 1, .qkey = 0x0badcafe, .source_qpn = 0x29,
		.immediate = raw(0xcc, 0xbb, 0xaa, 0x99), .payload_bytes = 2);
}

static void captured_writes(void **state)
{
	(void)state;
	assert_captured(rc_write_only, .opcode = 0x0a, .dest_qpn = 0x1a,
			.ack_request = true, .psn = 0xc06259,
			.address = 0x55702d5305c0, .rkey = 0xdcc,
			.dma_length = 64, .payload_bytes = 64);
	assert_captured(
		rc_write_only_imm, .opcode = 0x0b, .dest_qpn = 0x123456,
		.ack_request = true, .psn = 0x111111,
		.address = 0x1122334455667788, .rkey = 0x55aa, .dma_length = 7,
		.immediate = raw(0x88, 0x77, 0x66, 0x55), .payload_bytes = 7);
	assert_captured(rc_write_last_imm, .opcode = 0x09, .dest_qpn = 0x123456,
			.ack_request = true, .psn = 0x111112,
			.immediate = raw(0x88, 0x77, 0x66, 0x55),
			.payload_bytes = 88);
	assert_captured(uc_write_last_imm, .opcode = 0x29, .dest_qpn = 0x123456,
			.psn = 0x111112,
			.immediate = raw(0x88, 0x77, 0x66, 0x55),
			.payload_bytes = 89);
}

static void captured_reads(void **state)
{
	(void)state;
	assert_captured(rc_read_request, .opcode = 0x0c, .dest_qpn = 0x1a,
			.ack_request = true, .psn = 0xc06257,
			.address = 0x55702d533d80, .rkey = 0xecd,
			.dma_length = 64);
	assert_captured(rc_read_response_only, .opcode = 0x10, .dest_qpn = 0x1a,
			.psn = 0xc06257, .syndrome = 0x1f, .msn = 1,
			.payload_bytes = 64);
	assert_captured(rc_read_request_v6, .opcode = 0x0c,
			.dest_qpn = 0x123456, .ack_request = true,
			.psn = 0x111111, .address = 0x1122334455667788,
			.rkey = 0x55aa, .dma_length = 1200);
}

static void captured_answers(void **state)
{
	(void)state;
	assert_captured(rc_acknowledge, .opcode = 0x11, .dest_qpn = 0x1a,
			.psn = 0x60dbf8, .syndrome = 0x1f, .msn = 1);
	assert_captured(rc_rnr_nak, .opcode = 0x11, .dest_qpn = 0x123456,
			.psn = 0x222222, .syndrome = 0x2c);
	assert_captured(rc_rnr_nak_v6, .opcode = 0x11, .dest_qpn = 0x123456,
			.psn = 0x222222, .syndrome = 0x2c);
}

static void captured_atomics(void **state)
{
	(void)state;
	assert_captured(rc_compare_swap, .opcode = 0x13, .dest_qpn = 0x123456,
			.ack_request = true, .psn = 0x111111,
			.address = 0x1122334455667788, .rkey = 0x55aa,
			.swap_or_add = 0x1112131415161718,
			.compare = 0x0102030405060708);
	assert_captured(rc_compare_swap_v6, .opcode = 0x13,
			.dest_qpn = 0x123456, .ack_request = true,
			.psn = 0x111111, .address = 0x1122334455667788,
			.rkey = 0x55aa, .swap_or_add = 0x1112131415161718,
			.compare = 0x0102030405060708);
	assert_captured(rc_fetch_add, .opcode = 0x14, .dest_qpn = 0x15,
			.ack_request = true, .psn = 0x4d862e,
			.address = 0x5619372ae000, .rkey = 0x6b0,
			.swap_or_add = 1);
	assert_captured(rc_atomic_acknowledge, .opcode = 0x12, .dest_qpn = 0x16,
			.psn = 0x055b9a, .syndrome = 0x1f, .msn = 1,
			.original = 0xd9653c8ecc4737fa);
}

/* What no capture has: XRC, and the bits of congestion and migration. */
static void xrc_header_comes_first(void **state)
{
	static const uint8_t golden[] = {
		0xb3, 0x40, 0xff, 0xff, 0xc0, 0x00, 0x00, 0x07, /* BTH */
		0x00, 0xff, 0xff, 0xff, 0x00, 0xab, 0xcd, 0xef, /* XRCETH */
		0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, /* AtomicETH */
		0x11, 0x12, 0x13, 0x14, 0x21, 0x22, 0x23, 0x24, 0x25, 0x26,
		0x27, 0x28, 0x31, 0x32, 0x33, 0x34, 0x35, 0x36, 0x37, 0x38,
	};
	struct roce_packet packet = {
		.opcode = ROCE_XRC | ROCE_COMPARE_SWAP,
		.migration = true,
		.fecn = true,
		.becn = true,
		.pkey = 0xffff,
		.dest_qpn = 7,
		.psn = 0xffffff,
		.xrc_srqn = 0xabcdef,
		.address = 0x0102030405060708,
		.rkey = 0x11121314,
		.swap_or_add = 0x2122232425262728,
		.compare = 0x3132333435363738,
	};
	uint8_t bytes[sizeof(golden) + ROCE_ICRC_BYTES] = { 0 };

	(void)state;
	assert_int_equal(roce_emit(&packet, bytes), sizeof(golden));
	assert_memory_equal(bytes, golden, sizeof(golden));
	memset(&packet, 0, sizeof(packet));
	assert_int_equal(roce_parse(bytes, sizeof(bytes), &packet), ROCE_OK);
	assert_true(packet.migration && packet.fecn && packet.becn);
	assert_int_equal(packet.xrc_srqn, 0xabcdef);
	assert_int_equal(packet.compare, 0x3132333435363738);
}

static void reserved_bits_are_ignored(void **state)
{
	struct roce_packet packet, again;
	uint8_t bytes[64];
	const uint8_t *udp;
	uint32_t length;

	(void)state;
	udp = payload_of(ud_send_only_imm, sizeof(ud_send_only_imm), &length);
	memcpy(bytes, udp, length);
	assert_int_equal(roce_parse(bytes, length, &packet), ROCE_OK);
	bytes[4] |= 0x3f; /* resv6 */
	bytes[8] |= 0x7f; /* resv7 */
	bytes[16] = 0xff; /* DETH */
	assert_int_equal(roce_parse(bytes, length, &again), ROCE_OK);
	assert_memory_equal(&packet, &again, sizeof(packet));
}

/*
 * Each opcode, filled with as many different bytes as its headers have: what is
 * emitted again from the parsed values is the same, so that no field is lost or
 * moved. Reserved bits are left zero.
 */
static void every_opcode_survives_a_round_trip(void **state)
{
	uint8_t bytes[ROCE_MAX_HEADER_BYTES + ROCE_ICRC_BYTES];
	uint8_t again[ROCE_MAX_HEADER_BYTES];
	struct roce_packet packet;
	uint32_t opcode, headers, info, i;

	(void)state;
	for (opcode = 0; opcode < 256; opcode++) {
		info = roce_opcode_info((uint8_t)opcode);
		headers = roce_header_bytes((uint8_t)opcode);
		if (!info)
			continue;
		for (i = 0; i < sizeof(bytes); i++)
			bytes[i] = (uint8_t)(i * 37 + 11);
		bytes[0] = (uint8_t)opcode;
		bytes[1] = bytes[4] = bytes[8] = 0;
		if (info & ROCE_HAS_XRCETH)
			bytes[12] = 0;
		if (info & ROCE_HAS_DETH)
			bytes[16] = 0;
		assert_int_equal(roce_parse(bytes, headers + 4, &packet),
				 ROCE_OK);
		assert_int_equal(packet.payload_bytes, 0);
		assert_int_equal(roce_emit(&packet, again), headers);
		assert_memory_equal(again, bytes, headers);
	}
}

/* In memory of its own of that size, so that a sanitizer sees reading on. */
static enum roce_verdict parse_copy(const uint8_t *bytes, uint32_t length)
{
	uint8_t *copy = malloc(length ? length : 1);
	struct roce_packet packet;
	enum roce_verdict verdict;

	assert_non_null(copy);
	memcpy(copy, bytes, length);
	verdict = roce_parse(copy, length, &packet);
	if (verdict == ROCE_OK)
		assert_true(packet.payload + packet.payload_bytes + 4 <=
			    copy + length);
	free(copy);
	return verdict;
}

static void every_truncation_is_refused_or_a_shorter_payload(void **state)
{
	uint8_t bytes[ROCE_MAX_HEADER_BYTES + 4] = { 0 };
	uint32_t opcode, length, headers;

	(void)state;
	for (opcode = 0; opcode < 256; opcode++) {
		uint32_t info = roce_opcode_info((uint8_t)opcode);

		bytes[0] = (uint8_t)opcode;
		headers = roce_header_bytes((uint8_t)opcode);
		for (length = 0; length <= sizeof(bytes); length++) {
			enum roce_verdict verdict = parse_copy(bytes, length);

			if (length < 16)
				assert_int_equal(verdict, ROCE_BAD_LENGTH);
			else if (!info)
				assert_int_equal(verdict, ROCE_BAD_OPCODE);
			else if (length % 4 || length < headers + 4)
				assert_int_equal(verdict, ROCE_BAD_LENGTH);
			else if (length > headers + 4 &&
				 !(info & ROCE_HAS_PAYLOAD))
				assert_int_equal(verdict, ROCE_BAD_PAYLOAD);
			else
				assert_int_equal(verdict, ROCE_OK);
		}
	}
}

static void the_pad_belongs_to_a_payload(void **state)
{
	uint8_t bytes[24] = { 0x04, 0 };
	struct roce_packet packet;
	uint32_t pad;

	(void)state;
	for (pad = 0; pad < 4; pad++) {
		bytes[1] = (uint8_t)(pad << 4);
		/* BTH, one word, ICRC */
		assert_int_equal(roce_parse(bytes, 20, &packet), ROCE_OK);
		assert_int_equal(packet.payload_bytes, 4 - pad);
		/* BTH, ICRC */
		assert_int_equal(roce_parse(bytes, 16, &packet),
				 pad ? ROCE_BAD_PAYLOAD : ROCE_OK);
	}
	/* An acknowledgement has neither. */
	bytes[0] = 0x11;
	bytes[1] = 0x10;
	assert_int_equal(roce_parse(bytes, 20, &packet), ROCE_BAD_PAYLOAD);
	assert_int_equal(roce_parse(bytes, 24, &packet), ROCE_BAD_PAYLOAD);
}

static void other_versions_are_refused(void **state)
{
	uint8_t bytes[16] = { 0x04, 0 };
	struct roce_packet packet;
	uint32_t version;

	(void)state;
	for (version = 1; version < 16; version++) {
		bytes[1] = (uint8_t)version;
		assert_int_equal(roce_parse(bytes, 16, &packet),
				 ROCE_BAD_VERSION);
	}
}

static void psns_wrap(void **state)
{
	(void)state;
	assert_int_equal(roce_psn_add(0xffffff, 1), 0);
	assert_int_equal(roce_psn_add(0xfffff0, 0x20), 0x10);
	assert_int_equal(roce_psn_add(5, (uint32_t)-6), 0xffffff);
	assert_int_equal(roce_psn_distance(7, 7), 0);
	assert_int_equal(roce_psn_distance(0, 0xffffff), 1);
	assert_int_equal(roce_psn_distance(0xffffff, 0), -1);
	assert_int_equal(roce_psn_distance(0x7fffff, 0), 0x7fffff);
	assert_int_equal(roce_psn_distance(0x800000, 0), -0x800000);
	assert_int_equal(roce_psn_distance(0, 0x800000), -0x800000);
	assert_int_equal(roce_psn_distance(0x800001, 1), -0x800000);
	assert_int_equal(roce_psn_distance(0x700000, 0xf80000), 0x780000);
}

static void pads_fill_the_word(void **state)
{
	uint32_t bytes;

	(void)state;
	for (bytes = 0; bytes < 5000; bytes++) {
		assert_true(roce_pad_bytes(bytes) < 4);
		assert_int_equal((bytes + roce_pad_bytes(bytes)) % 4, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(captured_sends),
		cmocka_unit_test(captured_datagrams),
		cmocka_unit_test(captured_writes),
		cmocka_unit_test(captured_reads),
		cmocka_unit_test(captured_answers),
		cmocka_unit_test(captured_atomics),
		cmocka_unit_test(xrc_header_comes_first),
		cmocka_unit_test(reserved_bits_are_ignored),
		cmocka_unit_test(every_opcode_survives_a_round_trip),
		cmocka_unit_test(
			every_truncation_is_refused_or_a_shorter_payload),
		cmocka_unit_test(the_pad_belongs_to_a_payload),
		cmocka_unit_test(other_versions_are_refused),
		cmocka_unit_test(psns_wrap),
		cmocka_unit_test(pads_fill_the_word),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
