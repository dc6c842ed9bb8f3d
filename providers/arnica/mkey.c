/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Indirect keys; see mkey.h and arnicadv_create_mkey(3). */
#include "mkey.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "context.h"
#include "qp.h"
#include "send.h"
#include "wqe_write.h"

#define PUBLIC __attribute__((visibility("default")))

#define ACCESS_KNOWN                                                           \
	((unsigned int)IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_WRITE |      \
	 IBV_ACCESS_REMOTE_READ | IBV_ACCESS_REMOTE_ATOMIC)

static struct arnica_mkey *mkey_of(struct arnicadv_mkey *mkey)
{
	return (struct arnica_mkey *)(void *)mkey;
}

static struct arnica_context *context_of(const struct arnica_mkey *mkey)
{
	return arnica_context_of(mkey->pd->context);
}

PUBLIC struct arnicadv_mkey *arnicadv_create_mkey(
	const struct arnicadv_mkey_init_attr *attr)
{
	struct arnica_hw_completion answer;
	struct arnica_hw_command command = {
		.opcode = arnica_to_le32(ARNICA_HW_CMD_CREATE_MKEY),
	};
	struct arnica_mkey *mkey;
	int error = EOPNOTSUPP;

	if (!arnicadv_is_supported(attr->pd->context->device))
		goto err_out;
	error = EINVAL;
	if (attr->comp_mask)
		goto err_out;
	error = ENOMEM;
	mkey = calloc(1, sizeof(*mkey));
	if (!mkey)
		goto err_out;
	command.create_mkey.pd = arnica_to_le32(attr->pd->handle);
	command.create_mkey.max_entries = arnica_to_le32(attr->max_entries);
	error = arnica_command_execute(
		&arnica_context_of(attr->pd->context)->commands, &command,
		&answer);
	if (error)
		goto err_free;
	mkey->pd = attr->pd;
	mkey->max_entries = attr->max_entries;
	mkey->handle = arnica_from_le32(answer.mr.handle);
	mkey->verbs.lkey = arnica_from_le32(answer.mr.stag);
	mkey->verbs.rkey = mkey->verbs.lkey;
	return &mkey->verbs;

err_free:
	free(mkey);
err_out:
	errno = error;
	return NULL;
}

PUBLIC int arnicadv_destroy_mkey(struct arnicadv_mkey *verbs)
{
	struct arnica_mkey *mkey = mkey_of(verbs);
	int error = arnica_command_object(&context_of(mkey)->commands,
					  ARNICA_HW_CMD_DESTROY_MKEY,
					  mkey->handle);

	if (error)
		errno = error;
	else
		free(mkey);
	return error;
}

static void entry_of_sge(const struct ibv_sge *sge,
			 struct arnica_hw_mkey_entry *entry)
{
	*entry = (struct arnica_hw_mkey_entry){
		.address = arnica_to_le64(sge->addr),
		.length = arnica_to_le32(sge->length),
		.lkey = arnica_to_le32(sge->lkey),
	};
}

static void entry_of_source(const struct arnicadv_interleaved *source,
			    struct arnica_hw_mkey_entry *entry)
{
	*entry = (struct arnica_hw_mkey_entry){
		.address = arnica_to_le64(source->addr),
		.stride = arnica_to_le64((uint64_t)source->bytes_count +
					 source->bytes_skip),
		.length = arnica_to_le32(source->bytes_count),
		.lkey = arnica_to_le32(source->lkey),
	};
}

/* Executes SET_MKEY with entries of this process. */
static int set_mkey(struct arnica_mkey *mkey, unsigned int access,
		    uint64_t rows, const struct arnica_hw_mkey_entry *entries,
		    uint32_t count)
{
	struct arnica_hw_command command = {
		.opcode = arnica_to_le32(ARNICA_HW_CMD_SET_MKEY),
		.set_mkey = {
			.handle = arnica_to_le32(mkey->handle),
			.access = arnica_to_le32(access),
			.rows = arnica_to_le64(rows),
			.entries = arnica_to_le64((uintptr_t)entries),
			.num_entries = arnica_to_le32(count),
		},
	};

	return arnica_command_execute(&context_of(mkey)->commands, &command,
				      NULL);
}

static struct arnica_hw_mkey_entry *alloc_entries(
	const struct arnica_mkey *mkey, uint32_t count, int *error)
{
	struct arnica_hw_mkey_entry *entries;

	*error = EINVAL;
	if (!count || count > mkey->max_entries)
		return NULL;
	*error = ENOMEM;
	entries = malloc(count * sizeof(*entries));
	if (entries)
		*error = 0;
	return entries;
}

static int end(int error, struct arnica_hw_mkey_entry *entries)
{
	free(entries);
	if (error)
		errno = error;
	return error;
}

