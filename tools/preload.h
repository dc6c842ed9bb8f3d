/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Composes the value of LD_PRELOAD, and knows the names of sanitizer runtimes.
 *
 * A sanitizer's runtime that is preloaded must come before every other library;
 * then comes the stand-in, then what the user had there already.
 */
#ifndef ARNICA_TOOLS_PRELOAD_H
#define ARNICA_TOOLS_PRELOAD_H

#include <stdbool.h>
#include <stddef.h>

#define TOOL_MAX_RUNTIMES 4
#define TOOL_RUNTIME_NAME_BYTES 64

/* The sanitizer runtimes that a program or library needs, in its own order. */
struct tool_runtimes {
	size_t num_names;
	char names[TOOL_MAX_RUNTIMES][TOOL_RUNTIME_NAME_BYTES];
};

/* True for the file name, or path, of a sanitizer runtime that must be first.
 */
bool tool_is_sanitizer_runtime(const char *library);

/* Adds a runtime, once. Names that do not fit are left out. */
void tool_runtimes_add(struct tool_runtimes *runtimes, const char *name);

/*
 * The new LD_PRELOAD: runtimes (and those among the existing words), stand-in,
 * existing words; none twice. `existing` may be NULL. The caller frees it;
 * NULL: out of memory.
 */
char *tool_compose_preload(const struct tool_runtimes *runtimes,
			   const char *standin, const char *existing);

/* `value`, and after a colon what was there before, unless value is in it. The
 * caller frees it; NULL: out of memory. */
char *tool_compose_list(const char *value, const char *existing);

/* True when the dynamic linker would split this path in LD_PRELOAD. */
bool tool_preload_splits(const char *path);

#endif
