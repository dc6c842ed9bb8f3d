/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Messages to the user: one line on stderr, written in one piece. */
#ifndef STANDIN_COMPLAIN_H
#define STANDIN_COMPLAIN_H

/* Adds "arnica: " and the newline; %m works. Does not change errno. */
void standin_complain(const char *format, ...)
	__attribute__((format(printf, 1, 2)));

#endif
