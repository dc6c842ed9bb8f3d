/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Responder resources: reads and atomics that may be asked again. */
#include "transport/receiver_state.h"

#define SLOTS ARNICA_HW_MAX_RD_ATOMIC

_Static_assert(!(SLOTS & (SLOTS - 1)), "indexes run freely");

/* The one that was taken `age` takes ago; 1 is the newest. */
static struct adev_resource *aged(struct adev_receiver *receiver, uint32_t age)
{
	return &receiver->resources[(receiver->next_resource - age) % SLOTS];
}

static uint32_t limit(const struct adev_qp *qp)
{
	uint32_t limit = qp->shared->max_dest_rd_atomic;

	return limit < SLOTS ? limit : SLOTS;
}

void adev_resource_done(struct adev_receiver *receiver,
			struct adev_resource *resource)
{
	resource->pending = false;
	receiver->num_pending--;
}

struct adev_resource *adev_resource_take(struct adev_qp *qp, uint32_t psn,
					 uint32_t count)
{
	struct adev_receiver *receiver = adev_receiver_of(qp);
	uint32_t oldest = limit(qp);
	struct adev_resource *resource;

	if (!oldest)
		return NULL;
	/* A requester sends a new one only when the oldest was answered: then
	 * what goes out again of that one is not needed. */
	resource = aged(receiver, oldest);
	if (resource->pending && !resource->again)
		return NULL;
	if (resource->pending)
		adev_resource_done(receiver, resource);
	resource->kind = ADEV_RESOURCE_FREE;
	receiver->next_resource++;
	resource = aged(receiver, 1);
	*resource = (struct adev_resource){
		.pending = true,
		.first_psn = psn,
		.last_psn = roce_psn_add(psn, count - 1),
	};
	receiver->num_pending++;
	return resource;
}

struct adev_resource *adev_resource_pending(struct adev_qp *qp)
{
	struct adev_receiver *receiver = adev_receiver_of(qp);
	uint32_t age;

	if (!receiver->num_pending)
		return NULL;
	/* They were taken in the order of PSNs. */
	for (age = SLOTS; age; age--)
		if (aged(receiver, age)->pending)
			return aged(receiver, age);
	return NULL;
}

static struct adev_resource *find(struct adev_qp *qp, uint32_t psn)
{
	uint32_t age;

	for (age = 1; age <= limit(qp); age++) {
		struct adev_resource *resource =
			aged(adev_receiver_of(qp), age);

		if (resource->kind != ADEV_RESOURCE_FREE &&
		    roce_psn_distance(psn, resource->first_psn) >= 0 &&
		    roce_psn_distance(psn, resource->last_psn) <= 0)
			return resource;
	}
	return NULL;
}

/* A read again, or the rest of it: it must lie in what was asked before, at
 * the place that its PSN says (IBTA 9.7.4.2). */
static bool replay_read(struct adev_qp *qp, struct adev_resource *resource,
			const struct roce_packet *packet)
{
	uint32_t mtu = qp->path_mtu_bytes;
	uint32_t start = roce_psn_add(packet->psn, -resource->first_psn);
	uint64_t offset = (uint64_t)start * mtu;

	if (offset > resource->bytes ||
	    packet->dma_length > resource->bytes - offset ||
	    (packet->dma_length == 0) != (resource->bytes == 0))
		return false;
	if (resource->bytes && (packet->rkey != resource->rkey ||
				packet->address != resource->address + offset))
		return false;
	resource->start = start;
	resource->next = start;
	resource->end = (uint32_t)offset + packet->dma_length;
	return true;
}

bool adev_resource_replay(struct adev_qp *qp, const struct roce_packet *packet)
{
	struct adev_receiver *receiver = adev_receiver_of(qp);
	struct adev_resource *resource = find(qp, packet->psn);
	bool read = adev_operation(packet) == ROCE_READ_REQUEST;

	if (!resource ||
	    resource->kind !=
		    (read ? ADEV_RESOURCE_READ : ADEV_RESOURCE_ATOMIC))
		return false;
	if (read && !replay_read(qp, resource, packet))
		return false;
	resource->again = true;
	if (!resource->pending)
		receiver->num_pending++;
	resource->pending = true;
	return true;
}
