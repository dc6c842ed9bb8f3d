/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Which changes of state a queue pair may make, and which attributes each of
 * them needs and allows (InfiniBand Architecture Specification, volume 1,
 * chapter 11.2.5.2, table "QP/EE state transition properties").
 */
#ifndef ARNICA_QP_TRANSITION_H
#define ARNICA_QP_TRANSITION_H

#include <infiniband/verbs.h>
#include <stdbool.h>

struct arnica_qp_transition {
	bool valid;
	int required; /* enum ibv_qp_attr_mask */
	int optional;
};

/* What a change between two states takes; not valid for types other than RC, UC,
 * UD and XRC, and for numbers that are no state. */
struct arnica_qp_transition arnica_qp_transition(enum ibv_qp_type type,
						 enum ibv_qp_state from,
						 enum ibv_qp_state to);

/* True when `mask` is what the change from one state to the other permits. */
bool arnica_qp_transition_check(enum ibv_qp_type type, enum ibv_qp_state from,
				enum ibv_qp_state to, int mask);

#endif
