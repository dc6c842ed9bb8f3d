/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Raw packet queue pairs: each message is a whole Ethernet frame on the port's
 * interface, and what comes in is given to those whose flow rules want it. A
 * frame is sent whatever becomes of it.
 *
 * Frames are taken in by whoever polls, or by the agent. Lock role `raw`: one
 * thread at a time takes frames in (others try), or changes the rules. It comes
 * after `command` and `serving`, and before `qp_responder`.
 */
#ifndef ADEV_TRANSPORT_RAW_PACKET_H
#define ADEV_TRANSPORT_RAW_PACKET_H

#include "transport/flow.h"
#include "transport/requester.h"

struct adev_raw;

/* Before the function's first raw packet QP. 0, EPERM, EOPNOTSUPP, EMFILE or
 * ENOMEM, see link/tap.h. With the command lock, as the next two. */
int adev_raw_open(struct adev_function *fn) ARNICA_MUST_CHECK;

/* A rule for a QP. 0 and its handle; ENOMEM, or as above. */
int adev_raw_add_rule(struct adev_function *fn, struct adev_qp *qp,
		      const struct arnica_hw_cmd_create_flow *cmd,
		      uint32_t *handle) ARNICA_MUST_CHECK;
/* What it has matched. False: there is no such rule. */
bool adev_raw_query_rule(struct adev_function *fn, uint32_t handle,
			 struct arnica_hw_res_flow *counts);
/* The QP that it was of, and what it has matched; NULL: there is no such rule. */
struct adev_qp *adev_raw_remove_rule(struct adev_function *fn, uint32_t handle,
				     struct arnica_hw_res_flow *counts);

/* Before the function's QPs end: nothing is taken in any more. */
void adev_raw_deafen(struct adev_function *fn);
void adev_raw_close(struct adev_function *fn);
/* In a forked child: the sockets are the parent's. */
void adev_raw_forget(struct adev_function *fn);

/* Has the function rules, so that frames may have come? */
bool adev_raw_listens(const struct adev_function *fn);
/* Takes in some of what has come; true: there may be more. */
bool adev_raw_serve(struct adev_function *fn);
/* The descriptor that becomes readable then; -1: none. */
int adev_raw_descriptor(const struct adev_function *fn);

/* Sends qp->message; `sq_lock` held. */
enum adev_progress adev_raw_run(struct adev_qp *qp) ARNICA_MUST_CHECK;

#endif
