/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Work queue entries: bytes and fields. */
#include "golden.h"

#include "arnica/hw/wqe.h"

static void control_segment(void **state)
{
	struct arnica_hw_wqe_control control = {
		.operation = arnica_to_le32(
			(uint32_t)(arnica_field_put(ARNICA_HW_WQE_OPCODE_MASK,
						    ARNICA_HW_OP_FETCH_ADD) |
				   arnica_field_put(
					   ARNICA_HW_WQE_FLAGS_MASK,
					   ARNICA_HW_WQE_SIGNALED |
						   ARNICA_HW_WQE_INLINE) |
				   arnica_field_put(ARNICA_HW_WQE_NUM_SGE_MASK,
						    30))),
		.index = arnica_to_le32(0x01020304),
		.immediate = arnica_to_be32(0x11223344),
		.inline_bytes = arnica_to_le32(448),
	};

	(void)state;
	assert_golden(control, 0x08, 0x09, 0x1e, 0x00, 0x04, 0x03, 0x02, 0x01,
		      0x11, 0x22, 0x33, 0x44, 0xc0, 0x01, 0x00, 0x00);
	fill_with_counter(&control, sizeof(control));
	assert_le32_at(control, operation, 0);
	assert_le32_at(control, index, 4);
	assert_int_equal(arnica_from_be32(control.immediate), 0x090a0b0c);
	assert_le32_at(control, inline_bytes, 12);
	assert_int_equal(
		arnica_field_get(0x00aabbcc, ARNICA_HW_WQE_OPCODE_MASK), 0xcc);
	assert_int_equal(arnica_field_get(0x00aabbcc, ARNICA_HW_WQE_FLAGS_MASK),
			 0xbb);
	assert_int_equal(
		arnica_field_get(0x00aabbcc, ARNICA_HW_WQE_NUM_SGE_MASK), 0xaa);
}

static void remote_segment(void **state)
{
	struct arnica_hw_wqe_remote remote = {
		.address = arnica_to_le64(0x0102030405060708),
		.rkey = arnica_to_le32(0xa1a2a3a4),
	};

	(void)state;
	assert_golden(remote, 8, 7, 6, 5, 4, 3, 2, 1, 0xa4, 0xa3, 0xa2, 0xa1, 0,
		      0, 0, 0);
	fill_with_counter(&remote, sizeof(remote));
	assert_le64_at(remote, address, 0);
	assert_le32_at(remote, rkey, 8);
	assert_le32_at(remote, xrc_srqn, 12);
}

static void datagram_segment(void **state)
{
	struct arnica_hw_wqe_datagram datagram = {
		.ah = arnica_to_le32(0x01020304),
		.dest_qpn = arnica_to_le32(0xabcdef),
		.qkey = arnica_to_le32(ARNICA_HW_QKEY_CONTROLLED | 0x11),
	};

	(void)state;
	assert_golden(datagram, 4, 3, 2, 1, 0xef, 0xcd, 0xab, 0, 0x11, 0, 0,
		      0x80, 0, 0, 0, 0);
	fill_with_counter(&datagram, sizeof(datagram));
	assert_le32_at(datagram, ah, 0);
	assert_le32_at(datagram, dest_qpn, 4);
	assert_le32_at(datagram, qkey, 8);
	assert_le32_at(datagram, reserved0, 12);
	assert_int_equal(ARNICA_HW_WQE_DATAGRAM_OFFSET, 16);
}

static void atomic_segment(void **state)
{
	struct arnica_hw_wqe_atomic atomic = {
		.swap_or_add = arnica_to_le64(1),
		.compare = arnica_to_le64(0x8000000000000000),
	};

	(void)state;
	assert_golden(atomic, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
		      0x80);
	fill_with_counter(&atomic, sizeof(atomic));
	assert_le64_at(atomic, swap_or_add, 0);
	assert_le64_at(atomic, compare, 8);
}

static void data_segment(void **state)
{
	struct arnica_hw_data_segment segment = {
		.address = arnica_to_le64(0x1000),
		.length = arnica_to_le32(0x40),
		.lkey = arnica_to_le32(ARNICA_HW_LKEY_END),
	};

	(void)state;
	assert_golden(segment, 0, 0x10, 0, 0, 0, 0, 0, 0, 0x40, 0, 0, 0, 0, 1,
		      0, 0);
	fill_with_counter(&segment, sizeof(segment));
	assert_le64_at(segment, address, 0);
	assert_le32_at(segment, length, 8);
	assert_le32_at(segment, lkey, 12);
}

static void bind_segment(void **state)
{
	struct arnica_hw_wqe_bind bind;

	(void)state;
	fill_with_counter(&bind, sizeof(bind));
	assert_le64_at(bind, address, 0);
	assert_le64_at(bind, length, 8);
	assert_le32_at(bind, rkey, 16);
	assert_le32_at(bind, lkey, 20);
	assert_le32_at(bind, access, 24);
}

static void what_is_local_has_no_data(void **state)
{
	uint32_t opcode;

	(void)state;
	for (opcode = 0; opcode < ARNICA_HW_OP_COUNT; opcode++)
		assert_int_equal(arnica_hw_opcode_is_local(opcode),
				 (opcode >= 9 && opcode <= 11) || opcode == 16);
	assert_int_equal(arnica_hw_wqe_data_offset(ARNICA_HW_OP_BIND_MW), 48);
}

static void registration_segment(void **state)
{
	struct arnica_hw_wqe_registration wish;

	(void)state;
	fill_with_counter(&wish, sizeof(wish));
	assert_le64_at(wish, iova, 0);
	assert_le64_at(wish, length, 8);
	assert_le64_at(wish, memory, 16);
	assert_le32_at(wish, count, 24);
	assert_le32_at(wish, page_log, 28);
	assert_le32_at(wish, key, 32);
	assert_le32_at(wish, access, 36);
	assert_int_equal(arnica_hw_wqe_data_offset(ARNICA_HW_OP_REG_MR), 64);
	assert_int_equal(arnica_hw_wqe_data_offset(ARNICA_HW_OP_REG_SEND), 64);
}

static void data_follows_the_atomic_segment_of_atomics_only(void **state)
{
	uint32_t opcode;

	(void)state;
	for (opcode = 0; opcode < ARNICA_HW_OP_BIND_MW; opcode++)
		assert_int_equal(arnica_hw_wqe_data_offset(opcode),
				 opcode == 7 || opcode == 8 ? 48 : 32);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(control_segment),
		cmocka_unit_test(bind_segment),
		cmocka_unit_test(what_is_local_has_no_data),
		cmocka_unit_test(registration_segment),
		cmocka_unit_test(remote_segment),
		cmocka_unit_test(datagram_segment),
		cmocka_unit_test(atomic_segment),
		cmocka_unit_test(data_segment),
		cmocka_unit_test(
			data_follows_the_atomic_segment_of_atomics_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
