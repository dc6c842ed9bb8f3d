/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Layout of a function's segment behind its BAR: the adapter's own tables,
 * shared among the processes of a host domain. The host side knows nothing of
 * this; it is told offsets of its rings and records in answers to commands.
 *
 * Objects refer to each other by {function, index, generation}, never by
 * pointers. Everything in a foreign segment is untrusted: copied once,
 * checked, used. Words that several threads or processes write are atomic.
 */
#ifndef ADEV_CORE_LAYOUT_H
#define ADEV_CORE_LAYOUT_H

#include <stdatomic.h>
#include <stdint.h>

#include <arnica/hw/bus_mad.h>
#include <arnica/hw/cqp.h>
#include <arnica/hw/limits.h>
#include <arnica/hw/records.h>
#include <arnica/hw/segment.h>

#define ADEV_LINE __attribute__((aligned(ARNICA_HW_LINE_BYTES)))

/* Sizes of the tables, fixed when the segment is laid out: smaller segments
 * have smaller tables. Copied and checked at attach. */
struct adev_layout {
	uint32_t max_qp;
	uint32_t max_cq;
	uint32_t max_mr;
	uint32_t max_pd;
	uint32_t max_srq;
	uint32_t max_attach; /* to multicast groups */
	uint64_t shared_offset;
	uint64_t cqp_offset;
	uint64_t records_offset; /* struct arnica_hw_queue_record[2 * max_qp] */
	uint64_t qp_offset;      /* struct adev_qp_shared[max_qp] */
	uint64_t cq_offset;      /* struct adev_cq_shared[max_cq] */
	uint64_t srq_offset;     /* struct adev_srq_shared[max_srq] */
	uint64_t tpt_offset;     /* struct adev_tpt_entry[max_mr] */
	uint64_t mcast_offset;   /* struct adev_attachment[max_attach] */
	uint64_t inbox_offset;   /* struct adev_inbox_slot[ADEV_INBOX_SLOTS] */
	uint64_t heap_offset;    /* rings; to the end of the segment */
	uint64_t size_bytes;
};

#define ADEV_SHARED_OFFSET ((uint64_t)ARNICA_HW_BAR_END)

enum adev_agent_state {
	ADEV_AGENT_AWAKE = 0,
	ADEV_AGENT_SLEEPING = 1, /* a kick must write to the wake pipe */
};

#define ADEV_CQ_WORDS (ARNICA_HW_MAX_CQ / 64)

/*
 * Calls: what the control path of another function asks of this one, whose agent
 * answers (core/call.h).
 */
#define ADEV_CALL_SLOTS 16u

enum adev_call_state {
	ADEV_CALL_FREE = 0,
	ADEV_CALL_CLAIMED = 1, /* the caller fills it */
	ADEV_CALL_POSTED = 2,
	ADEV_CALL_RUNNING = 3,   /* a thread of the owner answers */
	ADEV_CALL_DONE = 4,      /* the caller takes the answer and frees it */
	ADEV_CALL_ABANDONED = 5, /* running, but nobody waits: owner frees */
};

struct adev_call_slot {
	_Atomic uint64_t word; /* low 32: state; high 32: caller + 1 */
	_Atomic uint64_t generation; /* of the caller */
	uint32_t operation;    /* enum adev_call_operation */
	uint32_t status;       /* enum arnica_hw_command_status */
	uint32_t arguments[4];
	uint64_t answers[4];
	uint32_t reserved0[14];
};
_Static_assert(sizeof(struct adev_call_slot) == 128, "two lines");

/*
 * Management datagrams that wait to be taken (mad/queue.h): made when a function
 * is opened for them. The word is a block word of the function that fills or
 * empties the slot, whose lease is the state.
 */
#define ADEV_MAD_SLOTS ARNICA_HW_MAD_QUEUE

enum adev_mad_state {
	ADEV_MAD_FREE = 0, /* the word is zero */
	ADEV_MAD_CLAIMED = 1, /* the sender fills it */
	ADEV_MAD_POSTED = 2,
	ADEV_MAD_TAKING = 3, /* by the owner */
};

struct adev_mad_slot {
	_Atomic uint64_t word;
	uint32_t ticket; /* order of arrival, modulo 2^32 */
	uint32_t reserved0;
	struct arnica_bus_mad mad;
	uint8_t reserved1[64];
};
_Static_assert(sizeof(struct adev_mad_slot) == 384, "six lines");

