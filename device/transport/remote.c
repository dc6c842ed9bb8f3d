/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* A peer on the wire: made, moved, destroyed. */
#include "transport/remote.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/adapter.h"
#include "core/qp_lock.h"
#include "domain/directory.h"
#include "domain/log.h"
#include "domain/port.h"
#include "domain/port_interface.h"
#include "exec/exec.h"
#include "transport/receiver.h"
#include "transport/sender.h"

#define MOVE_LOCK_MS 1000u

bool adev_remote_matches(const struct adev_remote *remote,
			 const struct adev_arrival *arrival)
{
	const struct adev_path *path = &remote->path;

	return !memcmp(arrival->source, path->destination, 16) &&
	       !memcmp(arrival->destination, path->source, 16);
}

/* The two halves of a connection over the wire; with sq_lock held. */
static int make(struct adev_qp *qp)
{
	struct adev_remote *remote = calloc(1, sizeof(*remote));
	int error;

	if (!remote)
		return ENOMEM;
	qp->remote_kept = remote;
	atomic_store(&qp->remote, remote);
	error = adev_receiver_create(qp);
	if (error)
		goto err_free;
	error = adev_sender_create(qp);
	if (error)
		goto err_receiver;
	return 0;

err_receiver:
	adev_receiver_destroy(qp);
err_free:
	atomic_store(&qp->remote, NULL);
	qp->remote_kept = NULL;
	free(remote);
	return error;
}

/* In INIT: nothing is sent, and what arrives is not looked at. */
static int set_path(struct adev_qp *qp, const struct adev_path *path)
{
	int error = 0;

	adev_qp_lock_send(qp);
	atomic_store(&qp->remote, NULL);
	if (path && !qp->remote_kept)
		error = make(qp);
	if (path && !error) {
		qp->remote_kept->path = *path;
		atomic_store(&qp->remote, qp->remote_kept);
	}
	adev_exec_release(qp);
	return error;
}

/* Packets are not fragmented: what does not fit would never arrive. Within the
 * host they take another way. */
static int check_mtu(const struct adev_qp *qp, const struct adev_path *path,
		     uint32_t code)
{
	static atomic_flag said = ATOMIC_FLAG_INIT;
	struct arnica_bus_gid source;
	uint32_t index, largest;

	if (adev_port_is_local(path->destination) ||
	    adev_port_find(path->source, path->interface_index, &index) ||
	    adev_port_gid(index, &source) || !source.interface_mtu)
		return 0;
	largest = adev_port_path_mtu(source.interface_mtu);
	if (code <= largest)
		return 0;
	if (!atomic_flag_test_and_set(&said))
		adev_log_error("qp 0x%x: packets of path MTU %u do not fit "
			       "through %s, whose MTU is %u: ask for a path "
			       "MTU of at most %u",
			       qp->qpn, 128u << code, source.interface_name,
			       source.interface_mtu, 128u << largest);
	return EINVAL;
}

int adev_remote_connect(struct adev_qp *qp, const struct adev_way *way,
			uint32_t path_mtu)
{
	int error;

	if (way->here)
		return set_path(qp, NULL);
	error = check_mtu(qp, &way->path, path_mtu);
	if (error)
		return error;
	error = adev_wire_open(qp->fn);
	if (error)
		return error == ENOMEM || error == EMFILE || error == ENFILE ?
			       error :
			       ENETUNREACH;
	adev_wire_connected(qp->fn, &way->path);
	return set_path(qp, &way->path);
}

int adev_remote_move(struct adev_qp *qp, const struct adev_path *path)
{
	int error;

	adev_qp_lock_send(qp);
	error = adev_qp_lock_owner(qp->fn, qp->shared, MOVE_LOCK_MS);
	if (!error) {
		qp->remote_kept->path = *path;
		adev_qp_unlock(qp->shared);
	}
	adev_exec_release(qp);
	return error;
}

void adev_remote_destroy(struct adev_qp *qp)
{
	if (!qp->remote_kept)
		return;
	adev_sender_destroy(qp);
	adev_receiver_destroy(qp);
	free(qp->remote_kept);
	qp->remote_kept = NULL;
}

void adev_remote_explain(struct adev_qp *qp)
{
	static atomic_flag said = ATOMIC_FLAG_INIT;
	uint32_t peer = arnica_from_le32(qp->attributes.dest_qpn);
	uint32_t function, lease;
	uint64_t generation;
	bool known = !adev_directory_find(qp->fn->directory, peer, &function,
					  &generation, &lease);
	struct adev_view *view;
	int error = 0;

	if (qp->link.view || atomic_flag_test_and_set(&said))
		return;
	if (known)
		error = adev_adapter_attach(qp->fn, function, generation,
					    &view);
	if (known && !error)
		adev_adapter_detach(view);
	if (error == ENOMEM || error == EMFILE || error == ENFILE)
		adev_log_error("qp 0x%x: cannot map the memory of its peer, qp "
			       "0x%x: %s; requests to it will not be answered. "
			       "Raise the limit of %s.",
			       qp->qpn, peer, strerror(error),
			       error == ENOMEM ?
				       "the address space (ulimit -v)" :
				       "open files (ulimit -n)");
	else if (known)
		adev_log_error("qp 0x%x: cannot reach the process of its peer, "
			       "qp 0x%x: it is in another PID namespace, or "
			       "may not be opened; requests to it will not be "
			       "answered. Let both share one PID namespace, or "
			       "set ARNICA_LOOPBACK=off for one of them.",
			       qp->qpn, peer);
	else
		adev_log_error("qp 0x%x: its peer, qp 0x%x, is addressed on "
			       "this host, but no program of this host domain "
			       "has it; requests to it will not be answered. "
			       "Run both as the same user with the same "
			       "ARNICA_RUNTIME_DIR.",
			       qp->qpn, peer);
}

void adev_remote_explain_datagram(const struct adev_qp *qp, uint32_t peer)
{
	static atomic_flag said = ATOMIC_FLAG_INIT;
	uint32_t function, lease;
	uint64_t generation;

	if (adev_directory_find(qp->fn->directory, peer, &function,
				&generation, &lease) ||
	    adev_directory_forces_wire(qp->fn->directory, function,
				       generation) ||
	    adev_directory_is_on_wire(qp->fn->directory, function,
				      generation) ||
	    atomic_flag_test_and_set(&said))
		return;
	adev_log_error("qp 0x%x: the program of its peer, qp 0x%x, looks for "
		       "datagrams in memory, and they are sent as packets: "
		       "they are lost. Set ARNICA_LOOPBACK=off for both.",
		       qp->qpn, peer);
}
