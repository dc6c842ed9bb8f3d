/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Services of connection management in the directory: which ids and addresses
 * are taken, and which function listens for them, for all processes of the host
 * domain and of one network namespace.
 *
 * Who takes one, or begins to listen, has the lock of the domain's folder, so
 * that of two who want the same one gets it. Looking it up takes no lock. An
 * entry counts as long as its function runs.
 */
#ifndef ADEV_DOMAIN_SERVICES_H
#define ADEV_DOMAIN_SERVICES_H

#include <stdbool.h>
#include <stdint.h>

#include <arnica/hw/bus_mad.h>

struct adev_directory;

/* As arnica_bus_service_take(), _listen(), and _give() of a running function.
 */
int adev_service_take(struct adev_directory *directory, uint32_t function,
		      uint64_t generation,
		      const struct arnica_bus_service *service,
		      uint32_t *index) ARNICA_MUST_CHECK;
int adev_service_listen(struct adev_directory *directory, uint32_t function,
			uint64_t generation, uint32_t index) ARNICA_MUST_CHECK;
int adev_service_give(struct adev_directory *directory, uint32_t function,
		      uint64_t generation, uint32_t index) ARNICA_MUST_CHECK;

/* Who listens for this id at this address; false: nobody. */
bool adev_service_find(const struct adev_directory *directory, uint64_t id,
		       const uint8_t address[16], uint32_t *function,
		       uint64_t *generation);

#endif
