/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* In and out: the host's side, the wire's, and the agent's. */
#include "mad/mad.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <cm/message.h>

#include "domain/directory.h"
#include "domain/gid.h"
#include "domain/port.h"
#include "domain/wake.h"
#include "link/wire.h"
#include "mad/peers.h"
#include "mad/queue.h"
#include "mad/route.h"
#include "trace.h"
#include "transport/remote.h"

#define UD_SEND ((uint8_t)ROCE_UD | (uint8_t)ROCE_SEND_ONLY)

bool adev_mads_is_open(const struct adev_function *fn)
{
	return atomic_load(&fn->mad_event_fd) >= 0;
}

/* Of the application: must not be one that the agent could wait at. */
static int duplicate(int event_fd, int *fd)
{
	int flags = fcntl(event_fd, F_GETFL);

	if (flags < 0)
		return errno;
	if (!(flags & O_NONBLOCK))
		return EINVAL;
	*fd = fcntl(event_fd, F_DUPFD_CLOEXEC, 3);
	if (*fd < 0)
		return errno;
	*fd = adev_fd_high(*fd);
	return 0;
}

/* The application may have closed all descriptors, and opened others. */
static bool is_ours(const struct adev_function *fn)
{
	return adev_fd_is(atomic_load(&fn->mad_event_fd), &fn->mad_event_file);
}

/* `mads` held. What one descriptor does not tell that is gone, the next one
 * does. */
static void tell(struct adev_function *fn)
{
	const uint64_t one = 1;

	if (is_ours(fn) && atomic_exchange(&fn->view.shared->mads_posted, 0))
		/* It is full only when it tells already. */
		(void)!write(atomic_load(&fn->mad_event_fd), &one, sizeof(one));
}

/* `mads` held. From now on this descriptor tells. */
static int adopt(struct adev_function *fn, int event_fd)
{
	struct adev_fd_mark file;
	int error, fd = -1;

	error = duplicate(event_fd, &fd);
	if (error)
		return error;
	error = adev_fd_mark(fd, &file);
	if (!error && !adev_mads_is_open(fn))
		error = adev_mad_queue_open(fn);
	if (error) {
		close(fd);
		return error;
	}
	if (is_ours(fn))
		close(atomic_load(&fn->mad_event_fd));
	fn->mad_event_file = file;
	atomic_store(&fn->mad_event_fd, fd);
	tell(fn);
	return 0;
}

int adev_mads_open(struct adev_function *fn, int event_fd,
		   struct arnica_bus_comm_ids *ids)
{
	int error;

	pthread_mutex_lock(&fn->mad_lock);
	error = adopt(fn, event_fd);
	pthread_mutex_unlock(&fn->mad_lock);
	ids->base = fn->view.function << ADEV_COMM_ID_SHIFT;
	ids->mask = ADEV_COMM_ID_MASK;
	return error;
}

void adev_mads_close(struct adev_function *fn)
{
	if (is_ours(fn))
		close(atomic_load(&fn->mad_event_fd));
	atomic_store(&fn->mad_event_fd, -1);
	adev_mad_peers_close(fn);
}

void adev_mads_serve(struct adev_function *fn)
{
	if (!adev_mads_is_open(fn) ||
	    !atomic_load_explicit(&fn->view.shared->mads_posted,
				  memory_order_relaxed))
		return;
	pthread_mutex_lock(&fn->mad_lock);
	tell(fn);
	pthread_mutex_unlock(&fn->mad_lock);
}

void adev_mads_forget(struct adev_function *fn, uint32_t function,
		      uint64_t generation)
{
	pthread_mutex_lock(&fn->mad_lock);
	adev_mad_peer_forget(fn, function, generation);
	if (adev_mads_is_open(fn)) {
		atomic_fetch_add(&fn->mads_ended, 1);
		atomic_store(&fn->view.shared->mads_posted, 1);
		tell(fn);
	}
	pthread_mutex_unlock(&fn->mad_lock);
}

uint32_t adev_mads_ended(const struct adev_function *fn)
{
	return atomic_load(&fn->mads_ended);
}

/* Numbers of functions are this host's; those of others mean other functions.
 */
int adev_mad_peer_of(struct adev_function *fn, const uint8_t gid[16],
		     uint32_t comm_id, uint64_t *generation)
{
	uint32_t function = comm_id >> ADEV_COMM_ID_SHIFT;

	if (!adev_port_is_local(gid))
		return ENOENT;
	if (adev_directory_is_here(fn->directory, function, generation))
		return 0;
	return adev_directory_alive(fn->directory, function, *generation) ?
		       ENOENT :
		       ESRCH;
}

bool adev_mad_peer_lives(const struct adev_function *fn, uint32_t comm_id,
			 uint64_t generation)
{
	return adev_directory_alive(fn->directory,
				    comm_id >> ADEV_COMM_ID_SHIFT, generation);
}

int adev_mad_take(struct adev_function *fn, struct arnica_bus_mad *mad)
{
	bool taken;

	pthread_mutex_lock(&fn->mad_lock);
	taken = adev_mad_queue_take(fn, mad);
	pthread_mutex_unlock(&fn->mad_lock);
	if (!taken)
		return EAGAIN;
	if (adev_port_find(mad->local_gid, 0, &mad->gid_index))
		mad->gid_index = ARNICA_HW_NO_GID;
	mad->reserved0 = 0;
	mad->reserved1 = 0;
	return 0;
}

