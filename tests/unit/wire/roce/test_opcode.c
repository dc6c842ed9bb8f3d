/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Opcodes: every one of the 256, against IBTA table 38 written out. */
#include <cmocka.h>
#include <string.h>

#include "roce/opcode.h"
#include "roce/packet.h"

#define PAYLOAD ROCE_HAS_PAYLOAD
#define REQUEST ROCE_IS_REQUEST
#define FIRST ROCE_IS_FIRST
#define LAST ROCE_IS_LAST
#define DETH ROCE_HAS_DETH
#define RETH ROCE_HAS_RETH
#define AETH ROCE_HAS_AETH
#define IMM ROCE_HAS_IMM
#define IETH ROCE_HAS_IETH
#define XRC ROCE_HAS_XRCETH

/* Header sizes are literal: BTH 12, DETH 8, RETH 16, AETH 4, AtomicETH 28,
 * AtomicAckETH 8, ImmDt 4, IETH 4, XRCETH 4. */
static const struct row {
	uint8_t opcode;
	uint8_t header_bytes;
	uint32_t info;
} rows[] = {
	{ 0x00, 12, REQUEST | FIRST | PAYLOAD },
	{ 0x01, 12, REQUEST | PAYLOAD },
	{ 0x02, 12, REQUEST | LAST | PAYLOAD },
	{ 0x03, 16, REQUEST | LAST | IMM | PAYLOAD },
	{ 0x04, 12, REQUEST | FIRST | LAST | PAYLOAD },
	{ 0x05, 16, REQUEST | FIRST | LAST | IMM | PAYLOAD },
	{ 0x06, 28, REQUEST | FIRST | RETH | PAYLOAD },
	{ 0x07, 12, REQUEST | PAYLOAD },
	{ 0x08, 12, REQUEST | LAST | PAYLOAD },
	{ 0x09, 16, REQUEST | LAST | IMM | PAYLOAD },
	{ 0x0a, 28, REQUEST | FIRST | LAST | RETH | PAYLOAD },
	{ 0x0b, 32, REQUEST | FIRST | LAST | RETH | IMM | PAYLOAD },
	{ 0x0c, 28, REQUEST | FIRST | LAST | RETH },
	{ 0x0d, 16, FIRST | AETH | PAYLOAD },
	{ 0x0e, 12, PAYLOAD },
	{ 0x0f, 16, LAST | AETH | PAYLOAD },
	{ 0x10, 16, FIRST | LAST | AETH | PAYLOAD },
	{ 0x11, 16, FIRST | LAST | AETH },
	{ 0x12, 24, FIRST | LAST | AETH | ROCE_HAS_ATOMIC_ACK },
	{ 0x13, 40, REQUEST | FIRST | LAST | ROCE_HAS_ATOMIC },
	{ 0x14, 40, REQUEST | FIRST | LAST | ROCE_HAS_ATOMIC },
	{ 0x16, 16, REQUEST | LAST | IETH | PAYLOAD },
	{ 0x17, 16, REQUEST | FIRST | LAST | IETH | PAYLOAD },
	{ 0x1d, 28, REQUEST | FIRST | LAST | RETH | PAYLOAD },

	{ 0x20, 12, REQUEST | FIRST | PAYLOAD },
	{ 0x21, 12, REQUEST | PAYLOAD },
	{ 0x22, 12, REQUEST | LAST | PAYLOAD },
	{ 0x23, 16, REQUEST | LAST | IMM | PAYLOAD },
	{ 0x24, 12, REQUEST | FIRST | LAST | PAYLOAD },
	{ 0x25, 16, REQUEST | FIRST | LAST | IMM | PAYLOAD },
	{ 0x26, 28, REQUEST | FIRST | RETH | PAYLOAD },
	{ 0x27, 12, REQUEST | PAYLOAD },
	{ 0x28, 12, REQUEST | LAST | PAYLOAD },
	{ 0x29, 16, REQUEST | LAST | IMM | PAYLOAD },
	{ 0x2a, 28, REQUEST | FIRST | LAST | RETH | PAYLOAD },
	{ 0x2b, 32, REQUEST | FIRST | LAST | RETH | IMM | PAYLOAD },

	{ 0x64, 20, REQUEST | FIRST | LAST | DETH | PAYLOAD },
	{ 0x65, 24, REQUEST | FIRST | LAST | DETH | IMM | PAYLOAD },

	{ 0x81, 12, FIRST | LAST | PAYLOAD },

	{ 0xa0, 16, REQUEST | FIRST | XRC | PAYLOAD },
	{ 0xa1, 16, REQUEST | XRC | PAYLOAD },
	{ 0xa2, 16, REQUEST | LAST | XRC | PAYLOAD },
	{ 0xa3, 20, REQUEST | LAST | XRC | IMM | PAYLOAD },
	{ 0xa4, 16, REQUEST | FIRST | LAST | XRC | PAYLOAD },
	{ 0xa5, 20, REQUEST | FIRST | LAST | XRC | IMM | PAYLOAD },
	{ 0xa6, 32, REQUEST | FIRST | XRC | RETH | PAYLOAD },
	{ 0xa7, 16, REQUEST | XRC | PAYLOAD },
	{ 0xa8, 16, REQUEST | LAST | XRC | PAYLOAD },
	{ 0xa9, 20, REQUEST | LAST | XRC | IMM | PAYLOAD },
	{ 0xaa, 32, REQUEST | FIRST | LAST | XRC | RETH | PAYLOAD },
	{ 0xab, 36, REQUEST | FIRST | LAST | XRC | RETH | IMM | PAYLOAD },
	{ 0xac, 32, REQUEST | FIRST | LAST | XRC | RETH },
	{ 0xad, 16, FIRST | AETH | PAYLOAD },
	{ 0xae, 12, PAYLOAD },
	{ 0xaf, 16, LAST | AETH | PAYLOAD },
	{ 0xb0, 16, FIRST | LAST | AETH | PAYLOAD },
	{ 0xb1, 16, FIRST | LAST | AETH },
	{ 0xb2, 24, FIRST | LAST | AETH | ROCE_HAS_ATOMIC_ACK },
	{ 0xb3, 44, REQUEST | FIRST | LAST | XRC | ROCE_HAS_ATOMIC },
	{ 0xb4, 44, REQUEST | FIRST | LAST | XRC | ROCE_HAS_ATOMIC },
	{ 0xb6, 20, REQUEST | LAST | XRC | IETH | PAYLOAD },
	{ 0xb7, 20, REQUEST | FIRST | LAST | XRC | IETH | PAYLOAD },
	{ 0xbd, 32, REQUEST | FIRST | LAST | XRC | RETH | PAYLOAD },
};

