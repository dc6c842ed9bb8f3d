/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What completed work requests say about the adapter's table; see mirror.h. */
#include <string.h>

#include "arnica/hw/wqe.h"
#include "context.h"
#include "mirror_table.h"
#include "qp.h"
#include "send.h"

#define WINDOW_RIGHTS                                                          \
	((uint32_t)ARNICA_HW_ACCESS_REMOTE_WRITE |                             \
	 ARNICA_HW_ACCESS_REMOTE_READ | ARNICA_HW_ACCESS_REMOTE_ATOMIC |       \
	 ARNICA_HW_ACCESS_ONE_TOUCH)

/* The key is valid, unless a peer has taken it back by now. */
static void validate(struct arnica_hw_mirror_entry *entry, uint32_t stag)
{
	entry->stag = stag;
	entry->state = entry->gone == stag ? ARNICA_HW_STAG_FREE :
					     ARNICA_HW_STAG_VALID;
	entry->gone = 0;
}

static void take_bind(struct arnica_mirror *mirror, const unsigned char *work,
		      uint32_t qp)
{
	struct arnica_hw_mirror_entry *entry;
	struct arnica_hw_wqe_bind bind;
	uint32_t access;

	memcpy(&bind, work + ARNICA_HW_WQE_BIND_OFFSET, sizeof(bind));
	entry = arnica_mirror_entry(mirror, arnica_from_le32(bind.rkey) >> 8);
	if (!entry)
		return;
	access = arnica_from_le32(bind.access);
	entry->access = access & WINDOW_RIGHTS;
	entry->iova = access & ARNICA_HW_ACCESS_ZERO_BASED ?
			      0 :
			      arnica_from_le64(bind.address);
	entry->length = arnica_from_le64(bind.length);
	entry->parent = arnica_from_le32(bind.lkey);
	entry->qp = qp;
	validate(entry, arnica_from_le32(bind.rkey));
	if (!entry->length)
		entry->state = ARNICA_HW_STAG_FREE;
}

static void take_registration(struct arnica_mirror *mirror,
			      const unsigned char *work)
{
	struct arnica_hw_mirror_entry *entry;
	struct arnica_hw_wqe_registration wish;

	memcpy(&wish, work + ARNICA_HW_WQE_REGISTRATION_OFFSET, sizeof(wish));
	entry = arnica_mirror_entry(mirror, arnica_from_le32(wish.key) >> 8);
	if (!entry)
		return;
	entry->access = arnica_from_le32(wish.access) &
			~ARNICA_MIRROR_ACCESS_OPTIONAL;
	entry->access |= arnica_from_le32(wish.access) &
			 ARNICA_HW_ACCESS_ONE_TOUCH;
	entry->iova = arnica_from_le64(wish.iova);
	entry->length = arnica_from_le64(wish.length);
	validate(entry, arnica_from_le32(wish.key));
}

static void take_mkey(struct arnica_mirror *mirror, const unsigned char *work,
		      uint32_t count)
{
	struct arnica_hw_mirror_entry *entry;
	struct arnica_hw_wqe_mkey mkey;

	memcpy(&mkey, work + ARNICA_HW_WQE_MKEY_OFFSET, sizeof(mkey));
	entry = arnica_mirror_entry(mirror, arnica_from_le32(mkey.key) >> 8);
	if (entry)
		arnica_mirror_set_mkey(entry, arnica_from_le32(mkey.access),
				       arnica_from_le64(mkey.rows),
				       work + ARNICA_HW_WQE_MKEY_HEADER_BYTES,
				       count);
}

static void release(struct arnica_mirror *mirror, uint32_t stag)
{
	struct arnica_hw_mirror_entry *entry = arnica_mirror_entry(mirror,
								   stag >> 8);

	if (entry && entry->stag == stag)
		entry->state = ARNICA_HW_STAG_FREE;
}

/* The opcode of an entry of the send queue that is the mirror's business; zero:
 * it is another. */
