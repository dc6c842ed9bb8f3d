/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Gather lists: checked pieces of memory. */
#include "gather/gather.h"

#include "tpt/list.h"

/* Nothing of the list is remembered, but it is not changed meanwhile. */
static bool list_holds(const struct adev_view *view, uint32_t pd,
		       const struct adev_piece *piece, uint32_t access)
{
	uint32_t entered = adev_tpt_list_enter();
	enum adev_tpt_verdict verdict = adev_tpt_list_check(
		view, piece->stag, pd, piece->iova, piece->bytes, access);

	adev_tpt_list_leave(entered);
	return verdict == ADEV_TPT_OK;
}

/* A piece for local use, whose key is a list. */
static bool take_list(const struct adev_view *view, uint32_t pd,
		      uint32_t access, struct adev_gather *gather,
		      struct adev_piece *piece)
{
	gather->list_view = view;
	gather->list_pd = pd;
	gather->list_access = access;
	piece->address = 0;
	piece->list = 1;
	gather->num_lists++;
	return list_holds(view, pd, piece, access);
}

enum arnica_hw_status
adev_gather_segments(const struct adev_view *view, uint32_t pd,
		     const struct arnica_hw_data_segment *segments,
		     uint32_t count, uint32_t access,
		     struct adev_gather *gather)
{
	uint32_t i;

	gather->num_pieces = 0;
	gather->num_lists = 0;
	gather->bytes = 0;
	for (i = 0; i < count; i++) {
		struct adev_piece *piece =
			&gather->pieces[gather->num_pieces];
		uint32_t stag = arnica_from_le32(segments[i].lkey);
		uint32_t bytes = arnica_from_le32(segments[i].length);
		uint64_t iova = arnica_from_le64(segments[i].address);
		enum adev_tpt_verdict verdict;

		if (stag == ARNICA_HW_LKEY_END)
			break;
		if (!bytes)
			continue;
		verdict = adev_tpt_check(view, stag, pd, iova, bytes, access,
					 &piece->address);
		piece->iova = iova;
		piece->bytes = bytes;
		piece->stag = stag;
		piece->list = 0;
		if (__builtin_expect(verdict != ADEV_TPT_OK, 0) &&
		    (verdict != ADEV_TPT_IS_LIST ||
		     !take_list(view, pd, access, gather, piece)))
			return verdict == ADEV_TPT_PENDING ?
				       ADEV_STATUS_PENDING :
				       ARNICA_HW_STATUS_LOC_PROT_ERR;
		gather->num_pieces++;
		gather->bytes += bytes;
	}
	return ARNICA_HW_STATUS_SUCCESS;
}

enum adev_tpt_verdict adev_gather_list(const struct adev_view *view,
				       uint32_t pd, uint32_t access,
				       struct adev_gather *gather)
{
	struct adev_piece *piece = &gather->pieces[0];

	gather->list_view = view;
	gather->list_pd = pd;
	gather->list_access = access;
	gather->num_lists = 1;
	piece->address = 0;
	piece->list = 1;
	return adev_tpt_list_check(view, piece->stag, pd, piece->iova,
				   piece->bytes, access);
}

enum adev_tpt_verdict adev_gather_any(const struct adev_view *view,
				      uint32_t stag, struct adev_tpt_user user,
				      uint64_t iova, uint64_t bytes,
				      uint32_t access,
				      struct adev_gather *gather)
{
	enum adev_tpt_verdict verdict = adev_gather_remote(
		view, stag, user, iova, bytes, access, gather);

	return verdict == ADEV_TPT_IS_LIST ?
		       adev_gather_list(view, user.pd, access, gather) :
		       verdict;
}

bool adev_gather_word(struct adev_gather *gather)
{
	struct adev_piece *piece = &gather->pieces[0];
	struct adev_tpt_place place;

	if (!piece->list)
		return true;
	if (adev_tpt_list_place(gather->list_view, piece->stag, gather->list_pd,
				piece->iova, piece->bytes, gather->list_access,
				&place) != ADEV_TPT_OK ||
	    place.bytes != piece->bytes)
		return false;
	gather->num_lists = 0;
	piece->address = place.address;
	piece->list = 0;
	return true;
}

static bool piece_holds(const struct adev_view *view, uint32_t pd,
			const struct adev_piece *piece, uint32_t access)
{
	uint64_t address;

	if (piece->list)
		return list_holds(view, pd, piece, access);
	return adev_tpt_check(view, piece->stag, pd, piece->iova, piece->bytes,
			      access, &address) == ADEV_TPT_OK &&
	       address == piece->address;
}

