/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The provider against libraries of other releases than the machine's: each run
 * is given one, with what has to be found in it, or what is to be said of it.
 *
 *	provider-layouts LIBRARY ABI GENERATION CONTEXT_BYTES QP_MASK_OFFSET
 *	provider-layouts LIBRARY "unknown ..."
 *
 * The last two are those of x86-64; in both is a mutex, which is larger on some
 * machines.
 */
#include <cmocka.h>
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "calibrate.h"

static char **arguments;
static int count;

static unsigned long number(int i)
{
	return strtoul(arguments[i], NULL, 10);
}

static void the_library_is_what_it_is(void **state)
{
	const size_t more = sizeof(pthread_mutex_t) - 40;
	struct arnica_calibration calibration;
	const char *problem;

	(void)state;
	assert_null(arnica_calibrate_library(&calibration));
	problem = arnica_calibrate_layout(&calibration);
	if (count == 3) {
		assert_non_null(problem);
		assert_string_equal(problem, arguments[2]);
		return;
	}
	assert_null(problem);
	assert_int_equal(calibration.abi, number(2));
	assert_int_equal(calibration.generation, number(3));
	assert_int_equal(calibration.context_bytes, number(4) + more);
	assert_int_equal(calibration.qp_mask_offset, number(5) + more);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_library_is_what_it_is),
	};

	count = argc;
	arguments = argv;
	if ((argc != 3 && argc != 6) || !dlopen(argv[1], RTLD_NOW)) {
		fprintf(stderr, "no such library: %s\n", dlerror());
		return 1;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
