/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Transitions, derived; see qp_transition.h. The states follow each other in
 * the same way for every kind of QP; a kind says which attributes its steps
 * take. Any state but RESET may go to ERR, any state may go to RESET; neither
 * takes attributes.
 */
#include "qp_transition.h"

#include <stddef.h>

#define NUM_STATES (IBV_QPS_ERR + 1)

/* What a kind of QP takes at its steps: enum ibv_qp_attr_mask. */
struct kind {
	int setup;	  /* what it is made for, before it is connected */
	int rtr_required; /* INIT to RTR */
	int rtr_optional;
	int rts_required; /* RTR to RTS */
	int always;	  /* whenever it runs, or is about to */
	int paced;	  /* while it sends, or is about to */
	int drained;	  /* in SQD, besides */
	int recovers;	  /* SQE to RTS; zero: it cannot */
};

#define RC_ALWAYS                                                              \
	(IBV_QP_ALT_PATH | IBV_QP_ACCESS_FLAGS | IBV_QP_MIN_RNR_TIMER |        \
	 IBV_QP_PATH_MIG_STATE)
#define UC_ALWAYS                                                              \
	(IBV_QP_ALT_PATH | IBV_QP_ACCESS_FLAGS | IBV_QP_PATH_MIG_STATE)
#define UD_ALWAYS IBV_QP_QKEY

#define CONNECTED_SETUP (IBV_QP_PKEY_INDEX | IBV_QP_PORT | IBV_QP_ACCESS_FLAGS)
#define CONNECTED_RTR                                                          \
	(IBV_QP_AV | IBV_QP_PATH_MTU | IBV_QP_DEST_QPN | IBV_QP_RQ_PSN)
#define CONNECTED_RTR_OPTIONAL                                                 \
	(IBV_QP_ALT_PATH | IBV_QP_ACCESS_FLAGS | IBV_QP_PKEY_INDEX)

/* Of who sends reliably. */
#define RELIABLE_RTS                                                           \
	(IBV_QP_TIMEOUT | IBV_QP_RETRY_CNT | IBV_QP_RNR_RETRY |                \
	 IBV_QP_SQ_PSN | IBV_QP_MAX_QP_RD_ATOMIC)
#define RELIABLE_DRAINED                                                       \
	(IBV_QP_PORT | IBV_QP_AV | IBV_QP_TIMEOUT | IBV_QP_RETRY_CNT |         \
	 IBV_QP_RNR_RETRY | IBV_QP_MAX_QP_RD_ATOMIC | IBV_QP_PKEY_INDEX)

static const struct kind rc = {
	.setup = CONNECTED_SETUP,
	.rtr_required = CONNECTED_RTR | IBV_QP_MAX_DEST_RD_ATOMIC |
			IBV_QP_MIN_RNR_TIMER,
	.rtr_optional = CONNECTED_RTR_OPTIONAL,
	.rts_required = RELIABLE_RTS,
	.always = RC_ALWAYS,
	.paced = IBV_QP_RATE_LIMIT,
	.drained = RELIABLE_DRAINED | IBV_QP_MAX_DEST_RD_ATOMIC,
	/* A reliable connection's send queue has no error state of its own:
	 * SQE is for unreliable services, and only ends here. */
};

static const struct kind uc = {
	.setup = CONNECTED_SETUP,
	.rtr_required = CONNECTED_RTR,
	.rtr_optional = CONNECTED_RTR_OPTIONAL,
	.rts_required = IBV_QP_SQ_PSN,
	.always = UC_ALWAYS,
	.paced = IBV_QP_RATE_LIMIT,
	.drained = IBV_QP_AV | IBV_QP_PKEY_INDEX,
	.recovers = IBV_QP_CUR_STATE | IBV_QP_ACCESS_FLAGS,
};

static const struct kind ud = {
	.setup = IBV_QP_PKEY_INDEX | IBV_QP_PORT | IBV_QP_QKEY,
	.rtr_optional = IBV_QP_PKEY_INDEX | UD_ALWAYS,
	.rts_required = IBV_QP_SQ_PSN,
	.always = UD_ALWAYS,
	.paced = IBV_QP_RATE_LIMIT,
	.drained = IBV_QP_PKEY_INDEX,
	.recovers = IBV_QP_CUR_STATE | UD_ALWAYS,
};

