/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What users set: by a configuration file, or by a variable of the environment,
 * which wins. This is the list of all settings that the two have in common, and
 * the only place that reads the file. docs/configuration.md is its manual.
 *
 * The file is $ARNICA_CONFIG ("none": no file), else arnica/arnica.conf in
 * $XDG_CONFIG_HOME (or ~/.config), else /etc/arnica/arnica.conf. It is read once
 * in a process. Nothing in it is trusted: what is not understood refuses the
 * whole file, with a line that says where and why; then no setting of it holds.
 *
 * In a process of other rights than its caller's (set-user-ID) the environment
 * is not looked at.
 */
#ifndef ARNICA_UTIL_SETTINGS_H
#define ARNICA_UTIL_SETTINGS_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum arnica_setting_kind {
	ARNICA_SETTING_WORD,   /* one of those in `allowed` */
	ARNICA_SETTING_NUMBER, /* from min to max */
	ARNICA_SETTING_SIZE,   /* the same, with K, M or G */
	ARNICA_SETTING_RATE,   /* "none", or as a size; K is 1000 */
	ARNICA_SETTING_LIST16, /* a number for all 16, or one for each */
};

/* name, section, key, variable, kind, min, max, allowed (as a line
 * for the user says it, of words just them) */
#define ARNICA_SETTING_LIST(X)                                                 \
	X(VENDOR_ID, "device", "vendor-id", "ARNICA_VENDOR_ID", NUMBER, 1,     \
	  0xffffff, "a number from 1 to 0xffffff")                             \
	X(PART_ID, "device", "part-id", "ARNICA_PART_ID", NUMBER, 1,           \
	  UINT32_MAX, "a number from 1 to 0xffffffff")                         \
	X(WINDOW_TYPE, "device", "window-type", "ARNICA_WINDOW_TYPE", WORD, 0, \
	  0, "2A or 2B")                                                          \
	X(SEGMENT_MAX, "device", "segment-max", "ARNICA_SEGMENT_MAX", SIZE,    \
	  64ull << 20, 1024ull << 30, "a size from 64M to 1024G")              \
	X(ADOPT, "device", "adopt", "ARNICA_ADOPT", WORD, 0, 0,                \
	  "auto, off or all")                                                      \
	X(LOOPBACK, "device", "loopback", "ARNICA_LOOPBACK", WORD, 0, 0,       \
	  "on or off")                                                            \
	X(ECN, "device", "ecn", "ARNICA_ECN", WORD, 0, 0, "on or off")            \
	X(EVEN_WRITES, "device", "even-writes", "ARNICA_EVEN_WRITES", WORD, 0, \
	  0, "on or off")                                                         \
	X(ENGINES, "device", "engines", "ARNICA_ENGINES", NUMBER, 0, 64,       \
	  "a number from 0 to 64")                                            \
	X(RATE, "port", "rate", "ARNICA_RATE", RATE, 1000000, 1000000000000,   \
	  "none, or bytes a second from 1M to 1000G")                          \
	X(WEIGHT, "port", "weight", "ARNICA_WEIGHT", NUMBER, 1, 1000,          \
	  "a number from 1 to 1000")                                           \
	X(POLICY, "scheduler", "policy", "ARNICA_POLICY", WORD, 0, 0,          \
	  "strict or weighted")                                                   \
	X(CLASS_WEIGHTS, "scheduler", "class-weights", "ARNICA_CLASS_WEIGHTS", \
	  LIST16, 1, 255, "a number from 1 to 255, or 16 with commas")         \
	X(WATERMARKS, "scheduler", "watermarks", "ARNICA_WATERMARKS", LIST16,  \
	  1, 16, "a number from 1 to 16, or 16 with commas")                   \
	X(EXEC_ENGINES, "scheduler", "execution-engines",                      \
	  "ARNICA_EXECUTION_ENGINES", NUMBER, 1, 16, "a number from 1 to 16")  \
	X(GATHER_ENGINES, "scheduler", "gather-engines",                       \
	  "ARNICA_GATHER_ENGINES", NUMBER, 1, 8, "a number from 1 to 8")       \
	X(ENGINE_WEIGHTS, "scheduler", "engine-weights",                       \
	  "ARNICA_ENGINE_WEIGHTS", LIST16, 1, 255,                             \
	  "a number from 1 to 255, or 16 with commas")

enum arnica_setting {
#define ARNICA_SETTING_ID(name, section, key, variable, kind, min, max,        \
			  allowed)                                             \
	ARNICA_SETTING_##name##_ID,
	ARNICA_SETTING_LIST(ARNICA_SETTING_ID)