/* One for each function: what peers need beside the tables. */
struct adev_shared {
	struct adev_layout layout; /* constant */
	uint64_t probe_address;    /* of probe_word in the owner, to try DMA */
	uint64_t probe_word;       /* equals the generation */
	uint64_t counters_address; /* struct adev_counters in the owner */
	uint64_t counters_bytes;   /* its size: tells builds apart */
	uint64_t scheduler_address; /* arnica_hw_sched_counters in the owner */
	uint64_t scheduler_bytes;
	uint64_t base_address;     /* of the segment in the owner's process */
	uint64_t mirror_address;   /* the host's, in the owner; zero: none */
	uint32_t mirror_entries;
	uint32_t tpt_half; /* of the table, that entries are taken from first */
	uint32_t limit_weight; /* under the port's limit; zero: it has none */
	uint32_t reserved0;
	ADEV_LINE _Atomic uint32_t agent_state; /* enum adev_agent_state */
	_Atomic uint32_t inbox_wanted; /* a peer needs the bounce buffers */
	_Atomic uint32_t inbox_ready;  /* the owner has populated them */
	/* line: work that peers left here. Bits only ever get set by peers and
	 * exchanged for zero by the owner: setting one twice does no harm. */
	ADEV_LINE _Atomic uint64_t cq_events_summary[ADEV_CQ_WORDS / 64];
	_Atomic uint32_t inbox_posted;
	_Atomic uint32_t qp_attention; /* some QP has ADEV_QP_NEEDS_* set */
	ADEV_LINE _Atomic uint64_t cq_events[ADEV_CQ_WORDS];
	_Atomic uint64_t qp_events_summary[ARNICA_HW_MAX_QP / 4096];
	_Atomic uint64_t qp_events[ARNICA_HW_MAX_QP / 64];
	_Atomic uint32_t srq_attention; /* some SRQ fell below its limit */
	_Atomic uint64_t srq_events[ARNICA_HW_MAX_SRQ / 64];
	_Atomic uint32_t attach_end; /* one past the last one that was used */
	_Atomic uint32_t calls_posted; /* core/call.h */
	struct adev_call_slot calls[ADEV_CALL_SLOTS];
	_Atomic uint64_t mads_offset; /* ADEV_MAD_SLOTS slots; zero: none */
	_Atomic uint32_t mads_posted; /* some were, since the owner looked */
	_Atomic uint32_t mads_ticket; /* of the next */
};

/* What a QP needs of its owner's process; bits of adev_qp_shared.needs. */
enum adev_qp_needs {
	ADEV_QP_NEEDS_ERROR = 1,  /* go to ERR: flush, raise the async event */
	ADEV_QP_NEEDS_RESUME = 2, /* a receive was posted: try again */
	ADEV_QP_NEEDS_EVENT = 4,  /* COMM_EST: first message came in RTR */
	ADEV_QP_NEEDS_RECOVERY = 8, /* a sender died with the lock in hand */
	ADEV_QP_NEEDS_END = 16, /* its CQ has overrun: ERR, IBV_EVENT_QP_FATAL */
};

/*
 * A queue pair as its peer sees it: the responder's half, and what a requester
 * must know to reach it. Line 0 and 1 change when the owner modifies the QP,
 * under `lock`; line 2 with each message, under `lock`.
 */
