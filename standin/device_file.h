/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The device file: what open("/dev/infiniband/uverbs0") returns, and how it is
 * recognised later.
 *
 * It is a memfd whose first page starts with struct arnica_hw_segment_header.
 * There is no table of descriptors: each question is answered by looking at the
 * descriptor, so dup, fork, exec, vfork and SCM_RIGHTS need no care. Only raw
 * system calls are used; errno is never changed; nothing here allocates.
 */
#ifndef STANDIN_DEVICE_FILE_H
#define STANDIN_DEVICE_FILE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "arnica/hw/format.h"

/* uverbs0 of a kernel; the sysfs file `dev` says the same. */
#define STANDIN_DEVICE_MAJOR 231u
#define STANDIN_DEVICE_MINOR 192u
#define STANDIN_DEVICE_MODE (S_IFCHR | 0666u)

/* What fstat() of the memfd itself says: no other file without a name is
 * sticky, so that ordinary files are told apart by their status alone. */
#define STANDIN_DEVICE_MEMORY_MODE (S_IFREG | S_ISVTX | 0666u)

/*
 * A new device file in state OPENED; of the open flags only O_CLOEXEC and
 * O_NONBLOCK count. EMFILE, ENFILE, ENOMEM, and what else the kernel says.
 */
int standin_device_file_create(int flags, int *fd) ARNICA_MUST_CHECK;

/* True if fd is a device file; *index is then the N of uverbsN. */
bool standin_device_file_check(int fd, uint32_t *index);

/* The same for callers that have asked fstat() about fd: costs nothing for what
 * is no device file. */
static inline bool standin_device_file_check_status(int fd, mode_t mode,
						    uint64_t num_links,
						    uint32_t *index)
{
	return mode == STANDIN_DEVICE_MEMORY_MODE && num_links == 0 &&
	       standin_device_file_check(fd, index);
}

/*
 * Makes the status of a memfd, or of the tree's node, that of uverbs<index>:
 * type, mode and device number. Size and inode stay, because the adapter, which
 * lives in the same process, asks by the same names.
 */
void standin_device_file_disguise(struct stat *status, uint32_t index);
void standin_device_file_disguise_x(struct statx *status, uint32_t index);

#endif
