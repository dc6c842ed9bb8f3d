/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The machine's own libibverbs is recognised, and the table is in order. */
#include <cmocka.h>
#include <pthread.h>

#include "abi.h"
#include "calibrate.h"
#include "ops.h"

static void library_is_found(void **state)
{
	struct arnica_calibration calibration;

	(void)state;
	assert_null(arnica_calibrate_library(&calibration));
	assert_in_range(calibration.abi, 34, 99);
	assert_in_range(calibration.generation, ARNICA_OPS_V36, ARNICA_OPS_V65);
	assert_non_null(calibration.register_driver);
}

/* Sizes of the releases on x86-64, where a mutex has 40 bytes; the tests may
 * run with another library than the one that they were built with. */
static void layout_is_that_of_the_release(void **state)
{
	static const size_t context_bytes[] = {
		[ARNICA_OPS_V36] = 648, [ARNICA_OPS_V59] = 672,
		[ARNICA_OPS_V62] = 680, [ARNICA_OPS_V64] = 696,
		[ARNICA_OPS_V65] = 696,
	};
	const size_t more = sizeof(pthread_mutex_t) - 40;
	struct arnica_calibration calibration;

	(void)state;
	if (sizeof(void *) != 8)
		skip();
	assert_null(arnica_calibrate_library(&calibration));
	assert_null(arnica_calibrate_layout(&calibration));
	assert_int_equal(calibration.context_bytes,
			 context_bytes[calibration.generation] + more);
	assert_in_range(calibration.qp_mask_offset, 344 + more, 360 + more);
}

static void *no_ex(void *qp)
{
	(void)qp;
	return NULL;
}

static void unknown_queue_pair_layout_is_refused(void **state)
{
	struct arnica_calibration calibration;

	(void)state;
	assert_null(arnica_calibrate_library(&calibration));
	calibration.qp_to_qp_ex = no_ex;
	assert_string_equal(arnica_calibrate_layout(&calibration),
			    "unknown layout of verbs_qp");
}

static void wrong_generation_is_refused(void **state)
{
	struct arnica_calibration calibration;

	(void)state;
	assert_null(arnica_calibrate_library(&calibration));
	calibration.generation = calibration.generation == ARNICA_OPS_V65 ?
					 ARNICA_OPS_V36 :
					 ARNICA_OPS_V65;
	assert_string_equal(arnica_calibrate_layout(&calibration),
			    "unknown table of operations");
}

static void slots_follow_the_release(void **state)
{
	(void)state;
	assert_int_equal(arnica_ops_slot(ARNICA_OPS_V36, ARNICA_OP_advise_mr),
			 0);
	assert_int_equal(arnica_ops_slot(ARNICA_OPS_V36, ARNICA_OP_alloc_buf),
			 -1);
	assert_int_equal(arnica_ops_slot(ARNICA_OPS_V36, ARNICA_OP_unimport_pd),
			 75);
	assert_int_equal(arnica_ops_slot(ARNICA_OPS_V59, ARNICA_OP_unimport_pd),
			 78);
	assert_int_equal(arnica_ops_slot(ARNICA_OPS_V62, ARNICA_OP_unimport_pd),
			 80);
	assert_int_equal(arnica_ops_slot(ARNICA_OPS_V64, ARNICA_OP_rereg_mr),
			 77);
	assert_int_equal(arnica_ops_slot(ARNICA_OPS_V64, ARNICA_OP_unimport_pd),
			 82);
	assert_int_equal(arnica_ops_slot(ARNICA_OPS_V65, ARNICA_OP_unimport_pd),
			 92);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(library_is_found),
		cmocka_unit_test(layout_is_that_of_the_release),
		cmocka_unit_test(unknown_queue_pair_layout_is_refused),
		cmocka_unit_test(wrong_generation_is_refused),
		cmocka_unit_test(slots_follow_the_release),
	};

	/* The program must really need the library, or it is not loaded. */
	if (!ibv_node_type_str(IBV_NODE_CA))
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
