/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Reading the configuration file. It is read into memory as a whole, when its
 * kind, owner, rights and size permit, and its lines are looked at before
 * libinih splits them into sections, keys and values; the handler then takes
 * known keys with good values only.
 */
#include "settings_file.h"

#include <errno.h>
#include <fcntl.h>
#include <ini.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "settings.h"

struct reading {
	struct arnica_settings *settings;
	char *why;
	const char *path;
	const char *at;		  /* what libinih has not asked for yet */
	unsigned int line;	  /* the one it has */
	unsigned int refused_line; /* zero: none was */
};

static void __attribute__((format(printf, 3, 4)))
explain(char *why, const char *path, const char *format, ...)
{
	va_list arguments;
	int begin = snprintf(why, ARNICA_SETTINGS_WHY_BYTES, "%s", path);

	va_start(arguments, format);
	if (begin > 0 && (unsigned int)begin < ARNICA_SETTINGS_WHY_BYTES)
		vsnprintf(why + begin,
			  ARNICA_SETTINGS_WHY_BYTES - (size_t)begin, format,
			  arguments);
	va_end(arguments);
}

static void out_of_memory(const char *path, char *why)
{
	explain(why, path, ": cannot be read: %s: end other programs, or raise the limit (ulimit -v)",
		strerror(ENOMEM));
}

/* Whoever may write it decides what the adapter of this user does. */
static int check_file(const struct stat *status, const char *path, char *why)
{
	if (!S_ISREG(status->st_mode)) {
		explain(why, path, ": is not a file: remove it, or set ARNICA_CONFIG to another one");
		return EINVAL;
	}
	if (status->st_uid != 0 && status->st_uid != geteuid()) {
		explain(why, path, ": belongs to user %u: it must be yours or root's, use chown or a copy",
			(unsigned int)status->st_uid);
		return EPERM;
	}
	if (status->st_mode & S_IWOTH) {
		explain(why, path, ": everybody may write it: use chmod o-w");
		return EPERM;
	}
	if ((uint64_t)status->st_size > ARNICA_SETTINGS_FILE_BYTES) {
		explain(why, path, ": is larger than %u bytes: shorten it",
			ARNICA_SETTINGS_FILE_BYTES);
		return EFBIG;
	}
	return 0;
}

/* Reads at most `room` bytes; it may have grown since it was looked at. */
static int read_all(int fd, char *text, size_t room, size_t *bytes)
{
	ssize_t got;

	*bytes = 0;
	while (*bytes < room) {
		got = read(fd, text + *bytes, room - *bytes);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return errno;
		if (got == 0)
			return 0;
		*bytes += (size_t)got;
	}
	return EFBIG;
}

