/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The port as the processes of the domain have agreed on it: the file
 * <folder>/port1-<network namespace>. A process that sees a change reads the
 * interfaces while it holds the file's lock, works the change into what the
 * file says, and writes it back: so all give the same GID the same slot.
 *
 * The lock is waited for a short time only. Without it, or without the file,
 * the process goes on with what it knows itself.
 */
#ifndef ADEV_DOMAIN_PORT_FILE_H
#define ADEV_DOMAIN_PORT_FILE_H

#include <stdbool.h>

#include "arnica/hw/bus.h"

struct adev_port_file {
	int fd; /* -1: there is none that could be used */
	bool locked;
	bool in_use; /* functions of the domain are running */
};

/* Opens and locks; *port is set where the file has something. False: not. */
bool adev_port_file_open(struct adev_port_file *file,
			 struct arnica_bus_port *port);

/* Stores, if the lock is held. */
void adev_port_file_write(struct adev_port_file *file,
			  const struct arnica_bus_port *port);
void adev_port_file_close(struct adev_port_file *file);

#endif
