/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What of the port a function has, for tools; see arnica/hw/bus.h. */
#include <arnica/hw/bus.h>

#include <errno.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/export.h"
#include "core/layout.h"
#include "domain/directory.h"
#include "domain/limit.h"

/* Its slot is still its own. */
static int show(const struct adev_directory *directory,
		const struct arnica_hw_segment_header *header, uint32_t weight,
		struct arnica_bus_share *share)
{
	const struct adev_limit limit = {
		.table = directory->table,
		.function = arnica_from_le32(header->function) %
			    ADEV_FUNCTIONS,
		.weight = weight,
	};

	if (!adev_directory_alive(directory, limit.function,
				  arnica_from_le64(header->generation)))
		return ESRCH;
	share->rate = adev_limit_rate(directory->table);
	share->weight = weight;
	share->weights = adev_limit_weights(&limit, adev_now_ns());
	return share->rate ? 0 : ENOENT;
}

EXPORT int arnica_bus_share(int device_fd, struct arnica_bus_share *share)
{
	struct arnica_hw_segment_header header;
	struct adev_directory *directory;
	struct adev_shared shared;
	int error = adev_shared_read(device_fd, &shared);

	if (!error &&
	    pread(device_fd, &header, sizeof(header), 0) != sizeof(header))
		error = EBADF;
	if (!error && (!shared.limit_weight ||
		       shared.limit_weight > ADEV_LIMIT_MAX_WEIGHT))
		error = ENOENT;
	if (!error)
		error = adev_directory_open(&directory);
	if (error)
		return error;
	error = show(directory, &header, shared.limit_weight, share);
	adev_directory_put(directory);
	return error;
}
