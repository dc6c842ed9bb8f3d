/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Memory windows, as their owner's process keeps them (IBTA 10.6.7). What they
 * permit stands in the table, where peers check it and may take it back; which
 * window stands on which region, and through which queue pair, is private.
 *
 * A window of type 1 is bound, rebound and unbound by BIND_MW and serves all
 * queue pairs of its PD. One of type 2 is bound by BIND_MW when it is free,
 * serves the queue pair that bound it, and is freed by LOCAL_INV or by the
 * peer's SEND_INV.
 *
 *     free --bind--> bound --LOCAL_INV, rebind--> draining --> free, bound
 *       ^              |
 *       +--SEND_INV----+        (the tag tells bound from free)
 *
 * Draining: the key is invalid, but an access through it may be under way. The
 * region stays until that is over.
 *
 * Everything here takes lock role `windows`.
 */
#ifndef ADEV_TPT_WINDOW_H
#define ADEV_TPT_WINDOW_H

#include "tpt/tpt.h"

struct adev_function;
struct adev_window;

/* A queue pair as binder, part of struct adev_qp. */
struct adev_binder {
	struct adev_tpt_user user; /* constant */
	struct adev_window *first; /* windows of type 2 */
};

/* A BIND_MW request. */
struct adev_bind {
	uint64_t address;
	uint64_t length;
	uint32_t rkey;
	uint32_t lkey;
	uint32_t access;
};

enum adev_window_result {
	ADEV_WINDOW_DONE,
	ADEV_WINDOW_BUSY,    /* accesses are under way: call again */
	ADEV_WINDOW_REFUSED, /* nothing has changed */
	/* Nor has anything, but it may: a region that is named is being
	 * registered. */
	ADEV_WINDOW_PENDING,
};

/* What the check of a region that is named makes of a request. */
static inline enum adev_window_result
adev_window_result_of(enum adev_tpt_verdict verdict)
{
	switch (verdict) {
	case ADEV_TPT_OK:
		return ADEV_WINDOW_DONE;
	case ADEV_TPT_PENDING:
		return ADEV_WINDOW_PENDING;
	default:
		return ADEV_WINDOW_REFUSED;
	}
}

int adev_windows_init(struct adev_function *fn) ARNICA_MUST_CHECK;
void adev_windows_fini(struct adev_function *fn);

/* ADEV_TPT_WINDOW_2A or _2B: what this adapter's windows of type 2 are. */
enum adev_tpt_type adev_windows_kind(const struct adev_function *fn);

/* Entry `index` becomes a window that is not bound. */
int adev_window_create(struct adev_function *fn, uint32_t index, uint32_t type,
		       uint32_t pd) ARNICA_MUST_CHECK;

/* Unbinds it and ends it; *pd is what it belonged to. ENOENT: no window. EBUSY:
 * an access goes on for longer than timeout_ms; as if never tried. */
int adev_window_destroy(struct adev_function *fn, uint32_t index,
			uint32_t timeout_ms, uint32_t *pd) ARNICA_MUST_CHECK;

enum adev_window_result adev_window_bind(struct adev_function *fn,
					 struct adev_binder *binder,
					 const struct adev_bind *bind)
	ARNICA_MUST_CHECK;
enum adev_window_result adev_window_invalidate(struct adev_function *fn,
					       struct adev_binder *binder,
					       uint32_t stag)
	ARNICA_MUST_CHECK;

/* The queue pair ends, and is out of everybody's reach: so are its windows. */
void adev_windows_end_binder(struct adev_function *fn,
			     struct adev_binder *binder);

/*
 * May somebody still be at the memory behind entry `index`, which was made
 * invalid? Peers hold a responder lock meanwhile; what they cannot do themselves
 * this process does for them, one request at a time.
 */
bool adev_tpt_in_use(struct adev_function *fn, uint32_t index,
		     uint32_t timeout_ms) ARNICA_MUST_CHECK;

/* Makes a region invalid and keeps new windows off it. False: a window stands
 * on it; nothing has changed. */
bool adev_windows_leave_region(struct adev_function *fn, uint32_t index)
	ARNICA_MUST_CHECK;

#endif
