/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Translation and protection table. An STag is the index of an entry and an
 * 8-bit instance; the entry holds the whole valid STag, so a stale instance is
 * refused. Checks are pure and may run in any process that maps the table.
 */
#ifndef ADEV_TPT_TPT_H
#define ADEV_TPT_TPT_H

#include "core/view.h"

enum adev_tpt_verdict {
	ADEV_TPT_OK = 0,
	ADEV_TPT_BAD_KEY, /* no such entry, or another instance */
	ADEV_TPT_BAD_PD,
	ADEV_TPT_BAD_ACCESS,
	ADEV_TPT_BAD_BOUNDS,
};

static inline uint32_t adev_tpt_index(uint32_t stag)
{
	return stag >> 8;
}

/*
 * May a request of protection domain `pd` use `length` bytes at `iova` of the
 * region `stag` with all rights of `access`? On ADEV_TPT_OK *address is the
 * place in the region's address space. A length of zero is not for this
 * function: nothing is accessed, so nothing is checked (IBTA C9-88).
 */
enum adev_tpt_verdict adev_tpt_check(const struct adev_view *view,
				     uint32_t stag, uint32_t pd, uint64_t iova,
				     uint64_t length, uint32_t access,
				     uint64_t *address) ARNICA_MUST_CHECK;

/* Makes an entry valid; the fields are visible before the tag. */
void adev_tpt_publish(struct adev_tpt_entry *entry, uint32_t stag);

/* From now on no new check succeeds; those under way are over when
 * adev_qp_lock_quiesce() returned. */
void adev_tpt_invalidate(struct adev_tpt_entry *entry);

#endif
