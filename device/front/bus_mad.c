/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The bus's part for QP 1, see arnica/hw/bus_mad.h. */
#include <arnica/hw/bus_mad.h>

#include <errno.h>

#include "core/attach.h"
#include "core/cancel.h"
#include "domain/services.h"
#include "front/bus.h"
#include "link/wire.h"
#include "mad/mad.h"
#include "transport/remote.h"

static bool is_usable(const struct adev_function *fn)
{
	return adev_function_alive(fn) && adev_mads_is_open(fn);
}

EXPORT int arnica_bus_mads_open(struct arnica_bus *bus, int event_fd,
				struct arnica_bus_comm_ids *ids)
{
	struct adev_function *fn = function_of(bus);

	return adev_function_alive(fn) ? adev_mads_open(fn, event_fd, ids) :
					 EIO;
}

EXPORT int arnica_bus_mad_send(struct arnica_bus *bus,
			       const struct arnica_bus_mad *mad)
{
	struct adev_function *fn = function_of(bus);
	int cancel, error;

	if (!is_usable(fn))
		return EIO;
	cancel = adev_cancel_off();
	error = adev_mad_send(fn, mad);
	adev_cancel_restore(cancel);
	return error;
}

EXPORT int arnica_bus_mad_take(struct arnica_bus *bus,
			       struct arnica_bus_mad *mad)
{
	struct adev_function *fn = function_of(bus);

	return is_usable(fn) ? adev_mad_take(fn, mad) : EIO;
}

EXPORT uint32_t arnica_bus_mads_ended(struct arnica_bus *bus)
{
	return adev_mads_ended(function_of(bus));
}

EXPORT int arnica_bus_mad_peer(struct arnica_bus *bus, const uint8_t gid[16],
			       uint32_t comm_id, uint64_t *generation)
{
	struct adev_function *fn = function_of(bus);

	return is_usable(fn) ? adev_mad_peer_of(fn, gid, comm_id, generation) :
			       EIO;
}

EXPORT bool arnica_bus_mad_peer_lives(struct arnica_bus *bus, uint32_t comm_id,
				      uint64_t generation)
{
	return adev_mad_peer_lives(function_of(bus), comm_id, generation);
}

/* Others can send requests from now on. Where there are no others, or the port
 * is another's, those of this host can; the wire has said so. */
static void listen_on_wire(struct adev_function *fn)
{
	if (adev_remote_has_neighbours())
		(void)!adev_wire_open(fn);
}

EXPORT int arnica_bus_service_take(struct arnica_bus *bus,
				   const struct arnica_bus_service *service,
				   uint32_t *handle)
{
	struct adev_function *fn = function_of(bus);
	int cancel, error;

	if (!is_usable(fn))
		return EIO;
	cancel = adev_cancel_off();
	error = adev_service_take(fn->directory, fn->view.function,
				  fn->view.generation, service, handle);
	if (!error && service->flags & ARNICA_BUS_SERVICE_LISTENS)
		listen_on_wire(fn);
	adev_cancel_restore(cancel);
	return error;
}

EXPORT int arnica_bus_service_listen(struct arnica_bus *bus, uint32_t handle)
{
	struct adev_function *fn = function_of(bus);
	int cancel, error;

	if (!is_usable(fn))
		return EIO;
	cancel = adev_cancel_off();
	error = adev_service_listen(fn->directory, fn->view.function,
				    fn->view.generation, handle);
	if (!error)
		listen_on_wire(fn);
	adev_cancel_restore(cancel);
	return error;
}

EXPORT int arnica_bus_service_give(struct arnica_bus *bus, uint32_t handle)
{
	struct adev_function *fn = function_of(bus);

	return is_usable(fn) ?
		       adev_service_give(fn->directory, fn->view.function,
					 fn->view.generation, handle) :
		       EIO;
}
