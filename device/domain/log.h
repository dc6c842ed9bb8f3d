/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * One line to the user, "arnica: ..." on stderr. Only where a user must act:
 * say what went wrong, with which object, and what to do. The line is written
 * with one system call, so that lines of several processes do not mix.
 */
#ifndef ADEV_DOMAIN_LOG_H
#define ADEV_DOMAIN_LOG_H

void adev_log_error(const char *format, ...)
	__attribute__((format(printf, 1, 2)));

#endif
