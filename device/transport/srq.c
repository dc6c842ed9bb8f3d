/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Shared receive queues: taking entries, and waiting for them. */
#include "transport/srq.h"

#include "core/fault_point.h"
#include "core/function.h"
#include "domain/table.h"

_Static_assert(ADEV_SRQ_WAITER_WORDS * 64 == ADEV_FUNCTIONS,
	       "a bit for each function");

/* The ring of numbers as it is by now. False: what stands there makes no sense. */
static bool find_ring(struct adev_srq *srq)
{
	uint32_t slots = atomic_load_explicit(&srq->shared->slots,
					      memory_order_acquire);
	uint64_t offset = adev_srq_ring_offset(srq->shared, slots);
	arnica_atomic_le32 *ring;

	if (!arnica_is_power_of_two(slots) || slots > srq->capacity || offset & 3)
		return false;
	ring = adev_view_at(srq->view, offset, slots * sizeof(*ring));
	if (!ring)
		return false;
	srq->ring = ring;
	srq->mask = slots - 1;
	return true;
}

/* Has the ring grown since we looked for it? C12: pairs with P12, the owner's
 * release of `slots`. Asked after `producer` was read: what was posted up to
 * there stands in the ring that is found. */
static inline bool has_grown(const struct adev_srq *srq)
{
	return atomic_load_explicit(&srq->shared->slots,
				    memory_order_acquire) != srq->mask + 1;
}

bool adev_srq_open(const struct adev_view *view, uint32_t index, uint32_t qp,
		   struct adev_srq *srq)
{
	struct adev_srq_shared *shared;
	uint64_t words, capacity;

	if (index >= view->layout.max_srq)
		return false;
	shared = &view->srqs[index];
	capacity = shared->capacity;
	words = shared->words_offset;
	if (capacity > ARNICA_HW_MAX_QUEUE_DEPTH ||
	    !arnica_is_power_of_two((uint32_t)capacity) || words & 7)
		return false;
	*srq = (struct adev_srq){
		.view = view,
		.shared = shared,
		.words = adev_view_at(view, words,
				      capacity * sizeof(*srq->words)),
		.capacity = (uint32_t)capacity,
		.index = index,
		.taker = qp + 1,
	};
	return srq->words && find_ring(srq);
}

bool adev_srq_taken(const struct adev_srq *srq,
		    const struct adev_qp_shared *qp, uint32_t *slot)
{
	uint64_t taken = atomic_load_explicit(&qp->srq_taken,
					      memory_order_relaxed);

	*slot = (uint32_t)taken - 1;
	return taken >> 32 == qp->rq_head && *slot < srq->capacity &&
	       (uint32_t)arnica_load64(&srq->words[*slot],
				       memory_order_acquire) == srq->taker;
}

/* Whoever sees that the entry at the head was taken moves on. */
static void pass(const struct adev_srq *srq, uint32_t head)
{
	(void)arnica_compare_exchange32(&srq->shared->record.head, &head,
					head + 1, memory_order_acq_rel);
}

bool adev_srq_left(const struct adev_srq *srq, const struct adev_qp_shared *qp,
		   uint32_t *slot)
{
	uint32_t head;

	if (!adev_srq_taken(srq, qp, slot))
		return false;
	head = (uint32_t)(arnica_load64(&srq->words[*slot],
					memory_order_relaxed) >> 32);
	if (arnica_load32(&srq->shared->record.head, memory_order_acquire) ==
	    head)
		pass(srq, head);
	adev_srq_check_limit(srq->view, srq->index);
	return true;
}

/* One attempt at the entry at `head`; *taken when it succeeded. False: what
 * stands there is no entry that was posted last at this place. */
