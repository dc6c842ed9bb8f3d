/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "preload.h"

static const struct tool_runtimes none;
static const struct tool_runtimes asan = { 1, { "libasan.so.8" } };

static void expect(const struct tool_runtimes *runtimes, const char *existing,
		   const char *wanted)
{
	char *list = tool_compose_preload(runtimes, "/x/libarnica-standin.so",
					  existing);

	assert_non_null(list);
	assert_string_equal(list, wanted);
	free(list);
}

static void standin_alone_when_nothing_was_set(void **state)
{
	(void)state;
	expect(&none, NULL, "/x/libarnica-standin.so");
	expect(&none, "", "/x/libarnica-standin.so");
	expect(&none, " : ", "/x/libarnica-standin.so");
}

static void standin_comes_before_what_was_set(void **state)
{
	(void)state;
	expect(&none, "/a/libjemalloc.so.2 libb.so",
	       "/x/libarnica-standin.so:/a/libjemalloc.so.2:libb.so");
}

static void standin_is_not_named_twice(void **state)
{
	(void)state;
	expect(&none, "/x/libarnica-standin.so", "/x/libarnica-standin.so");
	expect(&none, "liba.so:/other/libarnica-standin.so",
	       "/x/libarnica-standin.so:liba.so");
}

static void needed_runtime_comes_first(void **state)
{
	(void)state;
	expect(&asan, NULL, "libasan.so.8:/x/libarnica-standin.so");
	expect(&asan, "liba.so /usr/lib/libasan.so.8",
	       "libasan.so.8:/x/libarnica-standin.so:liba.so");
}

static void runtime_that_was_set_stays_first(void **state)
{
	(void)state;
	expect(&none, "liba.so /usr/lib/libtsan.so.2",
	       "/usr/lib/libtsan.so.2:/x/libarnica-standin.so:liba.so");
}

static void similar_names_are_other_libraries(void **state)
{
	(void)state;
	expect(&none, "/x/libarnica-standin.so.old",
	       "/x/libarnica-standin.so:/x/libarnica-standin.so.old");
	expect(&none, "my-libarnica-standin.so",
	       "/x/libarnica-standin.so:my-libarnica-standin.so");
}

static void sanitizer_runtimes_are_recognised(void **state)
{
	(void)state;
	assert_true(tool_is_sanitizer_runtime("libasan.so.8"));
	assert_true(tool_is_sanitizer_runtime("/usr/lib/libtsan.so.2"));
	assert_true(tool_is_sanitizer_runtime("libclang_rt.asan-x86_64.so"));
	assert_false(tool_is_sanitizer_runtime("libasan.so.8/libc.so.6"));
	assert_false(tool_is_sanitizer_runtime("libubsan.so.1"));
	assert_false(tool_is_sanitizer_runtime("libc.so.6"));
	assert_false(tool_is_sanitizer_runtime(""));
}

static void runtimes_are_kept_once_and_bounded(void **state)
{
	struct tool_runtimes runtimes = { 0 };
	char name[TOOL_RUNTIME_NAME_BYTES + 1];
	char *list;

	(void)state;
	tool_runtimes_add(&runtimes, "libasan.so.8");
	tool_runtimes_add(&runtimes, "libasan.so.8");
	assert_int_equal(runtimes.num_names, 1);
	memset(name, 'x', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	tool_runtimes_add(&runtimes, name);
	assert_int_equal(runtimes.num_names, 1);
	for (char letter = 'a'; letter < 'z'; letter++) {
		char other[] = { letter, '\0' };

		tool_runtimes_add(&runtimes, other);
	}
	assert_int_equal(runtimes.num_names, TOOL_MAX_RUNTIMES);
	list = tool_compose_preload(&runtimes, "s", NULL);
	assert_string_equal(list, "libasan.so.8:a:b:c:s");
	free(list);
}

static void expect_list(const char *existing, const char *wanted)
{
	char *list = tool_compose_list("/x/libarnica", existing);

	assert_non_null(list);
	assert_string_equal(list, wanted);
	free(list);
}

static void drivers_are_added_once(void **state)
{
	(void)state;
	expect_list(NULL, "/x/libarnica");
	expect_list("", "/x/libarnica");
	expect_list("rxe", "/x/libarnica:rxe");
	expect_list("rxe:/x/libarnica", "rxe:/x/libarnica");
	expect_list("/x/libarnica2;rxe", "/x/libarnica:/x/libarnica2;rxe");
	expect_list("/x/libarnica;rxe", "/x/libarnica;rxe");
}

static void paths_that_cannot_be_preloaded_are_known(void **state)
{
	(void)state;
	assert_false(tool_preload_splits("/usr/lib/libarnica-standin.so"));
	assert_true(tool_preload_splits("/my trees/libarnica-standin.so"));
	assert_true(tool_preload_splits("/a:b/libarnica-standin.so"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(standin_alone_when_nothing_was_set),
		cmocka_unit_test(standin_comes_before_what_was_set),
		cmocka_unit_test(standin_is_not_named_twice),
		cmocka_unit_test(needed_runtime_comes_first),
		cmocka_unit_test(runtime_that_was_set_stays_first),
		cmocka_unit_test(similar_names_are_other_libraries),
		cmocka_unit_test(sanitizer_runtimes_are_recognised),
		cmocka_unit_test(runtimes_are_kept_once_and_bounded),
		cmocka_unit_test(drivers_are_added_once),
		cmocka_unit_test(paths_that_cannot_be_preloaded_are_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
