/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The receive entry for a responder's next message: is there one, what memory
 * does it name, and its completion. It is the one at the head of the QP's own
 * queue, or one that was taken from its SRQ. For every kind of message that uses
 * one, whichever way it came. The responder lock is held.
 */
#ifndef ADEV_TRANSPORT_RECEIVE_ENTRY_H
#define ADEV_TRANSPORT_RECEIVE_ENTRY_H

#include "comp/completion.h"
#include "core/fault_point.h"
#include "core/qp_lock.h"
#include "gather/gather.h"
#include "link/link.h"
#include "transport/xrc.h"

/* Is a receive posted that was not used yet? One of an SRQ is the QP's from then
 * on, until it completes. */
bool adev_receive_look(struct adev_link *link);

static inline bool adev_receive_posted(struct adev_link *link)
{
	/* As known from an earlier look. */
	if (__builtin_expect(!link->srq.shared && link->rq &&
				     link->qp->rq_producer_seen !=
					     link->qp->rq_head,
			     1))
		return true;
	return adev_receive_look(link);
}

/* The owner shall tell this function of the next receive. One may have been
 * posted before that was known: true. */
bool adev_receive_wait(struct adev_link *link, uint32_t function)
	ARNICA_MUST_CHECK;

/* How many were posted so far; without a lock. */
static inline uint32_t adev_receive_count(const struct adev_link *link)
{
	return arnica_load32(link->producer, memory_order_relaxed);
}

/* Where the entry stands in its queue: one that adev_receive_posted() found. */
static inline uint32_t adev_receive_slot(const struct adev_link *link)
{
	uint32_t slot = link->qp->rq_head;

	/* Taken; and if the segment says otherwise by now, inside it anyhow. */
	if (link->srq.shared)
		(void)!adev_srq_taken(&link->srq, link->holder, &slot);
	return slot & link->rq_mask;
}

/* The memory that the entry names. SUCCESS, or the status with
 * which the entry completes. */
enum arnica_hw_status adev_receive_gather(const struct adev_link *link,
					  struct adev_gather *into)
	ARNICA_MUST_CHECK;

/* An entry whose one segment is a plain region. False: it is another one. */
static inline bool
adev_receive_region(const struct adev_link *link,
		    const struct arnica_hw_data_segment *segments,
		    struct adev_gather *into)
{
	uint32_t stag = arnica_from_le32(segments[0].lkey);
	uint32_t bytes = arnica_from_le32(segments[0].length);
	uint64_t iova = arnica_from_le64(segments[0].address);
	struct adev_piece *piece = &into->pieces[0];
	const struct adev_tpt_entry *region;

	if (!link->rq_max_sge || !bytes ||
	    (link->rq_max_sge > 1 &&
	     arnica_from_le32(segments[1].lkey) != ARNICA_HW_LKEY_END))
		return false;
	adev_qp_announce(link->qp, stag);
	region = adev_tpt_find(link->view, stag);
	if (!region || region->type != ADEV_TPT_REGION ||
	    region->pd != link->rq_pd ||
	    adev_tpt_check_range(region, iova, bytes,
				 ARNICA_HW_ACCESS_LOCAL_WRITE,
				 &piece->address) != ADEV_TPT_OK)
		return false;
	piece->iova = iova;
	piece->bytes = bytes;
	piece->stag = stag;
	piece->list = 0;
	into->num_pieces = 1;
	into->num_lists = 0;
	into->bytes = bytes;
	into->direct = false;
	return true;
}

/* With an SRQ: a completion ring that has grown is used from now on. False: it
 * makes no sense. */
static inline bool adev_receive_follow(struct adev_link *link)
{
	return __builtin_expect(link->qp->rq_slots == link->ring.mask + 1,
				1) ||
	       adev_link_find_ring(link);
}

/* Room for a message in the queue's eager ring: its place, and the head that
 * the ring has when it is used. False: none until the host has polled. */
bool adev_receive_eager(struct adev_link *link, uint32_t bytes,
			uint32_t *offset, uint32_t *end) ARNICA_MUST_CHECK;

/* Publishes the completion of the entry (wqe_index is set here),
 * and goes on to the next one. To be notified when the lock was given back. */
static inline void adev_receive_complete(struct adev_link *link,
					 struct adev_completion *completion)
{
	struct adev_qp_shared *responder = link->qp;

	completion->wqe_index = responder->rq_head;
	if (__builtin_expect(link->srq.shared != NULL, 0)) {
		completion->wqe_index = adev_receive_slot(link);
		/* It may have grown since the message began. If it makes no
		 * sense, the host looks at none. */
		(void)!adev_receive_follow(link);
	}
	if (__builtin_expect(link->holder != responder, 0))
		adev_xrc_hand_over(link, completion);
	adev_completion_publish(&link->ring, responder->rq_head, completion);
	responder->rq_head++;
	ADEV_POINT("receive_consumed");
}

#endif
