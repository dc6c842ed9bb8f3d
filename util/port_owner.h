/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Whose a UDP port is, as far as /proc shows it to this user: for the line that
 * one gets who cannot have it.
 */
#ifndef ARNICA_UTIL_PORT_OWNER_H
#define ARNICA_UTIL_PORT_OWNER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct arnica_port_owner {
	bool found;
	bool is_kernel; /* a socket of no process: rdma_rxe's */
	unsigned int uid;
	pid_t pid;     /* zero: cannot be told from here */
	char name[20]; /* of the process */
};

void arnica_port_owner_find(uint16_t port, struct arnica_port_owner *owner);

/* In words, for one that is not the kernel's: "process 5 (name) of uid 7". */
void arnica_port_owner_describe(const struct arnica_port_owner *owner,
				char *text, size_t bytes);

#endif
