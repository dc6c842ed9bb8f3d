/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "fault_spec.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DECIMALS 4u /* of a percentage: a millionth is 0.0001 % */
#define MAX_WORD 64u

/* One word: its name, its value, and both together for messages. */
struct word {
	char text[MAX_WORD];
	char name[MAX_WORD];
	const char *value; /* NULL: no equals sign */
};

enum kind { SHARE, DELAY, SEED };

static const struct key {
	const char *name;
	enum kind kind;
	size_t offset; /* of a share */
	const char *allowed;
} keys[] = {
#define SHARE_KEY(key, field)                                                  \
	{                                                                      \
		key, SHARE, offsetof(struct arnica_fault_spec, field),         \
			"a percentage from 0% to 100%, as in " key "=0.5%"     \
	}
	SHARE_KEY("drop", drop),
	SHARE_KEY("reorder", reorder),
	SHARE_KEY("dup", duplicate),
	SHARE_KEY("corrupt", corrupt),
	{ "delay", DELAY, 0,
	  "a whole number with ns, us, ms or s, up to 10s, as in delay=50us" },
	{ "seed", SEED, 0, "a number of 64 bits, as in seed=7" },
};
#define NUM_KEYS (sizeof(keys) / sizeof(keys[0]))

static bool is_digit(char character)
{
	return character >= '0' && character <= '9';
}

/* Digits at *text into *number, which may not exceed `max`; moves *text behind
 * them. */
static bool take_digits(const char **text, uint64_t max, uint64_t *number)
{
	const char *at = *text;

	*number = 0;
	for (; is_digit(*at); at++) {
		uint64_t digit = (uint64_t)(*at - '0');

		if (*number > (max - digit) / 10)
			return false;
		*number = *number * 10 + digit;
	}
	if (at == *text)
		return false;
	*text = at;
	return true;
}

static bool parse_share(const char *text, uint32_t *share)
{
	uint64_t whole, fraction = 0;
	uint32_t scale = ARNICA_FAULT_SCALE / 100;
	uint32_t decimals = 0;

	if (!take_digits(&text, 100, &whole))
		return false;
	if (*text == '.') {
		const char *begin = ++text;

		if (!take_digits(&text, scale - 1, &fraction))
			return false;
		decimals = (uint32_t)(text - begin);
		if (decimals > DECIMALS)
			return false;
	}
	for (; decimals < DECIMALS; decimals++)
		fraction *= 10;
	if (strcmp(text, "%") != 0)
		return false;
	*share = (uint32_t)(whole * scale + fraction);
	return *share <= ARNICA_FAULT_SCALE;
}

static bool parse_delay(const char *text, uint64_t *delay_ns)
{
	static const struct {
		const char *name;
		uint64_t ns;
	} units[] = { { "ns", 1 },
		      { "us", 1000 },
		      { "ms", 1000000 },
		      { "s", 1000000000 } };
	uint64_t number;

	if (!take_digits(&text, ARNICA_FAULT_MAX_DELAY_NS, &number))
		return false;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (strcmp(text, units[i].name) != 0)
			continue;
		if (number > ARNICA_FAULT_MAX_DELAY_NS / units[i].ns)
			return false;
		*delay_ns = number * units[i].ns;
		return true;
	}
	return false;
}

static bool parse_seed(const char *text, uint64_t *seed)
{
	unsigned long long number;
	char *end;

	if (!is_digit(*text)) /* strtoull() would take signs and spaces */
		return false;
	errno = 0;
	number = strtoull(text, &end, 0);
	*seed = number;
	return !errno && !*end;
}

static bool parse_value(const struct key *key, const char *value,
			struct arnica_fault_spec *spec)
{
	switch (key->kind) {
	case SHARE:
		return parse_share(value,
				   (uint32_t *)((char *)spec + key->offset));
	case DELAY:
		return parse_delay(value, &spec->delay_ns);
	case SEED:
		spec->seeded = true;
		return parse_seed(value, &spec->seed);
	}
	return false;
}

/* Cuts one word off; false when it is too long to be one. */
static bool next_word(const char **text, struct word *word)
{
	size_t length = strcspn(*text, ",");
	size_t name;

	if (length >= MAX_WORD)
		return false;
	memcpy(word->text, *text, length);
	word->text[length] = '\0';
	name = strcspn(word->text, "=");
	memcpy(word->name, word->text, name);
	word->name[name] = '\0';
	word->value = word->text[name] ? word->text + name + 1 : NULL;
	*text += length;
	return true;
}

static const struct key *find_key(const char *name)
{
	for (size_t i = 0; i < NUM_KEYS; i++)
		if (strcmp(keys[i].name, name) == 0)
			return &keys[i];
	return NULL;
}

/* True when the word was taken; otherwise `why` says why not. */
static bool take_word(const struct word *word, uint32_t *seen,
		      struct arnica_fault_spec *spec, char *why, size_t bytes)
{
	const struct key *key = find_key(word->name);

	if (!key) {
		snprintf(why, bytes,
			 "'%s' is not a fault: drop, reorder, dup, corrupt, "
			 "delay and seed are, as in drop=1%%,seed=7",
			 word->text);
		return false;
	}
	if (*seen & 1u << (key - keys)) {
		snprintf(why, bytes, "'%s': %s is given twice", word->text,
			 word->name);
		return false;
	}
	*seen |= 1u << (key - keys);
	if (word->value && parse_value(key, word->value, spec))
		return true;
	snprintf(why, bytes, "'%s': %s must be %s", word->text, word->name,
		 key->allowed);
	return false;
}

int arnica_fault_spec_parse(const char *text, struct arnica_fault_spec *spec,
			    char *why, size_t why_bytes)
{
	uint32_t seen = 0;
	struct word word;

	memset(spec, 0, sizeof(*spec));
	for (;;) {
		if (!next_word(&text, &word)) {
			snprintf(why, why_bytes, "'%.16s...' is too long",
				 text);
			return EINVAL;
		}
		if (!take_word(&word, &seen, spec, why, why_bytes))
			return EINVAL;
		if (!*text)
			return 0;
		text++; /* the comma */
	}
}
