/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The heap of a segment: places, quota, merging, and zero memory. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <arnica/hw/limits.h>

#include "core/heap.h"
#include "domain/segment.h"
#include "test.h"

#define START (1ull << 20)
#define PAGE ARNICA_HW_PAGE_BYTES
#define PAGES 16ull

struct made {
	struct adev_heap heap;
	int fd;
	void *base;
	uint64_t size;
};

static int setup_with_quota(void **state, uint64_t quota)
{
	struct made *made = calloc(1, sizeof(*made));

	if (!made || fixture_setup(state))
		return -1;
	made->fd = fixture_device_file();
	if (made->fd < 0 ||
	    adev_segment_reserve(made->fd, 64u << 20, &made->base, &made->size))
		return -1;
	*state = made;
	return adev_heap_init(&made->heap, made->fd, START, PAGES * PAGE,
			      quota);
}

static int setup(void **state)
{
	return setup_with_quota(state, PAGES * PAGE);
}

static int setup_small_quota(void **state)
{
	return setup_with_quota(state, 4 * PAGE);
}

static int teardown(void **state)
{
	struct made *made = *state;

	adev_heap_fini(&made->heap);
	adev_segment_release(made->base, made->size);
	close(made->fd);
	free(made);
	return fixture_teardown(state);
}

static uint64_t take(struct made *made, uint64_t bytes)
{
	uint64_t offset = 0;

	assert_ok(adev_heap_alloc(&made->heap, bytes, &offset));
	assert_int_equal(offset % PAGE, 0);
	assert_in_range(offset, START, START + PAGES * PAGE - 1);
	return offset;
}

static bool refused(struct made *made, uint64_t bytes)
{
	uint64_t offset;

	return adev_heap_alloc(&made->heap, bytes, &offset) == ENOMEM;
}

static void ranges_are_whole_pages_and_do_not_overlap(void **state)
{
	struct made *made = *state;
	uint64_t first = take(made, 1), second = take(made, PAGE + 1);
	uint64_t third = take(made, PAGE);

	assert_int_equal(second, first + PAGE);
	assert_int_equal(third, second + 2 * PAGE);
	assert_int_equal(made->heap.used_bytes, 4 * PAGE);
}

static void everything_can_be_used_and_no_more(void **state)
{
	struct made *made = *state;
	uint64_t offset = take(made, PAGES * PAGE);

	assert_true(refused(made, 1));
	adev_heap_free(&made->heap, offset, PAGES * PAGE);
	assert_int_equal(take(made, PAGES * PAGE), offset);
}

static void memory_is_zero_when_it_is_used_again(void **state)
{
	struct made *made = *state;
	uint64_t offset = take(made, 3 * PAGE);
	char *memory = (char *)made->base + offset;
	size_t i;

	for (i = 0; i < 3 * PAGE; i++)
		assert_int_equal(memory[i], 0);
	memset(memory, 0x5a, 3 * PAGE);
	adev_heap_free(&made->heap, offset, 3 * PAGE);
	assert_int_equal(take(made, 3 * PAGE), offset);
	for (i = 0; i < 3 * PAGE; i++)
		assert_int_equal(memory[i], 0);
}

/* Frees the three ranges in the order given; they must become one again. */
static void check_merge(struct made *made, unsigned int a, unsigned int b,
			unsigned int c)
{
	uint64_t offset[3];
	unsigned int i;

	for (i = 0; i < 3; i++)
		offset[i] = take(made, 4 * PAGE);
	adev_heap_free(&made->heap, offset[a], 4 * PAGE);
	adev_heap_free(&made->heap, offset[b], 4 * PAGE);
	adev_heap_free(&made->heap, offset[c], 4 * PAGE);
	assert_int_equal(made->heap.used_bytes, 0);
	offset[0] = take(made, PAGES * PAGE);
	adev_heap_free(&made->heap, offset[0], PAGES * PAGE);
}

static void neighbours_become_one_in_every_order_of_freeing(void **state)
{
	check_merge(*state, 0, 1, 2);
	check_merge(*state, 0, 2, 1);
	check_merge(*state, 1, 0, 2);
	check_merge(*state, 1, 2, 0);
	check_merge(*state, 2, 0, 1);
	check_merge(*state, 2, 1, 0);
}

static void the_first_hole_that_fits_is_used(void **state)
{
	struct made *made = *state;
	uint64_t first = take(made, PAGE), big;

	(void)take(made, PAGE);
	big = take(made, 3 * PAGE);
	(void)take(made, PAGE);
	adev_heap_free(&made->heap, first, PAGE);
	adev_heap_free(&made->heap, big, 3 * PAGE);
	assert_int_equal(take(made, 2 * PAGE), big);
	assert_int_equal(take(made, PAGE), first);
}

static void quota_refuses_before_the_room_does(void **state)
{
	struct made *made = *state;
	uint64_t offset = take(made, 3 * PAGE);

	assert_true(refused(made, 2 * PAGE));
	(void)take(made, PAGE);
	assert_true(refused(made, 1));
	adev_heap_free(&made->heap, offset, 3 * PAGE);
	(void)take(made, 3 * PAGE);
}

static void a_refusal_uses_nothing(void **state)
{
	struct made *made = *state;

	assert_true(refused(made, PAGES * PAGE + 1));
	assert_true(refused(made, UINT64_MAX - 2 * PAGE));
	assert_int_equal(made->heap.used_bytes, 0);
	(void)take(made, PAGES * PAGE);
}

#define heap_test(function)                                                    \
	cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		heap_test(ranges_are_whole_pages_and_do_not_overlap),
		heap_test(everything_can_be_used_and_no_more),
		heap_test(memory_is_zero_when_it_is_used_again),
		heap_test(neighbours_become_one_in_every_order_of_freeing),
		heap_test(the_first_hole_that_fits_is_used),
		heap_test(a_refusal_uses_nothing),
		cmocka_unit_test_setup_teardown(
			quota_refuses_before_the_room_does, setup_small_quota,
			teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
