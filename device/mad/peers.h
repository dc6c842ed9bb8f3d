/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The functions that this one handed MADs to: some of them stay mapped, for a
 * connection takes several. With lock role `mads`, under which a view stays.
 */
#ifndef ADEV_MAD_PEERS_H
#define ADEV_MAD_PEERS_H

#include "core/function.h"

/* NULL: the function has ended, or does not let us in; or out of memory. */
struct adev_view *adev_mad_peer(struct adev_function *fn, uint32_t function,
				uint64_t generation);

/* Lets go of one, or of all. */
void adev_mad_peer_forget(struct adev_function *fn, uint32_t function,
			  uint64_t generation);
void adev_mad_peers_close(struct adev_function *fn);

#endif
