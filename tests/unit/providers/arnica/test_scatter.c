/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Poll-time scatter: across segments, from the eager ring, early, and not at
 * all where the entry contradicts itself. */
#include <cmocka.h>
#include <string.h>

#include "fixture.h"
#include "scatter.h"

static int open_rts(void **state)
{
	struct fixture *fixture;

	if (fixture_open(state))
		return -1;
	fixture = *state;
	fixture_set_state(fixture->qp, IBV_QPS_RTS);
	return 0;
}

static int poll_one(struct fixture *fixture, struct ibv_wc *wc)
{
	return ibv_poll_cq(ibv_cq_ex_to_cq(&fixture->cq->verbs), 1, wc);
}

static struct arnica_hw_cqe data_entry(const char *text, uint32_t index)
{
	struct arnica_hw_cqe entry = fixture_entry(0, ARNICA_HW_RECV,
						   ARNICA_HW_CQE_DATA, index);

	memcpy(entry.data, text, strlen(text));
	entry.byte_len = arnica_to_le32((uint32_t)strlen(text));
	return entry;
}

static void payload_crosses_segments(void **state)
{
	struct fixture *fixture = *state;
	char a[3], b[8], c[8] = "unchang";
	struct ibv_sge sge[] = {
		{ (uintptr_t)a, sizeof(a), 0x200 },
		{ 0, 0, 0x200 },
		{ (uintptr_t)b, sizeof(b), 0x200 },
		{ (uintptr_t)c, sizeof(c), 0x200 },
	};
	struct ibv_recv_wr wr = { .sg_list = sge, .num_sge = 4 };
	struct ibv_recv_wr *bad;
	struct ibv_wc wc;

	assert_int_equal(ibv_post_recv(&fixture->qp->verbs.base, &wr, &bad), 0);
	fixture_complete(fixture, &fixture->qp->receive_ring, 0,
			 data_entry("0123456789A", 0));
	assert_int_equal(poll_one(fixture, &wc), 1);
	assert_int_equal(wc.status, IBV_WC_SUCCESS);
	assert_int_equal(wc.byte_len, 11);
	assert_memory_equal(a, "012", 3);
	assert_memory_equal(b, "3456789A", 8);
	assert_memory_equal(c, "unchang", 8);
}

static void eager_payload_is_copied_and_given_back(void **state)
{
	struct fixture *fixture = *state;
	struct arnica_ring *ring = &fixture->qp->receive_ring;
	struct arnica_hw_cqe entry = fixture_entry(0, ARNICA_HW_RECV,
						   ARNICA_HW_CQE_EAGER, 0);
	char buffer[64] = "";
	struct ibv_wc wc;

	memcpy((char *)(uintptr_t)ring->eager + 128, "eager payload", 14);
	entry.eager_offset = arnica_to_le32(128);
	entry.eager_end = arnica_to_le32(4096 + 192);
	entry.byte_len = arnica_to_le32(14);
	assert_int_equal(fixture_post_receive(fixture->qp, 1, buffer, 64), 0);
	fixture_complete(fixture, ring, 0, entry);
	assert_int_equal(poll_one(fixture, &wc), 1);
	assert_string_equal(buffer, "eager payload");
	assert_int_equal(
		arnica_load32(&ring->record->eager_tail, memory_order_acquire),
		4096 + 192);
}

static void check_refused(struct fixture *fixture, uint32_t index,
			  struct arnica_hw_cqe entry)
{
	char buffer[8] = "before";
	struct ibv_wc wc;

	assert_int_equal(fixture_post_receive(fixture->qp, 1, buffer, 8), 0);
	fixture_complete(fixture, &fixture->qp->receive_ring, index, entry);
	assert_int_equal(poll_one(fixture, &wc), 1);
	assert_int_equal(wc.status, IBV_WC_GENERAL_ERR);
}

static void entries_outside_their_memory_are_refused(void **state)
{
	struct fixture *fixture = *state;
	struct arnica_hw_cqe entry = fixture_entry(0, ARNICA_HW_RECV,
						   ARNICA_HW_CQE_EAGER, 0);

	entry.byte_len = arnica_to_le32(16);
	entry.eager_offset = arnica_to_le32(4096 - 8);
	check_refused(fixture, 0, entry);
	entry.wqe_index = arnica_to_le32(1);
	entry.eager_offset = arnica_to_le32(0xfffffff8);
	check_refused(fixture, 1, entry);
	entry = fixture_entry(0, ARNICA_HW_RECV, ARNICA_HW_CQE_DATA, 2);
	entry.byte_len = arnica_to_le32(33);
	check_refused(fixture, 2, entry);
	/* more than the receive entry has room for */
	check_refused(fixture, 3, data_entry("twelve bytes", 3));
}

