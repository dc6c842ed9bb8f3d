/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Reads text files of the kernel line by line, with a buffer on the stack:
 * nothing here allocates memory, because its callers move it.
 */
#ifndef ADEV_ADOPT_LINES_H
#define ADEV_ADOPT_LINES_H

#include <stddef.h>
#include <stdint.h>

#include <arnica/hw/format.h>

#define ADEV_LINES_BYTES 4096u

struct adev_lines {
	int fd;
	size_t have, used;
	char buffer[ADEV_LINES_BYTES];
};

/* Zero or errno; the caller closes `fd`. */
int adev_lines_open(struct adev_lines *lines,
		    const char *path) ARNICA_MUST_CHECK;

/* The next line, terminated; NULL at the end, with *error set when it is not
 * the end. EPROTO: a line that is longer than the buffer. */
char *adev_lines_next(struct adev_lines *lines, int *error);

/* Parts of a line; *text goes on behind what was taken. */
uint64_t adev_text_number(const char **text, unsigned int base);
void adev_text_skip_blanks(const char **text);
void adev_text_skip_word(const char **text);

#endif
