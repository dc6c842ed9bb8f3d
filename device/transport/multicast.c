/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The table of attachments: written by its owner, read by everybody. */
#include "transport/multicast.h"

#include <errno.h>
#include <string.h>

#include "domain/multicast.h"
#include "domain/segment.h"

struct group_id {
	uint64_t words[2];
};

static struct group_id id_of(const uint8_t gid[16])
{
	struct group_id id;

	memcpy(id.words, gid, sizeof(id.words));
	return id;
}

/* M1: the sequence becomes odd before the words change, and even after; pairs
 * with read_entry(). */
static void write_entry(struct adev_attachment *entry, struct group_id group,
			uint32_t qpn)
{
	uint32_t sequence = atomic_load_explicit(&entry->sequence,
						 memory_order_relaxed);

	atomic_store_explicit(&entry->sequence, sequence | 1,
			      memory_order_relaxed);
	/* The words by release: who sees one of them sees the odd number. */
	atomic_store_explicit(&entry->qpn, qpn, memory_order_release);
	atomic_store_explicit(&entry->gid[0], group.words[0],
			      memory_order_release);
	atomic_store_explicit(&entry->gid[1], group.words[1],
			      memory_order_release);
	atomic_store_explicit(&entry->sequence, (sequence | 1) + 1,
			      memory_order_release);
}

/* The QP number, and its group; zero: none, or it changes just now, for which
 * the epoch will change too. */
static uint32_t read_entry(const struct adev_attachment *entry,
			   struct group_id *group)
{
	uint32_t sequence = atomic_load_explicit(&entry->sequence,
						 memory_order_acquire);
	uint32_t qpn = atomic_load_explicit(&entry->qpn, memory_order_acquire);

	group->words[0] = atomic_load_explicit(&entry->gid[0],
					       memory_order_acquire);
	group->words[1] = atomic_load_explicit(&entry->gid[1],
					       memory_order_acquire);
	return sequence & 1 || atomic_load_explicit(&entry->sequence,
						    memory_order_relaxed) !=
				       sequence ?
		       0 :
		       qpn;
}

static bool is_same(const struct group_id *a, const struct group_id *b)
{
	return a->words[0] == b->words[0] && a->words[1] == b->words[1];
}

/* How far the table is used; a foreign segment may say anything. */
static uint32_t end_of(const struct adev_view *view)
{
	uint32_t end = atomic_load_explicit(&view->shared->attach_end,
					    memory_order_acquire);

	return end < view->layout.max_attach ? end : view->layout.max_attach;
}

uint32_t adev_mcast_next_member(const struct adev_view *view,
				const uint8_t gid[16], uint32_t *at)
{
	const struct group_id wanted = id_of(gid);
	uint32_t end = end_of(view), qpn;
	struct group_id group;

	while (*at < end) {
		qpn = read_entry(&view->attachments[(*at)++], &group);
		if (qpn && is_same(&group, &wanted))
			return qpn;
	}
	return 0;
}

/* What the table says of a group and a QP. */
struct found {
	uint32_t members;  /* of the group */
	uint32_t entry;	   /* of the QP in the group; UINT32_MAX: none */
	uint32_t vacant;   /* the first free entry; may be the table's end */
};

static void look(const struct adev_function *fn, const struct adev_qp *qp,
		 const struct group_id *wanted, struct found *found)
{
	uint32_t end = end_of(&fn->view), i, qpn;
	struct group_id group;

	*found = (struct found){ .entry = UINT32_MAX, .vacant = end };
	for (i = 0; i < end; i++) {
		qpn = read_entry(&fn->view.attachments[i], &group);
		if (!qpn) {
			if (found->vacant > i)
				found->vacant = i;
		} else if (is_same(&group, wanted)) {
			found->members++;
			if (qpn == qp->qpn)
				found->entry = i;
		}
	}
}

/* An entry at the table's end needs its memory first. */
static int extend(struct adev_function *fn, uint32_t index)
{
	int error;

	if (index < end_of(&fn->view))
		return 0;
	if (index >= fn->view.layout.max_attach)
		return ENOMEM;
	error = adev_segment_populate(
		fn->segment_fd,
		fn->view.layout.mcast_offset +
			index * sizeof(struct adev_attachment),
		sizeof(struct adev_attachment));
	if (!error)
		atomic_store_explicit(&fn->view.shared->attach_end, index + 1,
				      memory_order_release);
	return error;
}

int adev_mcast_attach(struct adev_function *fn, struct adev_qp *qp,
		      const uint8_t gid[16], bool *first)
{
	const struct group_id group = id_of(gid);
	struct found found;
	int error;

	look(fn, qp, &group, &found);
	*first = !found.members;
	if (found.entry != UINT32_MAX)
		return 0;
	if (found.members >= ARNICA_HW_MAX_MCAST_QP ||
	    (*first && fn->num_groups >= ARNICA_HW_MAX_MCAST_GRP))
		return ENOMEM;
	error = extend(fn, found.vacant);
	if (error)
		return error;
	write_entry(&fn->view.attachments[found.vacant], group, qp->qpn);
	fn->num_groups += *first;
	fn->num_attached++;
	qp->num_groups++;
	adev_directory_attached(fn->directory, fn->view.function, true);
	return 0;
}

static void vacate(struct adev_function *fn, struct adev_qp *qp, uint32_t entry,
		   bool last)
{
	write_entry(&fn->view.attachments[entry], (struct group_id){ { 0, 0 } },
		    0);
	fn->num_groups -= last;
	fn->num_attached--;
	qp->num_groups--;
	adev_directory_attached(fn->directory, fn->view.function,
				fn->num_attached);
}

int adev_mcast_detach(struct adev_function *fn, struct adev_qp *qp,
		      const uint8_t gid[16], bool *last)
{
	const struct group_id group = id_of(gid);
	struct found found;

	look(fn, qp, &group, &found);
	if (found.entry == UINT32_MAX)
		return EINVAL;
	*last = found.members == 1;
	vacate(fn, qp, found.entry, *last);
	return 0;
}

bool adev_mcast_next(const struct adev_function *fn, uint32_t *at,
		     uint8_t gid[16])
{
	uint32_t end = end_of(&fn->view);
	struct group_id group, other;

	for (; *at < end; ++*at) {
		uint32_t i;

		if (!read_entry(&fn->view.attachments[*at], &group))
			continue;
		for (i = 0; i < *at; i++)
			if (read_entry(&fn->view.attachments[i], &other) &&
			    is_same(&group, &other))
				break;
		if (i < *at)
			continue;
		memcpy(gid, group.words, 16);
		++*at;
		return true;
	}
	return false;
}
