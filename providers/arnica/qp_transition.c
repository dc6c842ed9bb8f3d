/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The table of state transitions; see qp_transition.h. Any state but RESET may
 * go to ERR, any state may go to RESET; neither takes attributes.
 */
#include "qp_transition.h"

#include <stddef.h>

#define NUM_STATES (IBV_QPS_ERR + 1)
#define BARE                                                                   \
	{                                                                      \
		.valid = true                                                  \
	}

static const struct arnica_qp_transition rc_table[NUM_STATES][NUM_STATES] = {
	[IBV_QPS_RESET] = {
		[IBV_QPS_RESET] = BARE,
		[IBV_QPS_INIT] = {
			.valid = true,
			.required = IBV_QP_PKEY_INDEX | IBV_QP_PORT |
				    IBV_QP_ACCESS_FLAGS,
		},
	},
	[IBV_QPS_INIT] = {
		[IBV_QPS_RESET] = BARE,
		[IBV_QPS_ERR] = BARE,
		[IBV_QPS_INIT] = {
			.valid = true,
			.optional = IBV_QP_PKEY_INDEX | IBV_QP_PORT |
				    IBV_QP_ACCESS_FLAGS,
		},
		[IBV_QPS_RTR] = {
			.valid = true,
			.required = IBV_QP_AV | IBV_QP_PATH_MTU |
				    IBV_QP_DEST_QPN | IBV_QP_RQ_PSN |
				    IBV_QP_MAX_DEST_RD_ATOMIC |
				    IBV_QP_MIN_RNR_TIMER,
			.optional = IBV_QP_ALT_PATH | IBV_QP_ACCESS_FLAGS |
				    IBV_QP_PKEY_INDEX,
		},
	},
	[IBV_QPS_RTR] = {
		[IBV_QPS_RESET] = BARE,
		[IBV_QPS_ERR] = BARE,
		[IBV_QPS_RTS] = {
			.valid = true,
			.required = IBV_QP_TIMEOUT | IBV_QP_RETRY_CNT |
				    IBV_QP_RNR_RETRY | IBV_QP_SQ_PSN |
				    IBV_QP_MAX_QP_RD_ATOMIC,
			.optional = IBV_QP_CUR_STATE | IBV_QP_ALT_PATH |
				    IBV_QP_ACCESS_FLAGS | IBV_QP_MIN_RNR_TIMER |
				    IBV_QP_PATH_MIG_STATE,
		},
	},
	[IBV_QPS_RTS] = {
		[IBV_QPS_RESET] = BARE,
		[IBV_QPS_ERR] = BARE,
		[IBV_QPS_RTS] = {
			.valid = true,
			.optional = IBV_QP_CUR_STATE | IBV_QP_ALT_PATH |
				    IBV_QP_ACCESS_FLAGS | IBV_QP_MIN_RNR_TIMER |
				    IBV_QP_PATH_MIG_STATE,
		},
		[IBV_QPS_SQD] = {
			.valid = true,
			.optional = IBV_QP_EN_SQD_ASYNC_NOTIFY,
		},
	},
	[IBV_QPS_SQD] = {
		[IBV_QPS_RESET] = BARE,
		[IBV_QPS_ERR] = BARE,
		[IBV_QPS_RTS] = {
			.valid = true,
			.optional = IBV_QP_CUR_STATE | IBV_QP_ALT_PATH |
				    IBV_QP_ACCESS_FLAGS | IBV_QP_MIN_RNR_TIMER |
				    IBV_QP_PATH_MIG_STATE,
		},
		[IBV_QPS_SQD] = {
			.valid = true,
			.optional = IBV_QP_PORT | IBV_QP_AV | IBV_QP_TIMEOUT |
				    IBV_QP_RETRY_CNT | IBV_QP_RNR_RETRY |
				    IBV_QP_MAX_QP_RD_ATOMIC |
				    IBV_QP_MAX_DEST_RD_ATOMIC |
				    IBV_QP_ALT_PATH | IBV_QP_ACCESS_FLAGS |
				    IBV_QP_PKEY_INDEX | IBV_QP_MIN_RNR_TIMER |
				    IBV_QP_PATH_MIG_STATE,
		},
	},
	/* A reliable connection's send queue has no error state of its own:
	 * SQE is for unreliable services, and only ends here. */
	[IBV_QPS_SQE] = {
		[IBV_QPS_RESET] = BARE,
		[IBV_QPS_ERR] = BARE,
	},
	[IBV_QPS_ERR] = {
		[IBV_QPS_RESET] = BARE,
		[IBV_QPS_ERR] = BARE,
	},
};

const struct arnica_qp_transition *arnica_qp_transition(enum ibv_qp_state from,
							enum ibv_qp_state to)
{
	static const struct arnica_qp_transition invalid;

	if ((unsigned int)from >= NUM_STATES || (unsigned int)to >= NUM_STATES)
		return &invalid;
	return &rc_table[from][to];
}

bool arnica_qp_transition_check(enum ibv_qp_state from, enum ibv_qp_state to,
				int mask)
{
	const struct arnica_qp_transition *row = arnica_qp_transition(from, to);

	/* IBV_QP_STATE itself may always be named. */
	return row->valid && (mask & row->required) == row->required &&
	       (mask & ~(row->required | row->optional | IBV_QP_STATE)) == 0;
}
