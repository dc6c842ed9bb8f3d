/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * ICRC: packets of another implementation have it right, and what is corrupted
 * is refused, except where exactly an IP identification explains it.
 */
#include <cmocka.h>
#include <string.h>

#include "captured.h"
#include "roce/icrc.h"
#include "roce/packet.h"

#define IPV4_BYTES 20
#define IPV6_BYTES 40
#define UDP_BYTES 8

static uint16_t get16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

/* Envelope and UDP payload of an IP packet; the payload is a copy, so that it
 * can be changed. */
struct frame {
	struct roce_envelope envelope;
	uint8_t payload[4200];
	uint32_t length;
};

static void frame_of(const uint8_t *ip, uint32_t bytes, struct frame *frame)
{
	struct roce_envelope *envelope = &frame->envelope;
	uint32_t ip_bytes = ip[0] >> 4 == 6 ? IPV6_BYTES : IPV4_BYTES;

	memset(frame, 0, sizeof(*frame));
	if (ip_bytes == IPV6_BYTES) {
		memcpy(envelope->source, ip + 8, 16);
		memcpy(envelope->destination, ip + 24, 16);
	} else {
		memset(envelope->source + 10, 0xff, 2);
		memset(envelope->destination + 10, 0xff, 2);
		memcpy(envelope->source + 12, ip + 12, 4);
		memcpy(envelope->destination + 12, ip + 16, 4);
		envelope->ip_id = get16(ip + 4);
		envelope->dont_fragment = ip[6] & 0x40;
	}
	envelope->source_port = get16(ip + ip_bytes);
	envelope->destination_port = get16(ip + ip_bytes + 2);
	frame->length = bytes - ip_bytes - UDP_BYTES;
	memcpy(frame->payload, ip + ip_bytes + UDP_BYTES, frame->length);
}

static enum roce_icrc_match check(const struct frame *frame, uint16_t *ip_id)
{
	return roce_icrc_check(&frame->envelope, frame->payload, frame->length,
			       ip_id);
}

static void captured_packets_are_right(void **state)
{
	struct frame frame;
	uint16_t id;
	size_t i;

	(void)state;
	for (i = 0; i < NUM_CAPTURED; i++) {
		frame_of(captured[i].bytes, captured[i].length, &frame);
		assert_int_equal(check(&frame, &id), ROCE_ICRC_EXACT);
		assert_int_equal(id, frame.envelope.ip_id);
	}
}

static void sealing_writes_what_was_captured(void **state)
{
	struct frame frame;
	uint8_t icrc[4];
	size_t i;

	(void)state;
	for (i = 0; i < NUM_CAPTURED; i++) {
		frame_of(captured[i].bytes, captured[i].length, &frame);
		memcpy(icrc, frame.payload + frame.length - 4, 4);
		memset(frame.payload + frame.length - 4, 0x5a, 4);
		roce_icrc_seal(&frame.envelope, frame.payload, frame.length);
		assert_memory_equal(frame.payload + frame.length - 4, icrc, 4);
	}
}

