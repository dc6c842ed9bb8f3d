/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Settings: what values may be, and what is in force. */
#include "settings.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "settings_file.h"

const struct arnica_setting_row arnica_setting_rows[ARNICA_NUM_SETTINGS] = {
#define SETTING_ROW(name, section, key, variable, kind, min, max, allowed)     \
	{ section, key, variable, ARNICA_SETTING_##kind, min, max, allowed },
	ARNICA_SETTING_LIST(SETTING_ROW)
#undef SETTING_ROW
};

/* One of "these, those or others". */
static bool parse_word(const char *allowed, const char *text, uint64_t *place)
{
	size_t length = strlen(text);
	uint64_t number;

	for (number = 0; *allowed; number++) {
		size_t word = strcspn(allowed, ", ");

		if (word == length && !strncmp(allowed, text, length)) {
			*place = number;
			return true;
		}
		allowed += word;
		allowed += strspn(allowed, ", ");
		if (!strncmp(allowed, "or ", 3))
			allowed += 3;
	}
	return false;
}

/* Zero: this is no such letter. */
static uint64_t factor_of(char letter, uint64_t step)
{
	switch (letter) {
	case 'K':
	case 'k':
		return step;
	case 'M':
	case 'm':
		return step * step;
	case 'G':
	case 'g':
		return step * step * step;
	default:
		return 0;
	}
}

/* `step` is that of its letters; zero: it may have none. */
static bool parse_number(const struct arnica_setting_row *row, const char *text,
			 uint64_t step, uint64_t *number)
{
	unsigned long long value;
	uint64_t factor = 1;
	char *end;

	if (*text < '0' || *text > '9') /* no signs and spaces */
		return false;
	errno = 0;
	value = strtoull(text, &end, 0);
	if (errno)
		return false;
	if (*end && step) {
		factor = factor_of(*end, step);
		if (!factor)
			return false;
		end++;
	}
	if (*end || value > row->max / factor || value * factor < row->min)
		return false;
	*number = value * factor;
	return true;
}

/* One number for all, or so many with commas (and spaces) between them. */
static bool parse_list(const struct arnica_setting_row *row, const char *text,
		       uint64_t numbers[ARNICA_SETTINGS_LIST])
{
	uint64_t found[ARNICA_SETTINGS_LIST];
	unsigned int count = 0, i;
	char word[32];

	for (;;) {
		size_t length = strcspn(text, ", ");

		if (count == ARNICA_SETTINGS_LIST || length >= sizeof(word))
			return false;
		memcpy(word, text, length);
		word[length] = '\0';
		if (!parse_number(row, word, 0, &found[count++]))
			return false;
		text += length;
		text += strspn(text, " ");
		if (!*text)
			break;
		if (*text++ != ',')
			return false;
		text += strspn(text, " ");
	}
	if (count != 1 && count != ARNICA_SETTINGS_LIST)
		return false;
	for (i = 0; i < ARNICA_SETTINGS_LIST; i++)
		numbers[i] = found[count == 1 ? 0 : i];
	return true;
}

bool arnica_setting_parse(enum arnica_setting setting, const char *text,
			  uint64_t *number)
{
	const struct arnica_setting_row *row = &arnica_setting_rows[setting];
	uint64_t numbers[ARNICA_SETTINGS_LIST];

	switch (row->kind) {
	case ARNICA_SETTING_WORD:
		return parse_word(row->allowed, text, number);
	case ARNICA_SETTING_NUMBER:
		return parse_number(row, text, 0, number);
	case ARNICA_SETTING_SIZE:
		return parse_number(row, text, 1024, number);
	case ARNICA_SETTING_RATE:
		*number = 0;
		return !strcmp(text, "none") ||
		       parse_number(row, text, 1000, number);
	case ARNICA_SETTING_LIST16:
		if (!parse_list(row, text, numbers))
			return false;
		*number = numbers[0];
		return true;
	}
	return false;
}

/* $variable of a directory, if it is an absolute path. */
static const char *folder(const char *variable)
{
	const char *text = secure_getenv(variable);

	return text && *text == '/' ? text : NULL;
}

/* False: there is no such folder, or its name is too long to be one. */
static bool place(char path[PATH_MAX], const char *folder, const char *below)
{
	int bytes;

	if (!folder)
		return false;
	bytes = snprintf(path, PATH_MAX, "%s%s/arnica/arnica.conf", folder,
			 below);
	return bytes > 0 && bytes < PATH_MAX;
}

int arnica_settings_read(struct arnica_settings *settings,
			 char why[ARNICA_SETTINGS_WHY_BYTES])
{
	const char *wish = secure_getenv("ARNICA_CONFIG");
	char path[PATH_MAX];
	int error;

	memset(settings, 0, sizeof(*settings));
	if (wish && !strcmp(wish, "none"))
		return 0;
	if (wish && *wish)
		return arnica_settings_read_file(settings, wish, why);
	if (place(path, folder("XDG_CONFIG_HOME"), "") ||
	    place(path, folder("HOME"), "/.config")) {
		error = arnica_settings_read_file(settings, path, why);
		if (error != ENOENT && error != ENOTDIR && error != EACCES)
			return error;
	}
	error = arnica_settings_read_file(settings, ARNICA_SETTINGS_SYSTEM_FILE,
					  why);
	return error == ENOENT || error == ENOTDIR ? 0 : error;
}

const char *arnica_settings_text(const struct arnica_settings *settings,
				 enum arnica_setting setting,
				 enum arnica_setting_origin *origin)
{
	const char *text = secure_getenv(arnica_setting_rows[setting].variable);

	*origin = ARNICA_SETTING_ENVIRONMENT;
	if (text && *text)
		return text;
	*origin = ARNICA_SETTING_FILE;
	if (settings->set[setting].line)
		return settings->set[setting].text;
	*origin = ARNICA_SETTING_DEFAULT;
	return NULL;
}

static struct arnica_settings own;
static char own_why[ARNICA_SETTINGS_WHY_BYTES];
static int own_error;

static void read_own(void)
{
	own_error = arnica_settings_read(&own, own_why);
}

const struct arnica_settings *arnica_settings_own(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, read_own);
	return &own;
}

