/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The kernel's notifications about interfaces and addresses: a netlink socket
 * that becomes readable when one of them changes. What the change was is for
 * the most part not read here: whoever is told reads the interfaces anew.
 *
 * A descriptor that the program has closed meanwhile, and perhaps has by now
 * given to something of its own, is recognised and left alone.
 */
#ifndef ADEV_DOMAIN_MONITOR_H
#define ADEV_DOMAIN_MONITOR_H

#include <stdbool.h>
#include <stdint.h>

#include "arnica/hw/format.h"

#include "domain/fd_mark.h"

struct adev_monitor {
	int fd; /* -1: not open */
	struct adev_fd_mark file;
};

/* Errors of socket() and bind(): netlink can be refused. */
int adev_monitor_open(struct adev_monitor *monitor) ARNICA_MUST_CHECK;
void adev_monitor_close(struct adev_monitor *monitor);

/* Something has changed since the last drain. One system call or two. */
bool adev_monitor_pending(struct adev_monitor *monitor);

/* An interface runs, or does not; returns false to stop the drain there. */
typedef bool adev_monitor_visit(void *opaque, uint32_t interface_index,
				bool running);

/* Takes what has come, in order. True: something has changed. */
bool adev_monitor_drain(struct adev_monitor *monitor,
			adev_monitor_visit *visit, void *opaque);

#endif
