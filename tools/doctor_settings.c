/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The configuration file, and each setting that is in force and from where. The
 * adapter is asked, which reads the file for itself. And variables that nobody
 * reads: most likely they are mistyped.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "adapter.h"
#include "command.h"
#include "doctor.h"

#define MAX_LISTED 96u
#define MAX_VARIABLES 64u

static const char *const other_variables[] = {
	"ARNICA_CONFIG", "ARNICA_RUNTIME_DIR", "ARNICA_FAULT", "ARNICA_PCAP"
};

static struct {
	struct doctor_finding findings[MAX_LISTED];
	unsigned int count;
	const char *variables[MAX_VARIABLES]; /* of all settings */
	unsigned int num_variables;
} listed;

static bool refused;

static void list_one(const struct arnica_bus_setting *setting, void *argument)
{
	struct doctor_finding *finding = &listed.findings[listed.count];
	char where[80];

	(void)argument;
	if (listed.num_variables < MAX_VARIABLES)
		listed.variables[listed.num_variables++] = setting->variable;
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

static bool is_name(const char *variable, const char *name)
{
	size_t length = strlen(name);

	return !strncmp(variable, name, length) && variable[length] == '=';
}

/* Those of tests are no user's. */
static bool is_read(const char *variable)
{
	size_t i;

	for (i = 0; i < listed.num_variables; i++)
		if (is_name(variable, listed.variables[i]))
			return true;
	for (i = 0; i < sizeof(other_variables) / sizeof(*other_variables); i++)
		if (is_name(variable, other_variables[i]))
			return true;
	return !strncmp(variable, "ARNICA_TEST_", 12);
}

static void list_unread(void)
{
	for (char **variable = environ; *variable; variable++) {
		struct doctor_finding *finding = &listed.findings[listed.count];

		if (strncmp(*variable, "ARNICA_", 7) || is_read(*variable) ||
		    listed.count == MAX_LISTED)
			continue;
		listed.count++;
		doctor_report(finding, DOCTOR_WARN, "nothing reads %.*s",
			      (int)strcspn(*variable, "="), *variable);
		doctor_advise(finding,
			      "correct or unset it; man 7 arnica has the names");
	}
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
	list_unread();
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
