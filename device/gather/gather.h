/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Gather lists: the pieces of memory that a message is read from or placed
 * into, after their keys were checked. Addresses are those of the address
 * space that the region belongs to; only device/dma turns them into accesses.
 */
#ifndef ADEV_GATHER_GATHER_H
#define ADEV_GATHER_GATHER_H

#include <sys/uio.h>

#include <arnica/hw/cqe.h>
#include <arnica/hw/wqe.h>

#include "core/view.h"
#include "dma/guard.h"
#include "tpt/tpt.h"

/*
 * A gather entry, in bytes: what is moved of a message at a time, so that others
 * get in between. On the wire an entry is a packet.
 */
#define ADEV_GATHER_ENTRY_BYTES 65536u

/* Beside enum arnica_hw_status: a region that is named is being registered.
 * Nothing completes with it. */
#define ADEV_STATUS_PENDING ((enum arnica_hw_status)0x100)

struct adev_piece {
	uint64_t address; /* in its address space */
	uint64_t iova;    /* as named by the request */
	uint64_t bytes;
	uint32_t stag;
	uint32_t list; /* not zero: `stag` is a list, which is looked up at
			  each use; `address` says nothing */
};

struct adev_gather {
	uint32_t num_pieces;
	uint32_t num_lists; /* how many of them are lists */
	uint64_t bytes;     /* sum */
	/* Valid with a piece that is a list: as which it is looked up. */
	const struct adev_view *list_view;
	uint32_t list_pd;
	uint32_t list_access;
	bool direct; /* a receive: nothing may be left to the host's poll */
	struct adev_piece pieces[ARNICA_HW_MAX_SGE];
};

/*
 * Checks `count` data segments against the table of `view` for a work queue in
 * protection domain `pd`, and collects their pieces. Segments of length zero
 * are skipped unchecked. Each segment is copied once. Returns SUCCESS,
 * LOC_PROT_ERR, or ADEV_STATUS_PENDING; how long a message may be is the caller's business.
 */
enum arnica_hw_status
adev_gather_segments(const struct adev_view *view, uint32_t pd,
		     const struct arnica_hw_data_segment *segments,
		     uint32_t count, uint32_t access, struct adev_gather *gather)
	ARNICA_MUST_CHECK;

/* Are the keys of all pieces still valid, with these rights, for the memory
 * that they were valid for? Inline data has no key. */
bool adev_gather_holds(const struct adev_view *view, uint32_t pd,
		       const struct adev_gather *gather, uint32_t access)
	ARNICA_MUST_CHECK;

/* The same for what holds some of [offset, offset + bytes), all with keys. */
bool adev_gather_part_holds(const struct adev_view *view, uint32_t pd,
			    const struct adev_gather *gather, uint64_t offset,
			    uint64_t bytes, uint32_t access) ARNICA_MUST_CHECK;

/*
 * What a remote request names, as a gather list of one piece. Returns what
 * adev_tpt_check_remote() says; ADEV_TPT_IS_LIST: see adev_gather_list().
 */
static inline enum adev_tpt_verdict
adev_gather_remote(const struct adev_view *view, uint32_t stag,
		   struct adev_tpt_user user, uint64_t iova, uint64_t bytes,
		   uint32_t access, struct adev_gather *gather)
{
	struct adev_piece *piece = &gather->pieces[0];

	gather->num_pieces = 1;
	gather->num_lists = 0;
	gather->bytes = bytes;
	piece->iova = iova;
	piece->bytes = bytes;
	piece->stag = stag;
	piece->list = 0;
	return adev_tpt_check_remote(view, stag, user, iova, bytes, access,
				     &piece->address);
}

/*
 * The same piece, which is a list, with everything behind it checked. Whoever
 * holds a responder lock that announces has said before that he uses any region
 * (adev_qp_announce_any()).
 */
enum adev_tpt_verdict adev_gather_list(const struct adev_view *view,
				       uint32_t pd, uint32_t access,
				       struct adev_gather *gather)
	ARNICA_MUST_CHECK;

/* Both, for those who need not announce anything. */
enum adev_tpt_verdict
adev_gather_any(const struct adev_view *view, uint32_t stag,
		struct adev_tpt_user user, uint64_t iova, uint64_t bytes,
		uint32_t access, struct adev_gather *gather) ARNICA_MUST_CHECK;

/* The only piece is 8 bytes for an atomic operation: makes a list the one place
 * where they are. False: they are in several. */
bool adev_gather_word(struct adev_gather *gather) ARNICA_MUST_CHECK;

/*
 * Describes bytes [offset, offset + bytes) of a gather list as iovecs; stops
 * when `max` are used, or at a range of a list that is not valid any more.
 * Returns their number, *covered how many bytes they hold.
 */
uint32_t adev_gather_slice(const struct adev_gather *gather, uint64_t offset,
			   uint64_t bytes, struct iovec *iov, uint32_t max,
			   uint64_t *covered);

/* The only place where these bytes are, or NULL: they are in several. */
static inline void *adev_gather_place(const struct adev_gather *gather,
				      uint64_t offset, uint64_t bytes)
{
	const struct adev_piece *piece = &gather->pieces[0];

	if (gather->num_pieces != 1 || gather->num_lists ||
	    offset > piece->bytes || bytes > piece->bytes - offset)
		return NULL;
	return (void *)(uintptr_t)(piece->address + offset);
}

/* Copies bytes out of, or into, a gather list of this process's memory. False
 * when some of it is not accessible. */
bool adev_gather_read_pieces(const struct adev_gather *gather, uint64_t offset,
			     void *to, uint64_t bytes) ARNICA_MUST_CHECK;

static inline bool adev_gather_read(const struct adev_gather *gather,
				    uint64_t offset, void *to, uint64_t bytes)
{
	const void *from = adev_gather_place(gather, offset, bytes);

	if (__builtin_expect(from != NULL, 1))
		return adev_guard_copy(to, from, bytes);
	return adev_gather_read_pieces(gather, offset, to, bytes);
}

bool adev_gather_write(const struct adev_gather *gather, uint64_t offset,
		       const void *from, uint64_t bytes)
	ARNICA_MUST_CHECK;

#endif
