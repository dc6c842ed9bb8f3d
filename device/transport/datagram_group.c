/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Datagrams to multicast groups (IBTA 10.5): each queue pair of the host domain
 * that is attached gets the message once, and the network gets one packet. Who
 * is attached is looked up in the functions' tables, and remembered as long as
 * the directory's epoch stays.
 *
 * A member that is locked keeps the message from nobody else: the others and the
 * network get it at once, and then those that are left are tried again, of the
 * members that it began with. Each has the whole patience for itself, for all
 * are tried before the first wait.
 */
#include <stdlib.h>
#include <string.h>

#include "core/adapter.h"
#include "domain/directory.h"
#include "domain/gid.h"
#include "domain/multicast.h"
#include "transport/address_handle.h"
#include "transport/datagram_state.h"
#include "transport/multicast.h"

/* Groups that a queue pair remembers; the one that was entered first gives
 * way. */
#define NUM_GROUPS 8u

struct group {
	uint8_t gid[16];
	bool known;
	uint32_t epoch; /* that the members are of */
	uint32_t count, room;
	struct adev_destination *members;
};

struct adev_group_senders {
	struct group groups[NUM_GROUPS];
	uint32_t next; /* that gives way */
	/* The message under way. */
	struct group *group;
};

static void forget_members(struct group *group)
{
	uint32_t i;

	for (i = 0; i < group->count; i++)
		adev_destination_forget(&group->members[i]);
	group->count = 0;
}

void adev_group_senders_destroy(struct adev_qp *qp)
{
	struct adev_group_senders *senders = qp->destinations->groups;
	uint32_t i;

	for (i = 0; senders && i < NUM_GROUPS; i++) {
		forget_members(&senders->groups[i]);
		free(senders->groups[i].members);
	}
	free(senders);
	qp->destinations->groups = NULL;
}

void adev_group_senders_forget(struct adev_qp *qp, uint32_t function,
			       uint64_t generation)
{
	struct adev_group_senders *senders = qp->destinations->groups;
	uint32_t i, j;

	for (i = 0; senders && i < NUM_GROUPS; i++) {
		struct group *group = &senders->groups[i];

		for (j = 0; j < group->count; j++) {
			const struct adev_view *view =
				group->members[j].link.view;

			if (view && view->function == function &&
			    view->generation == generation)
				adev_destination_forget(&group->members[j]);
		}
	}
}

static bool add_member(struct group *group, uint32_t qpn)
{
	uint32_t room = group->room ? 2 * group->room : 4;
	struct adev_destination *members;

	if (group->count == group->room) {
		members = realloc(group->members, room * sizeof(*members));
		if (!members)
			return false;
		group->members = members;
		group->room = room;
	}
	members = &group->members[group->count++];
	memset(members, 0, sizeof(*members));
	members->qpn = qpn;
	return true;
}

/* A table that is larger than any limit is nobody's. */
static bool add_function(struct adev_qp *qp, struct group *group,
			 uint32_t function, uint64_t generation)
{
	uint32_t at = 0, qpn, left = ARNICA_HW_MAX_MCAST_QP;
	struct adev_view *view;
	bool added = true;

	/* Gone by now, or out of reach. */
	if (adev_adapter_attach(qp->fn, function, generation, &view))
		return true;
	while (added && left-- &&
	       (qpn = adev_mcast_next_member(view, group->gid, &at)))
		if (qpn != qp->qpn || !qp->blocks_own)
			added = add_member(group, qpn);
	adev_adapter_detach(view);
	return added;
}

/* The members anew; false: out of memory. */
static bool look_up(struct adev_qp *qp, struct group *group, uint32_t epoch)
{
	const struct adev_directory *directory = qp->fn->directory;
	uint64_t generation;
	uint32_t function;
	bool added = true;

	forget_members(group);
	for (function = adev_directory_next_attached(directory, 0, &generation);
	     added && function < ADEV_FUNCTIONS;
	     function = adev_directory_next_attached(directory, function + 1,
						     &generation))
		added = add_function(qp, group, function, generation);
	group->known = added;
	group->epoch = epoch;
	return added;
}

static struct group *find(struct adev_group_senders *senders,
			  const uint8_t gid[16])
{
	struct group *group;
	uint32_t i;

	for (i = 0; i < NUM_GROUPS; i++) {
		group = &senders->groups[i];
		if (group->known && !memcmp(group->gid, gid, 16))
			return group;
	}
	group = &senders->groups[senders->next++ % NUM_GROUPS];
	group->known = false;
	memcpy(group->gid, gid, 16);
	return group;
}

