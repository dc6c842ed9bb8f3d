/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* cmocka, and what it wants included before. */
#ifndef TEST_DOMAIN_TEST_H
#define TEST_DOMAIN_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fixture.h"

#define domain_test(function)                                                  \
	cmocka_unit_test_setup_teardown(function, fixture_setup,               \
					fixture_teardown)

#define assert_ok(expression) assert_int_equal((expression), 0)

#endif
