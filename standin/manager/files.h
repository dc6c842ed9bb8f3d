/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What open("/dev/infiniband/rdma_cm") returns: one end of a pair of sockets.
 * It is recognised by its inode, so that dup, fork and passing it on need no
 * care; and when the last descriptor of it is closed, the kernel tells the
 * other end. Looking whether a descriptor is ours takes no lock.
 */
#ifndef STANDIN_CM_FILES_H
#define STANDIN_CM_FILES_H

#include <sys/stat.h>

#include "cm.h"

#define STANDIN_CM_MAX_FILES 4096u
/* misc device; the sysfs file `dev` says the same. */
#define STANDIN_CM_MAJOR 10u
#define STANDIN_CM_MINOR 58u

/* A new file; of the open flags O_CLOEXEC and O_NONBLOCK count. ENODEV: there
 * is no adapter; EMFILE, ENFILE, ENOMEM. */
int standin_cm_open(int flags, int *fd) ARNICA_MUST_CHECK;

/* True if there are any; most programs end here. */
bool standin_cm_is_used(void);

/* True if a descriptor with this status is one. */
bool standin_cm_is_file(uint32_t mode, uint64_t inode);

/* Makes the status of a file, or of the tree's node, that of the device. */
void standin_cm_disguise(struct stat *status);
void standin_cm_disguise_x(struct statx *status);

/* A command. False: no file of ours. Otherwise *result is write()'s. */
bool standin_cm_write(int fd, const void *bytes, size_t length,
		      ssize_t *result);

/* The file of a descriptor; the lock is held. EBADF: it is not open; EINVAL:
 * another kind of file. EIO: the parent's, in a forked child, or one whose
 * other end the program has closed. */
int standin_cm_file_find(int fd,
			 struct standin_cm_file **file) ARNICA_MUST_CHECK;

/* Ends files that nobody has open any more, and their ids. */
void standin_cm_files_sweep(void);

#endif