uint32_t arnica_settings_own_weight(void)
{
	const struct arnica_settings *settings = arnica_settings_own();
	unsigned int i;

	for (i = 0; i < settings->num_weights; i++)
		if (!strcmp(settings->weights[i].program,
			    program_invocation_short_name))
			return settings->weights[i].weight;
	return 1;
}

const char *arnica_setting_text(enum arnica_setting setting)
{
	enum arnica_setting_origin origin;

	return arnica_settings_text(arnica_settings_own(), setting, &origin);
}

bool arnica_setting_is_off(enum arnica_setting setting)
{
	const char *text = arnica_setting_text(setting);

	return text && !strcmp(text, "off");
}

static int complain(const struct arnica_setting_row *row, const char *text,
		    char *why)
{
	snprintf(why, ARNICA_SETTINGS_WHY_BYTES,
		 "%s=%.130s must be %s: correct or unset it", row->variable,
		 text, row->allowed);
	return EINVAL;
}

/* What the environment says, which nobody has looked at yet. */
static int check_variables(char *why)
{
	uint64_t number;
	unsigned int i;

	for (i = 0; i < ARNICA_NUM_SETTINGS; i++) {
		const struct arnica_setting_row *row = &arnica_setting_rows[i];
		const char *text = secure_getenv(row->variable);

		if (text && *text &&
		    !arnica_setting_parse((enum arnica_setting)i, text,
					  &number))
			return complain(row, text, why);
	}
	return 0;
}

/* Writes where a setting that is in force is to be found, and what follows. */
static void add_place(char *why, const struct arnica_settings *settings,
		      enum arnica_setting setting, const char *then)
{
	size_t used = strlen(why), room = ARNICA_SETTINGS_WHY_BYTES - used;
	enum arnica_setting_origin origin;

	(void)arnica_settings_text(settings, setting, &origin);
	if (origin == ARNICA_SETTING_ENVIRONMENT)
		snprintf(why + used, room, "%s%s",
			 arnica_setting_rows[setting].variable, then);
	else
		snprintf(why + used, room, "%s line %u%s", settings->path,
			 settings->set[setting].line, then);
}

bool arnica_settings_too_many_gathers(const char *gathers,
				      const char *engines)
{
	uint64_t most, number;

	return gathers && engines &&
	       arnica_setting_parse(ARNICA_SETTING(EXEC_ENGINES), engines,
				    &most) &&
	       arnica_setting_parse(ARNICA_SETTING(GATHER_ENGINES), gathers,
				    &number) &&
	       number > most;
}

int arnica_settings_check_engines(const struct arnica_settings *settings,
				  char why[ARNICA_SETTINGS_WHY_BYTES])
{
	const enum arnica_setting gather = ARNICA_SETTING(GATHER_ENGINES),
				  execution = ARNICA_SETTING(EXEC_ENGINES);
	enum arnica_setting_origin origin;
	const char *few = arnica_settings_text(settings, execution, &origin);
	const char *many = arnica_settings_text(settings, gather, &origin);
	char then[120];

	if (!arnica_settings_too_many_gathers(many, few))
		return 0;
	snprintf(then, sizeof(then),
		 ": gather-engines = %.20s is more than execution-engines = %.20s of ",
		 many, few);
	*why = '\0';
	add_place(why, settings, gather, then);
	add_place(why, settings, execution,
		  ": lower the one or raise the other");
	return EINVAL;
}

int arnica_settings_check(char why[ARNICA_SETTINGS_WHY_BYTES])
{
	const struct arnica_settings *settings = arnica_settings_own();
	int error = own_error;

	if (error)
		strcpy(why, own_why);
	else
		error = check_variables(why);
	return error ? error : arnica_settings_check_engines(settings, why);
}

int arnica_setting_number(enum arnica_setting setting, uint64_t otherwise,
			  uint64_t *number, char why[ARNICA_SETTINGS_WHY_BYTES])
{
	const char *text = arnica_setting_text(setting);

	*number = otherwise;
	if (!text || arnica_setting_parse(setting, text, number))
		return 0;
	return complain(&arnica_setting_rows[setting], text, why);
}

int arnica_setting_list(enum arnica_setting setting,
			uint64_t numbers[ARNICA_SETTINGS_LIST],
			char why[ARNICA_SETTINGS_WHY_BYTES])
{
	const char *text = arnica_setting_text(setting);

	if (!text ||
	    parse_list(&arnica_setting_rows[setting], text, numbers))
		return 0;
	return complain(&arnica_setting_rows[setting], text, why);
}
