/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Every pair of states, and every attribute bit of each legal change: each
 * required bit is missed, each optional one allowed, each other one refused.
 */
#include <cmocka.h>

#include "qp_transition.h"

#define HIGHEST_BIT 26

/* Rows: from; columns: to; RESET INIT RTR RTS SQD SQE ERR. */
static const char *const legal_rc[] = {
	"yynnnnn", /* RESET */
	"yyynnny", /* INIT */
	"ynnynny", /* RTR */
	"ynnyyny", /* RTS */
	"ynnyyny", /* SQD */
	"ynnnnny", /* SQE: no way back to RTS for a reliable connection */
	"ynnnnny", /* ERR */
};

static const char *const legal_unreliable[] = {
	"yynnnnn", /* RESET */
	"yyynnny", /* INIT */
	"ynnynny", /* RTR */
	"ynnyyny", /* RTS */
	"ynnyyny", /* SQD */
	"ynnynny", /* SQE: back to RTS */
	"ynnnnny", /* ERR */
};

static const struct kind {
	enum ibv_qp_type type;
	const char *const *legal;
} kinds[] = {
	{ IBV_QPT_RC, legal_rc },
	{ IBV_QPT_UC, legal_unreliable },
	{ IBV_QPT_UD, legal_unreliable },
	{ IBV_QPT_RAW_PACKET, legal_unreliable },
	{ IBV_QPT_XRC_SEND, legal_rc },
	{ IBV_QPT_XRC_RECV, legal_rc },
};

#define FOR_EACH_PAIR(kind, from, to)                                          \
	for (kind = kinds; kind < kinds + 5; kind++)                           \
		for (from = IBV_QPS_RESET; from <= IBV_QPS_ERR; from++)        \
			for (to = IBV_QPS_RESET; to <= IBV_QPS_ERR; to++)

static void legal_changes_are_those_of_the_specification(void **state)
{
	const struct kind *kind;
	int from;
	int to;

	(void)state;
	FOR_EACH_PAIR(kind, from, to)
		assert_int_equal(arnica_qp_transition(kind->type,
						      (enum ibv_qp_state)from,
						      (enum ibv_qp_state)to)
					 .valid,
				 kind->legal[from][to] == 'y');
}

static void what_is_out_of_range_is_refused(void **state)
{
	(void)state;
	assert_false(arnica_qp_transition_check(IBV_QPT_RC, IBV_QPS_RESET,
						IBV_QPS_UNKNOWN, IBV_QP_STATE));
	assert_false(arnica_qp_transition_check(IBV_QPT_UD,
						(enum ibv_qp_state)99,
						IBV_QPS_RESET, IBV_QP_STATE));
	assert_false(arnica_qp_transition_check(IBV_QPT_DRIVER,
						IBV_QPS_RESET, IBV_QPS_RESET,
						IBV_QP_STATE));
}

static void check_bits(enum ibv_qp_type type, enum ibv_qp_state from,
		       enum ibv_qp_state to)
{
	const struct arnica_qp_transition row =
		arnica_qp_transition(type, from, to);
	int bit;

	assert_true(arnica_qp_transition_check(type, from, to,
					       row.required | IBV_QP_STATE));
	for (bit = 0; bit < HIGHEST_BIT; bit++) {
		int flag = 1 << bit;
		int mask = (row.required | IBV_QP_STATE) ^ flag;
		bool expected;

		if (flag == IBV_QP_STATE)
			expected = true;
		else if (row.required & flag)
			expected = false;
		else
			expected = row.optional & flag;
		assert_int_equal(
			arnica_qp_transition_check(type, from, to, mask),
			expected);
	}
}

static void each_attribute_is_required_optional_or_refused(void **state)
{
	const struct kind *kind;
	int from;
	int to;

	(void)state;
	FOR_EACH_PAIR(kind, from, to)
		if (kind->legal[from][to] == 'y')
			check_bits(kind->type, (enum ibv_qp_state)from,
				   (enum ibv_qp_state)to);
}

