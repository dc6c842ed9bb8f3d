/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What is read of a frame: fields at their places, nothing of headers that are
 * not whole, and never a byte beyond the end (frames lie in memory of exactly
 * their length, so that AddressSanitizer sees it).
 */
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "random.h"
#include "transport/frame.h"

#define ETHERNET                                                               \
	0x02, 1, 2, 3, 4, 5, 0x02, 6, 7, 8, 9, 10
#define TAG 0x81, 0x00, 0x61, 0x23
#define IPV4                                                                   \
	0x45, 0x68, 0, 40, 0x12, 0x34, 0x40, 0, 63, 17, 0, 0, 10, 1, 2, 3, 10, \
		4, 5, 6
#define PORTS 0x12, 0x34, 0x56, 0x78, 0, 20, 0, 0

static const uint8_t udp[] = { ETHERNET, 0x08, 0x00, IPV4, PORTS };
static const uint8_t tagged[] = { ETHERNET, TAG, 0x08, 0x00, IPV4, PORTS };
static const uint8_t udp6[] = {
	ETHERNET, 0x86, 0xdd, 0x65, 0xa1, 0x23, 0x45, 0, 32, 0, 64, 0xfd,
	[14 + 8 + 15] = 1, 0xfd, [14 + 24 + 15] = 2,
	/* hop by hop, then destination options, then UDP */
	60, 0, 0, 0, 0, 0, 0, 0, 17, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
	PORTS
};

/* Parses a copy that ends where the frame ends. */
static bool parse(const uint8_t *bytes, size_t length,
		  struct adev_frame_fields *frame)
{
	uint8_t *copy = malloc(length ? length : 1);
	bool whole;

	assert_non_null(copy);
	memcpy(copy, bytes, length);
	whole = adev_frame_parse(copy, (uint32_t)length, frame);
	free(copy);
	return whole;
}

static void fields_stand_at_their_places(void **state)
{
	struct adev_frame_fields frame;

	(void)state;
	assert_true(parse(udp, sizeof(udp), &frame));
	assert_int_equal(frame.headers,
			 ARNICA_HW_FLOW_IPV4 | ARNICA_HW_FLOW_UDP);
	assert_memory_equal(frame.fields.destination_mac, udp, 6);
	assert_memory_equal(frame.fields.source_mac, udp + 6, 6);
	assert_memory_equal(frame.fields.ether_type, "\x08\x00", 2);
	assert_memory_equal(frame.fields.source, "\x0a\x01\x02\x03\0\0\0\0", 8);
	assert_memory_equal(frame.fields.destination, "\x0a\x04\x05\x06", 4);
	assert_int_equal(frame.fields.protocol, 17);
	assert_int_equal(frame.fields.traffic_class, 0x68);
	assert_int_equal(frame.fields.hop_limit, 63);
	assert_memory_equal(frame.fields.source_port, "\x12\x34", 2);
	assert_memory_equal(frame.fields.destination_port, "\x56\x78", 2);
}

static void the_type_is_the_one_behind_the_tag(void **state)
{
	struct adev_frame_fields frame;

	(void)state;
	assert_true(adev_frame_is_tagged(tagged));
	assert_false(adev_frame_is_tagged(udp));
	assert_true(parse(tagged, sizeof(tagged), &frame));
	assert_int_equal(frame.headers, ARNICA_HW_FLOW_VLAN |
						ARNICA_HW_FLOW_IPV4 |
						ARNICA_HW_FLOW_UDP);
	assert_memory_equal(frame.fields.vlan_tag, "\x61\x23", 2);
	assert_memory_equal(frame.fields.ether_type, "\x08\x00", 2);
}

static void ports_stand_behind_the_extension_headers(void **state)
{
	struct adev_frame_fields frame;
	uint8_t copy[sizeof(udp6)];

	(void)state;
	assert_true(parse(udp6, sizeof(udp6), &frame));
	assert_int_equal(frame.headers,
			 ARNICA_HW_FLOW_IPV6 | ARNICA_HW_FLOW_UDP);
	assert_int_equal(frame.fields.traffic_class, 0x5a);
	assert_memory_equal(frame.fields.flow_label, "\x00\x01\x23\x45", 4);
	assert_int_equal(frame.fields.protocol, 17);
	assert_int_equal(frame.fields.hop_limit, 64);
	assert_int_equal(frame.fields.source[15], 1);
	assert_int_equal(frame.fields.destination[15], 2);
	assert_memory_equal(frame.fields.source_port, "\x12\x34", 2);
	/* A fragment has none. */
	memcpy(copy, udp6, sizeof(copy));
	copy[54] = 44;
	assert_true(parse(copy, sizeof(copy), &frame));
	assert_int_equal(frame.headers, ARNICA_HW_FLOW_IPV6);
	/* Nor has one whose options go beyond its end. */
	memcpy(copy, udp6, sizeof(copy));
	copy[55] = 200;
	assert_true(parse(copy, sizeof(copy), &frame));
	assert_int_equal(frame.headers, ARNICA_HW_FLOW_IPV6);
}

