/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Text of /proc, a line at a time. */
#include "adopt/lines.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

int adev_lines_open(struct adev_lines *lines, const char *path)
{
	lines->have = 0;
	lines->used = 0;
	lines->fd = open(path, O_RDONLY | O_CLOEXEC);
	return lines->fd < 0 ? errno : 0;
}

static ssize_t read_some(struct adev_lines *lines)
{
	ssize_t got;

	memmove(lines->buffer, lines->buffer + lines->used,
		lines->have - lines->used);
	lines->have -= lines->used;
	lines->used = 0;
	do {
		got = read(lines->fd, lines->buffer + lines->have,
			   sizeof(lines->buffer) - lines->have);
	} while (got < 0 && errno == EINTR);
	if (got > 0)
		lines->have += (size_t)got;
	return got;
}

/* The next line, terminated; NULL at the end. *error is set on failure. */
char *adev_lines_next(struct adev_lines *lines, int *error)
{
	for (;;) {
		char *start = lines->buffer + lines->used;
		char *end = memchr(start, '\n', lines->have - lines->used);
		ssize_t got;

		if (end) {
			*end = '\0';
			lines->used = (size_t)(end + 1 - lines->buffer);
			return start;
		}
		if (!lines->used && lines->have == sizeof(lines->buffer)) {
			*error = EPROTO;
			return NULL;
		}
		got = read_some(lines);
		if (got <= 0) {
			*error = got < 0 ? errno : 0;
			return NULL;
		}
	}
}

uint64_t adev_text_number(const char **text, unsigned int base)
{
	uint64_t number = 0;

	for (;; (*text)++) {
		char c = **text;
		unsigned int digit;

		if (c >= '0' && c <= '9')
			digit = (unsigned int)(c - '0');
		else if (base == 16 && c >= 'a' && c <= 'f')
			digit = (unsigned int)(c - 'a') + 10;
		else
			return number;
		number = number * base + digit;
	}
}

void adev_text_skip_blanks(const char **text)
{
	while (**text == ' ' || **text == '\t')
		(*text)++;
}

void adev_text_skip_word(const char **text)
{
	while (**text && **text != ' ')
		(*text)++;
	adev_text_skip_blanks(text);
}
