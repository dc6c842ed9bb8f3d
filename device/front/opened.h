/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* XRC_RECV queue pairs that several have: those of others that this function has
 * open, and those of its own that only others have still. Lock role `command`. */
#ifndef ADEV_FRONT_OPENED_H
#define ADEV_FRONT_OPENED_H

#include "core/function.h"
#include "core/layout.h"

#define ADEV_MAX_OPENED 1024u

/*
 * Word `openers` of a queue pair: high 32 bits count the queue pairs that were
 * made at this place, low 32 those who have this one open. It alone says whether
 * one may still be opened, and whether its maker may end it; each is one
 * exchange, so that of two at the same moment one comes first, and the other
 * finds it so. Zero, and any other type than XRC_RECV: closed.
 */
#define ADEV_OPENERS_CLOSED UINT32_MAX

static inline void adev_openers_begin(struct adev_qp_shared *qp)
{
	uint64_t word = atomic_load(&qp->openers);

	atomic_store(&qp->openers, ((word >> 32) + 1) << 32);
}

/* Nobody can open it from now on. */
static inline void adev_openers_end(struct adev_qp_shared *qp)
{
	(void)atomic_fetch_or(&qp->openers, ADEV_OPENERS_CLOSED);
}

/* The same, unless somebody has it open: then false. */
static inline bool adev_openers_try_end(struct adev_qp_shared *qp)
{
	uint64_t word = atomic_load(&qp->openers);

	do {
		if ((uint32_t)word && (uint32_t)word != ADEV_OPENERS_CLOSED)
			return false;
	} while (!atomic_compare_exchange_strong(&qp->openers, &word,
						 word | ADEV_OPENERS_CLOSED));
	return true;
}

/* One more for the queue pair of which `word` was read. False: it is closed, or
 * another one by now. */
static inline bool adev_openers_get(struct adev_qp_shared *qp, uint64_t word)
{
	uint64_t life = word >> 32;

	while (word >> 32 == life &&
	       (uint32_t)word < ADEV_OPENERS_CLOSED - 1)
		if (atomic_compare_exchange_strong(&qp->openers, &word,
						   word + 1))
			return true;
	return false;
}

static inline void adev_openers_put(struct adev_qp_shared *qp, uint32_t life)
{
	uint64_t word = atomic_load(&qp->openers);

	while (word >> 32 == life && (uint32_t)word &&
	       (uint32_t)word != ADEV_OPENERS_CLOSED)
		if (atomic_compare_exchange_strong(&qp->openers, &word,
						   word - 1))
			return;
}

/* The function ends in good order. */
void adev_opened_close_all(struct adev_function *fn);
/* The same in a child that inherited the function: it has none of them open, and
 * lets go of what it has mapped. */
void adev_opened_forget_all(struct adev_function *fn);

/* Its maker destroys it. True: others have it open, so it stays; there are no
 * events of it any more, and *events is as from adev_async_settle(). */
bool adev_qp_orphan(struct adev_function *fn, struct adev_qp *qp,
		    uint32_t *events);

/* Ends those that nobody has any more. */
void adev_orphans_reap(struct adev_function *fn);

#endif