static uint32_t opcode_of(const struct arnica_hw_wqe_control *control)
{
	uint32_t opcode = arnica_from_le32(control->operation) &
			  ARNICA_HW_WQE_OPCODE_MASK;

	return arnica_hw_opcode_is_about_keys(opcode) ? opcode : 0;
}

static void take_request(struct arnica_mirror *mirror,
			 const unsigned char *work, uint32_t qp)
{
	struct arnica_hw_wqe_control control;

	memcpy(&control, work, sizeof(control));
	switch (opcode_of(&control)) {
	case ARNICA_HW_OP_BIND_MW:
		take_bind(mirror, work, qp);
		break;
	case ARNICA_HW_OP_LOCAL_INV:
		release(mirror, arnica_from_be32(control.immediate));
		break;
	case ARNICA_HW_OP_REG_MR:
	case ARNICA_HW_OP_REG_SEND:
		take_registration(mirror, work);
		break;
	case ARNICA_HW_OP_SET_MKEY:
		take_mkey(mirror, work,
			  (uint32_t)arnica_field_get(
				  arnica_from_le32(control.operation),
				  ARNICA_HW_WQE_NUM_SGE_MASK));
		break;
	default:
		break;
	}
}

/* Not below zero: arnica_mirror_ask() may have taken them all. */
static void one_less(_Atomic uint32_t *count)
{
	uint32_t left = atomic_load_explicit(count, memory_order_relaxed);

	while (left && !atomic_compare_exchange_weak_explicit(
			       count, &left, left - 1, memory_order_relaxed,
			       memory_order_relaxed))
		;
}

void arnica_mirror_retire(struct arnica_ring *ring, uint32_t tail,
			  uint32_t index, bool success)
{
	struct arnica_mirror *mirror = &ring->qp->context->mirror;
	struct arnica_send_queue *queue = &ring->qp->send;
	uint32_t handle = ring->qp->verbs.base.handle;

	arnica_spinlock_lock(&mirror->lock);
	for (;; tail++) {
		const unsigned char *work = arnica_send_entry(queue, tail);
		struct arnica_hw_wqe_control control;

		memcpy(&control, work, sizeof(control));
		if (opcode_of(&control)) {
			if (tail != index || success)
				take_request(mirror, work, handle);
			one_less(&ring->memory_ops);
		}
		if (tail == index)
			break;
	}
	arnica_spinlock_unlock(&mirror->lock);
}

/* The key that a request is about. */
static uint32_t key_of(const unsigned char *work)
{
	struct arnica_hw_wqe_control control;
	struct arnica_hw_wqe_bind bind;
	struct arnica_hw_wqe_mkey mkey;
	struct arnica_hw_wqe_registration wish;

	memcpy(&control, work, sizeof(control));
	switch (opcode_of(&control)) {
	case ARNICA_HW_OP_BIND_MW:
		memcpy(&bind, work + ARNICA_HW_WQE_BIND_OFFSET, sizeof(bind));
		return arnica_from_le32(bind.rkey);
	case ARNICA_HW_OP_LOCAL_INV:
		return arnica_from_be32(control.immediate);
	case ARNICA_HW_OP_REG_MR:
	case ARNICA_HW_OP_REG_SEND:
		memcpy(&wish, work + ARNICA_HW_WQE_REGISTRATION_OFFSET,
		       sizeof(wish));
		return arnica_from_le32(wish.key);
	case ARNICA_HW_OP_SET_MKEY:
		memcpy(&mkey, work + ARNICA_HW_WQE_MKEY_OFFSET, sizeof(mkey));
		return arnica_from_le32(mkey.key);
	default:
		return 0;
	}
}

void arnica_mirror_ask(struct arnica_qp *qp)
{
	struct arnica_ring *ring = &qp->send_ring;
	uint32_t index = atomic_load(&ring->tail);

	if (!atomic_exchange_explicit(&ring->memory_ops, 0,
				      memory_order_relaxed))
		return;
	for (; index != qp->send.head; index++)
		arnica_mirror_ask_for(qp->context, key_of(arnica_send_entry(
							   &qp->send, index)));
}
