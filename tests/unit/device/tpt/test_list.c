/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Lists: where their bytes are, what is checked behind them, and lists that
 * somebody has tampered with. */
#include "tpt/list.h"

#include <errno.h>
#include <string.h>

#include "gather/gather.h"
#include "test.h"

#define PD 7u
#define KEY(index) ((uint32_t)(index) << 8 | 0x11u)
#define FIRST KEY(1)   /* region of 1000 bytes at iova 5000 */
#define SECOND KEY(2)  /* region of 1000 bytes at iova 0, read only */
#define LIST KEY(3)
#define OUTER KEY(4)
#define WRITE ((uint32_t)ARNICA_HW_ACCESS_LOCAL_WRITE)
#define REMOTE_WRITE ((uint32_t)ARNICA_HW_ACCESS_REMOTE_WRITE)
#define NUM_ENTRIES 10u

static struct adev_tpt_entry entries[NUM_ENTRIES];
static struct adev_tpt_item segment[64];
static struct adev_view view;
static char one[1000], two[1000];

static void region(uint32_t stag, char *memory, uint64_t iova, uint32_t access)
{
	struct adev_tpt_entry *entry = &entries[adev_tpt_index(stag)];

	entry->type = ADEV_TPT_REGION;
	entry->pd = PD;
	entry->access = access;
	entry->iova = iova;
	entry->length = 1000;
	entry->address = (uintptr_t)memory;
	adev_tpt_publish(entry, stag);
}

static int setup(void **state)
{
	(void)state;
	memset(entries, 0, sizeof(entries));
	memset(segment, 0, sizeof(segment));
	view.tpt = entries;
	view.layout.max_mr = NUM_ENTRIES;
	view.base = (char *)segment;
	view.size = sizeof(segment);
	region(FIRST, one, 5000, WRITE);
	region(SECOND, two, 0, 0);
	return 0;
}

/* A list of items at number `at` of the segment. */
static void make(uint32_t stag, uint32_t at, const struct adev_tpt_item *items,
		 uint32_t count, uint64_t rows, uint32_t access)
{
	struct adev_tpt_entry *entry = &entries[adev_tpt_index(stag)];
	uint64_t row_bytes, length;

	memcpy(&segment[at], items, count * sizeof(*items));
	assert_ok(adev_tpt_list_arrange(&segment[at], count, rows, &row_bytes,
					&length));
	entry->pd = PD;
	entry->access = access;
	entry->iova = 0;
	adev_tpt_list_store(entry, at * sizeof(*items), count, row_bytes,
			    length);
	adev_tpt_publish(entry, stag);
}

/* 10 bytes of the first region, 20 of the second, 30 of the first. */
static void make_three(void)
{
	const struct adev_tpt_item items[] = {
		{ .iova = 5100, .length = 10, .stag = FIRST },
		{ .iova = 200, .length = 20, .stag = SECOND },
		{ .iova = 5300, .length = 30, .stag = FIRST },
	};

	make(LIST, 0, items, 3, 1, WRITE | REMOTE_WRITE);
}

static enum adev_tpt_verdict check(uint32_t stag, uint64_t iova, uint64_t bytes,
				   uint32_t access)
{
	return adev_tpt_list_check(&view, stag, PD, iova, bytes, access);
}

static void expect_place(uint32_t stag, uint64_t iova, uint64_t bytes,
			 const char *address, uint64_t found)
{
	struct adev_tpt_place place;

	assert_int_equal(adev_tpt_list_place(&view, stag, PD, iova, bytes, 0,
					     &place),
			 ADEV_TPT_OK);
	assert_int_equal(place.address, (uintptr_t)address);
	assert_int_equal(place.bytes, found);
}

static void bytes_are_in_the_items_in_order(void **state)
{
	(void)state;
	make_three();
	assert_int_equal(check(LIST, 0, 60, 0), ADEV_TPT_OK);
	expect_place(LIST, 0, 60, one + 100, 10);
	expect_place(LIST, 9, 51, one + 109, 1);
	expect_place(LIST, 10, 50, two + 200, 20);
	expect_place(LIST, 29, 1, two + 219, 1);
	expect_place(LIST, 30, 30, one + 300, 30);
	expect_place(LIST, 45, 5, one + 315, 5);
}