PUBLIC int arnicadv_set_mkey_list(struct arnicadv_mkey *verbs,
				  unsigned int access, uint32_t num_sge,
				  const struct ibv_sge *sge)
{
	struct arnica_mkey *mkey = mkey_of(verbs);
	struct arnica_hw_mkey_entry *entries;
	uint32_t i;
	int error;

	entries = alloc_entries(mkey, num_sge, &error);
	if (error)
		return end(error, NULL);
	for (i = 0; i < num_sge; i++)
		entry_of_sge(&sge[i], &entries[i]);
	return end(set_mkey(mkey, access, 1, entries, num_sge), entries);
}

PUBLIC int arnicadv_set_mkey_interleaved(
	struct arnicadv_mkey *verbs, unsigned int access, uint64_t repeat_count,
	uint32_t num_interleaved, const struct arnicadv_interleaved *data)
{
	struct arnica_mkey *mkey = mkey_of(verbs);
	struct arnica_hw_mkey_entry *entries;
	uint32_t i;
	int error;

	entries = alloc_entries(mkey, num_interleaved, &error);
	if (error)
		return end(error, NULL);
	for (i = 0; i < num_interleaved; i++)
		entry_of_source(&data[i], &entries[i]);
	return end(set_mkey(mkey, access, repeat_count, entries,
			    num_interleaved),
		   entries);
}

/* Begins a request with room for `count` entries; NULL: it failed, as the
 * batch will. */
static unsigned char *begin(struct ibv_qp_ex *ex, struct arnicadv_mkey *verbs,
			    unsigned int access, uint64_t rows, uint32_t count)
{
	struct arnica_mkey *mkey = mkey_of(verbs);
	struct arnica_qp *qp = arnica_qp_of_ex(ex);
	unsigned char *entry;

	if (context_of(mkey) != qp->context || !count ||
	    count > mkey->max_entries ||
	    count > ARNICA_HW_WQE_MKEY_MAX_ENTRIES ||
	    ARNICA_HW_WQE_MKEY_HEADER_BYTES +
			    count * sizeof(struct arnica_hw_mkey_entry) >
		    1ull << qp->send.shift ||
	    access & ~ACCESS_KNOWN) {
		arnica_send_wr_fail(qp, EINVAL);
		return NULL;
	}
	entry = arnica_send_wr_begin(ex, ARNICA_HW_OP_SET_MKEY);
	if (!entry)
		return NULL;
	arnica_wqe_write_mkey(entry, verbs->lkey, access, rows);
	return entry + ARNICA_HW_WQE_MKEY_HEADER_BYTES;
}

static unsigned char *write_entry(unsigned char *place,
				  const struct arnica_hw_mkey_entry *entry)
{
	memcpy(place, entry, sizeof(*entry));
	return place + sizeof(*entry);
}

PUBLIC void arnicadv_wr_mkey_list(struct ibv_qp_ex *ex,
				  struct arnicadv_mkey *mkey,
				  unsigned int access, uint32_t num_sge,
				  const struct ibv_sge *sge)
{
	unsigned char *place = begin(ex, mkey, access, 1, num_sge);
	struct arnica_hw_mkey_entry entry;
	uint32_t i;

	if (!place)
		return;
	for (i = 0; i < num_sge; i++) {
		entry_of_sge(&sge[i], &entry);
		place = write_entry(place, &entry);
	}
	arnica_send_wr_end_entries(ex, num_sge);
}

PUBLIC void arnicadv_wr_mkey_interleaved(
	struct ibv_qp_ex *ex, struct arnicadv_mkey *mkey, unsigned int access,
	uint64_t repeat_count, uint32_t num_interleaved,
	const struct arnicadv_interleaved *data)
{
	unsigned char *place = begin(ex, mkey, access, repeat_count,
				     num_interleaved);
	struct arnica_hw_mkey_entry entry;
	uint32_t i;

	if (!place)
		return;
	for (i = 0; i < num_interleaved; i++) {
		entry_of_source(&data[i], &entry);
		place = write_entry(place, &entry);
	}
	arnica_send_wr_end_entries(ex, num_interleaved);
}

PUBLIC int arnicadv_query_mkey_caps(struct ibv_context *context,
				    struct arnicadv_mkey_caps *caps)
{
	if (!arnicadv_is_supported(context->device))
		return errno = EOPNOTSUPP;
	if (caps->comp_mask)
		return errno = EINVAL;
	*caps = (struct arnicadv_mkey_caps){
		.max_mkeys = arnica_from_le32(
			arnica_context_of(context)->caps.max_mr),
		.max_entries = ARNICA_HW_MAX_MKEY_ENTRIES,
		.max_wr_entries = ARNICA_HW_WQE_MKEY_MAX_ENTRIES,
		.max_depth = ARNICA_HW_MAX_MKEY_DEPTH,
		.max_ranges = ARNICA_HW_MAX_MKEY_RANGES,
	};
	return 0;
}
