/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include <errno.h>
#include <string.h>

#include <cmocka.h>

#include "fault_spec.h"

static struct arnica_fault_spec parse(const char *text)
{
	struct arnica_fault_spec spec;
	char why[256] = "";

	if (arnica_fault_spec_parse(text, &spec, why, sizeof(why)))
		fail_msg("'%s' is refused: %s", text, why);
	return spec;
}

/* Refused, and both texts are in the reason. */
static void refuse(const char *text, const char *part, const char *allowed)
{
	struct arnica_fault_spec spec;
	char why[256] = "";

	assert_int_equal(arnica_fault_spec_parse(text, &spec, why, sizeof(why)),
			 EINVAL);
	if (!strstr(why, part) || !strstr(why, allowed) || strchr(why, '\n'))
		fail_msg("'%s': '%s' does not say '%s' and '%s'", text, why,
			 part, allowed);
}

static void all_words_in_any_order(void **state)
{
	struct arnica_fault_spec spec = parse("drop=1%,reorder=2%,dup=0.5%,"
					      "corrupt=0.1%,delay=50us,seed=7");

	(void)state;
	assert_int_equal(spec.drop, 10000);
	assert_int_equal(spec.reorder, 20000);
	assert_int_equal(spec.duplicate, 5000);
	assert_int_equal(spec.corrupt, 1000);
	assert_int_equal(spec.delay_ns, 50000);
	assert_true(spec.seeded);
	assert_int_equal(spec.seed, 7);
	spec = parse("seed=0x10,drop=3%");
	assert_int_equal(spec.seed, 16);
	assert_int_equal(spec.drop, 30000);
	assert_int_equal(spec.corrupt, 0);
	assert_int_equal(spec.delay_ns, 0);
}

static void without_a_seed_is_not_seeded(void **state)
{
	(void)state;
	assert_false(parse("drop=1%").seeded);
	assert_true(parse("seed=0").seeded);
}

static void shares_have_decimals(void **state)
{
	(void)state;
	assert_int_equal(parse("drop=0%").drop, 0);
	assert_int_equal(parse("drop=100%").drop, 1000000);
	assert_int_equal(parse("drop=100.0%").drop, 1000000);
	assert_int_equal(parse("drop=0.0001%").drop, 1);
	assert_int_equal(parse("drop=00.25%").drop, 2500);
	assert_int_equal(parse("drop=99.9999%").drop, 999999);
}

static void delays_have_units(void **state)
{
	(void)state;
	assert_int_equal(parse("delay=0us").delay_ns, 0);
	assert_int_equal(parse("delay=1ns").delay_ns, 1);
	assert_int_equal(parse("delay=2ms").delay_ns, 2000000);
	assert_int_equal(parse("delay=10s").delay_ns, 10000000000);
}

static void a_wrong_share_names_word_and_range(void **state)
{
	static const char *const wrong[] = {
		"drop",
		"drop=",
		"drop=1",
		"drop=%",
		"drop=101%",
		"drop=100.1%",
		"drop=-1%",
		"drop=1 %",
		"drop=.5%",
		"drop=1.%",
		"drop=1%%",
		"drop=0.00001%",
		"drop=x%",
		"drop=1e1%",
		"drop=+1%",
		"drop= 1%",
		"drop=99999999999999999999%",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		refuse(wrong[i], wrong[i], "a percentage from 0% to 100%");
}

static void a_wrong_delay_or_seed_says_what_is_allowed(void **state)
{
	static const char *const delays[] = { "delay=5",
					      "delay=us",
					      "delay=1.5ms",
					      "delay=11s",
					      "delay=-1us",
					      "delay=5 us",
					      "delay=20000000000000000000ns" };
	static const char *const seeds[] = { "seed=", "seed=x", "seed=-1",
					     "seed=1x",
					     "seed=18446744073709551616" };

	(void)state;
	for (size_t i = 0; i < sizeof(delays) / sizeof(delays[0]); i++)
		refuse(delays[i], delays[i], "ns, us, ms or s, up to 10s");
	for (size_t i = 0; i < sizeof(seeds) / sizeof(seeds[0]); i++)
		refuse(seeds[i], seeds[i], "a number of 64 bits");
}

static void unknown_words_list_the_known(void **state)
{
	(void)state;
	refuse("lose=1%", "'lose=1%'", "drop, reorder, dup, corrupt");
	refuse("", "''", "drop, reorder, dup, corrupt");
	refuse("drop=1%,", "''", "drop, reorder, dup, corrupt");
	refuse(",drop=1%", "''", "drop, reorder, dup, corrupt");
	refuse("Drop=1%", "'Drop=1%'", "drop, reorder, dup, corrupt");
	refuse("drop=1%;dup=1%", "drop=1%;dup=1%", "percentage");
}

static void a_word_is_given_once(void **state)
{
	(void)state;
	refuse("drop=1%,seed=1,drop=2%", "'drop=2%'", "twice");
}

static void endless_words_are_refused(void **state)
{
	char text[4096];

	(void)state;
	memset(text, '1', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	refuse(text, "1111", "too long");
	memcpy(text, "drop=", 5);
	refuse(text, "drop=1111", "too long");
}

/* The reason never runs over its buffer. */
static void a_short_buffer_holds_a_short_reason(void **state)
{
	struct arnica_fault_spec spec;
	char why[12];

	(void)state;
	assert_int_equal(
		arnica_fault_spec_parse("lose=1%", &spec, why, sizeof(why)),
		EINVAL);
	assert_int_equal(strlen(why), sizeof(why) - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_words_in_any_order),
		cmocka_unit_test(without_a_seed_is_not_seeded),
		cmocka_unit_test(shares_have_decimals),
		cmocka_unit_test(delays_have_units),
		cmocka_unit_test(a_wrong_share_names_word_and_range),
		cmocka_unit_test(a_wrong_delay_or_seed_says_what_is_allowed),
		cmocka_unit_test(unknown_words_list_the_known),
		cmocka_unit_test(a_word_is_given_once),
		cmocka_unit_test(endless_words_are_refused),
		cmocka_unit_test(a_short_buffer_holds_a_short_reason),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
