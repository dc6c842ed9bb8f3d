/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Posting receives: the bytes, `producer`, the doorbell, and refusals. */
#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "arnica/hw/wqe.h"
#include "fixture.h"

static int open_init(void **state)
{
	struct fixture *fixture;

	if (fixture_open(state))
		return -1;
	fixture = *state;
	fixture_set_state(fixture->qp, IBV_QPS_INIT);
	return 0;
}

static void short_entry_ends_with_the_end_key(void **state)
{
	static const unsigned char golden[32] = {
		0x00, 0x10, 0, 0, 0, 0, 0, 0, 0x40, 0, 0, 0, 0x00, 0x02, 0, 0,
		0,    0,    0, 0, 0, 0, 0, 0, 0,    0, 0, 0, 0x00, 0x01, 0, 0,
	};
	struct fixture *fixture = *state;

	assert_int_equal(
		fixture_post_receive(fixture->qp, 1, (void *)0x1000, 64), 0);
	assert_memory_equal(fixture->qp->receive.entries, golden,
			    sizeof(golden));
}

static void full_entry_has_no_end_key(void **state)
{
	struct fixture *fixture = *state;
	struct ibv_sge sge[FIXTURE_SGE] = {
		{ 1, 1, 1 },
		{ 2, 2, 2 },
		{ 3, 3, 3 },
		{ 4, 4, 4 },
	};
	struct ibv_recv_wr wr[2] = {
		{ .sg_list = sge, .num_sge = FIXTURE_SGE, .next = &wr[1] },
		{ .sg_list = sge, .num_sge = 1 },
	};
	struct ibv_recv_wr *bad;
	struct arnica_hw_data_segment segment;

	assert_int_equal(ibv_post_recv(&fixture->qp->verbs.base, wr, &bad), 0);
	memcpy(&segment, fixture->qp->receive.entries + 48, sizeof(segment));
	assert_int_equal(arnica_from_le32(segment.lkey), 4);
	memcpy(&segment, fixture->qp->receive.entries + 64, sizeof(segment));
	assert_int_equal(arnica_from_le32(segment.lkey), 1);
}

static void producer_is_published_and_no_doorbell_rung(void **state)
{
	struct fixture *fixture = *state;
	struct arnica_hw_queue_record *record = fixture->qp->receive.record;

	assert_int_equal(fixture_post_receive(fixture->qp, 1, NULL, 0), 0);
	assert_int_equal(fixture_post_receive(fixture->qp, 2, NULL, 0), 0);
	assert_int_equal(arnica_load32(&record->producer, memory_order_acquire),
			 2);
	assert_int_equal(fixture->bus->num_doorbells, 0);
}

static void waiting_message_asks_for_the_doorbell(void **state)
{
	struct fixture *fixture = *state;

	arnica_store32(&fixture->qp->receive.record->waiting, 1,
		       memory_order_release);
	assert_int_equal(fixture_post_receive(fixture->qp, 1, NULL, 0), 0);
	assert_int_equal(fixture->bus->num_doorbells, 1);
	assert_int_equal(fixture->bus->doorbells[0].offset, ARNICA_HW_DB_RQ);
	assert_int_equal(fixture->bus->doorbells[0].value >> 40, 1);
}

static void refusals_name_the_bad_request(void **state)
{
	struct fixture *fixture = *state;
	struct ibv_sge sge[FIXTURE_SGE + 1] = { { 0 } };
	struct ibv_recv_wr wr[2] = {
		{ .next = &wr[1] },
		{ .sg_list = sge, .num_sge = FIXTURE_SGE + 1 },
	};
	struct ibv_recv_wr *bad = NULL;
	uint32_t i;

	assert_int_equal(ibv_post_recv(&fixture->qp->verbs.base, wr, &bad),
			 EINVAL);
	assert_ptr_equal(bad, &wr[1]);
	for (i = 1; i < FIXTURE_DEPTH; i++)
		assert_int_equal(fixture_post_receive(fixture->qp, i, NULL, 0),
				 0);
	assert_int_equal(fixture_post_receive(fixture->qp, i, NULL, 0), ENOMEM);
	fixture_set_state(fixture->qp, IBV_QPS_RESET);
	assert_int_equal(fixture_post_receive(fixture->qp, i, NULL, 0), EINVAL);
}

int main(void)
{
#define WITH_INIT(test)                                                        \
	cmocka_unit_test_setup_teardown(test, open_init, fixture_close)
	const struct CMUnitTest tests[] = {
		WITH_INIT(short_entry_ends_with_the_end_key),
		WITH_INIT(full_entry_has_no_end_key),
		WITH_INIT(producer_is_published_and_no_doorbell_rung),
		WITH_INIT(waiting_message_asks_for_the_doorbell),
		WITH_INIT(refusals_name_the_bad_request),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
