/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Where each operation is in a release's table; see ops.h.
 */
#include "ops.h"

static const enum arnica_ops_generation since[ARNICA_OP_COUNT] = {
#define OPS_SINCE(name, release) [ARNICA_OP_##name] = ARNICA_OPS_##release,
	ARNICA_OPS_LIST(OPS_SINCE)
#undef OPS_SINCE
};

int arnica_ops_slot(enum arnica_ops_generation generation, enum arnica_op op)
{
	unsigned int other;
	int slot = 0;

	if (since[op] > generation)
		return -1;
	for (other = 0; other < (unsigned int)op; other++)
		if (since[other] <= generation)
			slot++;
	return slot;
}

void arnica_ops_set(void **table, enum arnica_ops_generation generation,
		    enum arnica_op op, void *function)
{
	int slot = arnica_ops_slot(generation, op);

	if (slot >= 0)
		table[slot] = function;
}
