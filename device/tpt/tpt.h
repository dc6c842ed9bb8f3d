/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Translation and protection table. An STag is the index of an entry and an
 * 8-bit instance; the entry holds the whole valid STag, so a stale instance is
 * refused. Checks are pure and may run in any process that maps the table.
 *
 * Work requests name regions in their own segments, and regions or windows in
 * the peer's memory: two checks (IBTA 10.6.5, 10.6.7).
 */
#ifndef ADEV_TPT_TPT_H
#define ADEV_TPT_TPT_H

#include "core/view.h"

enum adev_tpt_verdict {
	ADEV_TPT_OK = 0,
	ADEV_TPT_BAD_KEY, /* no such entry, another instance or kind */
	ADEV_TPT_BAD_PD,
	ADEV_TPT_BAD_QP, /* a window of another queue pair */
	ADEV_TPT_BAD_ACCESS,
	ADEV_TPT_BAD_BOUNDS,
	ADEV_TPT_IS_LIST, /* go on with adev_tpt_list_check() */
	ADEV_TPT_PENDING, /* its registration is under way: come again */
};

/* Of `access`, beside enum arnica_hw_access: a peer of the PD may take it back. */
#define ADEV_TPT_TAKEN_BACK (1u << 31)

/* The responder's queue pair, as a remote request comes through it. */
struct adev_tpt_user {
	uint32_t pd;
	uint32_t qpn;
};

static inline uint32_t adev_tpt_index(uint32_t stag)
{
	return stag >> 8;
}

/*
 * May a request of protection domain `pd` use `length` bytes at `iova` of the
 * region `stag` with all rights of `access`? On ADEV_TPT_OK *address is the
 * place in the region's address space. ADEV_TPT_IS_LIST: no region but a list
 * of that protection domain; nothing else was checked. ADEV_TPT_PENDING: nothing
 * was, but the key. A length of zero is not for this
 * function: nothing is accessed, so nothing is checked (IBTA C9-88). Windows
 * are no regions.
 */
static inline enum adev_tpt_verdict
adev_tpt_check(const struct adev_view *view, uint32_t stag, uint32_t pd,
	       uint64_t iova, uint64_t length, uint32_t access,
	       uint64_t *address) ARNICA_MUST_CHECK;

/* The same for a remote request: `stag` may be a window's, too. */
static inline enum adev_tpt_verdict
adev_tpt_check_remote(const struct adev_view *view, uint32_t stag,
		      struct adev_tpt_user user, uint64_t iova, uint64_t length,
		      uint32_t access, uint64_t *address) ARNICA_MUST_CHECK;

/* The same for an answer that is given again: `message` (tpt/touch.h) may have
 * been the one touch of the key. */
enum adev_tpt_verdict adev_tpt_check_again(const struct adev_view *view,
					   uint32_t stag,
					   struct adev_tpt_user user,
					   uint64_t iova, uint64_t length,
					   uint32_t access, uint64_t message,
					   uint64_t *address)
	ARNICA_MUST_CHECK;

/*
 * A peer's SEND with invalidate: takes back the window of type 2 that is bound
 * to `user`, or a region of his PD that was registered by a work request. The
 * caller holds the responder lock of that queue pair, so that no access through
 * it is under way. False: it is not his to take back.
 */
bool adev_tpt_take_back(const struct adev_view *view, uint32_t stag,
			struct adev_tpt_user user) ARNICA_MUST_CHECK;

/* Makes an entry valid; the fields are visible before the tag. */
void adev_tpt_publish(struct adev_tpt_entry *entry, uint32_t stag);

/* From now on no new check succeeds; those under way are over when
 * adev_qp_lock_quiesce() returned. */
void adev_tpt_invalidate(struct adev_tpt_entry *entry);