static int read_text(const char *path, char *text, size_t *bytes, char *why)
{
	/* Not to wait for the other end of a FIFO. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct stat status;
	int error;

	if (fd < 0 || fstat(fd, &status)) {
		error = errno;
		explain(why, path, ": %s: correct the path or the file's rights",
			strerror(error));
		if (fd >= 0)
			close(fd);
		return error;
	}
	error = check_file(&status, path, why);
	if (!error) {
		error = read_all(fd, text, ARNICA_SETTINGS_FILE_BYTES + 1,
				 bytes);
		if (error)
			explain(why, path, ": cannot be read: %s: repair it, or set ARNICA_CONFIG to another one",
				strerror(error));
	}
	close(fd);
	return error;
}

/* Text in lines that libinih takes as they are. */
static int check_lines(const char *text, size_t bytes, const char *path,
		       char *why)
{
	unsigned int line = 1;
	size_t begin = 0, i;

	for (i = 0; i < bytes; i++) {
		unsigned char byte = (unsigned char)text[i];

		if (byte == '\n') {
			begin = i + 1;
			line++;
			continue;
		}
		if ((byte < ' ' && byte != '\t' && byte != '\r') ||
		    byte == 0x7f) {
			explain(why, path, " line %u: has a byte 0x%02x: only text may stand there",
				line, byte);
			return EINVAL;
		}
		if (i - begin >= ARNICA_SETTINGS_LINE_BYTES) {
			explain(why, path, " line %u: is longer than %u bytes: shorten it",
				line, ARNICA_SETTINGS_LINE_BYTES);
			return EINVAL;
		}
	}
	return 0;
}

/*
 * fgets() from memory. Spaces at the beginning of a line are dropped, which
 * libinih would take for its going on from the line before.
 */
static char *next_line(char *buffer, int room, void *argument)
{
	struct reading *reading = argument;
	size_t length = strcspn(reading->at, "\n");
	const char *begin = reading->at;

	if (!*begin)
		return NULL;
	reading->line++;
	reading->at += length + (begin[length] == '\n');
	while (length && (*begin == ' ' || *begin == '\t')) {
		begin++;
		length--;
	}
	if (room < 2 || length > (size_t)room - 2)
		length = room < 2 ? 0 : (size_t)room - 2;
	memcpy(buffer, begin, length);
	buffer[length] = '\n';
	buffer[length + 1] = '\0';
	return buffer;
}

static int find(const char *section, const char *key)
{
	for (int i = 0; i < ARNICA_NUM_SETTINGS; i++)
		if (!strcmp(arnica_setting_rows[i].section, section) &&
		    !strcmp(arnica_setting_rows[i].key, key))
			return i;
	return -1;
}

/* The keys of a section, or the sections, for who mistyped one. */
static void list_known(const char *section, char *list, size_t room)
{
	const char *last = "";
	bool known = false;
	size_t used = 0;
	int i;

	*list = '\0';
	for (i = 0; i < ARNICA_NUM_SETTINGS; i++)
		known |= !strcmp(arnica_setting_rows[i].section, section);
	for (i = 0; i < ARNICA_NUM_SETTINGS && used < room; i++) {
		const struct arnica_setting_row *row = &arnica_setting_rows[i];
		const char *word = known ? row->key : row->section;

		if ((known && strcmp(row->section, section)) ||
		    !strcmp(word, last))
			continue;
		used += (size_t)snprintf(list + used, room - used,
					 known ? "%s%s" : "%s[%s]",
					 used ? ", " : "", word);
		last = word;
	}
	if (!known && used < room)
		snprintf(list + used, room - used,
			 ", [" ARNICA_SETTINGS_WEIGHTS_SECTION "]");
}

static unsigned int line_of_weight(const struct arnica_settings *settings,
				   const char *program)
{
	unsigned int i;

	for (i = 0; i < settings->num_weights; i++)
		if (!strcmp(settings->weights[i].program, program))
			return settings->weights[i].line;
	return 0;
}

/* A program of [weights] and its weight. */
static bool take_weight(struct reading *reading, const char *program,
			const char *value)
{
	struct arnica_settings *settings = reading->settings;
	struct arnica_settings_weight *weight =
		&settings->weights[settings->num_weights];
	unsigned int line = line_of_weight(settings, program);
	uint64_t number;

	if (line)
		explain(reading->why, reading->path,
			" line %u: %s is set in line %u already: remove one",
			reading->line, program, line);
	else if (settings->num_weights == ARNICA_SETTINGS_WEIGHTS)
		explain(reading->why, reading->path,
			" line %u: is the weight of more than %u programs: remove some",
			reading->line, ARNICA_SETTINGS_WEIGHTS);
	else if (strlen(program) >= sizeof(weight->program))
		explain(reading->why, reading->path,
			" line %u: %.50s... is no program's name: correct or remove it",
			reading->line, program);
	else if (!arnica_setting_parse(ARNICA_SETTING(WEIGHT), value, &number))
		explain(reading->why, reading->path,
			" line %u: %s = %.60s: it must be %s", reading->line,
			program, value,
			arnica_setting_rows[ARNICA_SETTING(WEIGHT)].allowed);
	else {
		strcpy(weight->program, program);
		weight->weight = (uint32_t)number;
		weight->line = reading->line;
		settings->num_weights++;
		return true;
	}
	return false;
}

/* One key and its value; returns zero where they are refused, and of all that
 * are the first one is told. */
static int take(void *argument, const char *section, const char *key,
		const char *value)
{
	struct reading *reading = argument;
	struct arnica_settings *settings = reading->settings;
	char known[160];
	uint64_t number;
	int i;

	if (reading->refused_line)
		return 0;
	reading->refused_line = reading->line;
	if (!strcmp(section, ARNICA_SETTINGS_WEIGHTS_SECTION)) {
		if (!take_weight(reading, key, value))
			return 0;
		reading->refused_line = 0;
		return 1;
	}
	i = find(section, key);
	if (i < 0) {
		list_known(section, known, sizeof(known));
		explain(reading->why, reading->path,
			" line %u: '%.50s' of [%.50s] is no setting: there are %s",
			reading->line, key, section, known);
		return 0;
	}
	if (settings->set[i].line) {
		explain(reading->why, reading->path,
			" line %u: %s is set in line %u already: remove one",
			reading->line, key, settings->set[i].line);
		return 0;
	}
	if (strlen(value) >= sizeof(settings->set[i].text) ||
	    !arnica_setting_parse((enum arnica_setting)i, value, &number)) {
		explain(reading->why, reading->path,
			" line %u: %s = %.60s: it must be %s", reading->line,
			key, value, arnica_setting_rows[i].allowed);
		return 0;
	}
	strcpy(settings->set[i].text, value);
	settings->set[i].line = reading->line;
	reading->refused_line = 0;
	return 1;
}

static int parse(struct reading *reading)
{
	int line = ini_parse_stream(next_line, reading, take, reading);

	if (line == 0)
		return 0;
	if (line < 0) {
		out_of_memory(reading->path, reading->why);
		return ENOMEM;
	}
	if ((unsigned int)line != reading->refused_line)
		explain(reading->why, reading->path,
			" line %d: is neither [section] nor key = value: correct it, or begin it with #",
			line);
	return EINVAL;
}

/* What a file says must be right by itself, whatever variables say. */
static int check_engines(const struct reading *reading)
{
	const struct arnica_settings *settings = reading->settings;
	const enum arnica_setting gather = ARNICA_SETTING(GATHER_ENGINES),
				  execution = ARNICA_SETTING(EXEC_ENGINES);
	const char *few = settings->set[execution].text;
	const char *many = settings->set[gather].text;

	if (!settings->set[execution].line || !settings->set[gather].line ||
	    !arnica_settings_too_many_gathers(many, few))
		return 0;
	explain(reading->why, reading->path,
		" line %u: gather-engines = %s is more than execution-engines = %s of line %u: lower the one or raise the other",
		settings->set[gather].line, many, few,
		settings->set[execution].line);
	return EINVAL;
}

int arnica_settings_read_file(struct arnica_settings *settings,
			      const char *path,
			      char why[ARNICA_SETTINGS_WHY_BYTES])
{
	struct reading reading = { .settings = settings,
				   .why = why,
				   .path = path };
	char *text = malloc(ARNICA_SETTINGS_FILE_BYTES + 2);
	size_t bytes = 0;
	int error = ENOMEM;

	memset(settings, 0, sizeof(*settings));
	*why = '\0';
	if (!text)
		out_of_memory(path, why);
	else
		error = read_text(path, text, &bytes, why);
	if (!error)
		error = check_lines(text, bytes, path, why);
	if (!error) {
		text[bytes] = '\0';
		reading.at = text;
		error = parse(&reading);
	}
	if (!error)
		error = check_engines(&reading);
	free(text);
	if (error)
		memset(settings, 0, sizeof(*settings));
	else
		snprintf(settings->path, sizeof(settings->path), "%s", path);
	return error;
}
