/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What a UD queue pair remembers of its destinations, for the files datagram*.c.
 * All of it with `sq_lock` held. */
#ifndef ADEV_TRANSPORT_DATAGRAM_STATE_H
#define ADEV_TRANSPORT_DATAGRAM_STATE_H

#include "transport/datagram.h"
#include "transport/datagram_place.h"

/*
 * Destinations in this host domain, by QP number: sets of a few, of which the
 * one that was entered first gives way.
 */
#define ADEV_DESTINATION_SETS 16u
#define ADEV_DESTINATION_WAYS 4u

struct adev_destination {
	uint32_t qpn; /* zero: unused */
	struct adev_link link;
	/* The word of a lock that somebody kept for too long; as long as it
	 * stands, nobody waits for it again. */
	uint64_t stuck;
	bool due; /* of a group: has the message under way still to get */
};

struct adev_destination_set {
	uint32_t next; /* that gives way */
	struct adev_destination ways[ADEV_DESTINATION_WAYS];
};

struct adev_group_senders; /* datagram_group.c */

struct adev_destinations {
	struct adev_destination_set sets[ADEV_DESTINATION_SETS];
	/* For what comes by the wire: by the thread that drains it. */
	struct adev_link own;
	uint64_t own_stuck; /* as `stuck` above, of the lock of `own` */
	struct adev_batch *batch; /* that this turn put packets in, or NULL */
	struct adev_group_senders *groups; /* NULL: never sent to one */
};

/* What became of a message at one destination. */
enum adev_attempt {
	ADEV_ATTEMPT_DONE,
	ADEV_ATTEMPT_LOST,  /* *why */
	ADEV_ATTEMPT_BUSY,  /* somebody has it locked */
	ADEV_ATTEMPT_FAULT, /* the payload cannot be read */
};

/* The message under way, as if it had come in a packet. */
void adev_datagram_describe(const struct adev_qp *qp,
			    struct adev_delivery *delivery);

enum adev_attempt adev_datagram_attempt(struct adev_qp *qp,
					struct adev_destination *to,
					const struct adev_delivery *delivery,
					enum adev_loss *why);

/* After ADEV_ATTEMPT_BUSY: has that been waited for long enough? The owner
 * takes its lock back from a sender that died. */
bool adev_datagram_gives_up(struct adev_qp *qp, struct adev_destination *to);
enum adev_progress adev_datagram_wait(struct adev_qp *qp);

/* The message under way as a packet, in the batch of this turn. */
enum adev_attempt adev_datagram_pack(struct adev_qp *qp, enum adev_loss *why);

void adev_destination_forget(struct adev_destination *to);

/* datagram_group.c: the same for groups; see datagram.h. */
enum adev_progress adev_datagram_to_group(struct adev_qp *qp) ARNICA_MUST_CHECK;
void adev_group_senders_destroy(struct adev_qp *qp);
void adev_group_senders_forget(struct adev_qp *qp, uint32_t function,
			       uint64_t generation);

#endif
