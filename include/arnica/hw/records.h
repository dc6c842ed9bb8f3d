/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Records: the words in memory by which host and device tell each other about
 * queues without a bus transaction.
 *
 * A queue record belongs to one work queue; queue 2 * n is the send queue and
 * 2 * n + 1 the receive queue of the QP with index n. It has two lines: what
 * the host writes, and what the device writes.
 *
 * After the host has stored `producer` it looks at `waiting`. It either orders the
 * two, or has told the kernel that its threads pass barriers
 * (MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED): a device of the same process that
 * sets `waiting` has them pass one before it looks at `producer` (label N2); one
 * of another process looks again a little later.
 *
 * A shared receive queue (SRQ) has a record, an array of entries, one word for
 * each entry, and a ring of numbers of entries. To post, the host writes an
 * entry that is free, sets its word to {posts so far, no taker}, stores the
 * entry's number in the ring, at `producer`, and publishes `producer`. A message
 * takes the entry at `head`: who changes the entry's word to {the same, taker}
 * has it, and whoever sees that it was taken may move `head` on. So no lock is
 * needed, and one who is stopped on the way is in nobody's way. The entry is the
 * host's again when it polls a completion that names it, or when it has brought
 * the QP that took it to RESET or destroyed it.
 *
 * A CQ record belongs to one CQ. Its list of ready rings is a stack: a writer
 * that published an entry in a ring that is not `queued` pushes the ring (it
 * sets `queued`, links `next`, swings `ready`); the host takes the whole stack
 * with one exchange and then polls these rings until it lets one go: it clears
 * `queued`, and looks at the ring once more (labels P2, C2). A writer that dies
 * on the way leaves a ring that is `queued` but on no list; whoever cleans up
 * after it sets `rescan`, and the host (which clears it) looks at every ring of
 * the CQ. The host must therefore accept a ring that it polls already.
 *
 * Indexes run freely and never start again. When a QP goes to RESET the adapter
 * drops what is outstanding: the next receive entry is then the one at
 * `producer`, the next send entry the one that the next doorbell announces.
 * The host throws away the completions that it has not polled: it reads the
 * send ring to its end, and goes on with the receive ring at `producer`.
 */
#ifndef ARNICA_HW_RECORDS_H
#define ARNICA_HW_RECORDS_H

#include "endian.h"
#include "format.h"

struct arnica_hw_queue_record {
	/* line 0, written by the host */
	arnica_atomic_le32 producer;   /* receive queue: next index to write */
	arnica_atomic_le32 eager_tail; /* bytes of the eager ring given back */
	arnica_atomic_le32 polled;     /* completions polled, free-running */
	uint8_t reserved0[52];         /* zero */
	/* line 1, written by the device; `queued` by both */
	arnica_atomic_le32 waiting; /* non-zero: ring RQ doorbell after posting */
	arnica_atomic_le32 queued;  /* the ring is on the ready list, or hot */
	arnica_atomic_le32 next;    /* next ring of the list plus one, or 0 */
	uint8_t reserved1[52];      /* zero */
};
ARNICA_FORMAT_SIZE(struct arnica_hw_queue_record, 128);
ARNICA_FORMAT_FIELD(struct arnica_hw_queue_record, producer, 0);
ARNICA_FORMAT_FIELD(struct arnica_hw_queue_record, waiting, 64);
ARNICA_FORMAT_FIELD(struct arnica_hw_queue_record, queued, 68);

/* word of an entry of an SRQ
 *
 *  63                          32 31                           0
 *  +-----------------------------+------------------------------+
 *  | posts before this one       | taker: QP's handle + 1, or 0 |
 *  +-----------------------------+------------------------------+
 */
#define ARNICA_HW_SRQ_POST_MASK ARNICA_GENMASK64(63, 32)
#define ARNICA_HW_SRQ_TAKER_MASK ARNICA_GENMASK64(31, 0)

/* Taker: somebody who is stopped may still write to its memory. It is not used
 * again. */
#define ARNICA_HW_SRQ_LOST 0xffffffffu

static inline uint64_t arnica_hw_srq_word(uint32_t post, uint32_t taker)
{
	return (uint64_t)post << 32 | taker;
}

struct arnica_hw_srq_record {
	/* line 0, written by the host */
	arnica_atomic_le32 producer; /* entries posted, free-running */
	uint8_t reserved0[60];       /* zero */
	/* line 1, written by the device */
	arnica_atomic_le32 waiting; /* non-zero: ring SRQ doorbell after posting */
	uint8_t reserved1[60];      /* zero */
	/* line 2, written by the device */
	arnica_atomic_le32 head; /* entries taken, free-running */
	uint8_t reserved2[60];   /* zero */
};
ARNICA_FORMAT_SIZE(struct arnica_hw_srq_record, 192);
ARNICA_FORMAT_FIELD(struct arnica_hw_srq_record, waiting, 64);
ARNICA_FORMAT_FIELD(struct arnica_hw_srq_record, head, 128);

/* word `armed`: what the host asked for, and how many events have come of it
 * that the adapter has not yet written to the channel. The host changes its
 * part by compare-and-exchange and keeps the other; arming twice keeps the
 * stronger request.
 *
 *  31                              8 7       2 1    0
 *  +--------------------------------+---------+------+
 *  | fired (24)                     | zero    | arm  |
 *  +--------------------------------+---------+------+
 */
#define ARNICA_HW_ARMED_ARM_MASK ARNICA_GENMASK32(1, 0)
#define ARNICA_HW_ARMED_FIRED_MASK ARNICA_GENMASK32(31, 8)
#define ARNICA_HW_ARMED_FIRED_ONE 0x100u

enum arnica_hw_arm {
	ARNICA_HW_ARM_NONE = 0,
	ARNICA_HW_ARM_SOLICITED = 1, /* solicited or unsuccessful completions */
	ARNICA_HW_ARM_NEXT = 2,      /* any completion */
};

enum arnica_hw_cq_state {
	ARNICA_HW_CQ_OK = 0,
	ARNICA_HW_CQ_OVERRUN = 1, /* an entry was lost: IBV_EVENT_CQ_ERR */
};

struct arnica_hw_cq_record {
	arnica_atomic_le32 ready;       /* first ready ring plus one, or 0 */
	arnica_atomic_le32 armed;       /* masks above */
	arnica_atomic_le32 state;       /* enum arnica_hw_cq_state */
	arnica_atomic_le32 counted;     /* non-zero: the queues could overrun */
	arnica_atomic_le32 outstanding; /* with counted: entries not polled */
	arnica_atomic_le32 limit;       /* entries that fit */
	arnica_atomic_le32 rescan;      /* device sets: look at all rings */
	uint8_t reserved0[36];          /* zero */
};
ARNICA_FORMAT_SIZE(struct arnica_hw_cq_record, 64);
ARNICA_FORMAT_FIELD(struct arnica_hw_cq_record, armed, 4);

#endif
