/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What the device is and can do, for ibv_query_device and its relatives. */
#ifndef ARNICA_DEVICE_QUERY_H
#define ARNICA_DEVICE_QUERY_H

#include <infiniband/verbs.h>

#include "arnica/hw/format.h"

struct arnica_context;

/* Reads the capabilities of the adapter into the context. */
int arnica_device_load_caps(struct arnica_context *context) ARNICA_MUST_CHECK;

int arnica_device_query_ex(struct ibv_context *context,
			   const struct ibv_query_device_ex_input *input,
			   struct ibv_device_attr_ex *attr, size_t attr_bytes);
int arnica_device_query_rt_values(struct ibv_context *context,
				  struct ibv_values_ex *values);
int arnica_port_query(struct ibv_context *context, uint8_t port,
		      struct ibv_port_attr *attr);

#endif
