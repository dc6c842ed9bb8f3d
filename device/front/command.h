/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Commands of the control queue. Each handler gets a private copy of the
 * command and fills in the answer; it runs with `command_lock` held, in the
 * thread that rang the doorbell, and returns a status.
 */
#ifndef ADEV_FRONT_COMMAND_H
#define ADEV_FRONT_COMMAND_H

#include <arnica/hw/cqp.h>

#include "core/function.h"

typedef enum arnica_hw_command_status (*adev_command_handler)(
	struct adev_function *fn, const struct arnica_hw_command *command,
	struct arnica_hw_completion *completion);

#define ADEV_COMMAND_HANDLER(name)                                             \
	enum arnica_hw_command_status adev_command_##name(                     \
		struct adev_function *fn,                                      \
		const struct arnica_hw_command *command,                       \
		struct arnica_hw_completion *completion)

ADEV_COMMAND_HANDLER(query_device); /* command_query.c */
ADEV_COMMAND_HANDLER(query_port);
ADEV_COMMAND_HANDLER(alloc_pd); /* command_pd.c */
ADEV_COMMAND_HANDLER(dealloc_pd);
ADEV_COMMAND_HANDLER(create_ah);
ADEV_COMMAND_HANDLER(destroy_ah);
ADEV_COMMAND_HANDLER(attach_mcast); /* command_mcast.c */
ADEV_COMMAND_HANDLER(detach_mcast);
ADEV_COMMAND_HANDLER(create_flow); /* command_flow.c */
ADEV_COMMAND_HANDLER(destroy_flow);
ADEV_COMMAND_HANDLER(query_flow);
ADEV_COMMAND_HANDLER(create_rwq_table); /* command_rwq.c */
ADEV_COMMAND_HANDLER(destroy_rwq_table);
ADEV_COMMAND_HANDLER(reg_mr); /* command_mr.c */
ADEV_COMMAND_HANDLER(rereg_mr);
ADEV_COMMAND_HANDLER(dereg_mr);
ADEV_COMMAND_HANDLER(alloc_null_mr);
ADEV_COMMAND_HANDLER(alloc_mr);
ADEV_COMMAND_HANDLER(begin_mr); /* command_begin.c */
ADEV_COMMAND_HANDLER(query_begun);
ADEV_COMMAND_HANDLER(query_pd);
ADEV_COMMAND_HANDLER(query_mr);
ADEV_COMMAND_HANDLER(query_dm);
ADEV_COMMAND_HANDLER(alloc_mw); /* command_mw.c */
ADEV_COMMAND_HANDLER(dealloc_mw);
ADEV_COMMAND_HANDLER(set_mirror); /* command_stag.c */
ADEV_COMMAND_HANDLER(query_stag);
ADEV_COMMAND_HANDLER(set_scheduler);
ADEV_COMMAND_HANDLER(query_scheduler);
ADEV_COMMAND_HANDLER(create_mkey); /* command_mkey.c */
ADEV_COMMAND_HANDLER(destroy_mkey);
ADEV_COMMAND_HANDLER(set_mkey);
ADEV_COMMAND_HANDLER(advise_mr); /* command_advise.c */
ADEV_COMMAND_HANDLER(alloc_dm); /* command_dm.c */
ADEV_COMMAND_HANDLER(free_dm);
ADEV_COMMAND_HANDLER(open_xrcd); /* command_xrcd.c */
ADEV_COMMAND_HANDLER(close_xrcd);
ADEV_COMMAND_HANDLER(open_qp); /* command_open.c */
ADEV_COMMAND_HANDLER(close_qp);
ADEV_COMMAND_HANDLER(import_pd); /* command_import.c */
ADEV_COMMAND_HANDLER(import_mr);
ADEV_COMMAND_HANDLER(import_dm);
ADEV_COMMAND_HANDLER(unimport_mr);
ADEV_COMMAND_HANDLER(unimport_dm);
ADEV_COMMAND_HANDLER(create_cq); /* command_cq.c */
ADEV_COMMAND_HANDLER(resize_cq);
ADEV_COMMAND_HANDLER(modify_cq);
ADEV_COMMAND_HANDLER(destroy_cq);
ADEV_COMMAND_HANDLER(create_qp); /* command_qp.c */
ADEV_COMMAND_HANDLER(destroy_qp);
ADEV_COMMAND_HANDLER(modify_qp); /* command_modify.c */
ADEV_COMMAND_HANDLER(query_qp);
ADEV_COMMAND_HANDLER(create_srq); /* command_srq.c */
ADEV_COMMAND_HANDLER(modify_srq);
ADEV_COMMAND_HANDLER(query_srq);
ADEV_COMMAND_HANDLER(destroy_srq);
ADEV_COMMAND_HANDLER(grow_srq); /* command_srq_grow.c */
ADEV_COMMAND_HANDLER(grow_ring); /* command_ring_grow.c */

/* Status of a command that failed with errno `error` inside the adapter. */
enum arnica_hw_command_status adev_command_status(int error);

/* Executes the commands that were posted to the control queue since. */
void adev_cqp_run(struct adev_function *fn);

/* Object references, shared by the handlers. */
bool adev_pd_valid(const struct adev_function *fn, uint32_t pd);
bool adev_cq_valid(const struct adev_function *fn, uint32_t cq);

/* Destroys a QP of the function; `command_lock` held. Returns how many of its
 * asynchronous events the application has read, as adev_async_settle(). */
uint32_t adev_qp_destroy(struct adev_function *fn, struct adev_qp *qp);

/* From now on other processes of this host may reach the function's regions:
 * those that are worth it are adopted. Before the first of them can, with
 * `command_lock` held. */
void adev_regions_meet_peers(struct adev_function *fn);

/* A key was made invalid: what this process itself may still do with it is over
 * when this returns. With lock role `command`. */
void adev_regions_wait_for_own_work(struct adev_function *fn);

/* Does an entry other than `index` let peers write into these addresses, or
 * with `loads` anybody read them? `command_lock` held. */
bool adev_regions_overlap(const struct adev_function *fn, uint32_t index,
			  uint64_t address, uint64_t length, bool loads);

/* The regions that have to do with this memory go on without adopted pages,
 * which become private; `command_lock` held. What is in use stays. */
void adev_regions_release(struct adev_function *fn, uint64_t start,
			  uint64_t bytes);

/* A queue of `depth` entries completes to the CQ from now on, or no more. */
void adev_cq_attach(struct adev_function *fn, uint32_t cq, uint32_t depth);
void adev_cq_detach(struct adev_function *fn, uint32_t cq, uint32_t depth);
/* The same number of queues, and of other depths: `depth`, not `before`. */
void adev_cq_adapt(struct adev_function *fn, uint32_t cq, uint32_t before,
		   uint32_t depth);

#endif
