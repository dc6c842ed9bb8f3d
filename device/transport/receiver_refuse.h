/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What a receiver answers to a packet that it does not execute (IBTA 9.7.5.2):
 * each is counted and traced, and leaves a NAK due. An unreliable connection
 * answers nothing; its message is dropped (9.8.2.2). All return false, what the
 * caller says of a packet that was refused.
 */
#ifndef ADEV_TRANSPORT_RECEIVER_REFUSE_H
#define ADEV_TRANSPORT_RECEIVER_REFUSE_H

#include <stdbool.h>
#include <stdint.h>

struct adev_qp;
struct roce_packet;

/* UC: the message is dropped, and what comes up to the next one. */
bool adev_receiver_drop_message(struct adev_qp *qp);

bool adev_refuse_invalid(struct adev_qp *qp, const struct roce_packet *packet);

/* A key that does not permit it. */
bool adev_refuse_access(struct adev_qp *qp, const struct roce_packet *packet,
			uint32_t rkey);

/* The memory is not there, though the table says so. */
bool adev_refuse_fault(struct adev_qp *qp, const struct roce_packet *packet);

/* No receive is posted: the requester shall come again (9.7.5.2.8). */
bool adev_refuse_not_ready(struct adev_qp *qp,
			   const struct roce_packet *packet);

/* Memory that is being registered: the same, each time after a longer while, so
 * that a requester who may come six times more comes for more than a second. */
bool adev_refuse_for_now(struct adev_qp *qp, const struct roce_packet *packet);

#endif
