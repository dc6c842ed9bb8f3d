/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Whose UDP port 4791 is, for the line that a user gets who cannot have it. */
#ifndef ADEV_LINK_PORT_OWNER_H
#define ADEV_LINK_PORT_OWNER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct adev_port_owner {
	bool found;
	bool is_kernel; /* a socket of no process: rdma_rxe's */
	unsigned int uid;
	pid_t pid;     /* zero: cannot be told from here */
	char name[20]; /* of the process */
};

/* As /proc tells. */
void adev_port_owner_find(uint16_t port, struct adev_port_owner *owner);

/* Says why a function cannot have port 4791, and what to do. */
void adev_port_owner_complain(int error);

#endif