#undef ARNICA_SETTING_ID
	ARNICA_NUM_SETTINGS
};
#define ARNICA_SETTING(name) ARNICA_SETTING_##name##_ID

struct arnica_setting_row {
	const char *section, *key, *variable;
	enum arnica_setting_kind kind;
	uint64_t min, max;
	const char *allowed;
};
extern const struct arnica_setting_row arnica_setting_rows[ARNICA_NUM_SETTINGS];

#define ARNICA_SETTINGS_TEXT_BYTES 128u /* of a value */
#define ARNICA_SETTINGS_LIST 16u /* numbers of a list */
#define ARNICA_SETTINGS_WHY_BYTES (PATH_MAX + 256u)

/* [weights]: names of programs, and their weights as of ARNICA_WEIGHT. */
#define ARNICA_SETTINGS_WEIGHTS 64u
#define ARNICA_SETTINGS_WEIGHTS_SECTION "weights"
struct arnica_settings_weight {
	char program[48];
	uint32_t weight;
	unsigned int line;
};

/* What a file says. */
struct arnica_settings {
	char path[PATH_MAX]; /* of the file; "": there is none */
	struct {
		unsigned int line; /* zero: not set */
		char text[ARNICA_SETTINGS_TEXT_BYTES];
	} set[ARNICA_NUM_SETTINGS];
	unsigned int num_weights;
	struct arnica_settings_weight weights[ARNICA_SETTINGS_WEIGHTS];
};

/*
 * Finds the file and reads it. A line for the user is in `why` unless it returns
 * zero; *settings is empty then. ENOENT: the file of $ARNICA_CONFIG is not there;
 * EPERM: it is somebody else's to write; EFBIG, EINVAL, and errors of opening
 * and reading it.
 */
int arnica_settings_read(struct arnica_settings *settings,
			 char why[ARNICA_SETTINGS_WHY_BYTES])
	__attribute__((warn_unused_result));

/* The same of this file. */
int arnica_settings_read_file(struct arnica_settings *settings,
			      const char *path,
			      char why[ARNICA_SETTINGS_WHY_BYTES])
	__attribute__((warn_unused_result));

enum arnica_setting_origin {
	ARNICA_SETTING_DEFAULT,
	ARNICA_SETTING_FILE,
	ARNICA_SETTING_ENVIRONMENT,
};

/* What is in force; NULL with DEFAULT. */
const char *arnica_settings_text(const struct arnica_settings *settings,
				 enum arnica_setting setting,
				 enum arnica_setting_origin *origin);

/* Is this a value that the setting may have? *number is what it means; of a word
 * its place in the list, of a list its first number. */
bool arnica_setting_parse(enum arnica_setting setting, const char *text,
			  uint64_t *number);

/* This process's settings: as above, the file read at the first call; one that
 * is refused says nothing. */
const struct arnica_settings *arnica_settings_own(void);
const char *arnica_setting_text(enum arnica_setting setting);

/* Of one that is on or off; what is neither kept the device from being opened. */
bool arnica_setting_is_off(enum arnica_setting setting);

/*
 * Is all that this process is told what it may be: the file, the variables, and
 * what the two say together? EINVAL and errors of reading the file: a line for the user
 * that ends with a colon and what to do is in `why`.
 */
int arnica_settings_check(char why[ARNICA_SETTINGS_WHY_BYTES])
	__attribute__((warn_unused_result));

/* Are both valid, and the gather engines more than the execution engines? A text
 * that is NULL was not set. */
bool arnica_settings_too_many_gathers(const char *gathers,
				      const char *engines);

/* The part of it that concerns two settings: there are no more gather engines
 * than execution engines, where both are set. */
int arnica_settings_check_engines(const struct arnica_settings *settings,
				  char why[ARNICA_SETTINGS_WHY_BYTES])
	__attribute__((warn_unused_result));

/* What [weights] says of this program, or one. */
uint32_t arnica_settings_own_weight(void);

/* A number, size or rate, or `otherwise` where it is not set. EINVAL: what the
 * variable says cannot be; a line for the user is in `why`. */
int arnica_setting_number(enum arnica_setting setting, uint64_t otherwise,
			  uint64_t *number, char why[ARNICA_SETTINGS_WHY_BYTES])
	__attribute__((warn_unused_result));

/* The same of a list; `numbers` stay what they are where it is not set. */
int arnica_setting_list(enum arnica_setting setting,
			uint64_t numbers[ARNICA_SETTINGS_LIST],
			char why[ARNICA_SETTINGS_WHY_BYTES])
	__attribute__((warn_unused_result));

#endif
