/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* ARNICA_EVEN_WRITES=off: a WRITE looks as the specification draws it. */
#include <stdlib.h>

#include <infiniband/verbs.h>

#include "sender_fixture.h"

static void each_write_names_its_memory_once(void **state)
{
	struct played played;
	uint32_t i;

	start(&played, state);
	for (i = 0; i < 3; i++) {
		(void)played_send(&played, ARNICA_HW_OP_WRITE, 0, 3 * MTU);
		(void)played_expect(&played, ROCE_WRITE_FIRST, at(3 * i));
		(void)played_expect(&played, ROCE_WRITE_MIDDLE, at(3 * i + 1));
		(void)played_expect(&played, ROCE_WRITE_LAST, at(3 * i + 2));
		played_none(&played);
		played_ack(&played, at(3 * i + 2));
	}
	played_stop(&played);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		two_test(each_write_names_its_memory_once),
	};

	/* Settings are read once. */
	if (setenv("ARNICA_EVEN_WRITES", "off", 1))
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
