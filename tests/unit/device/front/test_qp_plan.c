/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* How large a receive queue is. */
#include "fake_function.h"

#include <arnica/hw/format.h>
#include <arnica/hw/limits.h>

#include "front/qp_plan.h"

static struct adev_qp_sizes plan(uint32_t depth, uint32_t sge)
{
	const struct arnica_hw_cmd_create_qp cmd = {
		.recv_depth = arnica_to_le32(depth),
		.recv_sge = arnica_to_le32(sge),
	};
	struct adev_qp_sizes sizes;

	adev_qp_plan_sizes(&cmd, NULL, &sizes);
	return sizes;
}

/* The entry that is written while another one is used is on another line. */
static void a_full_queue_leaves_a_line(void **state)
{
	uint32_t depth, sge;

	(void)state;
	for (depth = 16; depth < ARNICA_HW_MAX_QUEUE_DEPTH; depth += 3) {
		for (sge = 1; sge <= 5; sge++) {
			struct adev_qp_sizes sizes = plan(depth, sge);
			uint32_t apart = sizes.recv_slots - depth;

			if (sizes.recv_slots == ARNICA_HW_MAX_QUEUE_DEPTH)
				continue;
			assert_true(arnica_is_power_of_two(sizes.recv_slots));
			assert_true(apart * sizes.recv_stride >=
					    ARNICA_HW_LINE_BYTES ||
				    sizes.recv_stride >= ARNICA_HW_LINE_BYTES);
		}
	}
	assert_int_equal(plan(512, 1).recv_slots, 1024);
	assert_int_equal(plan(508, 1).recv_slots, 512);
	assert_int_equal(plan(512, 4).recv_slots, 512);
}

static void no_queue_is_larger_than_allowed(void **state)
{
	uint32_t depth;

	(void)state;
	for (depth = ARNICA_HW_MAX_QUEUE_DEPTH - 8;
	     depth <= ARNICA_HW_MAX_QUEUE_DEPTH; depth++)
		assert_int_equal(plan(depth, 1).recv_slots,
				 ARNICA_HW_MAX_QUEUE_DEPTH);
}

static void small_queues_stay_small(void **state)
{
	(void)state;
	assert_int_equal(plan(0, 1).recv_slots, 0);
	assert_int_equal(plan(1, 1).recv_slots, 1);
	assert_int_equal(plan(8, 1).recv_slots, 8);
	assert_int_equal(plan(512, 1).eager_bytes, plan(508, 1).eager_bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_full_queue_leaves_a_line),
		cmocka_unit_test(no_queue_is_larger_than_allowed),
		cmocka_unit_test(small_queues_stay_small),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