static void fragments_of_ipv4_have_no_ports(void **state)
{
	uint8_t copy[sizeof(udp)];
	struct adev_frame_fields frame;

	(void)state;
	memcpy(copy, udp, sizeof(copy));
	copy[14 + 6] = 0x20; /* the first of several */
	assert_true(parse(copy, sizeof(copy), &frame));
	assert_int_equal(frame.headers, ARNICA_HW_FLOW_IPV4);
	copy[14 + 6] = 0;
	copy[14 + 7] = 5; /* a later one */
	assert_true(parse(copy, sizeof(copy), &frame));
	assert_int_equal(frame.headers, ARNICA_HW_FLOW_IPV4);
	assert_int_equal(frame.fields.source_port[0], 0);
}

/* The headers that a frame cut after so many bytes still has. */
static void what_is_cut_off_is_not_there(void **state)
{
	struct adev_frame_fields frame;
	size_t length;

	(void)state;
	for (length = 0; length <= sizeof(tagged); length++) {
		uint32_t expected = 0;

		assert_int_equal(parse(tagged, length, &frame), length >= 14);
		if (length >= 18)
			expected |= ARNICA_HW_FLOW_VLAN;
		if (length >= 38)
			expected |= ARNICA_HW_FLOW_IPV4;
		if (length >= 46)
			expected |= ARNICA_HW_FLOW_UDP;
		assert_int_equal(frame.headers, expected);
	}
}

static void lengths_that_lie_lead_nowhere(void **state)
{
	uint8_t copy[sizeof(udp)];
	struct adev_frame_fields frame;

	(void)state;
	memcpy(copy, udp, sizeof(copy));
	copy[14] = 0x4f; /* a header of 60 bytes */
	assert_true(parse(copy, sizeof(copy), &frame));
	assert_int_equal(frame.headers, 0);
	copy[14] = 0x44; /* of 16 */
	assert_true(parse(copy, sizeof(copy), &frame));
	assert_int_equal(frame.headers, 0);
	copy[14] = 0x65;
	assert_true(parse(copy, sizeof(copy), &frame));
	assert_int_equal(frame.headers, 0);
}

/* Random bytes where they decide something: types, lengths, protocols. */
static void anything_at_all_is_read_within_its_bounds(void **state)
{
	struct adev_frame_fields frame;
	uint8_t bytes[160];
	uint32_t round, i;

	(void)state;
	random_state = 20240607;
	for (round = 0; round < 100000; round++) {
		const uint8_t *base = round & 1 ? udp6 : tagged;
		size_t whole = round & 1 ? sizeof(udp6) : sizeof(tagged);
		size_t length = next_random() % sizeof(bytes);

		for (i = 0; i < sizeof(bytes); i++)
			bytes[i] = (uint8_t)next_random();
		if (round & 2)
			memcpy(bytes, base, whole);
		for (i = 0; i < 3; i++)
			bytes[next_random() % sizeof(bytes)] =
				(uint8_t)next_random();
		assert_int_equal(parse(bytes, length, &frame), length >= 14);
		assert_int_not_equal(frame.headers & 6, 6);
		assert_int_not_equal(frame.headers & 24, 24);
		if (frame.headers & 24)
			assert_true(frame.headers & 6);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fields_stand_at_their_places),
		cmocka_unit_test(the_type_is_the_one_behind_the_tag),
		cmocka_unit_test(ports_stand_behind_the_extension_headers),
		cmocka_unit_test(fragments_of_ipv4_have_no_ports),
		cmocka_unit_test(what_is_cut_off_is_not_there),
		cmocka_unit_test(lengths_that_lie_lead_nowhere),
		cmocka_unit_test(anything_at_all_is_read_within_its_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
