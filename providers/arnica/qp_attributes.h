/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Attributes of queue pairs and address vectors: checks of what a host can
 * check, and the way into the contract's form and back.
 */
#ifndef ARNICA_QP_ATTRIBUTES_H
#define ARNICA_QP_ATTRIBUTES_H

#include <infiniband/verbs.h>

#include "arnica/hw/cqp.h"
#include "context.h"

/* 0; EINVAL for a value out of range; EOPNOTSUPP for alternate paths. */
int arnica_qp_attributes_check(const struct arnica_context *context,
			       const struct ibv_qp_attr *attr,
			       int mask) ARNICA_MUST_CHECK;

/* The same for an address vector alone. */
int arnica_address_check(const struct arnica_context *context,
			 const struct ibv_ah_attr *address) ARNICA_MUST_CHECK;

/* Only attributes that the mask names are filled in; the rest is zero. */
void arnica_qp_attributes_emit(const struct ibv_qp_attr *attr, int mask,
			       struct arnica_hw_qp_attributes *attributes);
void arnica_address_emit(const struct ibv_ah_attr *address,
			 struct arnica_hw_qp_attributes *attributes);
void arnica_qp_attributes_parse(
	const struct arnica_hw_qp_attributes *attributes,
	struct ibv_qp_attr *attr);

#endif
