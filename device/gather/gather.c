/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Gather lists: checked pieces of memory. */
#include "gather/gather.h"

#include "dma/guard.h"
#include "tpt/tpt.h"

enum arnica_hw_status
adev_gather_segments(const struct adev_view *view, uint32_t pd,
		     const struct arnica_hw_data_segment *segments,
		     uint32_t count, uint32_t access,
		     struct adev_gather *gather)
{
	uint32_t i;

	gather->num_pieces = 0;
	gather->bytes = 0;
	for (i = 0; i < count; i++) {
		struct adev_piece *piece =
			&gather->pieces[gather->num_pieces];
		uint32_t stag = arnica_from_le32(segments[i].lkey);
		uint32_t bytes = arnica_from_le32(segments[i].length);
		uint64_t iova = arnica_from_le64(segments[i].address);

		if (stag == ARNICA_HW_LKEY_END)
			break;
		if (!bytes)
			continue;
		if (adev_tpt_check(view, stag, pd, iova, bytes, access,
				   &piece->address) != ADEV_TPT_OK)
			return ARNICA_HW_STATUS_LOC_PROT_ERR;
		piece->iova = iova;
		piece->bytes = bytes;
		piece->stag = stag;
		gather->num_pieces++;
		gather->bytes += bytes;
	}
	return ARNICA_HW_STATUS_SUCCESS;
}

bool adev_gather_holds(const struct adev_view *view, uint32_t pd,
		       const struct adev_gather *gather, uint32_t access)
{
	uint64_t address;
	uint32_t i;

	for (i = 0; i < gather->num_pieces; i++) {
		const struct adev_piece *piece = &gather->pieces[i];

		if (piece->stag &&
		    (adev_tpt_check(view, piece->stag, pd, piece->iova,
				    piece->bytes, access,
				    &address) != ADEV_TPT_OK ||
		     address != piece->address))
			return false;
	}
	return true;
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

bool adev_gather_read(const struct adev_gather *gather, uint64_t offset,
		      void *to, uint64_t bytes)
{
	struct iovec iov[ARNICA_HW_MAX_SGE];
	char *out = to;
	uint64_t covered;
	uint32_t i, count;

	count = adev_gather_slice(gather, offset, bytes, iov,
				  ARNICA_HW_MAX_SGE, &covered);
	for (i = 0; i < count; i++) {
		if (!adev_guard_copy(out, iov[i].iov_base, iov[i].iov_len))
			return false;
		out += iov[i].iov_len;
	}
	return true;
}

bool adev_gather_write(const struct adev_gather *gather, uint64_t offset,
		       const void *from, uint64_t bytes)
{
	struct iovec iov[ARNICA_HW_MAX_SGE];
	const char *in = from;
	uint64_t covered;
	uint32_t i, count;

	count = adev_gather_slice(gather, offset, bytes, iov,
				  ARNICA_HW_MAX_SGE, &covered);
	for (i = 0; i < count; i++) {
		if (!adev_guard_copy(iov[i].iov_base, in, iov[i].iov_len))
			return false;
		in += iov[i].iov_len;
	}
	return true;
}