static int needed(enum ibv_qp_type type, enum ibv_qp_state from,
		  enum ibv_qp_state to)
{
	return arnica_qp_transition(type, from, to).required;
}

static void connecting_needs_what_the_man_page_lists(void **state)
{
	(void)state;
	assert_int_equal(needed(IBV_QPT_RC, IBV_QPS_RESET, IBV_QPS_INIT),
			 IBV_QP_PKEY_INDEX | IBV_QP_PORT | IBV_QP_ACCESS_FLAGS);
	assert_int_equal(needed(IBV_QPT_RC, IBV_QPS_INIT, IBV_QPS_RTR),
			 IBV_QP_AV | IBV_QP_PATH_MTU | IBV_QP_DEST_QPN |
				 IBV_QP_RQ_PSN | IBV_QP_MAX_DEST_RD_ATOMIC |
				 IBV_QP_MIN_RNR_TIMER);
	assert_int_equal(needed(IBV_QPT_RC, IBV_QPS_RTR, IBV_QPS_RTS),
			 IBV_QP_SQ_PSN | IBV_QP_TIMEOUT | IBV_QP_RETRY_CNT |
				 IBV_QP_RNR_RETRY | IBV_QP_MAX_QP_RD_ATOMIC);
	assert_int_equal(needed(IBV_QPT_UC, IBV_QPS_RESET, IBV_QPS_INIT),
			 IBV_QP_PKEY_INDEX | IBV_QP_PORT | IBV_QP_ACCESS_FLAGS);
	assert_int_equal(needed(IBV_QPT_UC, IBV_QPS_INIT, IBV_QPS_RTR),
			 IBV_QP_AV | IBV_QP_PATH_MTU | IBV_QP_DEST_QPN |
				 IBV_QP_RQ_PSN);
	assert_int_equal(needed(IBV_QPT_UC, IBV_QPS_RTR, IBV_QPS_RTS),
			 IBV_QP_SQ_PSN);
	assert_int_equal(needed(IBV_QPT_UD, IBV_QPS_RESET, IBV_QPS_INIT),
			 IBV_QP_PKEY_INDEX | IBV_QP_PORT | IBV_QP_QKEY);
	assert_int_equal(needed(IBV_QPT_UD, IBV_QPS_INIT, IBV_QPS_RTR), 0);
	assert_int_equal(needed(IBV_QPT_RAW_PACKET, IBV_QPS_RESET,
				IBV_QPS_INIT),
			 IBV_QP_PORT);
	assert_int_equal(needed(IBV_QPT_RAW_PACKET, IBV_QPS_RTR, IBV_QPS_RTS),
			 0);
	assert_int_equal(needed(IBV_QPT_UD, IBV_QPS_RTR, IBV_QPS_RTS),
			 IBV_QP_SQ_PSN);
	assert_int_equal(needed(IBV_QPT_XRC_SEND, IBV_QPS_INIT, IBV_QPS_RTR),
			 needed(IBV_QPT_UC, IBV_QPS_INIT, IBV_QPS_RTR));
	assert_int_equal(needed(IBV_QPT_XRC_SEND, IBV_QPS_RTR, IBV_QPS_RTS),
			 needed(IBV_QPT_RC, IBV_QPS_RTR, IBV_QPS_RTS));
	assert_int_equal(needed(IBV_QPT_XRC_RECV, IBV_QPS_INIT, IBV_QPS_RTR),
			 needed(IBV_QPT_RC, IBV_QPS_INIT, IBV_QPS_RTR));
	assert_int_equal(needed(IBV_QPT_XRC_RECV, IBV_QPS_RTR, IBV_QPS_RTS),
			 IBV_QP_SQ_PSN | IBV_QP_TIMEOUT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(legal_changes_are_those_of_the_specification),
		cmocka_unit_test(what_is_out_of_range_is_refused),
		cmocka_unit_test(
			each_attribute_is_required_optional_or_refused),
		cmocka_unit_test(connecting_needs_what_the_man_page_lists),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
