/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Poll-time scatter; see scatter.h.
 */
#include "scatter.h"

#include <string.h>

#include "arnica/hw/bus.h"
#include "arnica/hw/wqe.h"
#include "context.h"
#include "cq.h"
#include "mr.h"
#include "qp.h"
#include "ring.h"

/* Copies to the receive entry's segments; the adapter has checked that they
 * are there and large enough, so a rest is a contradiction. */
static bool copy_to_segments(struct arnica_ring *ring, uint32_t index,
			     const unsigned char *payload, uint32_t length)
{
	const unsigned char *place = ring->work + ((size_t)(index & ring->mask)
						   << ring->work_shift);
	uint32_t i;

	for (i = 0; i < ring->work_max_sge && length > 0; i++) {
		struct arnica_hw_data_segment segment;
		uint32_t lkey;
		uint32_t part;
		void *target;

		memcpy(&segment, place + i * sizeof(segment), sizeof(segment));
		lkey = arnica_from_le32(segment.lkey);
		if (lkey == ARNICA_HW_LKEY_END)
			return false;
		part = arnica_from_le32(segment.length);
		if (part > length)
			part = length;
		if (part == 0)
			continue;
		target = arnica_mr_translate(ring->qp->context, lkey,
					     arnica_from_le64(segment.address));
		/* A buffer that the application has unmapped gets nothing, and
		 * so does a null region. */
		if (target)
			(void)arnica_bus_place(target, payload, part);
		payload += part;
		length -= part;
	}
	return length == 0;
}

bool arnica_scatter_entry(struct arnica_ring *ring, uint32_t work,
			  const struct arnica_hw_cqe *entry, uint32_t flags,
			  uint32_t byte_len)
{
	uint32_t offset;
	bool whole;

	if (flags & ARNICA_HW_CQE_DATA) {
		if (byte_len > ARNICA_HW_CQE_INLINE_BYTES)
			return false;
		return copy_to_segments(ring, work, entry->data, byte_len);
	}
	offset = arnica_from_le32(entry->eager_offset);
	if (offset > ring->eager_bytes || byte_len > ring->eager_bytes - offset)
		return false;
	whole = copy_to_segments(ring, work, ring->eager + offset, byte_len);
	/* P5: the adapter fills these bytes again after it reads this with
	 * acquire; the copy above comes first. */
	arnica_store32(&ring->record->eager_tail,
		       arnica_from_le32(entry->eager_end),
		       memory_order_release);
	return whole;
}

static void scatter_locked(struct arnica_ring *ring)
{
	uint32_t index = ring->head;

	if ((int32_t)(ring->scattered - index) > 0)
		index = ring->scattered;
	for (; arnica_ring_has(ring, index); index++) {
		const struct arnica_hw_cqe *entry = arnica_ring_entry(ring,
								      index);
		uint32_t flags = (uint32_t)arnica_field_get(
			arnica_from_le32(entry->info),
			ARNICA_HW_CQE_FLAGS_MASK);

		/* An entry that cannot be placed is reported by the poll. */
		if ((flags & (ARNICA_HW_CQE_DATA | ARNICA_HW_CQE_EAGER)) != 0 &&
		    !arnica_scatter_entry(ring,
					  arnica_ring_work(ring, index, entry),
					  entry, flags,
					  arnica_from_le32(entry->byte_len)))
			break;
	}
	ring->scattered = index;
}

void arnica_scatter_ring(struct arnica_ring *ring)
{
	struct arnica_cq *cq = ring->cq;

	if (!cq || !ring->is_receive)
		return;
	arnica_spinlock_lock(&cq->lock);
	scatter_locked(ring);
	arnica_spinlock_unlock(&cq->lock);
}

void arnica_scatter_cq(struct arnica_cq *cq)
{
	struct arnica_ring *ring;

	arnica_spinlock_lock(&cq->lock);
	for (ring = cq->rings; ring; ring = ring->next_of_cq)
		if (ring->is_receive)
			scatter_locked(ring);
	arnica_spinlock_unlock(&cq->lock);
}

void arnica_scatter_outstanding(struct arnica_context *context)
{
	struct arnica_qp *qp;

	pthread_mutex_lock(&context->objects);
	for (qp = context->qps; qp; qp = qp->next)
		arnica_scatter_ring(&qp->receive_ring);
	pthread_mutex_unlock(&context->objects);
}
