/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* One completion channel, as the adapter holds it. */
#ifndef ADEV_COMP_CHANNEL_TABLE_H
#define ADEV_COMP_CHANNEL_TABLE_H

#include <stdint.h>
#include <sys/types.h>

struct adev_channel {
	int write_fd;
	uint32_t num_cqs; /* that name it; while there are, it is not reused */
	/* The pipe, by which the application's descriptor is recognised. */
	dev_t device;
	ino_t inode;
};

#endif
