/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Responder resources: reads and atomics that may be asked again. And the queue
 * of responses that are due.
 */
#include "tpt/touch.h"
#include "transport/receiver_state.h"

#define SLOTS ARNICA_HW_MAX_RD_ATOMIC

_Static_assert(!(SLOTS & (SLOTS - 1)) && !(ADEV_RESPONSES & (ADEV_RESPONSES - 1)),
	       "numbers run freely");

static struct adev_resource *numbered(struct adev_receiver *receiver,
				      uint32_t number)
{
	return &receiver->resources[number % SLOTS];
}

/* Rounded up to a power of two, as peers round what they may have under way:
 * rdma_rxe asked to keep to three has four. */
static uint32_t limit(const struct adev_qp *qp)
{
	uint32_t wanted = qp->shared->max_dest_rd_atomic, limit = 1;

	if (!wanted)
		return 0;
	while (limit < wanted && limit < SLOTS)
		limit *= 2;
	return limit;
}

/* Is it among those that the QP remembers? */
static bool is_known(const struct adev_qp *qp, uint32_t number)
{
	return adev_receiver_of(qp)->next_resource - number <= limit(qp);
}

/* The one that a new one replaces. */
static struct adev_resource *oldest(struct adev_qp *qp)
{
	struct adev_receiver *receiver = adev_receiver_of(qp);

	return numbered(receiver, receiver->next_resource - limit(qp));
}

bool adev_resource_room(struct adev_qp *qp)
{
	/* A requester sends a new one only when the oldest was answered. */
	return limit(qp) && (oldest(qp)->kind == ADEV_RESOURCE_FREE ||
			     oldest(qp)->answered);
}

struct adev_resource *adev_resource_take(struct adev_qp *qp, uint32_t psn,
					 uint32_t count)
{
	struct adev_receiver *receiver = adev_receiver_of(qp);
	struct adev_resource *resource;

	if (!adev_resource_room(qp))
		return NULL;
	resource = oldest(qp);
	resource->kind = ADEV_RESOURCE_FREE;
	resource = numbered(receiver, receiver->next_resource++);
	*resource = (struct adev_resource){
		.answered = true,
		.first_psn = psn,
		.last_psn = roce_psn_add(psn, count - 1),
	};
	return resource;
}

enum adev_tpt_verdict adev_receiver_find(struct adev_qp *qp, uint32_t rkey,
					 uint64_t iova, uint64_t bytes,
					 uint64_t message,
					 struct adev_gather *memory)
{
	const struct adev_view *view = adev_receiver_of(qp)->to->view;
	const struct adev_tpt_user user = adev_receiver_user(qp);
	const uint32_t access = ARNICA_HW_ACCESS_REMOTE_READ;
	enum adev_tpt_verdict verdict = adev_gather_any(
		view, rkey, user, iova, bytes, access, memory);

	if (verdict == ADEV_TPT_BAD_KEY)
		verdict = adev_tpt_check_again(view, rkey, user,
					       iova, bytes, access, message,
					       &memory->pieces[0].address);
	return verdict;
}

uint64_t adev_resource_message(struct adev_qp *qp,
			       const struct roce_packet *packet)
{
	struct adev_receiver *receiver = adev_receiver_of(qp);
	const struct adev_resource *newest =
		numbered(receiver, receiver->next_resource - 1);

	if (newest->kind == ADEV_RESOURCE_READ && newest->bytes &&
	    !(newest->bytes % qp->path_mtu_bytes) &&
	    roce_psn_add(newest->last_psn, 1) == packet->psn &&
	    newest->rkey == packet->rkey &&
	    newest->address + newest->bytes == packet->address)
		return newest->message;
	return adev_touch_message(qp->shared, packet->psn);
}

bool adev_response_room(const struct adev_receiver *receiver)
{
	return receiver->end_response - receiver->first_response <
	       ADEV_RESPONSES;
}

static struct adev_response *response_at(struct adev_receiver *receiver,
					 uint32_t index)
{
	return &receiver->responses[index % ADEV_RESPONSES];
}

void adev_response_due(struct adev_receiver *receiver)
{
	uint32_t number = receiver->next_resource - 1;
	struct adev_resource *resource = numbered(receiver, number);

	resource->answered = false;
	*response_at(receiver, receiver->end_response++) =
		(struct adev_response){
			.resource = number,
			.end = resource->bytes,
		};
}

