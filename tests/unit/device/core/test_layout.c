/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Where the tables of segments of all sizes are, and which layouts are
 * believed. */
#include <errno.h>

#include "core/layout.h"
#include "domain/segment.h"
#include "test.h"

struct table {
	uint64_t offset, bytes;
};

static void tables_do_not_overlap_in_a_segment_of(uint64_t size)
{
	struct adev_layout layout;
	unsigned int i;

	adev_layout_compute(size, &layout);
	{
		const struct table tables[] = {
			{ 0, ARNICA_HW_BAR_END },
			{ layout.shared_offset, sizeof(struct adev_shared) },
			{ layout.cqp_offset,
			  ARNICA_HW_CQP_DEPTH *
				  sizeof(struct arnica_hw_cqp_slot) },
			{ layout.records_offset,
			  2ull * layout.max_qp *
				  sizeof(struct arnica_hw_queue_record) },
			{ layout.qp_offset,
			  (uint64_t)layout.max_qp *
				  sizeof(struct adev_qp_shared) },
			{ layout.cq_offset,
			  (uint64_t)layout.max_cq *
				  sizeof(struct adev_cq_shared) },
			{ layout.tpt_offset,
			  (uint64_t)layout.max_mr *
				  sizeof(struct adev_tpt_entry) },
			{ layout.inbox_offset, ADEV_INBOX_TOTAL_BYTES },
			{ layout.heap_offset, size - layout.heap_offset },
		};

		for (i = 1; i < sizeof(tables) / sizeof(tables[0]); i++) {
			assert_int_equal(tables[i].offset % 4096, 0);
			assert_true(tables[i].offset >=
				    tables[i - 1].offset + tables[i - 1].bytes);
		}
	}
	assert_true(layout.heap_offset < size);
	assert_int_equal(layout.size_bytes, size);
	assert_ok(adev_layout_check(&layout, size));
}

static void tables_of_every_size_of_segment_are_apart(void **state)
{
	uint64_t size;

	(void)state;
	for (size = ADEV_SEGMENT_SMALLEST_BYTES;
	     size <= ADEV_SEGMENT_LARGEST_BYTES; size *= 2)
		tables_do_not_overlap_in_a_segment_of(size);
	tables_do_not_overlap_in_a_segment_of((100ull << 20) + 4096);
}

static void small_segments_have_small_tables(void **state)
{
	struct adev_layout small, large;

	(void)state;
	adev_layout_compute(ADEV_SEGMENT_SMALLEST_BYTES, &small);
	adev_layout_compute(ADEV_SEGMENT_DEFAULT_BYTES, &large);
	assert_true(small.heap_offset <= ADEV_SEGMENT_SMALLEST_BYTES / 4);
	assert_true(small.max_qp >= 256);
	assert_true(small.max_qp < large.max_qp);
	assert_int_equal(large.max_qp, ARNICA_HW_MAX_QP);
	assert_int_equal(large.max_mr, ARNICA_HW_MAX_MR);
}

static void a_layout_of_another_size_is_not_believed(void **state)
{
	struct adev_layout layout;

	(void)state;
	adev_layout_compute(128ull << 20, &layout);
	assert_int_equal(adev_layout_check(&layout, 64ull << 20), EPROTO);
	layout.size_bytes = 64ull << 20;
	assert_int_equal(adev_layout_check(&layout, 64ull << 20), EPROTO);
}

static void a_segment_too_small_for_its_tables_is_not_believed(void **state)
{
	struct adev_layout layout;

	(void)state;
	adev_layout_compute(1u << 20, &layout);
	assert_int_equal(adev_layout_check(&layout, 1u << 20), EPROTO);
	adev_layout_compute(0, &layout);
	assert_int_equal(adev_layout_check(&layout, 0), EPROTO);
}

/* Users of a checked layout compute addresses from each of these fields. */
static void no_field_may_be_another(void **state)
{
	const uint64_t size = 64ull << 20;
	struct adev_layout right, wrong;
	unsigned int i;

	(void)state;
	adev_layout_compute(size, &right);
	for (i = 0; i < 4; i++) {
		wrong = right;
		(&wrong.max_qp)[i] += 1;
		assert_int_equal(adev_layout_check(&wrong, size), EPROTO);
	}
	for (i = 0; i < 9; i++) {
		wrong = right;
		(&wrong.shared_offset)[i] += 1ull << 40;
		assert_int_equal(adev_layout_check(&wrong, size), EPROTO);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tables_of_every_size_of_segment_are_apart),
		cmocka_unit_test(small_segments_have_small_tables),
		cmocka_unit_test(a_layout_of_another_size_is_not_believed),
		cmocka_unit_test(
			a_segment_too_small_for_its_tables_is_not_believed),
		cmocka_unit_test(no_field_may_be_another),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
