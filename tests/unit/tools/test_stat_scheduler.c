/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The tables of `arnica stat`: who did something, and what share it was. */
#include "stat_scheduler.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char text[16384];

static void print(const struct arnica_hw_sched_counters *counters, bool all)
{
	FILE *file = tmpfile();
	int saved = dup(STDOUT_FILENO);
	size_t length;

	assert_non_null(file);
	fflush(stdout);
	assert_true(dup2(fileno(file), STDOUT_FILENO) >= 0);
	tool_print_scheduler(counters, all);
	fflush(stdout);
	assert_true(dup2(saved, STDOUT_FILENO) >= 0);
	close(saved);
	rewind(file);
	length = fread(text, 1, sizeof(text) - 1, file);
	text[length] = 0;
	fclose(file);
}

static uint32_t lines(void)
{
	uint32_t count = 0;
	const char *at;

	for (at = text; *at; at++)
		count += *at == '\n';
	return count;
}

static struct arnica_hw_sched_counters some(void)
{
	struct arnica_hw_sched_counters counters;

	memset(&counters, 0, sizeof(counters));
	counters.policy = ARNICA_HW_POLICY_WEIGHTED;
	counters.num_engines = 3;
	counters.num_gathers = 2;
	return counters;
}

static void who_did_nothing_has_no_tables(void **state)
{
	const struct arnica_hw_sched_counters counters = some();

	(void)state;
	print(&counters, false);
	assert_string_equal(text, "");
	print(&counters, true);
	assert_int_equal(lines(), 1 + 3 + ARNICA_HW_CLASSES + 3 + 2);
}

static void shares_are_of_all_bytes(void **state)
{
	struct arnica_hw_sched_counters counters = some();

	(void)state;
	counters.classes[2].entered = 1;
	counters.classes[2].bytes = 300;
	counters.classes[7].entered = 1;
	counters.classes[7].bytes = 100;
	counters.engines[1].turns = 5;
	counters.engines[1].qpn = 0xabc;
	counters.engines[1].bytes = 400;
	counters.engines[1].fetches = 3;
	counters.engines[1].fetched = 48;
	counters.gathers[0].turns = 5;
	counters.gathers[0].bytes = 400;
	print(&counters, false);
	assert_int_equal(lines(), 1 + 3 + 2 + 1 + 1);
	assert_non_null(strstr(text, "weighted, 3 execution engines, 2 gather"));
	assert_non_null(strstr(text, "75.0%"));
	assert_non_null(strstr(text, "25.0%"));
	assert_non_null(strstr(text, "0xabc"));
	assert_non_null(strstr(text, " 3         48\n"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_did_nothing_has_no_tables),
		cmocka_unit_test(shares_are_of_all_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
