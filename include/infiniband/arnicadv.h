/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Direct verbs of arnica: what an application may ask the provider beyond the
 * verbs interface. Link with -larnica.
 */
#ifndef INFINIBAND_ARNICADV_H
#define INFINIBAND_ARNICADV_H

#include <infiniband/verbs.h>
#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Is this device an arnica adapter, served by this library? */
bool arnicadv_is_supported(struct ibv_device *device);

#ifdef __cplusplus
}
#endif

#endif
