/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Records: the words in memory by which host and device tell each other about
 * queues without a bus transaction.
 *
 * A queue record belongs to one work queue; queue 2 * n is the send queue and
 * 2 * n + 1 the receive queue of the QP with index n. It has two lines: what
 * the host writes, and what the device writes.
 *
 * A CQ record belongs to one CQ. Its list of ready rings is a stack: a writer
 * that published an entry in a ring that is not `queued` pushes the ring (it
 * sets `queued`, links `next`, swings `ready`); the host takes the whole stack
 * with one exchange and then polls these rings until it lets one go: it clears
 * `queued`, and looks at the ring once more (labels P2, C2).
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
	arnica_atomic_le32 armed;       /* enum arnica_hw_arm; host arms */
	arnica_atomic_le32 state;       /* enum arnica_hw_cq_state */
	arnica_atomic_le32 counted;     /* non-zero: the queues could overrun */
	arnica_atomic_le32 outstanding; /* with counted: entries not polled */
	arnica_atomic_le32 limit;       /* entries that fit */
	uint8_t reserved0[40];          /* zero */
};
ARNICA_FORMAT_SIZE(struct arnica_hw_cq_record, 64);
ARNICA_FORMAT_FIELD(struct arnica_hw_cq_record, armed, 4);

#endif
