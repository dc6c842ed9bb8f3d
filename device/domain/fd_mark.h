/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Which file a descriptor of ours is. A program may close descriptors that it
 * has not opened, as daemons do, and open others, which then have their numbers:
 * those are neither written to, nor read, nor closed.
 *
 * Files without an inode of their own (eventfds) are told from other kinds only.
 */
#ifndef ADEV_DOMAIN_FD_MARK_H
#define ADEV_DOMAIN_FD_MARK_H

#include <stdbool.h>
#include <stdint.h>

#include "arnica/hw/format.h"

struct adev_fd_mark {
	uint64_t device, inode;
	uint32_t kind; /* S_IFMT of its mode */
};

/* Looks at what `fd` is. EBADF. */
int adev_fd_mark(int fd, struct adev_fd_mark *mark) ARNICA_MUST_CHECK;

/* Is it that still? One system call, none of libc's names; errno stays. */
bool adev_fd_is(int fd, const struct adev_fd_mark *mark) ARNICA_MUST_CHECK;

/* Closes it if it is; sets it to -1. */
void adev_fd_close(int *fd, const struct adev_fd_mark *mark);

#endif
