/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Checks of accesses against the translation and protection table. */
#include "tpt/tpt.h"

#include "tpt/pending.h"
#include "tpt/touch.h"

enum adev_tpt_verdict adev_tpt_find_again(const struct adev_view *view,
					  uint32_t stag,
					  const struct adev_tpt_entry **entry)
{
	uint32_t index = adev_tpt_index(stag);

	if (index >= view->layout.max_mr || !stag)
		return ADEV_TPT_BAD_KEY;
	/* Q1: pairs with the end of a registration in front/begun.c. */
	if (adev_tpt_is_pending(atomic_load_explicit(&view->tpt[index].shared,
						     memory_order_acquire),
				stag))
		return ADEV_TPT_PENDING;
	*entry = adev_tpt_find(view, stag);
	return *entry ? ADEV_TPT_OK : ADEV_TPT_BAD_KEY;
}

/* A null region has no bounds; what is written to it goes elsewhere than what
 * is read from it comes from. */
static enum adev_tpt_verdict check_null(const struct adev_tpt_entry *entry,
					uint32_t access, uint64_t *address)
{
	if ((entry->access & access) != access)
		return ADEV_TPT_BAD_ACCESS;
	*address = access & ARNICA_HW_ACCESS_LOCAL_WRITE ? entry->sink :
							   entry->address;
	return ADEV_TPT_OK;
}

enum adev_tpt_verdict adev_tpt_check_special(const struct adev_tpt_entry *entry,
					     uint32_t pd, uint64_t iova,
					     uint64_t length, uint32_t access,
					     uint64_t *address)
{
	uint32_t type = entry->type;

	if (type != ADEV_TPT_NULL && type != ADEV_TPT_LIST &&
	    type != ADEV_TPT_FAST && type != ADEV_TPT_IMPORTED)
		return ADEV_TPT_BAD_KEY;
	if (entry->pd != pd)
		return ADEV_TPT_BAD_PD;
	if (type == ADEV_TPT_FAST || type == ADEV_TPT_IMPORTED)
		return adev_tpt_check_range(entry, iova, length, access, address);
	return type == ADEV_TPT_NULL ? check_null(entry, access, address) :
				       ADEV_TPT_IS_LIST;
}

/* Who may use it: by its PD, by queue pair (2A), or by both (2B); IBTA
 * 10.6.7.2. */
static enum adev_tpt_verdict check_user(const struct adev_tpt_entry *entry,
					struct adev_tpt_user user)
{
	switch (entry->type) {
	case ADEV_TPT_REGION:
	case ADEV_TPT_FAST:
	case ADEV_TPT_IMPORTED:
	case ADEV_TPT_WINDOW_1:
		return entry->pd == user.pd ? ADEV_TPT_OK : ADEV_TPT_BAD_PD;
	case ADEV_TPT_WINDOW_2B:
		if (entry->pd != user.pd)
			return ADEV_TPT_BAD_PD;
		/* fall through */
	case ADEV_TPT_WINDOW_2A:
		return entry->qpn == user.qpn ? ADEV_TPT_OK : ADEV_TPT_BAD_QP;
	case ADEV_TPT_LIST:
		return entry->pd == user.pd ? ADEV_TPT_IS_LIST :
					      ADEV_TPT_BAD_PD;
	default:
		return ADEV_TPT_BAD_KEY;
	}
}

enum adev_tpt_verdict
adev_tpt_check_remote_special(const struct adev_tpt_entry *entry,
			      struct adev_tpt_user user, uint64_t iova,
			      uint64_t length, uint32_t access,
			      uint64_t *address)
{
	enum adev_tpt_verdict verdict = check_user(entry, user);

	if (verdict != ADEV_TPT_OK)
		return verdict;
	return adev_tpt_check_range(entry, iova, length, access, address);
}

enum adev_tpt_verdict adev_tpt_check_again(const struct adev_view *view,
					   uint32_t stag,
					   struct adev_tpt_user user,
					   uint64_t iova, uint64_t length,
					   uint32_t access, uint64_t message,
					   uint64_t *address)
{
	enum adev_tpt_verdict verdict = adev_tpt_check_remote(
		view, stag, user, iova, length, access, address);
	const struct adev_tpt_entry *entry;

	if (verdict != ADEV_TPT_BAD_KEY ||
	    adev_tpt_index(stag) >= view->layout.max_mr)
		return verdict;
	entry = &view->tpt[adev_tpt_index(stag)];
	if (entry->type == ADEV_TPT_LIST ||
	    atomic_load(&entry->touched) != (message | ADEV_TOUCH_OVER) ||
	    atomic_load(&entry->tag))
		return verdict;
	return adev_tpt_check_range(entry, iova, length, access, address);
}

static bool may_take_back(const struct adev_tpt_entry *entry,
			  struct adev_tpt_user user)
{
	switch (entry->type) {
	case ADEV_TPT_WINDOW_2A:
	case ADEV_TPT_WINDOW_2B:
		return check_user(entry, user) == ADEV_TPT_OK;
	case ADEV_TPT_FAST:
	case ADEV_TPT_LIST:
		return entry->access & ADEV_TPT_TAKEN_BACK &&
		       entry->pd == user.pd;
	default:
		return false;
	}
}

bool adev_tpt_take_back(const struct adev_view *view, uint32_t stag,
			struct adev_tpt_user user)
{
	struct adev_tpt_entry *entry = adev_tpt_find(view, stag);
	uint32_t tag = stag;

	if (!entry || !may_take_back(entry, user))
		return false;
	/* The owner may be at it as well: one of the two does it. */
	return atomic_compare_exchange_strong(&entry->tag, &tag, 0);
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
