/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The bus: what users set, for tools; see arnica/hw/bus.h. */
#include <arnica/hw/bus.h>

#include <stdio.h>

#include "core/export.h"
#include "settings.h"

static struct arnica_bus_setting describe(const struct arnica_settings *own,
					  enum arnica_setting setting)
{
	const struct arnica_setting_row *row = &arnica_setting_rows[setting];
	enum arnica_setting_origin origin;
	struct arnica_bus_setting described = {
		.section = row->section,
		.key = row->key,
		.variable = row->variable,
		.allowed = row->allowed,
		.text = arnica_settings_text(own, setting, &origin),
		.line = own->set[setting].line,
	};
	uint64_t number;

	described.by_environment = origin == ARNICA_SETTING_ENVIRONMENT;
	described.is_allowed = !described.text ||
			       arnica_setting_parse(setting, described.text,
						    &number);
	return described;
}

static void describe_weight(const struct arnica_settings_weight *weight,
			    arnica_bus_setting_fn *found, void *argument)
{
	const struct arnica_setting_row *row =
		&arnica_setting_rows[ARNICA_SETTING(WEIGHT)];
	char text[16];
	const struct arnica_bus_setting setting = {
		.section = ARNICA_SETTINGS_WEIGHTS_SECTION,
		.key = weight->program,
		.variable = row->variable,
		.allowed = row->allowed,
		.text = text,
		.is_allowed = true,
		.line = weight->line,
	};

	snprintf(text, sizeof(text), "%u", weight->weight);
	found(&setting, argument);
}

EXPORT int arnica_bus_settings(const char **file, const char **why,
			       arnica_bus_setting_fn *found, void *argument)
{
	static char line[ARNICA_SETTINGS_WHY_BYTES]; /* tools have one thread */
	const struct arnica_settings *own = arnica_settings_own();
	int i;

	*file = own->path;
	*why = line;
	for (i = 0; i < ARNICA_NUM_SETTINGS; i++) {
		struct arnica_bus_setting setting = describe(
			own, (enum arnica_setting)i);

		found(&setting, argument);
	}
	for (i = 0; i < (int)own->num_weights; i++)
		describe_weight(&own->weights[i], found, argument);
	return arnica_settings_check(line);
}