/* On the wire: one packet by itself. */
static int send_packet(struct adev_function *fn, const struct adev_path *path,
		       const uint8_t bytes[ARNICA_HW_MAD_BYTES])
{
	struct adev_batch *batch = adev_wire_batch(fn);
	struct adev_path of = *path;
	const struct roce_packet packet = {
		.opcode = UD_SEND,
		.pkey = ROCE_DEFAULT_PKEY,
		.dest_qpn = ROCE_GSI_QPN,
		.psn = atomic_fetch_add(&fn->mad_psn, 1) & ROCE_PSN_MASK,
		.qkey = ROCE_GSI_QKEY,
		.source_qpn = ROCE_GSI_QPN,
		.payload_bytes = ARNICA_HW_MAD_BYTES,
	};

	if (!batch)
		return ENOMEM;
	of.source_port = adev_path_port(of.flow_label, ROCE_GSI_QPN,
					ROCE_GSI_QPN);
	memcpy(adev_batch_add(batch, &of, &packet), bytes, ARNICA_HW_MAD_BYTES);
	adev_batch_send(batch);
	adev_count(&fn->counters, mads_sent);
	return 0;
}

static int open_wire(struct adev_function *fn)
{
	int error = adev_wire_open(fn);

	return !error || error == ENOMEM || error == EMFILE || error == ENFILE ?
		       error :
		       ENETUNREACH;
}

static bool is_here(const uint8_t gid[16])
{
	return !adev_remote_is_forced() && adev_port_is_local(gid);
}

static void make_path(const struct arnica_bus_mad *mad,
		      const struct arnica_bus_gid *source,
		      struct adev_path *path)
{
	memset(path, 0, sizeof(*path));
	memcpy(path->source, source->raw, 16);
	memcpy(path->destination, mad->remote_gid, 16);
	path->interface_index = source->interface_index;
	path->flow_label = mad->flow_label & ARNICA_HW_FLOW_LABEL_MASK;
	path->traffic_class = mad->traffic_class;
	path->hop_limit = mad->hop_limit;
}

/* The answer, in the form that its receiver would take it in, to that. An
 * answer has none itself. */
static void send_answer(struct adev_function *fn,
			const struct arnica_bus_mad *answer)
{
	struct arnica_bus_mad turned = *answer, none;
	struct arnica_bus_gid source;
	struct adev_path path;
	uint32_t index;
	bool answers;

	if (is_here(answer->local_gid)) {
		(void)!adev_mad_route(fn, answer, false, &none, &answers);
		return;
	}
	memcpy(turned.remote_gid, answer->local_gid, 16);
	if (adev_port_find(answer->remote_gid, 0, &index) ||
	    adev_port_gid(index, &source))
		return;
	make_path(&turned, &source, &path);
	/* Without memory it is lost, as it may be on the way. */
	(void)!send_packet(fn, &path, answer->bytes);
}

static void hand_over(struct adev_function *fn,
		      const struct arnica_bus_mad *mad, bool patient)
{
	struct arnica_bus_mad answer;
	bool answers;

	if (!adev_mad_route(fn, mad, patient, &answer, &answers) && answers)
		send_answer(fn, &answer);
}

int adev_mad_send(struct adev_function *fn, const struct arnica_bus_mad *mad)
{
	struct arnica_bus_mad arrives = *mad;
	struct arnica_bus_gid source;
	struct adev_path path;
	uint64_t key;
	int error;

	if (mad->reserved0 || mad->reserved1 ||
	    mad->flow_label & ~ARNICA_HW_FLOW_LABEL_MASK ||
	    adev_gid_is_multicast(mad->remote_gid) ||
	    adev_port_gid(mad->gid_index, &source) ||
	    roce_cm_find_key(mad->bytes, &key) == ROCE_CM_KEY_NONE)
		return EINVAL;
	if (is_here(mad->remote_gid)) {
		memcpy(arrives.local_gid, mad->remote_gid, 16);
		memcpy(arrives.remote_gid, source.raw, 16);
		adev_count(&fn->counters, mads_sent);
		hand_over(fn, &arrives, true);
		return 0;
	}
	error = open_wire(fn);
	if (error)
		return error;
	make_path(mad, &source, &path);
	return send_packet(fn, &path, mad->bytes);
}

static bool is_mad(const struct adev_arrival *arrival)
{
	const struct roce_packet *packet = &arrival->packet;
	uint64_t key;

	return packet->opcode == UD_SEND &&
	       (packet->pkey | 0x8000u) == ROCE_DEFAULT_PKEY &&
	       packet->qkey == ROCE_GSI_QKEY &&
	       packet->payload_bytes == ARNICA_HW_MAD_BYTES &&
	       !adev_gid_is_multicast(arrival->destination) &&
	       roce_cm_find_key(packet->payload, &key) != ROCE_CM_KEY_NONE;
}

void adev_mad_arrive(struct adev_function *fn,
		     const struct adev_arrival *arrival)
{
	struct arnica_bus_mad mad = {
		.gid_index = ARNICA_HW_NO_GID,
		.flow_label = arrival->flow_label & ARNICA_HW_FLOW_LABEL_MASK,
		.traffic_class = arrival->traffic_class,
		.hop_limit = arrival->hop_limit,
	};

	if (!is_mad(arrival)) {
		adev_count(&fn->counters, mads_refused);
		arnica_trace_mad_refused(arrival->packet.opcode,
					 arrival->packet.payload_bytes);
		return;
	}
	adev_count(&fn->counters, mads_received);
	memcpy(mad.remote_gid, arrival->source, 16);
	memcpy(mad.local_gid, arrival->destination, 16);
	memcpy(mad.bytes, arrival->packet.payload, sizeof(mad.bytes));
	hand_over(fn, &mad, false);
}
