/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Interfaces and addresses as they are found, by whichever way. */
#ifndef ADEV_DOMAIN_INTERFACES_FOUND_H
#define ADEV_DOMAIN_INTERFACES_FOUND_H

#include <stddef.h>

#include "domain/interfaces.h"

/* The interface of that index, entered if it was not; flags are IFF_*. NULL:
 * there are too many. */
struct adev_interface *adev_interfaces_add(struct adev_interfaces *found,
					   int index, const char *name,
					   unsigned int flags);

/* Hardware address, with its ARPHRD_* type: used where it is a MAC. */
void adev_interface_set_mac(struct adev_interface *interface, unsigned int type,
			    const void *mac, size_t bytes);

/* An address of an interface that was entered; others are left out. */
void adev_interfaces_add_address(struct adev_interfaces *found, int index,
				 int family, const void *address);

/*
 * Without netlink, which many sandboxes refuse (and with it getifaddrs()): by
 * /proc/net and the ioctls of an internet socket. False: not possible either.
 */
bool adev_interfaces_read_plainly(struct adev_interfaces *found);

#endif
