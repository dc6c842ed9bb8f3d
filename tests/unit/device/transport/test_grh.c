/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The 40 bytes in front of a datagram, byte by byte. */
#include <string.h>

#include <cmocka.h>

#include "transport/grh.h"

/* As ibv_init_ah_from_wc(3) finds out that it is an IPv4 header: the sum over
 * the header with its checksum is all ones (RFC 1071). */
static uint32_t sum16(const uint8_t *bytes, uint32_t count)
{
	uint32_t i, sum = 0;

	for (i = 0; i < count; i += 2)
		sum += (uint32_t)bytes[i] << 8 | bytes[i + 1];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

static void ipv4_stands_in_the_second_half(void **state)
{
	static const uint8_t source[16] = { [10] = 0xff, [11] = 0xff, [12] = 10,
					    [13] = 1, [14] = 2, [15] = 3 };
	static const uint8_t destination[16] = { [10] = 0xff, [11] = 0xff,
						 [12] = 192, [13] = 168,
						 [14] = 7, [15] = 9 };
	static const uint8_t golden[ARNICA_HW_GRH_BYTES] = {
		0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
		0x45, 0x68, 0x01, 0x1c, 0, 0, 0x40, 0, 9, 17,
		0x9c, 0xb4, /* worked out apart from the code */
		10, 1, 2, 3, 192, 168, 7, 9
	};
	const struct adev_grh grh = {
		.source = source,
		.destination = destination,
		.flow_label = 0x12345,
		.traffic_class = 0x68,
		.hop_limit = 9,
		.udp_bytes = 256,
	};
	uint8_t bytes[ARNICA_HW_GRH_BYTES];

	(void)state;
	memset(bytes, 0xee, sizeof(bytes));
	adev_grh_emit(&grh, bytes);
	assert_int_equal(sum16(bytes + 20, 20), 0xffff);
	assert_memory_equal(bytes, golden, sizeof(golden));
}

static void ipv6_fills_all_of_it(void **state)
{
	static const uint8_t source[16] = { 0xfe, 0x80, [8] = 1, [15] = 2 };
	static const uint8_t destination[16] = { 0x20, 0x01, 0x0d, 0xb8,
						 [15] = 3 };
	static const uint8_t golden[ARNICA_HW_GRH_BYTES] = {
		0x66, 0x81, 0x23, 0x45, 0x01, 0x08, 17, 64,
		0xfe, 0x80, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 2,
		0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3
	};
	const struct adev_grh grh = {
		.source = source,
		.destination = destination,
		.flow_label = 0x12345,
		.traffic_class = 0x68,
		.hop_limit = 0, /* the system's default */
		.udp_bytes = 256,
	};
	uint8_t bytes[ARNICA_HW_GRH_BYTES];

	(void)state;
	memset(bytes, 0xee, sizeof(bytes));
	adev_grh_emit(&grh, bytes);
	assert_memory_equal(bytes, golden, sizeof(golden));
}

/* Addresses of two families cannot be in an IPv4 header. */
static void mixed_addresses_are_written_as_ipv6(void **state)
{
	static const uint8_t ipv4[16] = { [10] = 0xff, [11] = 0xff, [12] = 1 };
	static const uint8_t ipv6[16] = { 0xfe, 0x80 };
	const struct adev_grh grh = { .source = ipv4, .destination = ipv6 };
	uint8_t bytes[ARNICA_HW_GRH_BYTES];

	(void)state;
	adev_grh_emit(&grh, bytes);
	assert_int_equal(bytes[0] >> 4, 6);
	assert_memory_equal(bytes + 8, ipv4, 16);
	assert_memory_equal(bytes + 24, ipv6, 16);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ipv4_stands_in_the_second_half),
		cmocka_unit_test(ipv6_fills_all_of_it),
		cmocka_unit_test(mixed_addresses_are_written_as_ipv6),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