static void deregistration_places_what_stands_unpolled(void **state)
{
	struct fixture *fixture = *state;
	char buffer[32] = "";
	struct ibv_mr *mr = ibv_reg_mr(fixture->pd, buffer, sizeof(buffer),
				       IBV_ACCESS_LOCAL_WRITE);
	struct ibv_wc wc;

	assert_int_equal(fixture_post_receive(fixture->qp, 1, buffer, 8), 0);
	assert_int_equal(fixture_post_receive(fixture->qp, 2, buffer + 8, 8),
			 0);
	fixture_complete(fixture, &fixture->qp->receive_ring, 0,
			 data_entry("first", 0));
	assert_int_equal(ibv_dereg_mr(mr), 0);
	assert_string_equal(buffer, "first");
	/* A poll must not touch the memory again. */
	memset(buffer, 0, sizeof(buffer));
	fixture_complete(fixture, &fixture->qp->receive_ring, 1,
			 data_entry("second", 1));
	assert_int_equal(poll_one(fixture, &wc), 1);
	assert_int_equal(wc.wr_id, 1);
	assert_int_equal(wc.byte_len, 5);
	assert_int_equal(buffer[0], 0);
	assert_int_equal(poll_one(fixture, &wc), 1);
	assert_string_equal(buffer + 8, "second");
}

/* Half a turn of the index after the last early placement. */
static void placing_goes_on_where_the_index_wraps(void **state)
{
	struct fixture *fixture = *state;
	struct arnica_ring *ring = &fixture->qp->receive_ring;
	struct ibv_wc wc;
	uint32_t index;

	arnica_scatter_ring(ring);
	for (index = 0; index < 2; index++) {
		char buffer[8] = "";

		assert_int_equal(
			fixture_post_receive(fixture->qp, 1, buffer, 8), 0);
		fixture_complete(fixture, ring, index,
				 data_entry("placed", index));
		assert_int_equal(poll_one(fixture, &wc), 1);
		assert_string_equal(buffer, "placed");
		assert_int_equal(ring->scattered, index + 1);
	}
	for (index = 0x7ffffff0; index != 0x80000010; index++) {
		char buffer[8] = "";

		if (index == 0x7ffffff0) {
			ring->head = index;
			ring->scattered = index;
			ring->tail = index;
			fixture->qp->receive.head = index;
		}
		assert_int_equal(
			fixture_post_receive(fixture->qp, 1, buffer, 8), 0);
		fixture_complete(fixture, ring, index,
				 data_entry("placed", index));
		assert_int_equal(poll_one(fixture, &wc), 1);
		assert_string_equal(buffer, "placed");
		assert_int_equal(ring->scattered, index + 1);
	}
}

static void change_to_error_places_what_stands_unpolled(void **state)
{
	struct fixture *fixture = *state;
	struct ibv_qp_attr attr = { .qp_state = IBV_QPS_ERR };
	char buffer[8] = "";

	assert_int_equal(fixture_post_receive(fixture->qp, 1, buffer, 8), 0);
	fixture_complete(fixture, &fixture->qp->receive_ring, 0,
			 data_entry("early", 0));
	assert_int_equal(
		ibv_modify_qp(&fixture->qp->verbs.base, &attr, IBV_QP_STATE),
		0);
	assert_string_equal(buffer, "early");
}

/* The rings belong to the adapter again when the command is answered. */
static void destruction_places_what_stands_unpolled(void **state)
{
	struct fixture *fixture = *state;
	struct arnica_qp *qp = fixture_add_qp(fixture);
	char buffer[8] = "";

	fixture_set_state(qp, IBV_QPS_RTS);
	assert_int_equal(fixture_post_receive(qp, 1, buffer, 8), 0);
	fixture_complete(fixture, &qp->receive_ring, 0, data_entry("last", 0));
	fixture->bus->wipe_on_destroy = qp->receive_ring.entries;
	fixture->bus->wipe_bytes = sizeof(struct arnica_hw_cqe);
	assert_int_equal(ibv_destroy_qp(&qp->verbs.base), 0);
	assert_string_equal(buffer, "last");
}

static void addresses_of_zero_based_regions_are_translated(void **state)
{
	struct fixture *fixture = *state;
	char buffer[64] = "";
	struct ibv_mr *mr = ibv_reg_mr(fixture->pd, buffer, sizeof(buffer),
				       IBV_ACCESS_LOCAL_WRITE |
					       IBV_ACCESS_ZERO_BASED);
	struct ibv_sge sge = { 16, 32, mr->lkey };
	struct ibv_recv_wr wr = { .sg_list = &sge, .num_sge = 1 };
	struct ibv_recv_wr *bad;
	struct ibv_wc wc;

	assert_int_equal(arnica_from_le64(fixture->bus->last.reg_mr.iova), 0);
	assert_int_equal(ibv_post_recv(&fixture->qp->verbs.base, &wr, &bad), 0);
	fixture_complete(fixture, &fixture->qp->receive_ring, 0,
			 data_entry("moved", 0));
	assert_int_equal(poll_one(fixture, &wc), 1);
	assert_string_equal(buffer + 16, "moved");
	assert_int_equal(ibv_dereg_mr(mr), 0);
	assert_int_equal(fixture->context->num_translations, 0);
}

int main(void)
{
#define WITH_RTS(test)                                                         \
	cmocka_unit_test_setup_teardown(test, open_rts, fixture_close)
	const struct CMUnitTest tests[] = {
		WITH_RTS(payload_crosses_segments),
		WITH_RTS(eager_payload_is_copied_and_given_back),
		WITH_RTS(entries_outside_their_memory_are_refused),
		WITH_RTS(deregistration_places_what_stands_unpolled),
		WITH_RTS(placing_goes_on_where_the_index_wraps),
		WITH_RTS(change_to_error_places_what_stands_unpolled),
		WITH_RTS(destruction_places_what_stands_unpolled),
		WITH_RTS(addresses_of_zero_based_regions_are_translated),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