static void the_key_is_no_region(void **state)
{
	const struct adev_tpt_user user = { .pd = PD };
	uint64_t address;

	(void)state;
	make_three();
	assert_int_equal(adev_tpt_check(&view, LIST, PD, 0, 1, 0, &address),
			 ADEV_TPT_IS_LIST);
	assert_int_equal(adev_tpt_check_remote(&view, LIST, user, 0, 1, 0,
					       &address),
			 ADEV_TPT_IS_LIST);
	assert_int_equal(adev_tpt_check(&view, LIST, PD + 1, 0, 1, 0, &address),
			 ADEV_TPT_BAD_PD);
	assert_int_equal(adev_tpt_list_check(&view, LIST, PD + 1, 0, 1, 0),
			 ADEV_TPT_BAD_PD);
	assert_int_equal(check(LIST + 1, 0, 1, 0), ADEV_TPT_BAD_KEY);
	assert_int_equal(check(FIRST, 5000, 1, 0), ADEV_TPT_BAD_KEY);
	assert_int_equal(check(KEY(NUM_ENTRIES), 0, 1, 0), ADEV_TPT_BAD_KEY);
}

static void the_list_has_bounds(void **state)
{
	struct adev_tpt_place place;

	(void)state;
	make_three();
	assert_int_equal(check(LIST, 0, 61, 0), ADEV_TPT_BAD_BOUNDS);
	assert_int_equal(check(LIST, 60, 1, 0), ADEV_TPT_BAD_BOUNDS);
	assert_int_equal(check(LIST, 60, 0, 0), ADEV_TPT_BAD_BOUNDS);
	assert_int_equal(check(LIST, 0, 0, 0), ADEV_TPT_BAD_BOUNDS);
	assert_int_equal(adev_tpt_list_place(&view, LIST, PD, 60, 0, 0, &place),
			 ADEV_TPT_BAD_BOUNDS);
	assert_int_equal(check(LIST, UINT64_MAX, 2, 0), ADEV_TPT_BAD_BOUNDS);
}

static void rights_are_needed_of_what_is_touched(void **state)
{
	(void)state;
	make_three();
	assert_int_equal(check(LIST, 0, 10, WRITE), ADEV_TPT_OK);
	assert_int_equal(check(LIST, 30, 30, REMOTE_WRITE), ADEV_TPT_OK);
	assert_int_equal(check(LIST, 0, 11, WRITE), ADEV_TPT_BAD_ACCESS);
	assert_int_equal(check(LIST, 0, 11, REMOTE_WRITE), ADEV_TPT_BAD_ACCESS);
	assert_int_equal(check(LIST, 0, 1, ARNICA_HW_ACCESS_REMOTE_READ),
			 ADEV_TPT_BAD_ACCESS);
}

static void a_region_that_is_gone_is_missed(void **state)
{
	struct adev_tpt_place place;

	(void)state;
	make_three();
	adev_tpt_invalidate(&entries[2]);
	assert_int_equal(check(LIST, 0, 10, 0), ADEV_TPT_OK);
	assert_int_equal(check(LIST, 0, 60, 0), ADEV_TPT_BAD_KEY);
	assert_int_equal(adev_tpt_list_place(&view, LIST, PD, 10, 1, 0, &place),
			 ADEV_TPT_BAD_KEY);
	region(SECOND, two, 0, 0);
	entries[2].pd = PD + 1;
	assert_int_equal(check(LIST, 0, 60, 0), ADEV_TPT_BAD_PD);
	region(SECOND, two, 1, 0);
	entries[2].length = 218;
	assert_int_equal(check(LIST, 0, 60, 0), ADEV_TPT_BAD_BOUNDS);
	assert_int_equal(check(LIST, 0, 29, 0), ADEV_TPT_OK);
}

/* Three columns: 4 bytes of every 40, 2 of every 20, and 1 of every 1. */
static void a_pattern_goes_on_by_its_strides(void **state)
{
	const struct adev_tpt_item items[] = {
		{ .iova = 5000, .length = 4, .stride = 40, .stag = FIRST },
		{ .iova = 0, .length = 2, .stride = 20, .stag = SECOND },
		{ .iova = 5900, .length = 1, .stride = 1, .stag = FIRST },
	};

	(void)state;
	make(LIST, 0, items, 3, 10, WRITE);
	assert_int_equal(check(LIST, 0, 70, 0), ADEV_TPT_OK);
	expect_place(LIST, 0, 70, one, 4);
	expect_place(LIST, 4, 70 - 4, two, 2);
	expect_place(LIST, 7 * 3 + 1, 40, one + 3 * 40 + 1, 3);
	expect_place(LIST, 7 * 9 + 5, 2, two + 9 * 20 + 1, 1);
	expect_place(LIST, 69, 1, one + 909, 1);
	assert_int_equal(check(LIST, 0, 71, 0), ADEV_TPT_BAD_BOUNDS);
	/* In one row only what is touched counts. */
	assert_int_equal(check(LIST, 7, 4, WRITE), ADEV_TPT_OK);
	assert_int_equal(check(LIST, 7, 5, WRITE), ADEV_TPT_BAD_ACCESS);
}

