/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include <string.h>

#include <cmocka.h>

#include "pcapng.h"

static const uint8_t golden_head[] = {
	/* section: type, length, byte order, version, length unknown */
	0x0a, 0x0d, 0x0d, 0x0a, 44, 0, 0, 0, 0x4d, 0x3c, 0x2b, 0x1a, 1, 0, 0, 0,
	0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
	/* application */
	4, 0, 6, 0, 'a', 'r', 'n', 'i', 'c', 'a', 0, 0, 0, 0, 0, 0, 44, 0, 0, 0,
	/* interface: type, length, raw IP, snap length */
	1, 0, 0, 0, 44, 0, 0, 0, 101, 0, 0, 0, 0, 0, 4, 0,
	/* times in ns, name */
	9, 0, 1, 0, 9, 0, 0, 0, 2, 0, 7, 0, 'a', 'r', 'n', 'i', 'c', 'a', '0',
	0, 0, 0, 0, 0, 44, 0, 0, 0
};

static const uint8_t golden_packet[] = {
	/* type, length, interface, time, lengths */
	6, 0, 0, 0, 52, 0, 0, 0, 0, 0, 0, 0, 0x04, 0x03, 0x02, 0x01, 0x08, 0x07,
	0x06, 0x05, 5, 0, 0, 0, 5, 0, 0, 0,
	/* the packet and its pad */
	'h', 'e', 'l', 'l', 'o', 0, 0, 0,
	/* flags: inbound, checksum wrong */
	2, 0, 4, 0, 1, 0, 0, 1, 0, 0, 0, 0, 52, 0, 0, 0
};

static void head_is_a_section_and_an_interface(void **state)
{
	uint8_t head[ARNICA_PCAPNG_HEAD_BYTES];

	(void)state;
	arnica_pcapng_head(head);
	assert_int_equal(sizeof(head), sizeof(golden_head));
	assert_memory_equal(head, golden_head, sizeof(head));
}

static void head_is_recognised(void **state)
{
	uint8_t head[ARNICA_PCAPNG_HEAD_BYTES];

	(void)state;
	memcpy(head, golden_head, sizeof(head));
	assert_true(arnica_pcapng_is_head(head));
	head[48] ^= 1;
	assert_false(arnica_pcapng_is_head(head));
}

static void packet_is_wrapped(void **state)
{
	const struct arnica_pcapng_packet packet = {
		.time_ns = 0x0102030405060708,
		.bytes = 5,
		.direction = ARNICA_PCAPNG_INBOUND,
		.crc_error = true,
	};
	uint8_t block[sizeof(golden_packet)];

	(void)state;
	memset(block, 0xee, sizeof(block));
	memcpy(block + ARNICA_PCAPNG_BEFORE_BYTES, "hello", 5);
	assert_int_equal(arnica_pcapng_block_bytes(5), sizeof(block));
	assert_int_equal(arnica_pcapng_wrap(&packet, block), sizeof(block));
	assert_memory_equal(block, golden_packet, sizeof(block));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(head_is_a_section_and_an_interface),
		cmocka_unit_test(head_is_recognised),
		cmocka_unit_test(packet_is_wrapped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
