/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "link/port_complaint.h"

#include <errno.h>
#include <string.h>

#include <roce/packet.h>

#include "domain/log.h"
#include "port_owner.h"

void adev_port_complain(int error)
{
	struct arnica_port_owner owner;
	char text[80];

	if (error == EBUSY) {
		adev_log_error("other hosts cannot be reached: a process of "
			       "this user holds the lock on UDP port %u and "
			       "does not go on; continue or end it",
			       ROCE_UDP_PORT);
		return;
	}
	if (error != EADDRINUSE) {
		adev_log_error("other hosts cannot be reached: cannot have UDP "
			       "port %u: %s",
			       ROCE_UDP_PORT, strerror(error));
		return;
	}
	arnica_port_owner_find(ROCE_UDP_PORT, &owner);
	if (owner.is_kernel) {
		adev_log_error("other hosts cannot be reached: UDP port %u is "
			       "the kernel's (rdma_rxe); remove its devices "
			       "with 'rdma link delete', or use them",
			       ROCE_UDP_PORT);
		return;
	}
	arnica_port_owner_describe(&owner, text, sizeof(text));
	adev_log_error("other hosts cannot be reached: UDP port %u belongs to "
		       "%s, which shares no adapter with this one; end it, or "
		       "run both as one user with one ARNICA_RUNTIME_DIR",
		       ROCE_UDP_PORT, text);
}
