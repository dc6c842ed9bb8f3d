/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The numbers and the policy of a scheduler that the user set. */
#include <errno.h>

#include "domain/identity.h"
#include "domain/log.h"
#include "sched/sched.h"
#include "settings.h"

_Static_assert(ADEV_CLASSES == ARNICA_SETTINGS_LIST &&
		       ARNICA_HW_MAX_ENGINES == ARNICA_SETTINGS_LIST,
	       "a list has one number for each");

static int read_number(enum arnica_setting setting, uint32_t *number)
{
	uint64_t value;
	int error = adev_setting_number(setting, *number, &value);

	if (!error)
		*number = (uint32_t)value;
	return error;
}

static int read_list(enum arnica_setting setting, uint8_t *numbers)
{
	char why[ARNICA_SETTINGS_WHY_BYTES];
	uint64_t values[ARNICA_SETTINGS_LIST];
	uint32_t i;

	for (i = 0; i < ARNICA_SETTINGS_LIST; i++)
		values[i] = numbers[i];
	if (arnica_setting_list(setting, values, why)) {
		adev_log_error("%s", why);
		return EINVAL;
	}
	for (i = 0; i < ARNICA_SETTINGS_LIST; i++)
		numbers[i] = (uint8_t)values[i];
	return 0;
}

static int read_policy(struct adev_sched_config *config)
{
	/* In the order of the setting's words. */
	static const enum arnica_hw_policy policies[] = {
		ARNICA_HW_POLICY_STRICT, ARNICA_HW_POLICY_WEIGHTED
	};
	uint64_t place;
	int error = adev_setting_number(ARNICA_SETTING(POLICY), 0, &place);

	if (!error)
		config->policy = policies[place];
	return error;
}

/* More gather engines than execution engines cannot be; where only the latter
 * are set, the former follow. */
static int read_engines(struct adev_sched_config *config)
{
	uint32_t engines = config->num_engines, gathers;
	char why[ARNICA_SETTINGS_WHY_BYTES];
	int error = read_number(ARNICA_SETTING(EXEC_ENGINES), &engines);

	if (error)
		return error;
	gathers = config->num_gathers < engines ? config->num_gathers : engines;
	error = read_number(ARNICA_SETTING(GATHER_ENGINES), &gathers);
	if (error)
		return error;
	if (arnica_settings_check_engines(arnica_settings_own(), why)) {
		adev_log_error("%s", why);
		return EINVAL;
	}
	config->num_engines = engines;
	config->num_gathers = gathers;
	return 0;
}

int adev_sched_read_settings(struct adev_scheduler *scheduler)
{
	struct adev_sched_config config;

	adev_sched_defaults(&config);
	if (read_policy(&config) || read_engines(&config) ||
	    read_list(ARNICA_SETTING(CLASS_WEIGHTS), config.class_weight) ||
	    read_list(ARNICA_SETTING(WATERMARKS), config.watermark) ||
	    read_list(ARNICA_SETTING(ENGINE_WEIGHTS), config.engine_weight) ||
	    adev_sched_configure(scheduler, &config))
		return ENODEV; /* as was said */
	return 0;
}