struct adev_response *adev_response_first(struct adev_qp *qp,
					  struct adev_resource **resource)
{
	struct adev_receiver *receiver = adev_receiver_of(qp);

	while (receiver->first_response != receiver->end_response) {
		struct adev_response *first =
			response_at(receiver, receiver->first_response);

		/* What goes out again of one that is forgotten by now is not
		 * needed: newer ones were asked for since. */
		if (is_known(qp, first->resource)) {
			*resource = numbered(receiver, first->resource);
			return first;
		}
		receiver->first_response++;
	}
	return NULL;
}

void adev_response_done(struct adev_receiver *receiver)
{
	struct adev_response *first =
		response_at(receiver, receiver->first_response++);

	numbered(receiver, first->resource)->answered = true;
}

void adev_response_drop(struct adev_receiver *receiver)
{
	receiver->first_response = receiver->end_response;
}

/* The resource that a PSN belongs to. */
static bool find(struct adev_qp *qp, uint32_t psn, uint32_t *number)
{
	struct adev_receiver *receiver = adev_receiver_of(qp);
	uint32_t age;

	for (age = 1; age <= limit(qp); age++) {
		struct adev_resource *resource;

		*number = receiver->next_resource - age;
		resource = numbered(receiver, *number);
		if (resource->kind != ADEV_RESOURCE_FREE &&
		    roce_psn_distance(psn, resource->first_psn) >= 0 &&
		    roce_psn_distance(psn, resource->last_psn) <= 0)
			return true;
	}
	return false;
}

/* A read again, or a part of it: it must lie in what was asked before, at the
 * place that its PSN says (IBTA 9.7.4.2). */
static bool is_part(const struct adev_qp *qp,
		    const struct adev_resource *resource,
		    const struct roce_packet *packet,
		    struct adev_response *response)
{
	uint64_t offset;

	response->start = roce_psn_add(packet->psn, -resource->first_psn);
	response->next = response->start;
	offset = (uint64_t)response->start * qp->path_mtu_bytes;
	if (offset > resource->bytes ||
	    packet->dma_length > resource->bytes - offset ||
	    (packet->dma_length == 0) != (resource->bytes == 0))
		return false;
	response->end = (uint32_t)offset + packet->dma_length;
	return !resource->bytes ||
	       (packet->rkey == resource->rkey &&
		packet->address == resource->address + offset);
}

/* Is it due already? Then it begins anew where it is asked for now, unless it
 * has not begun. */
static bool is_due(struct adev_receiver *receiver,
		   const struct adev_response *wanted)
{
	uint32_t index;

	for (index = receiver->first_response; index != receiver->end_response;
	     index++) {
		struct adev_response *due = response_at(receiver, index);

		if (due->resource != wanted->resource ||
		    due->end != wanted->end || due->start > wanted->start)
			continue;
		if (due->next > wanted->start) {
			due->start = wanted->start;
			due->next = wanted->start;
		}
		return true;
	}
	return false;
}

static enum adev_resource_kind kind_of(const struct roce_packet *packet)
{
	switch (adev_operation(packet)) {
	case ROCE_READ_REQUEST:
		return ADEV_RESOURCE_READ;
	case ROCE_ATOMIC_WRITE:
		return ADEV_RESOURCE_WRITTEN;
	default:
		return ADEV_RESOURCE_ATOMIC;
	}
}

bool adev_response_replay(struct adev_qp *qp, const struct roce_packet *packet)
{
	struct adev_receiver *receiver = adev_receiver_of(qp);
	enum adev_resource_kind kind = kind_of(packet);
	struct adev_response response = { .start = 0 };
	const struct adev_resource *resource;

	if (!find(qp, packet->psn, &response.resource))
		return false;
	resource = numbered(receiver, response.resource);
	if (resource->kind != kind ||
	    (kind == ADEV_RESOURCE_READ &&
	     !is_part(qp, resource, packet, &response)))
		return false;
	if (is_due(receiver, &response))
		return true;
	if (!adev_response_room(receiver))
		return false;
	*response_at(receiver, receiver->end_response++) = response;
	return true;
}
