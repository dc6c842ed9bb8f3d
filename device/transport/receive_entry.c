/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The receive entry for a responder's next message. */
#include "transport/receive_entry.h"

#include "core/qp_lock.h"
#include "tpt/tpt.h"

bool adev_receive_look(struct adev_link *link)
{
	struct adev_qp_shared *responder = link->qp;
	uint32_t producer = responder->rq_producer_seen;

	if (link->srq.shared) {
		if (!adev_receive_follow(link))
			return false;
		if (link->holder != link->qp)
			adev_xrc_note(link);
		return adev_srq_take(&link->srq, link->holder);
	}
	if (!link->rq)
		return false;
	if (producer != responder->rq_head)
		return true;
	/* C3: pairs with P3 in the host's post_recv. */
	producer = arnica_load32(&link->record->producer,
				 memory_order_acquire);
	if (producer - responder->rq_head > link->rq_mask + 1)
		return false; /* not an index of this queue */
	responder->rq_producer_seen = producer;
	return producer != responder->rq_head;
}

bool adev_receive_wait(struct adev_link *link, uint32_t function)
{
	if (link->srq.shared) {
		adev_srq_wait(&link->srq, function);
	} else if (!arnica_load32(&link->record->waiting,
				  memory_order_relaxed)) {
		/* Stored once for each wait: the host reads this line at every
		 * post. */
		atomic_store(&link->qp->waiter, function + 1);
		arnica_store32(&link->record->waiting, 1,
			       memory_order_seq_cst);
		arnica_fence_after_rmw();
	}
	/* Of an SRQ one of us sees the other: the host stores its index and then
	 * looks at `waiting`, both sequentially consistent. Of a QP's own queue
	 * it does not wait for that store: a receive that is posted at this very
	 * moment may be missed by both, and is found when the timer of the
	 * waiting QP looks again. */
	return adev_receive_posted(link);
}

/* So that a holder that is stopped keeps the regions of this entry only. */
static void announce(const struct adev_link *link,
		     const struct arnica_hw_data_segment *segments)
{
	uint32_t stags[ADEV_USES_MAX], count = 0, i;

	for (i = 0; i < link->rq_max_sge; i++) {
		uint32_t stag = arnica_from_le32(segments[i].lkey);

		if (stag == ARNICA_HW_LKEY_END)
			break;
		if (count == ADEV_USES_MAX) {
			stags[0] = ADEV_USES_ANY;
			break;
		}
		stags[count++] = stag;
	}
	if (count)
		adev_qp_announce_list(link->qp, stags, count);
}

/* Lists, regions of work requests, and imported ones: the host does not know
 * where they lie, or they may end before it polls. */
static bool needs_adapter(const struct adev_view *view,
			  const struct adev_gather *into)
{
	bool any = false;
	uint32_t i;

	for (i = 0; i < into->num_pieces; i++)
		any |= view->tpt[adev_tpt_index(into->pieces[i].stag)].type >=
		       ADEV_TPT_FAST;
	return any;
}

static enum arnica_hw_status gather_any(const struct adev_link *link,
					const void *entry,
					struct adev_gather *into)
{
	enum arnica_hw_status status;

	announce(link, entry);
	status = adev_gather_segments(link->view, link->rq_pd, entry,
				      link->rq_max_sge,
				      ARNICA_HW_ACCESS_LOCAL_WRITE, into);
	if (__builtin_expect(into->num_lists, 0)) {
		/* What is behind the lists is looked at once more, now
		 * announced. */
		adev_qp_announce_any(link->qp);
		status = adev_gather_segments(link->view, link->rq_pd, entry,
					      link->rq_max_sge,
					      ARNICA_HW_ACCESS_LOCAL_WRITE,
					      into);
	}
	into->direct = !status && needs_adapter(link->view, into);
	return status;
}

enum arnica_hw_status adev_receive_gather(const struct adev_link *link,
					  struct adev_gather *into)
{
	const void *entry = link->rq + (size_t)adev_receive_slot(link) * link->rq_stride;

	return __builtin_expect(adev_receive_region(link, entry, into), 1) ?
		       ARNICA_HW_STATUS_SUCCESS :
		       gather_any(link, entry, into);
}

bool adev_receive_eager(struct adev_link *link, uint32_t bytes,
			uint32_t *offset, uint32_t *end)
{
	struct adev_qp_shared *responder = link->qp;
	uint32_t size = link->eager_bytes, head = responder->eager_head;
	uint32_t padded = (bytes + 63u) & ~63u;

	if (!size || padded > size)
		return false;
	if ((head & (size - 1)) + padded > size)
		head = (head | (size - 1)) + 1; /* to the start of the ring */
	if (head + padded - responder->eager_tail_seen > size) {
		responder->eager_tail_seen = arnica_load32(
			&link->record->eager_tail, memory_order_acquire);
		if (head + padded - responder->eager_tail_seen > size)
			return false;
	}
	*offset = head & (size - 1);
	*end = head + padded;
	return true;
}
