/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Indexes: each in use once, and used again. */
#include <errno.h>
#include <stdlib.h>

#include "fake_function.h"

#include "front/objects.h"

#define LIMIT 100u

static void every_index_is_given_once(void **state)
{
	struct adev_free_list list = { 0 };
	bool used[LIMIT] = { false };
	uint32_t next = 0, index, i;

	(void)state;
	for (i = 0; i < LIMIT; i++) {
		assert_ok(adev_index_take(&list, &next, LIMIT, &index));
		assert_true(index < LIMIT);
		assert_false(used[index]);
		used[index] = true;
	}
	assert_int_equal(adev_index_take(&list, &next, LIMIT, &index), ENOMEM);
	for (i = 0; i < LIMIT; i++)
		adev_index_give(&list, i);
	for (i = 0; i < LIMIT; i++) {
		assert_ok(adev_index_take(&list, &next, LIMIT, &index));
		assert_true(used[index]);
		used[index] = false;
	}
	assert_int_equal(adev_index_take(&list, &next, LIMIT, &index), ENOMEM);
	free(list.indexes);
}

static void the_mask_is_drawn(void **state)
{
	struct adev_function *fn = *state;
	uint32_t first = fn->tpt_mask, i;

	/* 1 in 2^64 for a table of 4096 and more: eight equal draws */
	for (i = 0; i < 8; i++) {
		adev_objects_fini(fn);
		assert_ok(adev_objects_init(fn));
		if (fn->tpt_mask != first)
			return;
	}
	fail_msg("the mask is always %u", first);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_index_is_given_once),
		function_test(the_mask_is_drawn),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
