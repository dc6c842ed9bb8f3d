/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What the process is like where its memory is to be adopted: its threads, and
 * what else may transfer into its pages behind the processor's back. All from
 * /proc; where that cannot be read the answer is the careful one. Nothing here
 * allocates memory. Mappings have a file of their own (mappings.h).
 */
#ifndef ADEV_ADOPT_PROCESS_H
#define ADEV_ADOPT_PROCESS_H

#include <stdbool.h>
#include <stdint.h>

#include <arnica/hw/format.h>

struct adev_process_status {
	uint64_t threads;
	uint64_t locked_kib; /* by mlock() */
	uint64_t pinned_kib; /* by other subsystems: io_uring, RDMA */
};

int adev_process_status(struct adev_process_status *status) ARNICA_MUST_CHECK;

/* Bytes that can be had yet, before the machine or a limit of the process's
 * control groups, of either version, is exhausted; zero when nobody says. */
uint64_t adev_process_room(void);

/* For tests: where control groups are. */
extern const char *adev_process_groups;

/* Who may transfer into pages that it has looked up before. */
enum adev_process_pins {
	ADEV_PINS_NONE,
	ADEV_PINS_IN_CALLS, /* files with O_DIRECT: while a call lasts */
	ADEV_PINS_UNKNOWN,  /* devices that we know nothing of */
	ADEV_PINS_LIKELY,   /* io_uring, asynchronous I/O, VFIO, AF_XDP */
};

enum adev_process_pins adev_process_pins(void);

#endif
