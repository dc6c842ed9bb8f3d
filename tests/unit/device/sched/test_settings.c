/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What the user's settings make of a scheduler, and what is refused. */
#include <errno.h>
#include <stdlib.h>

#include "two_functions.h"

#include "sched/sched.h"

static const char *const variables[] = {
	"ARNICA_POLICY",	 "ARNICA_CLASS_WEIGHTS",
	"ARNICA_WATERMARKS",	 "ARNICA_EXECUTION_ENGINES",
	"ARNICA_GATHER_ENGINES", "ARNICA_ENGINE_WEIGHTS",
};

static int unset(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(variables) / sizeof(variables[0]); i++)
		unsetenv(variables[i]);
	return 0;
}

static int result(struct adev_sched_config *config)
{
	struct adev_scheduler scheduler;
	int error;

	adev_sched_init(&scheduler);
	error = adev_sched_read_settings(&scheduler);
	adev_sched_query(&scheduler, config);
	adev_sched_fini(&scheduler);
	return error;
}

static void what_is_not_set_stays(void **state)
{
	struct adev_sched_config config, defaults;

	(void)state;
	adev_sched_defaults(&defaults);
	assert_int_equal(result(&config), 0);
	assert_int_equal(config.policy, ARNICA_HW_POLICY_STRICT);
	assert_int_equal(config.num_engines, defaults.num_engines);
	assert_int_equal(config.num_gathers, defaults.num_gathers);
	assert_memory_equal(config.watermark, defaults.watermark,
			    sizeof(config.watermark));
}

static void everything_can_be_set(void **state)
{
	struct adev_sched_config config;

	(void)state;
	setenv("ARNICA_POLICY", "weighted", 1);
	setenv("ARNICA_CLASS_WEIGHTS", "1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16",
	       1);
	setenv("ARNICA_WATERMARKS", "5", 1);
	setenv("ARNICA_EXECUTION_ENGINES", "6", 1);
	setenv("ARNICA_GATHER_ENGINES", "3", 1);
	setenv("ARNICA_ENGINE_WEIGHTS", "200", 1);
	assert_int_equal(result(&config), 0);
	assert_int_equal(config.policy, ARNICA_HW_POLICY_WEIGHTED);
	assert_int_equal(config.class_weight[0], 1);
	assert_int_equal(config.class_weight[15], 16);
	assert_int_equal(config.watermark[9], 5);
	assert_int_equal(config.num_engines, 6);
	assert_int_equal(config.num_gathers, 3);
	assert_int_equal(config.engine_weight[7], 200);
}

static void gather_engines_follow_execution_engines(void **state)
{
	struct adev_sched_config config;

	(void)state;
	setenv("ARNICA_EXECUTION_ENGINES", "1", 1);
	assert_int_equal(result(&config), 0);
	assert_int_equal(config.num_engines, 1);
	assert_int_equal(config.num_gathers, 1);
}

static void refused(const char *name, const char *value)
{
	struct adev_sched_config config, defaults;

	adev_sched_defaults(&defaults);
	setenv(name, value, 1);
	assert_int_equal(result(&config), ENODEV);
	assert_int_equal(config.policy, defaults.policy);
	assert_int_equal(config.num_engines, defaults.num_engines);
	unsetenv(name);
}

static void wrong_settings_are_refused_and_change_nothing(void **state)
{
	(void)state;
	refused("ARNICA_POLICY", "fair");
	refused("ARNICA_CLASS_WEIGHTS", "0");
	refused("ARNICA_CLASS_WEIGHTS", "256");
	refused("ARNICA_CLASS_WEIGHTS", "1,2,3");
	refused("ARNICA_WATERMARKS", "17");
	refused("ARNICA_EXECUTION_ENGINES", "0");
	refused("ARNICA_GATHER_ENGINES", "9");
	refused("ARNICA_ENGINE_WEIGHTS", "many");
	setenv("ARNICA_EXECUTION_ENGINES", "2", 1);
	refused("ARNICA_GATHER_ENGINES", "3");
}

/* From the environment to an open device. */
static void a_function_is_opened_with_them(void **state)
{
	struct adev_sched_config config;
	struct two *two;

	setenv("ARNICA_POLICY", "weighted", 1);
	assert_int_equal(two_setup(state), 0);
	two = *state;
	adev_sched_query(&two_function_of(&two->a)->scheduler, &config);
	assert_int_equal(config.policy, ARNICA_HW_POLICY_WEIGHTED);
	assert_int_equal(two_teardown(state), 0);
}

#define settings_test(function)                                                \
	cmocka_unit_test_setup_teardown(function, NULL, unset)

int main(void)
{
	const struct CMUnitTest tests[] = {
		settings_test(what_is_not_set_stays),
		settings_test(everything_can_be_set),
		settings_test(gather_engines_follow_execution_engines),
		settings_test(wrong_settings_are_refused_and_change_nothing),
		settings_test(a_function_is_opened_with_them),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
