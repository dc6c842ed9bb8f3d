/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * From addresses of IP to GIDs of the port. The kernel's routes decide which
 * own address leads to another; that address must be one of the port's GIDs.
 *
 * Loopback addresses are in no GID table, but programs try themselves with
 * them: they stand for the first GID of their family that is not link-local, as
 * they stand for the first device of a kernel.
 */
#ifndef STANDIN_CM_ADDRESS_H
#define STANDIN_CM_ADDRESS_H

#include "cm.h"

/* Copies an address that a program passed. False: neither IPv4 nor IPv6, or cut
 * off. */
bool standin_cm_address_read(union standin_cm_address *address,
			     const void *bytes, size_t length);

/* The size of the sockaddr; zero for none. */
size_t standin_cm_address_size(const union standin_cm_address *address);

uint16_t standin_cm_address_port(const union standin_cm_address *address);
void standin_cm_address_set_port(union standin_cm_address *address,
				 uint16_t port);
bool standin_cm_address_is_any(const union standin_cm_address *address);

/* As a GID, and back; IPv4 is ::ffff:a.b.c.d. */
void standin_cm_address_to_gid(const union standin_cm_address *address,
			       uint8_t gid[16]);
void standin_cm_address_from_gid(union standin_cm_address *address,
				 const uint8_t gid[16], uint16_t port);

/*
 * id->source is an address of this host, and not "any": finds the GID. ENODEV:
 * it is none of the port's.
 */
int standin_cm_address_bind(struct standin_cm_id *id) ARNICA_MUST_CHECK;

/* Is it an address that sockets here can have? EADDRNOTAVAIL. */
int standin_cm_address_is_own(const union standin_cm_address *address)
	ARNICA_MUST_CHECK;

/*
 * Finds the own address that leads to id->destination, unless id->source says
 * one: stores it in id->source. ENETUNREACH, EHOSTUNREACH and what else the
 * kernel says of the route.
 */
int standin_cm_address_route(struct standin_cm_id *id) ARNICA_MUST_CHECK;

#endif