static void a_pattern_ends_with_its_region(void **state)
{
	const struct adev_tpt_item item = {
		.iova = 5000, .length = 10, .stride = 110, .stag = FIRST,
	};

	(void)state;
	make(LIST, 0, &item, 1, 10, 0);
	assert_int_equal(check(LIST, 0, 100, 0), ADEV_TPT_OK);
	make(LIST, 0, &item, 1, 11, 0);
	assert_int_equal(check(LIST, 0, 100, 0), ADEV_TPT_OK);
	assert_int_equal(check(LIST, 0, 101, 0), ADEV_TPT_BAD_BOUNDS);
}

static void lists_may_be_in_lists(void **state)
{
	const struct adev_tpt_item outer[] = {
		{ .iova = 5, .length = 40, .stag = LIST },
		{ .iova = 5000, .length = 7, .stag = FIRST },
	};

	(void)state;
	make_three();
	make(OUTER, 8, outer, 2, 1, 0);
	assert_int_equal(check(OUTER, 0, 47, 0), ADEV_TPT_OK);
	expect_place(OUTER, 0, 47, one + 105, 5);
	expect_place(OUTER, 5, 42, two + 200, 20);
	expect_place(OUTER, 25, 22, one + 300, 15);
	expect_place(OUTER, 40, 7, one, 7);
}

static void a_list_in_itself_ends(void **state)
{
	const struct adev_tpt_item self = { .length = 100, .stag = LIST };
	struct adev_tpt_place place;

	(void)state;
	make(LIST, 0, &self, 1, 1, 0);
	assert_int_equal(check(LIST, 0, 1, 0), ADEV_TPT_BAD_KEY);
	assert_int_equal(adev_tpt_list_place(&view, LIST, PD, 0, 1, 0, &place),
			 ADEV_TPT_BAD_KEY);
}

static void depth_is_counted(void **state)
{
	uint32_t level;

	(void)state;
	make_three();
	for (level = 1; level <= ADEV_TPT_MAX_DEPTH; level++) {
		const struct adev_tpt_item item = {
			.length = 60, .stag = KEY(2 + level),
		};

		make(KEY(3 + level), 8 + level, &item, 1, 1, 0);
		assert_int_equal(check(KEY(3 + level), 0, 60, 0),
				 level < ADEV_TPT_MAX_DEPTH ?
					 ADEV_TPT_OK :
					 ADEV_TPT_BAD_KEY);
	}
}

static void memory_without_a_key_is_taken_as_it_is(void **state)
{
	const struct adev_tpt_item item = {
		.iova = (uintptr_t)one, .length = 100,
	};

	(void)state;
	make(LIST, 0, &item, 1, 1, 0);
	assert_int_equal(check(LIST, 0, 100, 0), ADEV_TPT_OK);
	expect_place(LIST, 30, 70, one + 30, 70);
}

/* What only a process can have written that does not play by the rules. */
static void nonsense_is_refused(void **state)
{
	struct adev_tpt_entry *entry = &entries[3];
	struct adev_tpt_place place;

	(void)state;
	make_three();
	segment[1].offset = 12;
	assert_int_equal(check(LIST, 0, 60, 0), ADEV_TPT_BAD_BOUNDS);
	assert_int_equal(adev_tpt_list_place(&view, LIST, PD, 10, 1, 0, &place),
			 ADEV_TPT_BAD_BOUNDS);
	make_three();
	segment[2].length = 0;
	assert_int_equal(check(LIST, 0, 60, 0), ADEV_TPT_BAD_BOUNDS);
	make_three();
	entry->qpn = ADEV_TPT_MAX_ITEMS + 1;
	assert_int_equal(check(LIST, 0, 1, 0), ADEV_TPT_BAD_KEY);
	make_three();
	entry->qpn = 0;
	assert_int_equal(check(LIST, 0, 1, 0), ADEV_TPT_BAD_KEY);
	make_three();
	entry->sink = 0;
	assert_int_equal(check(LIST, 0, 1, 0), ADEV_TPT_BAD_KEY);
	make_three();
	entry->address = sizeof(segment) - 40;
	assert_int_equal(check(LIST, 0, 1, 0), ADEV_TPT_BAD_KEY);
	make_three();
	entry->address = 4;
	assert_int_equal(check(LIST, 0, 1, 0), ADEV_TPT_BAD_KEY);
	make_three();
	entry->length = UINT64_MAX;
	segment[2].stride = UINT64_MAX / 2;
	assert_int_equal(check(LIST, 600 + 30, 1, 0), ADEV_TPT_BAD_BOUNDS);
}

