/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * All contexts of the process: who shares a function, and what fork does.
 *
 * A child inherits the memory of a context but
 * not the function behind it. Every verb on an object of the parent answers
 * EIO there, except those that close it; for the data path this costs nothing,
 * because the child exchanges the functions.
 *
 * A context on which nothing had been made has nothing to lose: with its first
 * command in the child it gets a function of the child's own.
 */
#ifndef ARNICA_CONTEXTS_H
#define ARNICA_CONTEXTS_H

#include "context.h"

/* A new one, with the first of the library's contexts. */
void arnica_contexts_add(struct arnica_context *context);

/*
 * One that is open already: `ibv`, whose cmd_fd is a duplicate of another one's,
 * joins it. NULL: the device file is no function of this process.
 */
struct arnica_context *arnica_contexts_share(struct ibv_context *ibv);

/* A device file of its own for this process, close-on-exec. */
int arnica_contexts_open_device(const struct ibv_context *ibv,
				int *device_fd) ARNICA_MUST_CHECK;

/* True when it was the last of its function. */
bool arnica_contexts_remove(struct ibv_context *ibv);

/* What another context has under a handle, for one that imports it: asks the
 * adapter (QUERY_*), or has the function import it (IMPORT_*). */
int arnica_contexts_ask(struct arnica_context *context,
			enum arnica_hw_command_opcode query,
			enum arnica_hw_command_opcode import, uint32_t handle,
			uint32_t pd, struct arnica_hw_completion *answer)
	ARNICA_MUST_CHECK;

#endif