bool adev_gather_holds(const struct adev_view *view, uint32_t pd,
		       const struct adev_gather *gather, uint32_t access)
{
	uint32_t i;

	for (i = 0; i < gather->num_pieces; i++)
		if (gather->pieces[i].stag &&
		    !piece_holds(view, pd, &gather->pieces[i], access))
			return false;
	return true;
}

bool adev_gather_part_holds(const struct adev_view *view, uint32_t pd,
			    const struct adev_gather *gather, uint64_t offset,
			    uint64_t bytes, uint32_t access)
{
	uint64_t begin = 0;
	uint32_t i;

	for (i = 0; i < gather->num_pieces && begin < offset + bytes; i++) {
		begin += gather->pieces[i].bytes;
		if (begin > offset &&
		    !piece_holds(view, pd, &gather->pieces[i], access))
			return false;
	}
	return true;
}

/* Bytes of a list as iovecs, at most `max`; *covered is how many they hold. */
static uint32_t slice_list(const struct adev_gather *gather,
			   const struct adev_piece *piece, uint64_t offset,
			   uint64_t bytes, struct iovec *iov, uint32_t max,
			   uint64_t *covered)
{
	uint32_t count = 0;

	*covered = 0;
	while (*covered < bytes && count < max) {
		struct adev_tpt_place place;

		if (adev_tpt_list_place(gather->list_view, piece->stag,
					gather->list_pd,
					piece->iova + offset + *covered,
					bytes - *covered, gather->list_access,
					&place) != ADEV_TPT_OK)
			break;
		iov[count].iov_base = (void *)(uintptr_t)place.address;
		iov[count++].iov_len = place.bytes;
		*covered += place.bytes;
	}
	return count;
}

uint32_t adev_gather_slice(const struct adev_gather *gather, uint64_t offset,
			   uint64_t bytes, struct iovec *iov, uint32_t max,
			   uint64_t *covered)
{
	uint32_t i, count = 0;

	*covered = 0;
	for (i = 0; i < gather->num_pieces && count < max && bytes; i++) {
		const struct adev_piece *piece = &gather->pieces[i];
		uint64_t part;

		if (offset >= piece->bytes) {
			offset -= piece->bytes;
			continue;
		}
		part = piece->bytes - offset;
		if (part > bytes)
			part = bytes;
		if (__builtin_expect(piece->list != 0, 0)) {
			uint64_t found;

			count += slice_list(gather, piece, offset, part,
					    &iov[count], max - count, &found);
			*covered += found;
			bytes -= found;
			offset = 0;
			if (found < part)
				break;
			continue;
		}
		iov[count].iov_base =
			(void *)(uintptr_t)(piece->address + offset);
		iov[count].iov_len = part;
		count++;
		*covered += part;
		bytes -= part;
		offset = 0;
	}
	return count;
}

/* Copies by as many slices as it takes: one, unless there are lists. */
static inline bool copy_slices(const struct adev_gather *gather,
			       uint64_t offset, void *buffer, uint64_t bytes,
			       bool read)
{
	struct iovec iov[ARNICA_HW_MAX_SGE];
	char *here = buffer;

	while (bytes) {
		uint64_t covered;
		uint32_t i, count = adev_gather_slice(gather, offset, bytes,
						      iov, ARNICA_HW_MAX_SGE,
						      &covered);

		if (!covered)
			return false;
		for (i = 0; i < count; i++) {
			void *there = iov[i].iov_base;

			if (!adev_guard_copy(read ? here : there,
					     read ? there : here,
					     iov[i].iov_len))
				return false;
			here += iov[i].iov_len;
		}
		offset += covered;
		bytes -= covered;
	}
	return true;
}

/* A list is looked up and used within the call, and is not changed meanwhile. */
static inline bool copy_all(const struct adev_gather *gather, uint64_t offset,
			    void *buffer, uint64_t bytes, bool read)
{
	uint32_t entered;
	bool done;

	if (__builtin_expect(!gather->num_lists, 1))
		return copy_slices(gather, offset, buffer, bytes, read);
	entered = adev_tpt_list_enter();
	done = copy_slices(gather, offset, buffer, bytes, read);
	adev_tpt_list_leave(entered);
	return done;
}

bool adev_gather_read_pieces(const struct adev_gather *gather, uint64_t offset,
			     void *to, uint64_t bytes)
{
	return copy_all(gather, offset, to, bytes, true);
}

bool adev_gather_write(const struct adev_gather *gather, uint64_t offset,
		       const void *from, uint64_t bytes)
{
	/* Read only, in this direction. */
	return copy_all(gather, offset, (void *)(uintptr_t)from, bytes, false);
}
