/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The bus: what the host side calls, see arnica/hw/bus.h. */
#include <arnica/hw/bus.h>

#include <errno.h>

#include "comp/channel.h"
#include "core/attach.h"
#include "core/cancel.h"
#include "dma/guard.h"
#include "domain/identity.h"
#include "domain/port.h"
#include "domain/spinner.h"
#include "front/bus.h"
#include "front/doorbell.h"
#include "front/imports.h"

EXPORT int arnica_bus_identity(struct arnica_bus_identity *identity)
{
	return adev_identity_read(identity);
}

EXPORT bool arnica_bus_port_changed(struct arnica_bus_port *port)
{
	struct arnica_bus_port now;

	adev_port_sync();
	adev_port_read(&now);
	if (now.version == port->version)
		return false;
	*port = now;
	return true;
}

EXPORT int arnica_bus_attach(int device_fd, struct arnica_bus **bus)
{
	int cancel = adev_cancel_off();
	struct adev_function *fn;
	int error = adev_function_attach(device_fd, &fn);

	adev_cancel_restore(cancel);
	if (!error)
		*bus = (struct arnica_bus *)fn;
	return error;
}

EXPORT int arnica_bus_import(int device_fd, int exported_fd,
			     struct arnica_bus **bus)
{
	int cancel = adev_cancel_off();
	struct adev_function *fn;
	int error = adev_function_attach(device_fd, &fn);

	if (!error) {
		error = adev_import_link(fn, exported_fd);
		if (error)
			adev_function_detach(fn);
	}
	adev_cancel_restore(cancel);
	if (!error)
		*bus = (struct arnica_bus *)fn;
	return error;
}

EXPORT void *arnica_bus_map_imported(struct arnica_bus *bus, uint64_t offset,
				     uint64_t length)
{
	const struct adev_view *view = adev_import_view(function_of(bus));

	return view ? adev_view_at(view, offset, length) : NULL;
}

EXPORT void arnica_bus_detach(struct arnica_bus *bus)
{
	int cancel = adev_cancel_off();

	adev_function_detach(function_of(bus));
	adev_cancel_restore(cancel);
}

EXPORT void *arnica_bus_map(struct arnica_bus *bus, uint64_t offset,
			    uint64_t length)
{
	return adev_view_at(&function_of(bus)->view, offset, length);
}

EXPORT uint64_t arnica_bus_cqp_offset(struct arnica_bus *bus)
{
	return function_of(bus)->view.layout.cqp_offset;
}

EXPORT void arnica_bus_doorbell(struct arnica_bus *bus, uint32_t page,
				uint32_t offset, uint64_t value)
{
	struct adev_function *fn = function_of(bus);

	if (adev_function_alive(fn))
		adev_doorbell_write(fn, page, offset, value);
}

EXPORT void arnica_bus_area(struct arnica_bus *bus, uint32_t page,
			    uint32_t offset, uint32_t length, uint64_t value)
{
	struct adev_function *fn = function_of(bus);

	if (adev_function_alive(fn))
		adev_doorbell_area(fn, page, offset, length, value);
}

EXPORT void arnica_bus_poll(struct arnica_bus *bus)
{
	struct adev_function *fn = function_of(bus);
	int cancel = adev_cancel_off();

	if (adev_function_alive(fn))
		(void)adev_function_serve(fn);
	adev_cancel_restore(cancel);
}

EXPORT void arnica_bus_polled_in_vain(struct arnica_bus *bus)
{
	struct adev_function *fn = function_of(bus);

	if (adev_function_alive(fn) &&
	    adev_spinner_step_aside(fn->directory, fn->view.function))
		adev_count(&fn->counters, polls_aside);
}

EXPORT bool arnica_bus_place(void *to, const void *from, size_t bytes)
{
	return adev_guard_copy(to, from, bytes);
}

EXPORT bool arnica_bus_alive(struct arnica_bus *bus)
{
	return adev_function_alive(function_of(bus));
}

EXPORT int arnica_bus_channel_open(int device_fd, int *fd)
{
	struct adev_function *fn = adev_function_of_fd(device_fd);

	return fn ? adev_channel_open(fn, fd) : EIO;
}

EXPORT int arnica_bus_channel_index(struct arnica_bus *bus, int fd,
				    uint32_t *index)
{
	struct adev_function *fn = function_of(bus);

	return adev_function_alive(fn) ? adev_channel_index(fn, fd, index) : EIO;
}

EXPORT int arnica_bus_async_open(int device_fd, int *fd)
{
	struct adev_function *fn = adev_function_of_fd(device_fd);

	return fn ? adev_async_open(fn, fd) : EIO;
}
