/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * A domain of its own for each test: a fresh folder, device files as the
 * stand-in would make them, and other processes of the domain.
 */
#ifndef TEST_DOMAIN_FIXTURE_H
#define TEST_DOMAIN_FIXTURE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "domain/directory.h"

/* cmocka setup and teardown: sets ARNICA_RUNTIME_DIR to a new folder. */
int fixture_setup(void **state);
int fixture_teardown(void **state);

/* A device file in state OPENED. */
int fixture_device_file(void);

/* A running function of this thread, entered and laid out. */
struct fixture_function {
	struct adev_directory *directory;
	uint64_t generation;
	uint32_t function;
	uint32_t block; /* leased, lease number 7 */
	int device_fd;
	int wake_read_fd;
	int wake_write_fd;
	int beacon_fd;
	void *base;
	uint64_t size;
};

bool fixture_enter(struct fixture_function *made);
void fixture_leave(struct fixture_function *made);

enum fixture_end {
	FIXTURE_PAUSE,	    /* lives until it is killed */
	FIXTURE_LEAVE,	    /* leaves, then pauses */
	FIXTURE_EXIT,	    /* exits without leaving */
	FIXTURE_EXEC,	    /* another program in the same process, pausing */
	FIXTURE_THREAD_END, /* only the agent ends */
};

/* Another process with a function, whose agent is a thread of its own; it has
 * entered (and left, or ended, as told) when this returns. */
pid_t fixture_spawn(struct fixture_function *remote, enum fixture_end end);

/* Kills and waits. */
void fixture_kill(pid_t pid);

/* How long a test waits for what must come; no result depends on it. */
#define FIXTURE_PATIENCE_MS 20000

/* Waits until the function is in that state; false when it does not come. */
bool fixture_wait_life(struct fixture_function *remote, enum adev_life life);

#endif
