/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Checks of accesses against the translation and protection table. */
#include "tpt/tpt.h"

enum adev_tpt_verdict adev_tpt_check(const struct adev_view *view,
				     uint32_t stag, uint32_t pd, uint64_t iova,
				     uint64_t length, uint32_t access,
				     uint64_t *address)
{
	uint32_t index = adev_tpt_index(stag);
	struct adev_tpt_entry *entry;
	uint64_t start, bytes, base;
	uint32_t entry_pd, entry_access;

	if (index >= view->layout.max_mr || !stag)
		return ADEV_TPT_BAD_KEY;
	entry = &view->tpt[index];
	/* C5: pairs with P5 in adev_tpt_publish() and adev_tpt_invalidate(). */
	if (atomic_load_explicit(&entry->tag, memory_order_acquire) != stag)
		return ADEV_TPT_BAD_KEY;
	start = entry->iova;
	bytes = entry->length;
	base = entry->address;
	entry_pd = entry->pd;
	entry_access = entry->access;
	if (entry_pd != pd)
		return ADEV_TPT_BAD_PD;
	if ((entry_access & access) != access)
		return ADEV_TPT_BAD_ACCESS;
	if (iova < start || length > bytes || iova - start > bytes - length)
		return ADEV_TPT_BAD_BOUNDS;
	*address = base + (iova - start);
	return ADEV_TPT_OK;
}

void adev_tpt_publish(struct adev_tpt_entry *entry, uint32_t stag)
{
	/* P5: the fields above are visible to whoever sees the tag. An entry
	 * changes only while its tag is zero and after every holder of a
	 * responder lock has let go, so a check needs no second look. */
	atomic_store_explicit(&entry->tag, stag, memory_order_release);
}

void adev_tpt_invalidate(struct adev_tpt_entry *entry)
{
	/* Sequentially consistent: ordered before the scan of the responder
	 * locks, as a requester takes its lock before it looks at the tag. */
	atomic_store_explicit(&entry->tag, 0, memory_order_seq_cst);
}