struct adev_qp_shared {
	/* lines 0, 1: written by the owner */
	_Atomic uint32_t state; /* enum arnica_hw_qp_state */
	uint32_t incarnation;   /* changes with each create, RTR and reset */
	uint32_t qpn;           /* 24 bits; zero: free */
	uint32_t dest_qpn;      /* whom it accepts requests from */
	uint32_t pd;
	uint32_t access; /* remote rights of the QP */
	uint32_t path_mtu_bytes;
	uint32_t min_rnr_timer;      /* code */
	uint32_t max_dest_rd_atomic; /* zero: refuses reads and atomics */
	uint32_t send_cq;
	uint32_t recv_cq;
	uint32_t rq_stride; /* bytes */
	uint32_t rq_slots;  /* power of two; zero: none; with an SRQ it grows */
	uint32_t rq_max_sge;
	uint32_t eager_bytes; /* power of two; zero: none */
	uint32_t type;
	uint64_t rq_offset;
	uint64_t recv_ring_offset;
	uint64_t eager_offset;
	uint64_t user_data;
	uint32_t flags_recv_cq; /* enum arnica_hw_cq_flags of recv_cq */
	uint32_t qkey;          /* UD: what datagrams must carry */
	uint32_t srq;           /* index + 1: receives are of it; else zero */
	uint32_t reserved0;
	uint64_t xrcd; /* XRC_RECV, XRC_SRQ: identity of the domain; else zero */
	/* XRC_RECV: who opened it, beside the owner; see front/opened.h */
	_Atomic uint64_t openers;
	/* line 2: the responder's sequence, written under `lock` */
	ADEV_LINE _Atomic uint64_t lock; /* see core/qp_lock.h */
	_Atomic uint32_t expected_psn;   /* 24 bits; read by queries too */
	uint32_t msn;                    /* 24 bits: messages completed */
	uint32_t rq_head;                /* next receive entry to use */
	uint32_t rq_producer_seen;       /* copy of the record's producer */
	uint32_t eager_head;             /* bytes, free-running */
	uint32_t eager_tail_seen;        /* copy of the record's eager_tail */
	uint32_t error_cause;            /* enum arnica_hw_status, at ERROR */
	uint32_t async_event;            /* enum ibv_event_type at ERROR */
	uint32_t established;            /* a message came: COMM_EST raised */
	_Atomic uint32_t uses_more[3]; /* with `uses`; up to the first zero */
	_Atomic uint64_t uses; /* what the holder of `lock` is going to touch */
	/* line 3: set by peers at any time */
	ADEV_LINE _Atomic uint32_t needs; /* enum adev_qp_needs */
	_Atomic uint32_t waiter;          /* function + 1 that waits for receive */
	_Atomic uint32_t waiter_qp;       /* index of the QP in that function */
	uint32_t reserved2;
	/* With an SRQ: high 32 the receive completion that it is for, low 32
	 * the entry that is taken for it, plus one. Written under `lock`. */
	_Atomic uint64_t srq_taken;
	_Atomic uint32_t srq_number; /* XRC_RECV: of the SRQ that it is of */
	uint32_t reserved3[9];
};
_Static_assert(sizeof(struct adev_qp_shared) == 256, "four lines");

#define ADEV_SRQ_WAITER_WORDS 64u /* a bit for each function */

/* A shared receive queue, as those see it who take its entries. */
struct adev_srq_shared {
	struct arnica_hw_srq_record record;
	/* written by the owner, before a QP uses it; only `slots` grows then */
	_Atomic uint32_t slots; /* power of two */
	uint32_t stride; /* bytes */
	uint32_t max_sge;
	uint32_t pd;
	uint64_t entries_offset;
	uint64_t words_offset;
	uint64_t rings_offset; /* of all sizes: adev_srq_ring_offset() */
	uint32_t capacity; /* slots that there is room for; power of two */
	uint32_t reserved0[5];
	/* Armed: below so many entries there is an event. ADEV_SRQ_FIRED: there
	 * were, and the owner has not raised it yet. Zero: not armed. */
	ADEV_LINE _Atomic uint32_t limit;
	/* Functions whose messages wait for an entry. */
	ADEV_LINE _Atomic uint64_t waiters[ADEV_SRQ_WAITER_WORDS];
};
_Static_assert(sizeof(struct adev_srq_shared) == 13 * ARNICA_HW_LINE_BYTES,
	       "13 lines");

#define ADEV_SRQ_FIRED 0x80000000u

/* The ring of numbers of an SRQ with so many slots. Each size has a place of its
 * own, so one who is late still finds what the ring was before it grew. All are
 * aligned to 8 bytes. */
static inline uint64_t
adev_srq_ring_offset(const struct adev_srq_shared *shared, uint32_t slots)
{
	return shared->rings_offset +
	       (uint64_t)(slots & ~1u) * sizeof(arnica_atomic_le32);
}

/*
 * A queue pair that is attached to a multicast group. Written by the owner;
 * senders of other processes and whoever drains the wire read it, and look at
 * `sequence` before and after (M1 in transport/multicast.c).
 */
struct adev_attachment {
	_Atomic uint32_t sequence; /* odd while the owner writes */
	_Atomic uint32_t qpn;      /* zero: free */
	_Atomic uint64_t gid[2];   /* of the group, as its bytes lie */
	uint64_t reserved0;
};
_Static_assert(sizeof(struct adev_attachment) == 32, "two in a line");

struct adev_cq_shared {
	struct arnica_hw_cq_record record;
	uint32_t in_use;
	uint32_t flags; /* enum arnica_hw_cq_flags */
	uint32_t channel;
	uint32_t overrun_raised; /* IBV_EVENT_CQ_ERR has been sent */
	uint64_t user_data;
	uint32_t num_deferred; /* events that wait for room, and are counted */
	/* comp/moderation.h: the terms; completions that an event is held back
	 * for; whether the owner looks at the clock for them. */
	_Atomic uint32_t moderation;
	_Atomic uint32_t held;
	_Atomic uint32_t held_timed;
	uint32_t reserved0[6];
};
_Static_assert(sizeof(struct adev_cq_shared) == 128, "two lines");

/*
 * Entry of the translation and protection table. Readers in other processes
 * load `tag` first (acquire), copy, and load `tag` again.
 */
