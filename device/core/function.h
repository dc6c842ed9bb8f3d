/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * A function: one open device context, as its own process holds it. The shared
 * part is its segment (core/layout.h); what only this process needs is here.
 */
#ifndef ADEV_CORE_FUNCTION_H
#define ADEV_CORE_FUNCTION_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "core/counters.h"
#include "core/heap.h"
#include "core/view.h"
#include "domain/fd_mark.h"
#include "sched/sched.h"

struct adev_qp;
struct adev_dm;
struct adev_channel;
struct adev_directory;
struct adev_async_waiting;
struct adev_fault;
struct adev_capture;
struct adev_limit;
struct adev_ah_table;
struct adev_wire;
struct adev_raw;
struct adev_srq_owner;
struct adev_windows;
struct adev_fasts;
struct adev_mkeys;
struct adev_xrcd;
struct adev_opened;
struct adev_mad_peers;
struct adev_import;
struct adev_importer;
struct adev_departed;

/* Indexes that were used before and are free again; see front/objects.h. */
struct adev_free_list {
	uint32_t *indexes;
	uint32_t count;
	uint32_t room;
};

/* Events of an object that were written where the application reads them. */
struct adev_event_count {
	uint32_t completion;
	uint32_t async;
	uint64_t held_until_ns; /* moderation: then its event is due; or zero */
};

#define ADEV_MAX_LEASES 256u
#define ADEV_LEASE_QPNS 256u

struct adev_function {
	struct adev_view view; /* own segment */
	pid_t owner_pid;       /* process that attached it */
	int segment_fd;        /* own duplicate */
	struct adev_fd_mark segment_file;
	struct adev_directory *directory;
	struct adev_heap heap;
	struct adev_counters counters;

	/* Lock role `command`: the control queue and every object table. */
	pthread_mutex_t command_lock;
	uint32_t cqp_index; /* commands executed */

	struct adev_qp **qps; /* by index; NULL: free */
	struct adev_scheduler scheduler; /* doorbells look at its first word */
	uint32_t num_qps;
	uint32_t qp_scan_end;             /* one past the highest used index */
	uint32_t leases[ADEV_MAX_LEASES]; /* QP number >> 8; zero: none */
	uint16_t lease_used[ADEV_MAX_LEASES]; /* QPs of each lease */
	uint8_t qp_order[ADEV_LEASE_QPNS]; /* random order within a lease */
	uint32_t next_qp;                  /* where the search goes on */
	uint8_t *quarantined; /* by index: a stopped peer has it in its hands */
	uint32_t qps_quarantined; /* destroyed while a stopped peer held them */

	uint32_t *pd_references; /* zero: free; else references + 1 */
	uint32_t *cq_references;
	struct adev_event_count *cq_events; /* by CQ; under channel_lock */
	uint32_t *cq_depths; /* sum of the depths of the attached queues */
	uint32_t *mr_pd;     /* by TPT index: pd + 1; zero: free */
	uint32_t num_pds, num_cqs, num_mrs, num_ahs, num_windows;
	uint32_t next_pd, next_cq, next_mr;
	uint32_t tpt_mask; /* random: makes indexes unpredictable */
	bool has_peers;    /* other processes of this host may reach regions */
	struct adev_ah_table *ahs;
	struct adev_windows *windows; /* tpt/window.h; lock role `windows` */
	struct adev_fasts *fasts;     /* tpt/fast.h; lock role `fast` */
	struct adev_mkeys *mkeys;     /* tpt/mkey.h; lock role `mkeys` */
	uint8_t *mr_instance; /* by TPT index: last instance that was used */
	uint32_t next_ah;
	struct adev_free_list free_pds, free_cqs, free_mrs, free_ahs, free_dms;
	struct adev_srq_owner *srqs; /* by handle */
	uint32_t num_srqs, next_srq;
	struct adev_free_list free_srqs;
	uint32_t num_attached, num_groups; /* transport/multicast.h */
	struct adev_xrcd *xrcds; /* by handle; front/xrcd_table.h */
	uint32_t num_xrcds, next_xrcd;
	struct adev_free_list free_xrcds;
	struct adev_opened **opened; /* by handle; front/opened.h */
	uint32_t next_opened, num_orphans;
	struct adev_free_list free_opened;
	struct adev_import *import; /* NULL: it imports from nobody; import.h */
	struct adev_importer *importers; /* list, front/exports.h */
	uint32_t *pd_births; /* by PD: how many there were of this number */
	struct adev_dm *dms; /* ranges of device memory, by number */
	uint32_t dm_room, next_dm;

	/* Lock role `channels`. */
	pthread_mutex_t channel_lock;
	struct adev_channel *channels;
	uint32_t num_channels;
	int async_fd; /* write end; -1: none */
	uint32_t cq_scan_end; /* one past the highest CQ that there was */
	struct adev_async_waiting *async_first; /* events that wait for room */
	struct adev_async_waiting *async_last;
	_Atomic uint32_t num_async_waiting;
	/* Events that wait for room, or whose time has not come, are looked at
	 * again then; zero: there are none. */
	_Atomic uint64_t deliver_again_ns;
	uint64_t cq_deferred[ADEV_CQ_WORDS]; /* CQs that have such */
	bool async_lost; /* an event went where nobody can read it any more */

