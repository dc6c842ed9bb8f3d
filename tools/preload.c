/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * LD_PRELOAD is a list of words that spaces and colons separate; the dynamic
 * linker knows no way to quote them.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "preload.h"

static const char separators[] = ": \t\n";

/* A word of a list: a path or a bare file name. */
struct word {
	const char *text;
	size_t length;
};

static struct word word_of(const char *text)
{
	return (struct word){ text, strlen(text) };
}

/* The next word of a list; length zero at its end. */
static struct word next_word(const char **list)
{
	struct word word;

	*list += strspn(*list, separators);
	word = (struct word){ *list, strcspn(*list, separators) };
	*list += word.length;
	return word;
}

static struct word base_name(struct word word)
{
	const char *slash = memrchr(word.text, '/', word.length);

	if (slash) {
		word.length -= (size_t)(slash + 1 - word.text);
		word.text = slash + 1;
	}
	return word;
}

static bool same_library(struct word a, struct word b)
{
	a = base_name(a);
	b = base_name(b);
	return a.length == b.length && !memcmp(a.text, b.text, a.length);
}

static bool is_runtime(struct word word)
{
	static const char *const prefixes[] = {
		"libasan.so",	      "libtsan.so",	  "liblsan.so",
		"libhwasan.so",	      "libclang_rt.asan", "libclang_rt.tsan",
		"libclang_rt.hwasan",
	};

	word = base_name(word);
	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
		size_t length = strlen(prefixes[i]);

		if (word.length >= length &&
		    !memcmp(word.text, prefixes[i], length))
			return true;
	}
	return false;
}

bool tool_is_sanitizer_runtime(const char *library)
{
	return is_runtime(word_of(library));
}

void tool_runtimes_add(struct tool_runtimes *runtimes, const char *name)
{
	if (runtimes->num_names == TOOL_MAX_RUNTIMES ||
	    strlen(name) >= TOOL_RUNTIME_NAME_BYTES)
		return;
	for (size_t i = 0; i < runtimes->num_names; i++) {
		if (same_library(word_of(runtimes->names[i]), word_of(name)))
			return;
	}
	strcpy(runtimes->names[runtimes->num_names++], name);
}

/* Appends to a list that has room for it, unless the library is there. */
static void append(char *list, struct word word)
{
	const char *rest = list;
	struct word other;

	while ((other = next_word(&rest)).length) {
		if (same_library(other, word))
			return;
	}
	if (*list)
		strcat(list, ":");
	strncat(list, word.text, word.length);
}

static void append_runtimes(char *list, const struct tool_runtimes *runtimes)
{
	for (size_t i = 0; i < runtimes->num_names; i++)
		append(list, word_of(runtimes->names[i]));
}

char *tool_compose_preload(const struct tool_runtimes *runtimes,
			   const char *standin, const char *existing)
{
	size_t room = TOOL_MAX_RUNTIMES * (TOOL_RUNTIME_NAME_BYTES + 1) +
		      strlen(standin) + 2;
	struct word word;
	const char *rest;
	char *list;

	if (!existing)
		existing = "";
	list = calloc(1, room + strlen(existing));
	if (!list)
		return NULL;
	append_runtimes(list, runtimes);
	rest = existing;
	while ((word = next_word(&rest)).length) {
		if (is_runtime(word))
			append(list, word);
	}
	append(list, word_of(standin));
	rest = existing;
	while ((word = next_word(&rest)).length)
		append(list, word);
	return list;
}

char *tool_compose_list(const char *value, const char *existing)
{
	size_t length = strlen(value);
	char *list;

	if (!existing || !*existing)
		return strdup(value);
	for (const char *at = existing; (at = strstr(at, value)); at++) {
		bool begins = at == existing || strchr(":;", at[-1]);

		if (begins && (!at[length] || strchr(":;", at[length])))
			return strdup(existing);
	}
	return asprintf(&list, "%s:%s", value, existing) < 0 ? NULL : list;
}

bool tool_preload_splits(const char *path)
{
	return path[strcspn(path, separators)] != '\0';
}
