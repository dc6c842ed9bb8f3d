/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The host's end of the control queue: one command at a time, under a mutex.
 * The adapter usually answers within the doorbell, because the doorbell runs
 * it; where it does not, the caller waits as long as the function lives.
 */
#ifndef ARNICA_COMMAND_H
#define ARNICA_COMMAND_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "arnica/hw/bus.h"
#include "arnica/hw/cqp.h"

struct arnica_mirror;

struct arnica_command_queue {
	pthread_mutex_t mutex;
	struct arnica_bus *bus;
	struct arnica_hw_cqp_slot *slots;
	uint32_t next; /* free-running index of the next command */
	atomic_bool used; /* something was made or changed, not only asked */
	/* The function is the parent's: `renew` may give the queue another one;
	 * zero or errno. NULL: nobody can. */
	atomic_bool orphaned;
	int (*renew)(struct arnica_command_queue *queue);
	struct arnica_mirror *mirror; /* learns what was done; or NULL */
};

/* EIO: the bus has no control queue. */
int arnica_command_init(struct arnica_command_queue *queue,
			struct arnica_bus *bus) ARNICA_MUST_CHECK;

void arnica_command_fini(struct arnica_command_queue *queue);

/* Is there a function that could execute a command? Zero, or the errno that
 * the command would have: EIO, or that of `renew`. */
int arnica_command_ready(struct arnica_command_queue *queue) ARNICA_MUST_CHECK;

/*
 * Executes a command. Returns 0 and fills in the answer, or the errno that
 * belongs to the command's status; EIO when the function is gone or belongs to
 * the parent process and stays so. `answer` may be NULL.
 */
int arnica_command_execute(struct arnica_command_queue *queue,
			   const struct arnica_hw_command *command,
			   struct arnica_hw_completion *answer)
	ARNICA_MUST_CHECK;

/* A command that names nothing but an object: DEALLOC_PD, DESTROY_* ... */
int arnica_command_object(struct arnica_command_queue *queue,
			  enum arnica_hw_command_opcode opcode,
			  uint32_t handle) ARNICA_MUST_CHECK;

/* The same on the way out of an error, which is the one to report. */
void arnica_command_undo(struct arnica_command_queue *queue,
			 enum arnica_hw_command_opcode opcode, uint32_t handle);

/* errno of a command status; EIO for a number that nobody knows. */
int arnica_command_errno(uint32_t status);

#endif