/* Frames have no path, and no keys. */
static const struct kind raw_packet = {
	.setup = IBV_QP_PORT,
	.paced = IBV_QP_RATE_LIMIT,
	.recovers = IBV_QP_CUR_STATE,
};

/* The two halves of RC: one sends, one receives. */
static const struct kind xrc_send = {
	.setup = CONNECTED_SETUP,
	.rtr_required = CONNECTED_RTR,
	.rtr_optional = CONNECTED_RTR_OPTIONAL,
	.rts_required = RELIABLE_RTS,
	.always = UC_ALWAYS,
	.paced = IBV_QP_RATE_LIMIT,
	.drained = RELIABLE_DRAINED,
};

static const struct kind xrc_recv = {
	.setup = CONNECTED_SETUP,
	.rtr_required = CONNECTED_RTR | IBV_QP_MAX_DEST_RD_ATOMIC |
			IBV_QP_MIN_RNR_TIMER,
	.rtr_optional = CONNECTED_RTR_OPTIONAL,
	.rts_required = IBV_QP_TIMEOUT | IBV_QP_SQ_PSN,
	.always = RC_ALWAYS,
	.drained = IBV_QP_PORT | IBV_QP_AV | IBV_QP_TIMEOUT |
		   IBV_QP_MAX_DEST_RD_ATOMIC | IBV_QP_PKEY_INDEX,
};

static const struct kind *kind_of(enum ibv_qp_type type)
{
	switch ((int)type) {
	case IBV_QPT_RC:
		return &rc;
	case IBV_QPT_UC:
		return &uc;
	case IBV_QPT_UD:
		return &ud;
	case IBV_QPT_RAW_PACKET:
		return &raw_packet;
	case IBV_QPT_XRC_SEND:
		return &xrc_send;
	case IBV_QPT_XRC_RECV:
		return &xrc_recv;
	default:
		return NULL;
	}
}

static struct arnica_qp_transition step(int required, int optional)
{
	return (struct arnica_qp_transition){
		.valid = true,
		.required = required,
		.optional = optional,
	};
}

#define STEP(from, to) (IBV_QPS_##from * NUM_STATES + IBV_QPS_##to)

struct arnica_qp_transition arnica_qp_transition(enum ibv_qp_type type,
						 enum ibv_qp_state from,
						 enum ibv_qp_state to)
{
	const struct kind *kind = kind_of(type);

	if (!kind || (unsigned int)from >= NUM_STATES ||
	    (unsigned int)to >= NUM_STATES)
		return (struct arnica_qp_transition){ .valid = false };
	if (to == IBV_QPS_RESET || (to == IBV_QPS_ERR && from != IBV_QPS_RESET))
		return step(0, 0);
	switch ((int)from * NUM_STATES + (int)to) {
	case STEP(RESET, INIT):
		return step(kind->setup, 0);
	case STEP(INIT, INIT):
		return step(0, kind->setup);
	case STEP(INIT, RTR):
		return step(kind->rtr_required, kind->rtr_optional);
	case STEP(RTR, RTS):
		return step(kind->rts_required,
			    IBV_QP_CUR_STATE | kind->always | kind->paced);
	case STEP(RTS, RTS):
		return step(0, IBV_QP_CUR_STATE | kind->always | kind->paced);
	case STEP(SQD, RTS):
		return step(0, IBV_QP_CUR_STATE | kind->always);
	case STEP(RTS, SQD):
		return step(0, IBV_QP_EN_SQD_ASYNC_NOTIFY);
	case STEP(SQD, SQD):
		return step(0, kind->drained | kind->always);
	case STEP(SQE, RTS):
		if (kind->recovers)
			return step(0, kind->recovers);
		break;
	default:
		break;
	}
	return (struct arnica_qp_transition){ .valid = false };
}

bool arnica_qp_transition_check(enum ibv_qp_type type, enum ibv_qp_state from,
				enum ibv_qp_state to, int mask)
{
	const struct arnica_qp_transition row =
		arnica_qp_transition(type, from, to);

	/* IBV_QP_STATE itself may always be named. */
	return row.valid && (mask & row.required) == row.required &&
	       (mask & ~(row.required | row.optional | IBV_QP_STATE)) == 0;
}
