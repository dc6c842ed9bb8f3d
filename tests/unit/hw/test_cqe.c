/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Completion queue entries: bytes, fields, and the numbers of statuses. */
#include "golden.h"

#include "arnica/hw/cqe.h"

static void entry_with_data(void **state)
{
	struct arnica_hw_cqe entry = {
		.data = "payload",
		.timestamp = arnica_to_le64(0x0102030405060708),
		.byte_len = arnica_to_le32(7),
		.immediate = arnica_to_be32(0x11223344),
		.wqe_index = arnica_to_le32(0x21222324),
		.vendor_error = arnica_to_le32(0x31323334),
		.info = arnica_to_le32((
			uint32_t)(arnica_field_put(
					  ARNICA_HW_CQE_STATUS_MASK,
					  ARNICA_HW_STATUS_LOC_PROT_ERR) |
				  arnica_field_put(ARNICA_HW_CQE_OPCODE_MASK,
						   ARNICA_HW_RECV) |
				  arnica_field_put(ARNICA_HW_CQE_FLAGS_MASK,
						   ARNICA_HW_CQE_DATA |
							   ARNICA_HW_CQE_IMM))),
	};

	(void)state;
	arnica_store32(&entry.sequence, 0x41424344, memory_order_relaxed);
	assert_golden(entry, 'p', 'a', 'y', 'l', 'o', 'a', 'd', 0, 0, 0, 0, 0,
		      0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
		      0, 8, 7, 6, 5, 4, 3, 2, 1, 7, 0, 0, 0, 0x11, 0x22, 0x33,
		      0x44, 0x24, 0x23, 0x22, 0x21, 0x34, 0x33, 0x32, 0x31, 4,
		      0x80, 0x11, 0, 0x44, 0x43, 0x42, 0x41);
}

static void entry_of_a_datagram(void **state)
{
	struct arnica_hw_cqe entry = {
		.byte_len = arnica_to_le32(ARNICA_HW_GRH_BYTES + 2),
		.source = arnica_to_le32((
			uint32_t)(arnica_field_put(
					  ARNICA_HW_CQE_SOURCE_QPN_MASK,
					  0x123456) |
				  arnica_field_put(
					  ARNICA_HW_CQE_SOURCE_KIND_MASK, 15))),
		.info = arnica_to_le32((uint32_t)(
			arnica_field_put(ARNICA_HW_CQE_OPCODE_MASK,
					 ARNICA_HW_RECV) |
			arnica_field_put(ARNICA_HW_CQE_FLAGS_MASK,
					 ARNICA_HW_CQE_GRH |
						 ARNICA_HW_CQE_EAGER))),
	};
	static const uint8_t golden[24] = { 42, 0, 0, 0, 0, 0, 0, 0,
					    0, 0, 0, 0, 0x56, 0x34, 0x12, 0x0f,
					    0, 0x80, 0x24, 0, 0, 0, 0, 0 };

	(void)state;
	assert_memory_equal((const char *)&entry + 40, golden, sizeof(golden));
	assert_ptr_equal(&entry.source, &entry.vendor_error);
}

static void fields_stand_where_the_picture_says(void **state)
{
	struct arnica_hw_cqe entry;

	(void)state;
	fill_with_counter(&entry, sizeof(entry));
	assert_le32_at(entry, eager_offset, 0);
	assert_le32_at(entry, eager_end, 4);
	assert_le64_at(entry, timestamp, 32);
	assert_le32_at(entry, byte_len, 40);
	assert_int_equal(arnica_from_be32(entry.immediate), 0x2d2e2f30);
	assert_le32_at(entry, wqe_index, 48);
	assert_le32_at(entry, vendor_error, 52);
	assert_le32_at(entry, info, 56);
	assert_atomic_at(entry, sequence, 60);
	assert_int_equal(
		arnica_field_get(0xccccbbaa, ARNICA_HW_CQE_STATUS_MASK), 0xaa);
	assert_int_equal(
		arnica_field_get(0xccccbbaa, ARNICA_HW_CQE_OPCODE_MASK), 0xbb);
	assert_int_equal(arnica_field_get(0xccccbbaa, ARNICA_HW_CQE_FLAGS_MASK),
			 0xcccc);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(entry_with_data),
		cmocka_unit_test(entry_of_a_datagram),
		cmocka_unit_test(fields_stand_where_the_picture_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
