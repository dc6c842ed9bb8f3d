/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The way from the stand-in to the adapter: libarnica-device.so, loaded when a
 * program touches an RDMA path for the first time and not before.
 *
 * What was found out then (functions, identity, the sysfs tree) stays as it is
 * for the life of the process, failure included; failure writes one line. Only
 * the port is asked for anew (port_changed): identity.port is of that time.
 */
#ifndef STANDIN_ADAPTER_H
#define STANDIN_ADAPTER_H

#include <stdbool.h>

#include "arnica/hw/bus.h"
#include "arnica/hw/bus_mad.h"

#define STANDIN_ROOT_BYTES 192u /* domain folder and the name of the tree */

struct standin_adapter {
	int (*read_identity)(struct arnica_bus_identity *identity);
	bool (*port_changed)(struct arnica_bus_port *port);
	int (*open_channel)(int device_fd, int *fd);
	int (*open_async)(int device_fd, int *fd);
	bool (*memory_concerned)(const void *start, size_t bytes);
	int (*memory_advise)(void *start, size_t bytes, int advice);
	int (*memory_moving)(void *start, size_t bytes);
	int (*attach)(int device_fd, struct arnica_bus **bus);
	void (*detach)(struct arnica_bus *bus);
	int (*mads_open)(struct arnica_bus *bus, int event_fd,
			 struct arnica_bus_comm_ids *ids);
	int (*mad_send)(struct arnica_bus *bus,
			const struct arnica_bus_mad *mad);
	int (*mad_take)(struct arnica_bus *bus, struct arnica_bus_mad *mad);
	uint32_t (*mads_ended)(struct arnica_bus *bus);
	int (*mad_peer)(struct arnica_bus *bus, const uint8_t gid[16],
			uint32_t comm_id, uint64_t *generation);
	bool (*mad_peer_lives)(struct arnica_bus *bus, uint32_t comm_id,
			       uint64_t generation);
	int (*service_take)(struct arnica_bus *bus,
			    const struct arnica_bus_service *service,
			    uint32_t *handle);
	int (*service_listen)(struct arnica_bus *bus, uint32_t handle);
	int (*service_give)(struct arnica_bus *bus, uint32_t handle);
	struct arnica_bus_identity identity;
	char root[STANDIN_ROOT_BYTES]; /* of the sysfs tree */
};

/*
 * The process's adapter; lives until exit. ENODEV: no libarnica-device.so;
 * otherwise why there is no identity or no tree. Any number of threads may come
 * first: each does the work, one result is kept.
 */
int standin_adapter_get(const struct standin_adapter **adapter)
	ARNICA_MUST_CHECK;

/* The adapter if it is there already, else NULL; nothing is loaded. */
const struct standin_adapter *standin_adapter_if_loaded(void);

/*
 * True while this thread is inside standin_adapter_get(): the adapter's own
 * look at the kernel's RDMA paths must see the real ones.
 */
bool standin_adapter_is_loading(void);

#endif
