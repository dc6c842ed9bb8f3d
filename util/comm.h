/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Names of processes and threads, as /proc has them in files called "comm". */
#ifndef ARNICA_UTIL_COMM_H
#define ARNICA_UTIL_COMM_H

#include <stddef.h>

/* Without its line end; "" when there is no such file any more. */
void arnica_comm_read(const char *path, char *name, size_t bytes);

#endif