static const struct row *row_of(uint32_t opcode)
{
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rows[i].opcode == opcode)
			return &rows[i];
	return NULL;
}

static void every_opcode_has_its_headers(void **state)
{
	uint32_t opcode;

	(void)state;
	for (opcode = 0; opcode < 256; opcode++) {
		const struct row *row = row_of(opcode);

		if (!row) {
			assert_int_equal(roce_opcode_info((uint8_t)opcode), 0);
			assert_int_equal(roce_header_bytes((uint8_t)opcode), 0);
			continue;
		}
		assert_int_equal(roce_opcode_info((uint8_t)opcode),
				 row->info | ROCE_IS_KNOWN);
		assert_int_equal(roce_header_bytes((uint8_t)opcode),
				 row->header_bytes);
		assert_in_range(row->header_bytes, ROCE_BTH_BYTES,
				ROCE_MAX_HEADER_BYTES);
	}
}

static void packet_sizes_count_pad_and_icrc(void **state)
{
	(void)state;
	assert_int_equal(roce_packet_bytes(0x04, 0), 16);
	assert_int_equal(roce_packet_bytes(0x04, 1), 20);
	assert_int_equal(roce_packet_bytes(0x04, 4), 20);
	assert_int_equal(roce_packet_bytes(0x04, 5), 24);
	assert_int_equal(roce_packet_bytes(0xb3, 0), 48);
	assert_int_equal(roce_packet_bytes(0x01, 4096), 4112);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_opcode_has_its_headers),
		cmocka_unit_test(packet_sizes_count_pad_and_icrc),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
