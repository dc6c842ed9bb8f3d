/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Execution engine: takes a queue pair, fetches its descriptors in order,
 * checks them, and hands each as a message to the requester. It runs in
 * whatever thread has reason to: the one that rang the doorbell, one that
 * polls, the agent.
 */
#ifndef ADEV_EXEC_EXEC_H
#define ADEV_EXEC_EXEC_H

#include "transport/qp.h"

/*
 * Executes what is announced, until nothing is left, the QP has to wait, or it
 * has moved two gather entries (the rest goes to the scheduler). When others
 * have a backlog and the QP must wait for its turn, the scheduler gets it at once.
 * When another thread is executing the QP, that one does it. `area` is the
 * descriptor at the head, from the priority area, or NULL; a short one does not
 * wait.
 */
void adev_exec_submit(struct adev_qp *qp, const void *area);

/* Lets go of a QP's send queue, and executes what was wanted meanwhile. For
 * everybody but this module itself. */
void adev_exec_release(struct adev_qp *qp);

/* What a turn of an engine left. */
enum adev_turn {
	ADEV_TURN_NOTHING, /* no backlog */
	ADEV_TURN_BUSY,    /* other threads have all of it in hands */
	ADEV_TURN_MORE,
};

/* What an engine moves at most before it looks who is next; an entry, when
 * somebody waits. */
#define ADEV_TURN_MOST (1u << 20)

/* Lends the thread to the engines, for about so many bytes. Any number of
 * threads may do so at the same time. */
enum adev_turn adev_exec_turn(struct adev_function *fn, uint64_t bytes);

/* The entry of the send queue at a free-running index. */
static inline const void *adev_exec_descriptor(const struct adev_qp *qp,
					       uint32_t index)
{
	return qp->sq + (size_t)(index & qp->sq_mask) * qp->sq_stride;
}

/* fetch.c: turns the descriptor of entry `index` into a message. SUCCESS, or
 * the status that it completes with; the message is then set as far as its
 * completion needs. ADEV_STATUS_PENDING: fetch it again later. */
enum arnica_hw_status adev_exec_fetch(struct adev_qp *qp, uint32_t index,
				      const void *descriptor,
				      struct adev_message *message)
	ARNICA_MUST_CHECK;

/* The same for an entry that is begun. One that registers memory and sends
 * (REG_SEND) becomes its first half, REG_MR; adev_exec_fetch() makes it the
 * second one, SEND, whose keys are looked at then. */
enum arnica_hw_status adev_exec_fetch_first(struct adev_qp *qp, uint32_t index,
					    const void *descriptor,
					    struct adev_message *message)
	ARNICA_MUST_CHECK;

/* fetch.c: bytes of the message that a descriptor says it has; UINT64_MAX: its
 * segments are not within `room` bytes. A look ahead, before it is fetched and
 * checked. */
uint64_t adev_exec_bytes(const void *descriptor, size_t room);

#endif