static void what_wraps_around_is_no_list(void **state)
{
	struct adev_tpt_item items[2] = {
		{ .length = UINT64_MAX - 1 },
		{ .length = 2 },
	};
	uint64_t row, length;

	(void)state;
	assert_int_equal(adev_tpt_list_arrange(items, 2, 1, &row, &length),
			 EINVAL);
	assert_int_equal(adev_tpt_list_arrange(items, 1, 2, &row, &length),
			 EINVAL);
	assert_ok(adev_tpt_list_arrange(items, 1, 1, &row, &length));
	items[0] = (struct adev_tpt_item){ .iova = 1, .length = UINT64_MAX };
	assert_ok(adev_tpt_list_arrange(items, 1, 1, &row, &length));
	items[0].iova = 2;
	assert_int_equal(adev_tpt_list_arrange(items, 1, 1, &row, &length),
			 EINVAL);
	items[0] = (struct adev_tpt_item){ .length = 1, .stride = 1ull << 63 };
	assert_int_equal(adev_tpt_list_arrange(items, 1, 3, &row, &length),
			 EINVAL);
	items[0].length = 0;
	assert_int_equal(adev_tpt_list_arrange(items, 1, 1, &row, &length),
			 EINVAL);
	items[0].length = 1;
	assert_int_equal(adev_tpt_list_arrange(items, 0, 1, &row, &length),
			 EINVAL);
	assert_int_equal(adev_tpt_list_arrange(items, ADEV_TPT_MAX_ITEMS + 1, 1,
					       &row, &length),
			 EINVAL);
	assert_int_equal(adev_tpt_list_arrange(items, 1, 0, &row, &length),
			 EINVAL);
}

/* As gather lists see it: more places than iovecs, and a piece beside it. */
static void gather_lists_go_through_them(void **state)
{
	const struct adev_tpt_item items[] = {
		{ .iova = 5000, .length = 1, .stride = 2, .stag = FIRST },
	};
	const struct arnica_hw_data_segment segments[] = {
		{ arnica_to_le64(5900), arnica_to_le32(3),
		  arnica_to_le32(FIRST) },
		{ arnica_to_le64(10), arnica_to_le32(200),
		  arnica_to_le32(LIST) },
		{ arnica_to_le64(5950), arnica_to_le32(4),
		  arnica_to_le32(FIRST) },
	};
	char pattern[207], back[207];
	struct adev_gather gather;
	size_t i;

	(void)state;
	make(LIST, 0, items, 1, 300, WRITE);
	for (i = 0; i < sizeof(pattern); i++)
		pattern[i] = (char)(i + 1);
	memset(one, 0, sizeof(one));
	assert_ok(adev_gather_segments(&view, PD, segments, 3, WRITE, &gather));
	assert_int_equal(gather.num_lists, 1);
	assert_int_equal(gather.bytes, 207);
	assert_true(adev_gather_write(&gather, 0, pattern, 207));
	for (i = 0; i < 200; i++) {
		assert_int_equal(one[20 + 2 * i], pattern[3 + i]);
		assert_int_equal(one[21 + 2 * i], 0);
	}
	assert_memory_equal(one + 900, pattern, 3);
	assert_memory_equal(one + 950, pattern + 203, 4);
	assert_true(adev_gather_read(&gather, 1, back, 206));
	assert_memory_equal(back, pattern + 1, 206);
	assert_true(adev_gather_holds(&view, PD, &gather, WRITE));
	entries[1].length = 300;
	assert_false(adev_gather_holds(&view, PD, &gather, WRITE));
	assert_false(adev_gather_part_holds(&view, PD, &gather, 3, 100, 0));
	assert_false(adev_gather_read(&gather, 3, back, 200));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(bytes_are_in_the_items_in_order, setup),
		cmocka_unit_test_setup(the_key_is_no_region, setup),
		cmocka_unit_test_setup(the_list_has_bounds, setup),
		cmocka_unit_test_setup(rights_are_needed_of_what_is_touched,
				       setup),
		cmocka_unit_test_setup(a_region_that_is_gone_is_missed, setup),
		cmocka_unit_test_setup(a_pattern_goes_on_by_its_strides, setup),
		cmocka_unit_test_setup(a_pattern_ends_with_its_region, setup),
		cmocka_unit_test_setup(lists_may_be_in_lists, setup),
		cmocka_unit_test_setup(a_list_in_itself_ends, setup),
		cmocka_unit_test_setup(depth_is_counted, setup),
		cmocka_unit_test_setup(memory_without_a_key_is_taken_as_it_is,
				       setup),
		cmocka_unit_test_setup(nonsense_is_refused, setup),
		cmocka_unit_test_setup(what_wraps_around_is_no_list, setup),
		cmocka_unit_test_setup(gather_lists_go_through_them, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
