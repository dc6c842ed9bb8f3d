/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Views of segments, and waking their owners. */
#include "core/view.h"

#include "core/kept.h"
#include "domain/wake.h"

void adev_view_init(struct adev_view *view, void *base, uint64_t size,
		    const struct adev_layout *layout)
{
	char *bytes = base;

	view->base = bytes;
	view->size = size;
	view->layout = *layout;
	view->header = base;
	view->shared = (void *)(bytes + layout->shared_offset);
	view->records = (void *)(bytes + layout->records_offset);
	view->qps = (void *)(bytes + layout->qp_offset);
	view->cqs = (void *)(bytes + layout->cq_offset);
	view->srqs = (void *)(bytes + layout->srq_offset);
	view->tpt = (void *)(bytes + layout->tpt_offset);
	view->attachments = (void *)(bytes + layout->mcast_offset);
	view->inbox = (void *)(bytes + layout->inbox_offset);
	view->inbox_buffers =
		bytes + layout->inbox_offset +
		ADEV_INBOX_SLOTS * sizeof(struct adev_inbox_slot);
}

void adev_view_kick(const struct adev_view *view)
{
	uint32_t sleeping = ADEV_AGENT_SLEEPING;

	/* P4: the attention word is stored before the agent's state is looked
	 * at; the agent (C4) announces its sleep before it looks for work. */
	arnica_store32(&view->header->attention, 1, memory_order_seq_cst);
	if (atomic_load_explicit(&view->shared->agent_state,
				 memory_order_seq_cst) != ADEV_AGENT_SLEEPING)
		return;
	/* The number of the pipe may be another file's. */
	if (!adev_kept())
		return;
	if (atomic_compare_exchange_strong(&view->shared->agent_state,
					   &sleeping, ADEV_AGENT_AWAKE))
		adev_wake_signal(view->wake_fd);
}

void adev_view_need(const struct adev_view *view, uint32_t qp, uint32_t needs)
{
	struct adev_shared *shared = view->shared;
	uint32_t word = qp / 64;

	atomic_fetch_or(&view->qps[qp].needs, needs);
	atomic_fetch_or(&shared->qp_events[word], 1ull << qp % 64);
	atomic_fetch_or(&shared->qp_events_summary[word / 64],
			1ull << word % 64);
	atomic_store(&shared->qp_attention, 1);
	adev_view_kick(view);
}
