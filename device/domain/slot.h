/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Slots of functions, as their owners write them and others read them.
 */
#ifndef ADEV_DOMAIN_SLOT_H
#define ADEV_DOMAIN_SLOT_H

#include <stdint.h>
#include <sys/types.h>

#include "domain/directory.h"

/* What a slot says of a running function: copied once, belonging together. */
struct adev_slot_view {
	pid_t pid;
	pid_t tid; /* of the agent */
	uint64_t start_time;
	uint64_t pid_namespace;
	uint64_t segment_inode;
	uint64_t wake_inode;
	uint64_t beacon_inode; /* zero: none */
	int segment_fd;
	int wake_fd;
	int beacon_fd;
};

/* ENOENT: the function does not run (any more). */
int adev_slot_read(const struct adev_directory *directory, uint32_t function,
		   uint64_t generation,
		   struct adev_slot_view *view) ARNICA_MUST_CHECK;

/* ESRCH: the process or its agent is gone, or another has its number by now.
 * 0: it is there, or cannot be told from here. */
int adev_slot_check_process(const struct adev_slot_view *view)
	ARNICA_MUST_CHECK;

#endif
