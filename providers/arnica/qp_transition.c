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

/* Attributes that a kind of QP may change whenever it may change any. */
#define RC_ALWAYS                                                              \
	(IBV_QP_ALT_PATH | IBV_QP_ACCESS_FLAGS | IBV_QP_MIN_RNR_TIMER |        \
	 IBV_QP_PATH_MIG_STATE)
#define UC_ALWAYS                                                              \
	(IBV_QP_ALT_PATH | IBV_QP_ACCESS_FLAGS | IBV_QP_PATH_MIG_STATE)
#define UD_ALWAYS IBV_QP_QKEY

/* What a QP is made for, before it is connected. */
#define CONNECTED_SETUP (IBV_QP_PKEY_INDEX | IBV_QP_PORT | IBV_QP_ACCESS_FLAGS)
#define UD_SETUP (IBV_QP_PKEY_INDEX | IBV_QP_PORT | IBV_QP_QKEY)

typedef struct arnica_qp_transition table[NUM_STATES][NUM_STATES];

static const table rc_table = {
	[IBV_QPS_RESET] = {
		[IBV_QPS_RESET] = BARE,
		[IBV_QPS_INIT] = {
			.valid = true,
			.required = CONNECTED_SETUP,
		},
	},
	[IBV_QPS_INIT] = {
		[IBV_QPS_RESET] = BARE,
		[IBV_QPS_ERR] = BARE,
		[IBV_QPS_INIT] = {
			.valid = true,
			.optional = CONNECTED_SETUP,
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
			.optional = IBV_QP_CUR_STATE | RC_ALWAYS,
		},
	},
	[IBV_QPS_RTS] = {
		[IBV_QPS_RESET] = BARE,
		[IBV_QPS_ERR] = BARE,
		[IBV_QPS_RTS] = {
			.valid = true,
			.optional = IBV_QP_CUR_STATE | RC_ALWAYS,
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
			.optional = IBV_QP_CUR_STATE | RC_ALWAYS,
		},
		[IBV_QPS_SQD] = {
			.valid = true,
			.optional = IBV_QP_PORT | IBV_QP_AV | IBV_QP_TIMEOUT |
				    IBV_QP_RETRY_CNT | IBV_QP_RNR_RETRY |
				    IBV_QP_MAX_QP_RD_ATOMIC |
				    IBV_QP_MAX_DEST_RD_ATOMIC |
				    IBV_QP_PKEY_INDEX | RC_ALWAYS,
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

static const table uc_table = {
	[IBV_QPS_RESET] = {
		[IBV_QPS_RESET] = BARE,
		[IBV_QPS_INIT] = {
			.valid = true,
			.required = CONNECTED_SETUP,
		},
	},
	[IBV_QPS_INIT] = {
		[IBV_QPS_RESET] = BARE,
		[IBV_QPS_ERR] = BARE,
		[IBV_QPS_INIT] = {
			.valid = true,
			.optional = CONNECTED_SETUP,
		},
		[IBV_QPS_RTR] = {
			.valid = true,
			.required = IBV_QP_AV | IBV_QP_PATH_MTU |
				    IBV_QP_DEST_QPN | IBV_QP_RQ_PSN,
			.optional = IBV_QP_ALT_PATH | IBV_QP_ACCESS_FLAGS |
				    IBV_QP_PKEY_INDEX,
		},
	},
	[IBV_QPS_RTR] = {
		[IBV_QPS_RESET] = BARE,
		[IBV_QPS_ERR] = BARE,
		[IBV_QPS_RTS] = {
			.valid = true,
			.required = IBV_QP_SQ_PSN,
			.optional = IBV_QP_CUR_STATE | UC_ALWAYS,
		},
	},
	[IBV_QPS_RTS] = {
		[IBV_QPS_RESET] = BARE,
		[IBV_QPS_ERR] = BARE,
		[IBV_QPS_RTS] = {
			.valid = true,
			.optional = IBV_QP_CUR_STATE | UC_ALWAYS,
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
			.optional = IBV_QP_CUR_STATE | UC_ALWAYS,
		},
		[IBV_QPS_SQD] = {
			.valid = true,
			.optional = IBV_QP_AV | IBV_QP_PKEY_INDEX | UC_ALWAYS,
		},
	},
	[IBV_QPS_SQE] = {
		[IBV_QPS_RESET] = BARE,
		[IBV_QPS_ERR] = BARE,
		[IBV_QPS_RTS] = {
			.valid = true,
			.optional = IBV_QP_CUR_STATE | IBV_QP_ACCESS_FLAGS,
		},
	},
	[IBV_QPS_ERR] = {
		[IBV_QPS_RESET] = BARE,
		[IBV_QPS_ERR] = BARE,
	},
};

static const table ud_table = {
	[IBV_QPS_RESET] = {
		[IBV_QPS_RESET] = BARE,
		[IBV_QPS_INIT] = {
			.valid = true,
			.required = UD_SETUP,
		},
	},
	[IBV_QPS_INIT] = {
		[IBV_QPS_RESET] = BARE,
		[IBV_QPS_ERR] = BARE,
		[IBV_QPS_INIT] = {
			.valid = true,
			.optional = UD_SETUP,
		},
		[IBV_QPS_RTR] = {
			.valid = true,
			.optional = IBV_QP_PKEY_INDEX | UD_ALWAYS,
		},
	},
	[IBV_QPS_RTR] = {
		[IBV_QPS_RESET] = BARE,
		[IBV_QPS_ERR] = BARE,
		[IBV_QPS_RTS] = {
			.valid = true,
			.required = IBV_QP_SQ_PSN,
			.optional = IBV_QP_CUR_STATE | UD_ALWAYS,
		},
	},
	[IBV_QPS_RTS] = {
		[IBV_QPS_RESET] = BARE,
		[IBV_QPS_ERR] = BARE,
		[IBV_QPS_RTS] = {
			.valid = true,
			.optional = IBV_QP_CUR_STATE | UD_ALWAYS,
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
			.optional = IBV_QP_CUR_STATE | UD_ALWAYS,
		},
		[IBV_QPS_SQD] = {
			.valid = true,
			.optional = IBV_QP_PKEY_INDEX | UD_ALWAYS,
		},
	},
	[IBV_QPS_SQE] = {
		[IBV_QPS_RESET] = BARE,
		[IBV_QPS_ERR] = BARE,
		[IBV_QPS_RTS] = {
			.valid = true,
			.optional = IBV_QP_CUR_STATE | UD_ALWAYS,
		},
	},
	[IBV_QPS_ERR] = {
		[IBV_QPS_RESET] = BARE,
		[IBV_QPS_ERR] = BARE,
	},
};

const struct arnica_qp_transition *arnica_qp_transition(enum ibv_qp_type type,
							enum ibv_qp_state from,
							enum ibv_qp_state to)
{
	static const struct arnica_qp_transition invalid;

	if ((unsigned int)from >= NUM_STATES || (unsigned int)to >= NUM_STATES)
		return &invalid;
	switch ((int)type) {
	case IBV_QPT_RC:
		return &rc_table[from][to];
	case IBV_QPT_UC:
		return &uc_table[from][to];
	case IBV_QPT_UD:
		return &ud_table[from][to];
	default:
		return &invalid;
	}
}

bool arnica_qp_transition_check(enum ibv_qp_type type, enum ibv_qp_state from,
				enum ibv_qp_state to, int mask)
{
	const struct arnica_qp_transition *row =
		arnica_qp_transition(type, from, to);

	/* IBV_QP_STATE itself may always be named. */
	return row->valid && (mask & row->required) == row->required &&
	       (mask & ~(row->required | row->optional | IBV_QP_STATE)) == 0;
}