	/* Lock role `waiting`: QPs that cannot go on now. */
	pthread_mutex_t waiting_lock;
	struct adev_qp *waiting; /* oldest first */
	struct adev_qp *last_waiting;
	_Atomic uint32_t num_waiting;
	/* QPs with something to do after a burst from the wire, too. */
	_Atomic(struct adev_qp *) settling;
	_Atomic(struct adev_qp *) last_settling;
	/* QPs on the wire, whose timers run while they work. */
	struct adev_qp *timed;
	_Atomic uint64_t timed_due_ns; /* no timer is due before */

	/* NULL: the function is not on the wire. Opened and closed with lock
	 * role `wire_open`; see link/wire.h. */
	_Atomic(struct adev_wire *) wire;
	pthread_mutex_t wire_lock;
	/* NULL: never had a raw packet QP; transport/raw_packet.h. */
	_Atomic(struct adev_raw *) raw;

	/* Times that somebody polled and the adapter was entered; a hint. */
	_Atomic uint32_t polls;
	_Atomic uint32_t polls_seen; /* by the agent */
	_Atomic bool held; /* QPs that wait have posts that are held */
	/* One thread at a time serves what peers left here. */
	atomic_flag serving;
	/* The region or window that it reaches for a peer; zero: none. Above it
	 * the number of requests that are over. */
	_Atomic uint64_t inbox_uses;
	/* Somebody posted, left a backlog, and may never poll. */
	_Atomic bool backlog_left;

	/* Others that have ended, and what that means was not done yet. */
	_Atomic(struct adev_departed *) ended;

	struct adev_begun_queue *begun; /* front/begun.h; NULL: none ever */

	struct adev_fault *fault;     /* of the wire; NULL: none wanted */
	struct adev_capture *capture; /* NULL: off */
	struct adev_limit *limit; /* NULL: the port has none; core/limited.h */

	/* Lock role `mads`: taking, the peers, and what tells the host. */
	pthread_mutex_t mad_lock;
	_Atomic int mad_event_fd;  /* -1: not open for MADs */
	struct adev_fd_mark mad_event_file;
	_Atomic uint32_t mads_ended; /* functions of others */
	_Atomic uint32_t mad_psn;
	struct adev_mad_peers *mad_peers; /* mad/peers.h; NULL: none yet */

	uint64_t probe_word; /* peers read it to try their DMA */
	uint32_t fork_epoch; /* of the process that attached it */
	struct adev_function *next; /* of the process's list */
};

/* Does what peers left in the segment and goes on with QPs that wait. Called
 * by poll and by the agent. Returns true when work is left, or may be, in the
 * hands of a thread that need not come again. */
bool adev_function_serve(struct adev_function *fn);

/* For the agent: carries out some of what is on the scheduling queues, unless
 * somebody polls busily, who does it. */
enum adev_backlog {
	ADEV_BACKLOG_NONE,
	ADEV_BACKLOG_OTHERS, /* others are at it: look again after a while */
	ADEV_BACKLOG_MORE,   /* there is more to do */
};
enum adev_backlog adev_function_run(struct adev_function *fn);

/* Earliest time (ns, CLOCK_MONOTONIC) at which a waiting QP wants to be looked
 * at; UINT64_MAX when none waits. */
uint64_t adev_function_deadline(struct adev_function *fn);

/* Work was left: polls enter the adapter, and the agent looks at it by `when`
 * (ns, CLOCK_MONOTONIC; zero: now). */
void adev_function_left_work(struct adev_function *fn, uint64_t when_ns);

/* Puts a QP on the list of those that wait; its sq_lock is held. */
void adev_function_wait(struct adev_function *fn, struct adev_qp *qp);

/* Posts of a QP on the wire are held (exec/hold.h): the next poll executes it,
 * or the agent soon. */
void adev_function_hold(struct adev_function *fn, struct adev_qp *qp);

/* A QP on the wire is to be executed at `at_ns` (ADEV_NEVER_NS: not at all);
 * what was set before is forgotten. Its sq_lock is held. */
void adev_function_set_timer(struct adev_function *fn, struct adev_qp *qp,
			     uint64_t at_ns);

/* Takes it off both lists, before it is destroyed. */
void adev_function_unwait(struct adev_function *fn, struct adev_qp *qp);

/* A peer's poll shall look at what it waits for. Does not wake its agent, who
 * looks by itself after a while: it is the peer's RNR timer. */
void adev_function_nudge_peer(struct adev_function *fn, uint32_t function);

/* Tells a peer that something it waits for is done. */
void adev_function_kick_peer(struct adev_function *fn, uint32_t function,
			     uint64_t generation);

/* A peer's function ended, or died: then its connections end with an error. If
 * the control path is in use, that is done a little later: core/ended.c. */
void adev_function_peer_died(struct adev_function *fn, uint32_t function,
			     uint64_t generation);

/* For the agent: what was left of it. True: later, as before. */
bool adev_ended_serve(struct adev_function *fn);
/* The function ends itself; also in a forked child. */
void adev_ended_drop(struct adev_function *fn);

#endif