static void all_are_due(struct group *group)
{
	uint32_t i;

	for (i = 0; i < group->count; i++)
		group->members[i].due = group->members[i].qpn != 0;
}

/* A new message: to whom? False: out of memory. */
static bool begin(struct adev_qp *qp)
{
	struct adev_destinations *destinations = qp->destinations;
	struct adev_group_senders *senders = destinations->groups;
	uint32_t epoch = adev_mcast_epoch(qp->fn->directory->table);

	if (!senders)
		senders = calloc(1, sizeof(*senders));
	destinations->groups = senders;
	if (!senders)
		return false;
	senders->group = find(senders, qp->message->ah->way.path.destination);
	if ((!senders->group->known || senders->group->epoch != epoch) &&
	    !look_up(qp, senders->group, epoch))
		return false;
	all_are_due(senders->group);
	return true;
}

/* To one that has not got it yet. DONE: it has, or never will. */
static enum adev_attempt deliver_to(struct adev_qp *qp,
				    struct adev_destination *to,
				    const struct adev_delivery *delivery)
{
	enum adev_loss why = ADEV_LOSS_BUSY;
	enum adev_attempt attempt =
		adev_datagram_attempt(qp, to, delivery, &why);

	if (attempt == ADEV_ATTEMPT_BUSY && adev_datagram_gives_up(qp, to)) {
		why = ADEV_LOSS_BUSY;
		attempt = ADEV_ATTEMPT_LOST;
	}
	if (attempt != ADEV_ATTEMPT_LOST)
		return attempt;
	adev_count_loss(qp->fn, qp->qpn, why);
	return ADEV_ATTEMPT_DONE;
}

/* To all of those. BUSY: some are left. */
static enum adev_attempt deliver(struct adev_qp *qp)
{
	struct group *group = qp->destinations->groups->group;
	enum adev_attempt result = ADEV_ATTEMPT_DONE, attempt;
	struct adev_delivery delivery;
	uint32_t i;

	adev_datagram_describe(qp, &delivery);
	for (i = 0; i < group->count; i++) {
		if (!group->members[i].due)
			continue;
		attempt = deliver_to(qp, &group->members[i], &delivery);
		if (attempt == ADEV_ATTEMPT_FAULT)
			return attempt;
		group->members[i].due = attempt == ADEV_ATTEMPT_BUSY;
		if (attempt == ADEV_ATTEMPT_BUSY)
			result = attempt;
	}
	return result;
}

static enum adev_progress lose(struct adev_qp *qp, enum adev_loss why)
{
	adev_count_loss(qp->fn, qp->qpn, why);
	return adev_requester_finish(qp);
}

/* The first attempt is also that of the network. */
enum adev_progress adev_datagram_to_group(struct adev_qp *qp)
{
	const struct adev_way *way = &qp->message->ah->way;
	enum adev_attempt attempt = ADEV_ATTEMPT_DONE;
	enum adev_attempt packed = ADEV_ATTEMPT_DONE;
	enum adev_loss why = ADEV_LOSS_NO_PATH;
	bool first = !qp->wait;

	/* No other number goes with a group (IBTA 9.6.1.1.1, C9-6). */
	if (qp->message->dest_qpn != ARNICA_HW_QPN_MCAST)
		return lose(qp, ADEV_LOSS_REFUSED);
	if (way->here && first && !begin(qp))
		return lose(qp, ADEV_LOSS_NO_ROOM);
	if (way->here)
		attempt = deliver(qp);
	if (first && way->wire && attempt != ADEV_ATTEMPT_FAULT)
		packed = adev_datagram_pack(qp, &why);
	if (attempt == ADEV_ATTEMPT_FAULT || packed == ADEV_ATTEMPT_FAULT) {
		adev_requester_fail(qp, ARNICA_HW_STATUS_LOC_PROT_ERR, 0);
		return ADEV_PROGRESS_ERROR;
	}
	if (attempt == ADEV_ATTEMPT_BUSY)
		return adev_datagram_wait(qp);
	if (packed == ADEV_ATTEMPT_LOST && !way->here)
		return lose(qp, why);
	return adev_requester_succeed(qp);
}
