/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Commands: what a program writes to the file (rdma/rdma_user_cm.h). Each has
 * been copied whole, so that nothing changes after it was checked; what it has
 * less than the newest form is zeros. Errors are those of a kernel's rdma_ucm.
 */
#ifndef STANDIN_CM_COMMAND_H
#define STANDIN_CM_COMMAND_H

#include "cm.h"

#define STANDIN_CM_COMMAND_BYTES 512u /* the longest, and some */

struct standin_cm_call {
	struct standin_cm_file *file;
	int fd;	    /* the program's end */
	int cancel; /* state of the thread's cancellation while it waits */
	uint32_t in_length, out_length;
	_Alignas(8) uint8_t in[STANDIN_CM_COMMAND_BYTES];
};

/* Carries out what is in `bytes`; the lock is held by the caller, and not while
 * GET_EVENT waits. */
int standin_cm_command(struct standin_cm_file *file, int fd, const void *bytes,
		       size_t length, int cancel) ARNICA_MUST_CHECK;

/* Handlers, by file. */
int standin_cm_do_create(struct standin_cm_call *call);
int standin_cm_do_destroy(struct standin_cm_call *call);
int standin_cm_do_bind_ip(struct standin_cm_call *call);
int standin_cm_do_bind(struct standin_cm_call *call);
int standin_cm_do_resolve_ip(struct standin_cm_call *call);
int standin_cm_do_resolve_addr(struct standin_cm_call *call);
int standin_cm_do_resolve_route(struct standin_cm_call *call);
int standin_cm_do_query_route(struct standin_cm_call *call);
int standin_cm_do_query(struct standin_cm_call *call);
int standin_cm_do_connect(struct standin_cm_call *call);
int standin_cm_do_listen(struct standin_cm_call *call);
int standin_cm_do_accept(struct standin_cm_call *call);
int standin_cm_do_reject(struct standin_cm_call *call);
int standin_cm_do_disconnect(struct standin_cm_call *call);
int standin_cm_do_init_qp_attr(struct standin_cm_call *call);
int standin_cm_do_get_event(struct standin_cm_call *call);
int standin_cm_do_set_option(struct standin_cm_call *call);
int standin_cm_do_notify(struct standin_cm_call *call);
int standin_cm_do_join_ip_mcast(struct standin_cm_call *call);
int standin_cm_do_join_mcast(struct standin_cm_call *call);
int standin_cm_do_leave_mcast(struct standin_cm_call *call);
int standin_cm_do_migrate(struct standin_cm_call *call);

/* What has to do with a device needs one: EINVAL. */
int standin_cm_find_bound(struct standin_cm_call *call, uint32_t number,
			  struct standin_cm_id **id) ARNICA_MUST_CHECK;

/* At most `length` bytes of an answer; ENOSPC: there is room for less than
 * `least`. */
int standin_cm_answer(const struct standin_cm_call *call, uint64_t to,
		      const void *answer, size_t length,
		      size_t least) ARNICA_MUST_CHECK;

#endif
