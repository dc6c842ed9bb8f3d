/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * An end of a pair of sockets that the manager keeps among the descriptors of
 * its program, which may close whatever is open and then open others. Before an
 * end is used it is looked at: a descriptor that is the program's now is
 * neither written to nor closed.
 */
#ifndef STANDIN_CM_END_H
#define STANDIN_CM_END_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "arnica/hw/format.h"

struct standin_cm_end {
	int fd;
	uint64_t inode; /* zero: there is none */
};

/* Takes a socket over, also if it fails, and moves it out of the way of
 * programs, which close the lowest numbers rather than others. */
int standin_cm_end_init(struct standin_cm_end *end, int fd) ARNICA_MUST_CHECK;

bool standin_cm_end_is_ours(const struct standin_cm_end *end);

/* One byte. False: there is no room, or it is not ours any more. */
bool standin_cm_end_send(const struct standin_cm_end *end);

/* Closes it if it is ours still. */
void standin_cm_end_fini(struct standin_cm_end *end);

#endif