enum adev_tpt_type {
	ADEV_TPT_REGION = 1,
	ADEV_TPT_NULL = 2,      /* local only: reads zeros, drops writes */
	ADEV_TPT_WINDOW_1 = 3,  /* remote only, as all windows */
	ADEV_TPT_WINDOW_2A = 4, /* ... through one queue pair */
	ADEV_TPT_WINDOW_2B = 5, /* ... that has the same PD still */
	ADEV_TPT_FAST = 6,      /* a region, registered by a work request */
	ADEV_TPT_IMPORTED = 7,  /* a region of `address_space`, mapped here */
	ADEV_TPT_LIST = 8,      /* its memory is in many places: tpt/list.h */
};

struct adev_tpt_entry {
	_Atomic uint32_t tag; /* the valid STag; zero: invalid */
	uint32_t type;        /* enum adev_tpt_type */
	uint32_t pd;
	uint32_t access; /* enum arnica_hw_access */
	uint64_t iova;   /* first address of the region as requests name it */
	uint64_t length; /* bytes */
	/* First byte in the address space; LIST: its items in the segment. */
	uint64_t address;
	uint32_t address_space; /* function whose process maps it */
	/* WINDOW_2*: whose requests may use it; LIST: number of its items. */
	uint32_t qpn;
	uint64_t sink; /* NULL: where writes go; LIST: bytes of a row */
	union {
		_Atomic uint64_t shared; /* REGION: adopted pages, tpt/shared.h */
		_Atomic uint64_t touched; /* ONE_TOUCH: tpt/touch.h */
	};
};
_Static_assert(sizeof(struct adev_tpt_entry) == 64, "one line");

/*
 * Inbox: work that a peer cannot do on this address space itself, for the
 * owner's threads to do (DMA by bounce buffers, and every remote atomic).
 */
#define ADEV_INBOX_SLOTS 32u
#define ADEV_INBOX_BYTES 65536u
#define ADEV_INBOX_PER_PEER 8u

enum adev_inbox_state {
	ADEV_INBOX_FREE = 0,
	ADEV_INBOX_CLAIMED = 1, /* the peer fills it */
	ADEV_INBOX_POSTED = 2,
	ADEV_INBOX_RUNNING = 3, /* a thread of the owner works on it */
	ADEV_INBOX_DONE = 4,    /* the peer takes the result and frees it */
	ADEV_INBOX_ABANDONED = 5, /* running, but nobody waits: owner frees */
};

enum adev_inbox_operation {
	ADEV_INBOX_WRITE = 1, /* buffer -> address */
	ADEV_INBOX_READ = 2,  /* address -> buffer */
	ADEV_INBOX_CAS = 3,
	ADEV_INBOX_FETCH_ADD = 4,
	ADEV_INBOX_ATOMIC_WRITE = 5,
};

struct adev_inbox_slot {
	_Atomic uint64_t owner; /* low 32: state; high 32: function + 1 */
	uint64_t generation;    /* of the peer that claimed it */
	uint32_t operation;     /* enum adev_inbox_operation */
	uint32_t stag;          /* checked again by the owner */
	uint32_t access;        /* right that the access needs */
	uint32_t pd;
	uint64_t iova;
	uint32_t length; /* bytes, at most ADEV_INBOX_BYTES */
	uint32_t result; /* errno of the operation */
	uint64_t operand_swap_add;
	uint64_t operand_compare;
	uint64_t original; /* atomics: value before */
	uint32_t qpn;      /* of the queue pair that it is for */
	uint32_t reserved0[13];
};
_Static_assert(sizeof(struct adev_inbox_slot) == 128, "two lines");

/* The slots, then their buffers. */
#define ADEV_INBOX_TOTAL_BYTES                                                 \
	(ADEV_INBOX_SLOTS *                                                    \
	 (sizeof(struct adev_inbox_slot) + ADEV_INBOX_BYTES))

/* Lays tables out for a segment of size_bytes. */
void adev_layout_compute(uint64_t size_bytes, struct adev_layout *layout);

/* For tools: copies the shared part of the segment of a running function, of
 * this process or another: device_fd is its device file. EBADF: no device file;
 * ESRCH: its function has ended; EPROTO: of another version. What it says is the
 * caller's to check. */
int adev_shared_read(int device_fd, struct adev_shared *shared)
	ARNICA_MUST_CHECK;

/* Checks a layout read from elsewhere: all tables inside, none overlapping
 * the BAR. EPROTO when not. */
int adev_layout_check(const struct adev_layout *layout, uint64_t size_bytes)
	ARNICA_MUST_CHECK;

#endif