/* The valid entry of a key, or NULL. */
static inline struct adev_tpt_entry *adev_tpt_find(const struct adev_view *view,
						   uint32_t stag)
{
	uint32_t index = adev_tpt_index(stag);
	struct adev_tpt_entry *entry;

	if (__builtin_expect(index >= view->layout.max_mr || !stag, 0))
		return NULL;
	entry = &view->tpt[index];
	/* C5: pairs with P5 in adev_tpt_publish() and adev_tpt_invalidate(). */
	if (__builtin_expect(atomic_load_explicit(&entry->tag,
						  memory_order_acquire) != stag,
			     0))
		return NULL;
	return entry;
}

/* The same when it is not: its tag has changed since, or a registration of it is
 * under way (PENDING). */
enum adev_tpt_verdict adev_tpt_find_again(const struct adev_view *view,
					  uint32_t stag,
					  const struct adev_tpt_entry **entry)
	__attribute__((cold)) ARNICA_MUST_CHECK;

/* Rights and bounds, and the place. */
static inline enum adev_tpt_verdict
adev_tpt_check_range(const struct adev_tpt_entry *entry, uint64_t iova,
		     uint64_t length, uint32_t access, uint64_t *address)
{
	uint64_t start = entry->iova, bytes = entry->length;

	if ((entry->access & access) != access)
		return ADEV_TPT_BAD_ACCESS;
	if (iova < start || length > bytes || iova - start > bytes - length)
		return ADEV_TPT_BAD_BOUNDS;
	*address = entry->address + (iova - start);
	return ADEV_TPT_OK;
}

static inline enum adev_tpt_verdict
adev_tpt_look_up(const struct adev_view *view, uint32_t stag,
		 const struct adev_tpt_entry **entry)
{
	*entry = adev_tpt_find(view, stag);
	if (__builtin_expect(*entry != NULL, 1))
		return ADEV_TPT_OK;
	return adev_tpt_find_again(view, stag, entry);
}

/* What local requests, and remote ones, may name beside regions. */
enum adev_tpt_verdict adev_tpt_check_special(const struct adev_tpt_entry *entry,
					     uint32_t pd, uint64_t iova,
					     uint64_t length, uint32_t access,
					     uint64_t *address)
	ARNICA_MUST_CHECK;

static inline enum adev_tpt_verdict
adev_tpt_check(const struct adev_view *view, uint32_t stag, uint32_t pd,
	       uint64_t iova, uint64_t length, uint32_t access,
	       uint64_t *address)
{
	const struct adev_tpt_entry *entry;
	enum adev_tpt_verdict verdict = adev_tpt_look_up(view, stag, &entry);

	if (__builtin_expect(verdict != ADEV_TPT_OK, 0))
		return verdict;
	if (__builtin_expect(entry->type != ADEV_TPT_REGION, 0))
		return adev_tpt_check_special(entry, pd, iova, length, access,
					      address);
	if (entry->pd != pd)
		return ADEV_TPT_BAD_PD;
	return adev_tpt_check_range(entry, iova, length, access, address);
}

enum adev_tpt_verdict
adev_tpt_check_remote_special(const struct adev_tpt_entry *entry,
			      struct adev_tpt_user user, uint64_t iova,
			      uint64_t length, uint32_t access,
			      uint64_t *address) ARNICA_MUST_CHECK;

static inline enum adev_tpt_verdict
adev_tpt_check_remote(const struct adev_view *view, uint32_t stag,
		      struct adev_tpt_user user, uint64_t iova, uint64_t length,
		      uint32_t access, uint64_t *address)
{
	const struct adev_tpt_entry *entry;
	enum adev_tpt_verdict verdict = adev_tpt_look_up(view, stag, &entry);

	if (__builtin_expect(verdict != ADEV_TPT_OK, 0))
		return verdict;
	if (__builtin_expect(entry->type != ADEV_TPT_REGION, 0))
		return adev_tpt_check_remote_special(entry, user, iova, length,
						     access, address);
	if (entry->pd != user.pd)
		return ADEV_TPT_BAD_PD;
	return adev_tpt_check_range(entry, iova, length, access, address);
}

#endif
