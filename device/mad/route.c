/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "mad/route.h"

#include <string.h>

#include <cm/ip.h>
#include <cm/message.h>

#include "core/rest.h"
#include "domain/directory.h"
#include "domain/services.h"
#include "mad/peers.h"
#include "mad/queue.h"
#include "trace.h"

/* Of 10 us and what the kernel adds to that. */
#define PATIENT_TRIES 100u

_Static_assert(ARNICA_HW_MAD_BYTES == ROCE_MAD_BYTES, "one size");

/* The address that a request means. */
static const uint8_t *wanted_address(const struct arnica_bus_mad *mad,
				     const struct roce_cm_message *message,
				     struct roce_cm_ip *ip)
{
	const uint8_t *header = message->sidr_req.private_data;
	uint64_t id = message->sidr_req.service_id;

	if (message->attribute == ROCE_CM_REQ) {
		header = message->req.private_data;
		id = message->req.service_id;
	}
	return roce_cm_service_has_ip(id) && roce_cm_ip_parse(header, ip) ?
		       ip->destination :
		       mad->local_gid;
}

static bool find_listener(const struct adev_function *fn,
			  const struct arnica_bus_mad *mad, uint64_t id,
			  uint32_t *function, uint64_t *generation)
{
	struct roce_cm_message message;
	struct roce_cm_ip ip;

	return roce_cm_parse(mad->bytes, &message) == ROCE_CM_OK &&
	       adev_service_find(fn->directory, id,
				 wanted_address(mad, &message, &ip), function,
				 generation);
}

static bool find_receiver(const struct adev_function *fn,
			  const struct arnica_bus_mad *mad, uint32_t *function,
			  uint64_t *generation)
{
	uint64_t key;

	switch (roce_cm_find_key(mad->bytes, &key)) {
	case ROCE_CM_KEY_SERVICE:
		return find_listener(fn, mad, key, function, generation);
	case ROCE_CM_KEY_COMM_ID:
		*function = (uint32_t)key >> ADEV_COMM_ID_SHIFT;
		return adev_directory_is_here(fn->directory, *function,
					      generation);
	case ROCE_CM_KEY_NONE:
		break;
	}
	return false;
}

static enum adev_mad_posted post(struct adev_function *fn, uint32_t function,
				 uint64_t generation,
				 const struct arnica_bus_mad *mad)
{
	enum adev_mad_posted posted = ADEV_MAD_NOBODY;
	const struct adev_view *view;

	pthread_mutex_lock(&fn->mad_lock);
	view = adev_mad_peer(fn, function, generation);
	if (view)
		posted = adev_mad_queue_post(fn, view, mad);
	pthread_mutex_unlock(&fn->mad_lock);
	return posted;
}

/* Again until there is room: the receiver takes out of its queue as soon as it
 * runs. Not for one that the own process would have to take out. */
static enum adev_mad_posted
post_patiently(struct adev_function *fn, uint32_t function, uint64_t generation,
	       const struct arnica_bus_mad *mad, uint32_t tries)
{
	enum adev_mad_posted posted = post(fn, function, generation, mad);

	while (posted == ADEV_MAD_NO_ROOM && function != fn->view.function &&
	       tries--) {
		adev_rest();
		posted = post(fn, function, generation, mad);
	}
	return posted;
}

/* What the sender of this gets when nobody is there to answer. */
static bool make_answer(const uint8_t bytes[ROCE_MAD_BYTES],
			uint8_t answer[ROCE_MAD_BYTES])
{
	struct roce_cm_message message, reply = { 0 };

	if (roce_cm_parse(bytes, &message) != ROCE_CM_OK)
		return false;
	reply.transaction = message.transaction;
	switch (message.attribute) {
	case ROCE_CM_REQ:
		reply.attribute = ROCE_CM_REJ;
		reply.remote_comm_id = message.local_comm_id;
		reply.rej.answered = ROCE_CM_OF_REQ;
		reply.rej.reason = ROCE_CM_INVALID_SERVICE_ID;
		break;
	case ROCE_CM_SIDR_REQ:
		reply.attribute = ROCE_CM_SIDR_REP;
		reply.sidr_rep.request_id = message.sidr_req.request_id;
		reply.sidr_rep.service_id = message.sidr_req.service_id;
		reply.sidr_rep.status = ROCE_CM_SIDR_NO_SERVICE;
		break;
	case ROCE_CM_DREQ:
		reply.attribute = ROCE_CM_DREP;
		reply.local_comm_id = message.remote_comm_id;
		reply.remote_comm_id = message.local_comm_id;
		break;
	default:
		return false;
	}
	roce_cm_emit(&reply, answer);
	return true;
}

static void refuse(struct adev_function *fn, const struct arnica_bus_mad *mad,
		   struct arnica_bus_mad *answer, bool *answers)
{
	memset(answer, 0, sizeof(*answer));
	memcpy(answer->remote_gid, mad->local_gid, 16);
	memcpy(answer->local_gid, mad->remote_gid, 16);
	answer->flow_label = mad->flow_label;
	answer->traffic_class = mad->traffic_class;
	*answers = make_answer(mad->bytes, answer->bytes);
	adev_count(&fn->counters, mads_to_nobody);
	arnica_trace_mad_to_nobody(mad->bytes[17], *answers);
}

bool adev_mad_route(struct adev_function *fn, const struct arnica_bus_mad *mad,
		    bool patient, struct arnica_bus_mad *answer, bool *answers)
{
	enum adev_mad_posted posted = ADEV_MAD_NOBODY;
	uint64_t generation;
	uint32_t function;

	if (find_receiver(fn, mad, &function, &generation))
		posted = post_patiently(fn, function, generation, mad,
					patient ? PATIENT_TRIES : 0);
	switch (posted) {
	case ADEV_MAD_IS_POSTED:
		arnica_trace_mad_posted(mad->bytes[17], function);
		break;
	case ADEV_MAD_NO_ROOM:
		adev_count(&fn->counters, mads_lost_full);
		arnica_trace_mad_lost(mad->bytes[17], function);
		break;
	case ADEV_MAD_NOBODY:
		refuse(fn, mad, answer, answers);
		return false;
	}
	return true;
}
