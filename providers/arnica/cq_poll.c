/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Polling: from the adapter's completion rings to completions of verbs. Nothing
 * that stands in shared memory is trusted: numbers and indexes are checked
 * before they lead anywhere, and each word is read once.
 */
#include "cq.h"

#include "arnica/hw/wqe.h"
#include "infiniband/arnicadv.h"
#include "qp.h"
#include "scatter.h"
#include "srq.h"

/* Up to so many rings are looked at by every poll, whether they have been
 * quiet or not; beyond that a ring cools when it was empty for so many polls.
 */
#define HOT_RINGS 8u
#define EMPTY_POLLS 128u
#define COOLED_PER_POLL 8u

/* On the way of each completion: in one piece with what calls it. */
#define POLLED static inline __attribute__((always_inline))

#define SAME_STATUS(name, number, text)                                        \
	_Static_assert(ARNICA_HW_STATUS_##name == (int)IBV_WC_##name,          \
		       "status " #name);
ARNICA_HW_STATUS_LIST(SAME_STATUS)
#undef SAME_STATUS

static void make_hot(struct arnica_cq *cq, struct arnica_ring *ring)
{
	if (ring->hot_index != ARNICA_RING_NOT_HOT)
		return;
	ring->hot_index = cq->num_hot;
	ring->empty_polls = 0;
	cq->hot[cq->num_hot++] = ring;
}

void arnica_cq_cool(struct arnica_cq *cq, struct arnica_ring *ring)
{
	struct arnica_ring *last;

	if (ring->hot_index == ARNICA_RING_NOT_HOT)
		return;
	last = cq->hot[--cq->num_hot];
	cq->hot[ring->hot_index] = last;
	last->hot_index = ring->hot_index;
	ring->hot_index = ARNICA_RING_NOT_HOT;
	if (cq->next_hot >= cq->num_hot)
		cq->next_hot = 0;
}

/*
 * The ring of this CQ with a number that was read from shared memory; NULL if
 * it is not one. A number of another CQ was pushed by a writer that slept while
 * its queue was destroyed and the number given to a new one: it wrote into the
 * new queue's link, so that one's ready stack cannot be relied on, either.
 */
static struct arnica_ring *find_ring(struct arnica_cq *cq, uint32_t number)
{
	struct arnica_hw_cq_record *record;
	struct arnica_ring_slot *slot;

	if (number >= ARNICA_NUM_RINGS)
		return NULL;
	slot = &cq->context->rings[number];
	if (atomic_load_explicit(&slot->cq, memory_order_relaxed) == cq)
		return slot->ring;
	record = atomic_load_explicit(&slot->record, memory_order_acquire);
	if (record)
		arnica_store32(&record->rescan, 1, memory_order_release);
	return NULL;
}

/*
 * Takes hold of a ring that did not come by the ready stack. When it is marked
 * `queued` already, a writer may be about to push it; until it comes it must
 * not be let go, or it could be pushed twice. (A writer that died will never
 * push it; then it stays hot, which only costs a look.)
 */
static void claim(struct arnica_cq *cq, struct arnica_ring *ring)
{
	ring->expected = arnica_exchange32(&ring->record->queued, 1,
					   memory_order_acq_rel) != 0;
	make_hot(cq, ring);
}

void arnica_cq_rescan(struct arnica_cq *cq)
{
	struct arnica_ring *ring;

	for (ring = cq->rings; ring; ring = ring->next_of_cq)
		if (ring->hot_index == ARNICA_RING_NOT_HOT &&
		    (arnica_ring_has(ring, ring->head) ||
		     arnica_load32(&ring->record->queued,
				   memory_order_relaxed) != 0))
			claim(cq, ring);
}

void arnica_cq_take_ready(struct arnica_cq *cq)
{
	/* C2: pairs with P2, the release with which a writer pushes. */
	uint32_t next = arnica_exchange32(&cq->record->ready, 0,
					  memory_order_acquire);
	uint32_t left = 2 * cq->num_rings + 1;
	bool broken = false;

	while (next != 0) {
		struct arnica_ring *ring = find_ring(cq, next - 1);

		/* A stack that leads elsewhere or in a circle is broken. What
		 * it held is found by looking everywhere. */
		if (!ring || left-- == 0) {
			arnica_cq_rescan(cq);
			return;
		}
		next = arnica_load32(&ring->record->next, memory_order_relaxed);
		/* Not marked: its record was cleared since, and the rest of the
		 * stack is lost with it. */
		if (!arnica_load32(&ring->record->queued,
				   memory_order_relaxed))
			broken = true;
		ring->expected = false;
		make_hot(cq, ring);
	}
	if (broken)
		arnica_cq_rescan(cq);
}

static __attribute__((noinline)) void find_rings(struct arnica_cq *cq)
{
	if (arnica_load32(&cq->record->ready, memory_order_relaxed) != 0)
		arnica_cq_take_ready(cq);
	if (arnica_load32(&cq->record->rescan, memory_order_relaxed) != 0 &&
	    arnica_exchange32(&cq->record->rescan, 0, memory_order_acquire))
		arnica_cq_rescan(cq);
}

POLLED void find_work(struct arnica_cq *cq)
{
	const struct arnica_hw_cq_record *record = cq->record;

	if (__builtin_expect(arnica_load32(&record->ready,
					   memory_order_relaxed) != 0 ||
				     arnica_load32(&record->rescan,
						   memory_order_relaxed) != 0,
			     0))
		find_rings(cq);
}

/*
 * Lets a quiet ring go. A writer that published before it could see `queued`
 * cleared did not push the ring, so one more look is due: sequentially
 * consistent on both sides (P2, C2), or both could miss each other.
 */
static void cool_quiet(struct arnica_cq *cq, struct arnica_ring *ring)
{
	struct arnica_hw_cqe *entry = arnica_ring_entry(ring, ring->head);

	arnica_cq_cool(cq, ring);
	arnica_store32(&ring->record->queued, 0, memory_order_seq_cst);
	if (arnica_load32(&entry->sequence, memory_order_seq_cst) !=
	    ring->head + 1)
		return;
	claim(cq, ring);
}

/* Looks at the next few hot rings for some to let go. */
static void cool_some(struct arnica_cq *cq)
{
	uint32_t left = COOLED_PER_POLL;

	while (left-- > 0 && cq->num_hot > HOT_RINGS) {
		struct arnica_ring *ring;

		if (++cq->next_cool >= cq->num_hot)
			cq->next_cool = 0;
		ring = cq->hot[cq->next_cool];
		if (ring->empty_polls > EMPTY_POLLS && !ring->expected)
			cool_quiet(cq, ring);
	}
}

static __attribute__((noinline)) void count_polled(struct arnica_cq *cq,
						   uint32_t num_polled)
{
	uint32_t outstanding;

	outstanding = arnica_load32(&cq->record->outstanding,
				    memory_order_relaxed);
	while (!arnica_compare_exchange32(
		&cq->record->outstanding, &outstanding,
		outstanding > num_polled ? outstanding - num_polled : 0,
		memory_order_acq_rel))
		;
}

void arnica_cq_count_polled(struct arnica_cq *cq, uint32_t num_polled)
{
	if (num_polled != 0 &&
	    __builtin_expect(arnica_load32(&cq->record->counted,
					   memory_order_acquire) != 0,
			     0))
		count_polled(cq, num_polled);
}

static inline uint32_t head_status(struct arnica_ring *ring)
{
	return arnica_from_le32(arnica_ring_entry(ring, ring->head)->info) &
	       ARNICA_HW_CQE_STATUS_MASK;
}

static enum ibv_wc_opcode send_opcode(uint32_t opcode)
{
	static const enum ibv_wc_opcode opcodes[ARNICA_HW_OP_COUNT] = {
		[ARNICA_HW_OP_SEND] = IBV_WC_SEND,
		[ARNICA_HW_OP_SEND_IMM] = IBV_WC_SEND,
		[ARNICA_HW_OP_SEND_INV] = IBV_WC_SEND,
		[ARNICA_HW_OP_WRITE] = IBV_WC_RDMA_WRITE,
		[ARNICA_HW_OP_WRITE_IMM] = IBV_WC_RDMA_WRITE,
		[ARNICA_HW_OP_READ] = IBV_WC_RDMA_READ,
		[ARNICA_HW_OP_CAS] = IBV_WC_COMP_SWAP,
		[ARNICA_HW_OP_FETCH_ADD] = IBV_WC_FETCH_ADD,
		[ARNICA_HW_OP_LOCAL_INV] = IBV_WC_LOCAL_INV,
		[ARNICA_HW_OP_BIND_MW] = IBV_WC_BIND_MW,
		[ARNICA_HW_OP_ATOMIC_WRITE] = IBV_WC_ATOMIC_WRITE,
		[ARNICA_HW_OP_REG_MR] = ARNICADV_WC_REG_MR,
		[ARNICA_HW_OP_REG_SEND] = IBV_WC_SEND,
		[ARNICA_HW_OP_SET_MKEY] = ARNICADV_WC_MKEY,
	};

	return opcode < ARNICA_HW_OP_COUNT ? opcodes[opcode] : IBV_WC_SEND;
}

/* A completion of a send queue retires the entries before it as well: they
 * were not signaled. */
POLLED void take_send(struct arnica_ring *ring,
			     const struct arnica_hw_cqe *entry, uint32_t opcode,
			     struct arnica_completion *completion)
{
	uint32_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
	uint32_t index = arnica_from_le32(entry->wqe_index);

	if (__builtin_expect(index - tail > ring->mask, 0)) {
		completion->status = IBV_WC_GENERAL_ERR;
		index = tail;
	}
	completion->wr_id = ring->wr_ids[index & ring->mask];
	completion->opcode = send_opcode(opcode);
	if (__builtin_expect(atomic_load_explicit(&ring->memory_ops,
						  memory_order_relaxed) != 0,
			     0))
		arnica_mirror_retire(ring, tail, index,
				     completion->status == IBV_WC_SUCCESS);
	/* C5: the poster reuses the entry and its wr_id after it sees this. */
	atomic_store_explicit(&ring->tail, index + 1, memory_order_release);
}

POLLED void take_receive(struct arnica_ring *ring,
			 const struct arnica_hw_cqe *entry, uint32_t opcode,
			 uint32_t flags, struct arnica_completion *completion)
{
	uint32_t index = ring->head;
	uint32_t work = arnica_from_le32(entry->wqe_index);

	completion->wr_id = 0;
	completion->opcode = opcode == ARNICA_HW_RECV_RDMA_WITH_IMM ?
				     IBV_WC_RECV_RDMA_WITH_IMM :
				     IBV_WC_RECV;
	if (__builtin_expect(!ring->srq && work != index, 0))
		completion->status = IBV_WC_GENERAL_ERR;
	else if ((flags & (ARNICA_HW_CQE_DATA | ARNICA_HW_CQE_EAGER)) != 0 &&
		 (int32_t)(ring->scattered - index) <= 0 &&
		 !arnica_scatter_short(ring, work, entry, flags,
				       completion->byte_len) &&
		 !arnica_scatter_entry(ring, work, entry, flags,
				       completion->byte_len))
		completion->status = IBV_WC_GENERAL_ERR;
	/* Kept level with the head, or it would count as ahead half a turn of
	 * the index later. */
	if ((int32_t)(ring->scattered - index) <= 0)
		ring->scattered = index + 1;
	if (__builtin_expect(flags & ARNICA_HW_CQE_INV, 0))
		arnica_mirror_taken_back(
			&ring->qp->context->mirror,
			arnica_from_be32((arnica_be32){
				completion->immediate }));
	if (!ring->srq)
		completion->wr_id = ring->wr_ids[index & ring->mask];
	else if (!arnica_srq_return(ring->srq, work, &completion->wr_id))
		completion->status = IBV_WC_GENERAL_ERR;
	atomic_store_explicit(&ring->tail, index + 1, memory_order_release);
}

POLLED void take_entry(struct arnica_ring *ring,
		       struct arnica_completion *completion)
{
	const struct arnica_hw_cqe *entry = arnica_ring_entry(ring, ring->head);
	uint32_t info = arnica_from_le32(entry->info);
	uint32_t status = info & ARNICA_HW_CQE_STATUS_MASK;
	uint32_t opcode = (uint32_t)arnica_field_get(info,
						     ARNICA_HW_CQE_OPCODE_MASK);
	uint32_t flags = (uint32_t)arnica_field_get(info,
						    ARNICA_HW_CQE_FLAGS_MASK);
	uint32_t word;

	completion->status = status <= IBV_WC_GENERAL_ERR ?
				     (enum ibv_wc_status)status :
				     IBV_WC_GENERAL_ERR;
	completion->timestamp_ns = arnica_from_le64(entry->timestamp);
	completion->byte_len = arnica_from_le32(entry->byte_len);
	completion->immediate = entry->immediate.raw;
	word = arnica_from_le32(entry->vendor_error); /* or source */
	completion->vendor_error = (flags & ARNICA_HW_CQE_GRH) ? 0 : word;
	completion->source = (flags & ARNICA_HW_CQE_GRH) ? word : 0;
	completion->qp_num = ring->qp->verbs.base.qp_num;
	if (__builtin_expect(flags & ARNICA_HW_CQE_XRC, 0)) {
		completion->vendor_error = 0;
		completion->qp_num = word & ARNICA_HW_CQE_SOURCE_QPN_MASK;
	}
	completion->wc_flags =
		((flags & ARNICA_HW_CQE_IMM) ? IBV_WC_WITH_IMM : 0) |
		((flags & ARNICA_HW_CQE_INV) ? IBV_WC_WITH_INV : 0) |
		((flags & ARNICA_HW_CQE_GRH) ? IBV_WC_GRH : 0);
	if (ring->is_receive)
		take_receive(ring, entry, opcode, flags, completion);
	else
		take_send(ring, entry, opcode, completion);
	ring->head++;
	ring->empty_polls = 0;
}

/*
 * The ring to take from when `ring` has an entry. Both queues of a QP may
 * complete to one CQ: the error that ended the QP is reported before what was
 * flushed because of it. It was published first, so it is visible by now.
 */
static __attribute__((noinline)) struct arnica_ring *
cause_first(struct arnica_cq *cq, struct arnica_ring *ring)
{
	struct arnica_ring_slot *slot;
	struct arnica_ring *other;

	slot = &cq->context->rings[ring->number ^ 1];
	if (atomic_load_explicit(&slot->cq, memory_order_relaxed) != cq)
		return ring;
	other = slot->ring;
	if (!arnica_ring_has(other, other->head) ||
	    head_status(other) == IBV_WC_WR_FLUSH_ERR)
		return ring;
	if (other->hot_index == ARNICA_RING_NOT_HOT)
		claim(cq, other);
	return other;
}

POLLED bool take_next(struct arnica_cq *cq,
		      struct arnica_completion *completion)
{
	uint32_t left = cq->num_hot;

	while (left-- > 0) {
		struct arnica_ring *ring = cq->hot[cq->next_hot];

		if (arnica_ring_has(ring, ring->head)) {
			if (__builtin_expect(head_status(ring) ==
						     IBV_WC_WR_FLUSH_ERR,
					     0))
				ring = cause_first(cq, ring);
			if (cq->dirty && cq->dirty != ring)
				arnica_ring_publish(cq->dirty);
			cq->dirty = ring;
			take_entry(ring, completion);
			return true;
		}
		ring->empty_polls++;
		if (++cq->next_hot >= cq->num_hot)
			cq->next_hot = 0;
	}
	return false;
}

bool arnica_cq_take(struct arnica_cq *cq, struct arnica_completion *completion)
{
	find_work(cq);
	return take_next(cq, completion);
}

POLLED void settle(struct arnica_cq *cq, uint32_t num_taken)
{
	if (cq->dirty) {
		arnica_ring_publish(cq->dirty);
		cq->dirty = NULL;
	}
	arnica_cq_count_polled(cq, num_taken);
	if (cq->num_hot < 2)
		return;
	if (cq->num_hot > HOT_RINGS)
		cool_some(cq);
	/* The next poll starts with the next ring: none starves. */
	if (++cq->next_hot >= cq->num_hot)
		cq->next_hot = 0;
}

void arnica_cq_settle(struct arnica_cq *cq, uint32_t num_taken)
{
	settle(cq, num_taken);
}

POLLED void fill_wc(struct ibv_wc *wc,
		    const struct arnica_completion *completion)
{
	wc->wr_id = completion->wr_id;
	wc->status = completion->status;
	wc->opcode = completion->opcode;
	wc->vendor_err = completion->vendor_error;
	wc->byte_len = completion->byte_len;
	wc->imm_data = completion->immediate; /* and invalidated_rkey */
	wc->qp_num = completion->qp_num;
	wc->src_qp = completion->source & ARNICA_HW_CQE_SOURCE_QPN_MASK;
	wc->wc_flags = completion->wc_flags;
	wc->pkey_index = 0;
	wc->slid = 0;
	wc->sl = (uint8_t)arnica_field_get(completion->source,
					   ARNICA_HW_CQE_SOURCE_KIND_MASK);
	wc->dlid_path_bits = 0;
	/* The union holds the key in host order, the immediate as sent. */
	if (completion->wc_flags & IBV_WC_WITH_INV)
		wc->invalidated_rkey = arnica_from_be32(
			(arnica_be32){ completion->immediate });
}

POLLED int take_some(struct arnica_cq *cq, int num_entries, struct ibv_wc *wc)
{
	struct arnica_completion completion;
	int num_taken = 0;

	arnica_cq_lock_to_poll(cq);
	find_work(cq);
	while (num_taken < num_entries && take_next(cq, &completion)) {
		fill_wc(&wc[num_taken], &completion);
		num_taken++;
	}
	settle(cq, (uint32_t)num_taken);
	arnica_spinlock_unlock(&cq->lock);
	return num_taken;
}

static __attribute__((noinline)) int
take_again(struct arnica_cq *cq, int num_entries, struct ibv_wc *wc)
{
	return take_some(cq, num_entries, wc);
}

int arnica_cq_poll(struct ibv_cq *ibv_cq, int num_entries, struct ibv_wc *wc)
{
	struct arnica_cq *cq = arnica_cq_of(ibv_cq);
	int num_taken = take_some(cq, num_entries, wc);

	/* One look at a time: those that a processor begins ahead of time are
	 * in the way of the store that they wait for. */
	if (!num_taken)
		arnica_cpu_settle();
	if (arnica_cq_attend(cq, num_taken != 0) && !num_taken)
		num_taken = take_again(cq, num_entries, wc);
	arnica_cq_note_poll(cq, num_taken != 0);
	return num_taken;
}