static bool try_head(const struct adev_srq *srq, struct adev_qp_shared *qp,
		     uint32_t head, bool *taken)
{
	uint32_t slot = arnica_load32(&srq->ring[head & srq->mask],
				      memory_order_relaxed);
	uint64_t word;

	if (slot > srq->mask)
		return false;
	word = arnica_load64(&srq->words[slot], memory_order_acquire);
	if (word >> 32 != head)
		return false;
	if (!(uint32_t)word) {
		atomic_store_explicit(&qp->srq_taken,
				      (uint64_t)qp->rq_head << 32 | (slot + 1),
				      memory_order_relaxed);
		ADEV_POINT("srq_noted");
		/* S3: after the note; and what was written to the entry before
		 * it was posted is seen (P3). */
		*taken = arnica_compare_exchange64(
			&srq->words[slot], &word,
			arnica_hw_srq_word(head, srq->taker),
			memory_order_seq_cst);
		ADEV_POINT("srq_taken");
	}
	pass(srq, head);
	return true;
}

bool adev_srq_take(struct adev_srq *srq, struct adev_qp_shared *qp)
{
	struct arnica_hw_srq_record *record = &srq->shared->record;
	uint32_t slot, tries = 2 * srq->capacity + 16;
	bool taken = false;

	if (adev_srq_left(srq, qp, &slot))
		return true;
	/* Each turn somebody gets an entry, or the segment makes no sense. */
	while (!taken && tries--) {
		uint32_t head = arnica_load32(&record->head,
					      memory_order_acquire);
		/* C3: pairs with P3 in the host's post. */
		uint32_t producer = arnica_load32(&record->producer,
						  memory_order_acquire);

		qp->rq_producer_seen = producer;
		if (producer == head)
			return false;
		if (__builtin_expect(has_grown(srq), 0) && !find_ring(srq))
			return false;
		/* Else `head` is old: others went round meanwhile. */
		if (producer - head <= srq->mask + 1 &&
		    !try_head(srq, qp, head, &taken) &&
		    arnica_load32(&record->head, memory_order_acquire) == head)
			return false;
	}
	ADEV_POINT("srq_passed");
	if (taken)
		adev_srq_check_limit(srq->view, srq->index);
	return taken;
}

void adev_srq_wait(const struct adev_srq *srq, uint32_t function)
{
	struct adev_srq_shared *shared = srq->shared;
	_Atomic uint64_t *word =
		&shared->waiters[function / 64 % ADEV_SRQ_WAITER_WORDS];
	uint64_t bit = 1ull << function % 64;

	/* Stored once for each wait: the host reads `waiting` at every post. */
	if (!(atomic_load(word) & bit)) {
		atomic_fetch_or(word, bit);
		/* Before `waiting`: who clears it takes the bits after that. */
		arnica_fence_after_rmw();
	}
	if (!arnica_load32(&shared->record.waiting, memory_order_relaxed)) {
		arnica_store32(&shared->record.waiting, 1,
			       memory_order_seq_cst);
		arnica_fence_after_rmw();
	}
}

void adev_srq_wake(struct adev_function *fn, uint32_t index)
{
	struct adev_srq_shared *shared = &fn->view.srqs[index];
	uint32_t i;

	arnica_store32(&shared->record.waiting, 0, memory_order_seq_cst);
	arnica_fence_after_rmw();
	for (i = 0; i < ADEV_SRQ_WAITER_WORDS; i++) {
		uint64_t bits;

		if (!atomic_load_explicit(&shared->waiters[i],
					  memory_order_relaxed))
			continue;
		bits = atomic_exchange(&shared->waiters[i], 0);
		for (; bits; bits &= bits - 1)
			adev_function_nudge_peer(
				fn, i * 64 + (uint32_t)__builtin_ctzll(bits));
	}
}

void adev_srq_lose(const struct adev_srq *srq, const struct adev_qp_shared *qp)
{
	uint64_t word;
	uint32_t slot;

	if (!adev_srq_taken(srq, qp, &slot))
		return;
	word = arnica_load64(&srq->words[slot], memory_order_relaxed);
	arnica_store64(&srq->words[slot],
		       arnica_hw_srq_word((uint32_t)(word >> 32),
					  ARNICA_HW_SRQ_LOST),
		       memory_order_release);
}
