/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Posts that are held: on the wire a message costs a system call, and many
 * short ones cost hardly more than one. A program that posts request after
 * request to a queue that has some on their way already, and polls busily, has
 * what it posted since its last poll sent together: when that is enough for a
 * datagram, or with the next poll. If none comes for two milliseconds the agent
 * sends it; after that, and after a poll that came late, nothing of that process
 * is held for a while.
 *
 * What goes to an idle queue, through the priority area, is never held.
 */
#ifndef ADEV_EXEC_HOLD_H
#define ADEV_EXEC_HOLD_H

#include "transport/qp.h"

/*
 * For the doorbell handler, once the producer index is advanced by `entries`.
 * True: that is all for now. False: adev_exec_submit() is to be called, which
 * executes what was held before as well. Any thread.
 */
bool adev_hold_post(struct adev_qp *qp, uint32_t entries);

/* Executes what is held: the queue pair is about to end, or to stop. With
 * neither its locks nor the flag `serving` held. */
void adev_hold_end(struct adev_qp *qp);

#endif