/* The definition: bit by bit, over the packet as it is masked. */
static uint32_t defined_crc(const uint8_t *bytes, size_t length, uint32_t crc)
{
	size_t i;
	int bit;

	for (i = 0; i < length; i++) {
		crc ^= bytes[i];
		for (bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
	}
	return crc;
}

static uint32_t defined_icrc(const uint8_t *ip, uint32_t bytes)
{
	uint32_t ip_bytes = ip[0] >> 4 == 6 ? IPV6_BYTES : IPV4_BYTES;
	uint8_t masked[8 + 512];
	uint8_t *at = masked + 8;

	assert_true(bytes <= 512);
	memset(masked, 0xff, 8);
	memcpy(at, ip, bytes);
	if (ip_bytes == IPV6_BYTES) {
		at[0] = 0x6f;
		memset(at + 1, 0xff, 3);
		at[7] = 0xff;
	} else {
		at[1] = 0xff;
		at[8] = 0xff;
		memset(at + 10, 0xff, 2);
	}
	memset(at + ip_bytes + 6, 0xff, 2);
	at[ip_bytes + UDP_BYTES + 4] = 0xff;
	return ~defined_crc(masked, 8 + bytes - 4, 0xffffffffu);
}

static uint32_t sealed_icrc(struct frame *frame)
{
	const uint8_t *at = frame->payload + frame->length - 4;

	roce_icrc_seal(&frame->envelope, frame->payload, frame->length);
	return at[0] | at[1] << 8 | at[2] << 16 | (uint32_t)at[3] << 24;
}

/* Of a packet no more than these two are not read as plain bytes. */
static void each_identification_and_mask_is_as_defined(void **state)
{
	struct frame frame;
	uint8_t ip[512];
	uint32_t value;
	size_t i;

	(void)state;
	for (i = 0; i < NUM_CAPTURED; i++) {
		uint32_t bytes = (uint32_t)captured[i].length;
		uint32_t bth = captured[i].ipv6 ? IPV6_BYTES + UDP_BYTES :
						  IPV4_BYTES + UDP_BYTES;

		assert_true(bytes <= sizeof(ip));
		memcpy(ip, captured[i].bytes, bytes);
		for (value = 0; value < 256; value++) {
			ip[bth + 4] = (uint8_t)value;
			frame_of(ip, bytes, &frame);
			assert_int_equal(sealed_icrc(&frame),
					 defined_icrc(ip, bytes));
		}
		for (value = 0; value < 0x10000 && !captured[i].ipv6;
		     value += 1 + value / 64) {
			ip[4] = (uint8_t)(value >> 8);
			ip[5] = (uint8_t)value;
			frame_of(ip, bytes, &frame);
			assert_int_equal(sealed_icrc(&frame),
					 defined_icrc(ip, bytes));
		}
	}
}

/* IPv6 has none: packets that leave as segments are counted all the same. */
static void the_identification_is_nothing_to_ipv6(void **state)
{
	struct frame frame;
	uint32_t before;
	size_t i;

	(void)state;
	for (i = 0; i < NUM_CAPTURED; i++) {
		if (!captured[i].ipv6)
			continue;
		frame_of(captured[i].bytes, captured[i].length, &frame);
		before = sealed_icrc(&frame);
		frame.envelope.ip_id = 7;
		assert_int_equal(sealed_icrc(&frame), before);
	}
}

static void expect_recalled(struct roce_icrc_memo *memo,
			    const struct roce_envelope *envelope,
			    uint32_t length)
{
	struct roce_icrc_lead computed = roce_icrc_lead(envelope, length);
	struct roce_icrc_lead recalled = roce_icrc_recall(memo, envelope,
							  length);

	assert_int_equal(recalled.crc, computed.crc);
	assert_int_equal(recalled.has_id, computed.has_id);
}

/* Envelopes that differ in one field each, at lengths that share entries. */
static void what_is_recalled_is_what_was_computed(void **state)
{
	static struct roce_icrc_memo memo;
	struct roce_envelope envelopes[8];
	struct frame frame;
	uint32_t i, length;

	(void)state;
	frame_of(captured[0].bytes, captured[0].length, &frame);
	for (i = 0; i < 8; i++)
		envelopes[i] = frame.envelope;
	envelopes[1].source[15] ^= 1;
	envelopes[2].destination[15] ^= 1;
	envelopes[3].source_port ^= 1;
	envelopes[4].destination_port ^= 1;
	envelopes[5].dont_fragment ^= true;
	envelopes[6].source[0] ^= 1;
	envelopes[7].ip_id ^= 1;
	for (length = 16; length <= 4160; length += 4)
		for (i = 0; i < 16; i++)
			expect_recalled(&memo, &envelopes[i / 2 * 3 % 8],
					length + i % 2 * 64);
}

static void a_full_packet_is_right(void **state)
{
	uint8_t ip[sizeof(uc_send_first_header) + UC_SEND_FIRST_PAYLOAD +
		   sizeof(uc_send_first_icrc)];
	uint8_t *at = ip;
	struct frame frame;
	uint16_t id;

	(void)state;
	memcpy(at, uc_send_first_header, sizeof(uc_send_first_header));
	at += sizeof(uc_send_first_header);
	memset(at, UC_SEND_FIRST_FILL, UC_SEND_FIRST_PAYLOAD);
	at += UC_SEND_FIRST_PAYLOAD;
	memcpy(at, uc_send_first_icrc, sizeof(uc_send_first_icrc));
	frame_of(ip, sizeof(ip), &frame);
	assert_int_equal(check(&frame, &id), ROCE_ICRC_EXACT);
	frame.envelope.ip_id = 0;
	assert_int_equal(check(&frame, &id), ROCE_ICRC_SOME_ID);
	assert_int_equal(id, get16(ip + 4));
}

static void the_identification_is_found(void **state)
{
	struct frame frame;
	uint32_t wrong;
	uint16_t id, right;
	size_t i;

	(void)state;
	for (i = 0; i < NUM_CAPTURED; i++) {
		frame_of(captured[i].bytes, captured[i].length, &frame);
		right = frame.envelope.ip_id;
		for (wrong = 0; wrong < 0x10000; wrong += 251) {
			frame.envelope.ip_id = (uint16_t)wrong;
			assert_int_equal(check(&frame, &id),
					 captured[i].ipv6 || wrong == right ?
						 ROCE_ICRC_EXACT :
						 ROCE_ICRC_SOME_ID);
			if (!captured[i].ipv6)
				assert_int_equal(id, right);
		}
	}
}

/* More lengths than the cache of factors has places. */
static void the_identification_is_found_at_each_length(void **state)
{
	struct frame frame;
	uint16_t id;

	(void)state;
	frame_of(captured[0].bytes, captured[0].length, &frame);
	assert_false(captured[0].ipv6);
	for (frame.length = 16; frame.length <= sizeof(frame.payload);
	     frame.length += 4) {
		frame.envelope.ip_id = (uint16_t)(frame.length * 40503u);
		roce_icrc_seal(&frame.envelope, frame.payload, frame.length);
		assert_int_equal(check(&frame, &id), ROCE_ICRC_EXACT);
		frame.envelope.ip_id ^= (uint16_t)(frame.length | 1);
		assert_int_equal(check(&frame, &id), ROCE_ICRC_SOME_ID);
		assert_int_equal(id, (uint16_t)(frame.length * 40503u));
	}
}

/* Is the bit one of those that routers may change? */
static bool is_masked(uint32_t bit)
{
	return bit / 8 == 4;
}

static void each_corrupted_bit_is_refused(void **state)
{
	struct frame frame;
	uint32_t bit;
	uint16_t id;
	size_t i;

	(void)state;
	for (i = 0; i < NUM_CAPTURED; i++) {
		frame_of(captured[i].bytes, captured[i].length, &frame);
		for (bit = 0; bit < frame.length * 8; bit++) {
			frame.payload[bit / 8] ^= (uint8_t)(1 << bit % 8);
			assert_int_equal(check(&frame, &id),
					 is_masked(bit) ? ROCE_ICRC_EXACT :
							  ROCE_ICRC_WRONG);
			frame.payload[bit / 8] ^= (uint8_t)(1 << bit % 8);
		}
	}
}

/* A burst shorter than the CRC, at each place: none looks like an ID, which
 * lies outside what is corrupted here. */
static void each_corrupted_byte_pair_is_refused(void **state)
{
	struct frame frame;
	uint32_t at;
	uint16_t id;

	(void)state;
	frame_of(captured[0].bytes, captured[0].length, &frame);
	for (at = 5; at + 2 <= frame.length; at++) {
		frame.payload[at] ^= 0xa5;
		frame.payload[at + 1] ^= 0x3c;
		assert_int_equal(check(&frame, &id), ROCE_ICRC_WRONG);
		frame.payload[at] ^= 0xa5;
		frame.payload[at + 1] ^= 0x3c;
	}
}

/*
 * Of all differences of the ICRC exactly one in 2^16 is that of an ID; a
 * pseudo-random sample of 2^20 has 16 of them, give or take.
 */
static void few_differences_are_explained(void **state)
{
	struct frame frame;
	uint32_t i, x = 12345, explained = 0;
	uint8_t *stored;
	uint16_t id;

	(void)state;
	frame_of(captured[0].bytes, captured[0].length, &frame);
	stored = frame.payload + frame.length - 4;
	for (i = 0; i < 1u << 20; i++) {
		x = x * 1664525u + 1013904223u;
		memcpy(stored, &x, 4);
		if (check(&frame, &id) != ROCE_ICRC_SOME_ID)
			continue;
		explained++;
		frame.envelope.ip_id ^= id;
		id ^= frame.envelope.ip_id;
		frame.envelope.ip_id ^= id;
		assert_int_equal(check(&frame, &id), ROCE_ICRC_EXACT);
		frame_of(captured[0].bytes, captured[0].length, &frame);
	}
	assert_in_range(explained, 1, 64);
}

static void the_envelope_is_covered(void **state)
{
	struct frame frame;
	struct roce_envelope right;
	uint16_t id;
	size_t i;

	(void)state;
	for (i = 0; i < NUM_CAPTURED; i++) {
		frame_of(captured[i].bytes, captured[i].length, &frame);
		right = frame.envelope;
		frame.envelope.source[15] ^= 1;
		assert_int_equal(check(&frame, &id), ROCE_ICRC_WRONG);
		frame.envelope = right;
		frame.envelope.destination[15] ^= 1;
		assert_int_equal(check(&frame, &id), ROCE_ICRC_WRONG);
		frame.envelope = right;
		frame.envelope.source_port ^= 1;
		assert_int_equal(check(&frame, &id), ROCE_ICRC_WRONG);
		frame.envelope = right;
		frame.envelope.destination_port ^= 1;
		assert_int_equal(check(&frame, &id), ROCE_ICRC_WRONG);
		frame.envelope = right;
		frame.envelope.dont_fragment ^= true;
		assert_int_equal(check(&frame, &id), captured[i].ipv6 ?
							     ROCE_ICRC_EXACT :
							     ROCE_ICRC_WRONG);
	}
}

static void each_truncation_is_refused(void **state)
{
	struct frame frame;
	uint32_t length;
	uint16_t id;
	size_t i;

	(void)state;
	for (i = 0; i < NUM_CAPTURED; i++) {
		frame_of(captured[i].bytes, captured[i].length, &frame);
		for (length = 0; length < frame.length; length++)
			assert_int_equal(roce_icrc_check(&frame.envelope,
							 frame.payload, length,
							 &id),
					 ROCE_ICRC_WRONG);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(captured_packets_are_right),
		cmocka_unit_test(sealing_writes_what_was_captured),
		cmocka_unit_test(each_identification_and_mask_is_as_defined),
		cmocka_unit_test(the_identification_is_nothing_to_ipv6),
		cmocka_unit_test(what_is_recalled_is_what_was_computed),
		cmocka_unit_test(a_full_packet_is_right),
		cmocka_unit_test(the_identification_is_found),
		cmocka_unit_test(the_identification_is_found_at_each_length),
		cmocka_unit_test(each_corrupted_bit_is_refused),
		cmocka_unit_test(each_corrupted_byte_pair_is_refused),
		cmocka_unit_test(few_differences_are_explained),
		cmocka_unit_test(the_envelope_is_covered),
		cmocka_unit_test(each_truncation_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
