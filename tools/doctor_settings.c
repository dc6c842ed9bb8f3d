/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The configuration file, and each setting that is in force and from where. The
 * adapter is asked, which reads the file for itself.
 */
#include <stdio.h>
#include <string.h>

#include "adapter.h"
#include "command.h"
#include "doctor.h"

#define MAX_LISTED 96u

static struct {
	struct doctor_finding findings[MAX_LISTED];
	unsigned int count;
} listed;

static bool refused;

static void list_one(const struct arnica_bus_setting *setting, void *argument)
{
	struct doctor_finding *finding = &listed.findings[listed.count];
	char where[80];

	(void)argument;
	if (!setting->text || listed.count == MAX_LISTED)
		return;
	listed.count++;
	if (setting->by_environment)
		snprintf(where, sizeof(where), "by the environment (%s)%s",
			 setting->variable,
			 setting->line ? ", not as the file says" : "");
	else
		snprintf(where, sizeof(where), "by the file, line %u",
			 setting->line);
	doctor_report(finding, setting->is_allowed ? DOCTOR_OK : DOCTOR_FAIL,
		      "[%s] %s = %.60s %s", setting->section, setting->key,
		      setting->text, where);
	if (!setting->is_allowed)
		doctor_advise(finding, "it must be %s", setting->allowed);
}

void doctor_check_settings(struct doctor_finding *finding)
{
	struct tool_layout layout;
	tool_settings_fn *settings;
	const char *file, *why, *advice;
	int error;

	settings = tool_locate(&layout) ?
			   NULL :
			   tool_adapter_settings("arnica doctor", &layout);
	if (!settings) {
		doctor_report(finding, DOCTOR_FAIL,
			      "the adapter cannot be asked");
		return;
	}
	error = settings(&file, &why, list_one, NULL);
	refused = error != 0;
	if (error) {
		advice = strrchr(why, ':');
		doctor_report(finding, DOCTOR_FAIL, "%.*s",
			      (int)(advice - why), why);
		doctor_advise(finding, "%.200s", advice + 2);
	} else if (*file) {
		doctor_report(finding, DOCTOR_OK, "%.200s was read", file);
	} else {
		doctor_report(finding, DOCTOR_OK,
			      "no file; man 7 arnica says what can be set");
	}
}

bool doctor_settings_are_refused(void)
{
	return refused;
}

void doctor_list_settings(void (*found)(const char *name,
					const struct doctor_finding *finding))
{
	for (unsigned int i = 0; i < listed.count; i++)
		found("setting", &listed.findings[i]);
}
