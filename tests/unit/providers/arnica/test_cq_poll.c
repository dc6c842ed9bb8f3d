/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Polling over rings in plain memory: the ready stack, the hot list, cooling,
 * numbers that lead nowhere, and the counted mode.
 */
#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>

#include "fixture.h"

#define MANY 24u

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

static void empty_queue_has_nothing(void **state)
{
	struct ibv_wc wc;

	assert_int_equal(poll_one(*state, &wc), 0);
}

static void send_completion_is_reported_as_verbs_have_it(void **state)
{
	struct fixture *fixture = *state;
	struct arnica_qp *qp = fixture->qp;
	struct ibv_wc wc;

	assert_int_equal(fixture_post_send(qp, 0x77), 0);
	fixture_complete(fixture, &qp->send_ring, 0,
			 fixture_entry(0, 0x06, 0, 0));
	assert_int_equal(poll_one(fixture, &wc), 1);
	assert_int_equal(wc.wr_id, 0x77);
	assert_int_equal(wc.status, IBV_WC_SUCCESS);
	assert_int_equal(wc.opcode, IBV_WC_RDMA_READ);
	assert_int_equal(wc.qp_num, qp->verbs.base.qp_num);
	assert_int_equal(poll_one(fixture, &wc), 0);
	assert_int_equal(arnica_load32(&qp->send_ring.record->polled,
				       memory_order_acquire),
			 1);
}

static void receive_carries_immediate_and_length(void **state)
{
	struct fixture *fixture = *state;
	struct arnica_hw_cqe entry = fixture_entry(
		0, ARNICA_HW_RECV_RDMA_WITH_IMM, ARNICA_HW_CQE_IMM, 0);
	struct ibv_wc wc;

	entry.immediate = arnica_to_be32(0x01020304);
	entry.byte_len = arnica_to_le32(4096);
	assert_int_equal(fixture_post_receive(fixture->qp, 5, NULL, 0), 0);
	fixture_complete(fixture, &fixture->qp->receive_ring, 0, entry);
	assert_int_equal(poll_one(fixture, &wc), 1);
	assert_int_equal(wc.wr_id, 5);
	assert_int_equal(wc.opcode, IBV_WC_RECV_RDMA_WITH_IMM);
	assert_int_equal(wc.byte_len, 4096);
	assert_int_equal(wc.wc_flags, IBV_WC_WITH_IMM);
	assert_memory_equal(&wc.imm_data, "\x01\x02\x03\x04", 4);
}

static void errors_keep_their_status(void **state)
{
	struct fixture *fixture = *state;
	struct arnica_hw_cqe entry = fixture_entry(
		ARNICA_HW_STATUS_RNR_RETRY_EXC_ERR, 0x01, 0, 0);
	struct ibv_wc wc;

	entry.vendor_error = arnica_to_le32(0x55);
	assert_int_equal(fixture_post_send(fixture->qp, 1), 0);
	fixture_complete(fixture, &fixture->qp->send_ring, 0, entry);
	assert_int_equal(poll_one(fixture, &wc), 1);
	assert_int_equal(wc.status, IBV_WC_RNR_RETRY_EXC_ERR);
	assert_int_equal(wc.vendor_err, 0x55);
}

static void contradictions_become_general_errors(void **state)
{
	struct fixture *fixture = *state;
	struct ibv_wc wc;

	assert_int_equal(fixture_post_send(fixture->qp, 0x11), 0);
	/* an index that was never posted */
	fixture_complete(fixture, &fixture->qp->send_ring, 0,
			 fixture_entry(0, 0x01, 0, 0x80000000));
	assert_int_equal(poll_one(fixture, &wc), 1);
	assert_int_equal(wc.status, IBV_WC_GENERAL_ERR);
	assert_int_equal(wc.wr_id, 0x11);
	/* a status and an opcode that do not exist */
	assert_int_equal(fixture_post_send(fixture->qp, 0x12), 0);
	fixture_complete(fixture, &fixture->qp->send_ring, 1,
			 fixture_entry(200, 0x70, 0, 1));
	assert_int_equal(poll_one(fixture, &wc), 1);
	assert_int_equal(wc.status, IBV_WC_GENERAL_ERR);
	assert_int_equal(wc.wr_id, 0x12);
}

static void stale_entry_of_the_last_lap_is_not_taken(void **state)
{
	struct fixture *fixture = *state;
	struct arnica_ring *ring = &fixture->qp->send_ring;
	struct ibv_wc wc;
	uint32_t i;

	for (i = 0; i < 3 * FIXTURE_DEPTH; i++) {
		assert_int_equal(fixture_post_send(fixture->qp, i), 0);
		fixture_complete(fixture, ring, i,
				 fixture_entry(0, 0x01, 0, i));
		assert_int_equal(poll_one(fixture, &wc), 1);
		assert_int_equal(wc.wr_id, i);
		assert_int_equal(poll_one(fixture, &wc), 0);
	}
}

/* Completes one send of each queue pair. */
static void complete_all(struct fixture *fixture, struct arnica_qp **qps,
			 uint32_t index)
{
	uint32_t i;

	for (i = 0; i < MANY; i++) {
		assert_int_equal(fixture_post_send(qps[i], i), 0);
		fixture_complete(fixture, &qps[i]->send_ring, index,
				 fixture_entry(0, 0x01, 0, index));
	}
}

static void add_many(struct fixture *fixture, struct arnica_qp **qps)
{
	uint32_t i;

	for (i = 0; i < MANY; i++) {
		qps[i] = fixture_add_qp(fixture);
		assert_non_null(qps[i]);
		fixture_set_state(qps[i], IBV_QPS_RTS);
	}
}

static void destroy_many(struct arnica_qp **qps)
{
	uint32_t i;

	for (i = 0; i < MANY; i++)
		assert_int_equal(ibv_destroy_qp(&qps[i]->verbs.base), 0);
}

static uint32_t drain(struct fixture *fixture)
{
	struct ibv_wc wc[4];
	uint32_t total = 0;
	int taken;

	do {
		taken = ibv_poll_cq(ibv_cq_ex_to_cq(&fixture->cq->verbs), 4,
				    wc);
		total += (uint32_t)taken;
	} while (taken > 0);
	return total;
}

static void many_rings_get_hot_and_quiet_ones_cool(void **state)
{
	struct fixture *fixture = *state;
	struct arnica_qp *qps[MANY];
	struct ibv_wc wc;
	uint32_t i;

	add_many(fixture, qps);
	complete_all(fixture, qps, 0);
	assert_int_equal(drain(fixture), MANY);
	assert_int_equal(fixture->cq->num_hot, MANY);
	for (i = 0; i < 10000; i++)
		assert_int_equal(poll_one(fixture, &wc), 0);
	assert_int_equal(fixture->cq->num_hot, 8);
	/* A ring that was let go is found again by the ready stack. */
	complete_all(fixture, qps, 1);
	assert_int_equal(drain(fixture), MANY);
	destroy_many(qps);
	assert_int_equal(fixture->cq->num_hot, 0);
}

static void no_ring_starves_another(void **state)
{
	struct fixture *fixture = *state;
	struct arnica_qp *other = fixture_add_qp(fixture);
	struct ibv_wc wc;
	uint32_t i;

	fixture_set_state(other, IBV_QPS_RTS);
	for (i = 0; i < 4; i++) {
		assert_int_equal(fixture_post_send(fixture->qp, 100 + i), 0);
		fixture_complete(fixture, &fixture->qp->send_ring, i,
				 fixture_entry(0, 0x01, 0, i));
	}
	assert_int_equal(fixture_post_send(other, 200), 0);
	fixture_complete(fixture, &other->send_ring, 0,
			 fixture_entry(0, 0x01, 0, 0));
	assert_int_equal(poll_one(fixture, &wc), 1);
	i = wc.wr_id == 200;
	assert_int_equal(poll_one(fixture, &wc), 1);
	i += wc.wr_id == 200;
	assert_int_equal(i, 1);
	assert_int_equal(drain(fixture), 3);
	assert_int_equal(ibv_destroy_qp(&other->verbs.base), 0);
}

static void hostile_ready_stack_does_no_harm(void **state)
{
	struct fixture *fixture = *state;
	struct arnica_hw_cq_record *cq = fixture->cq->record;
	struct arnica_ring *ring = &fixture->qp->send_ring;
	struct ibv_wc wc;

	/* numbers out of range, and of a queue that does not exist */
	arnica_store32(&cq->ready, 0xffffffff, memory_order_release);
	assert_int_equal(poll_one(fixture, &wc), 0);
	arnica_store32(&cq->ready, 60001, memory_order_release);
	assert_int_equal(poll_one(fixture, &wc), 0);
	/* a circle */
	arnica_store32(&ring->record->next, ring->number + 1,
		       memory_order_relaxed);
	arnica_store32(&cq->ready, ring->number + 1, memory_order_release);
	assert_int_equal(poll_one(fixture, &wc), 0);
	assert_int_equal(fixture->cq->num_hot, 1);
	/* the work that was on the broken stack is found all the same */
	assert_int_equal(fixture_post_send(fixture->qp, 3), 0);
	fixture_complete(fixture, ring, 0, fixture_entry(0, 0x01, 0, 0));
	arnica_store32(&cq->ready, 0xfffffff0, memory_order_release);
	assert_int_equal(poll_one(fixture, &wc), 1);
	assert_int_equal(wc.wr_id, 3);
}

/* A writer slept over the end of its queue; the number has a new owner. */
static void alien_number_lets_its_owner_rescan(void **state)
{
	struct fixture *fixture = *state;
	struct arnica_cq *other = arnica_cq_of(
		ibv_create_cq(fixture->ibv, 16, NULL, NULL, 0));
	struct ibv_wc wc;

	arnica_store32(&other->record->ready, fixture->qp->send_ring.number + 1,
		       memory_order_release);
	assert_int_equal(ibv_poll_cq(ibv_cq_ex_to_cq(&other->verbs), 1, &wc),
			 0);
	assert_int_equal(arnica_load32(&fixture->cq->record->rescan,
				       memory_order_acquire),
			 1);
	assert_int_equal(ibv_destroy_cq(ibv_cq_ex_to_cq(&other->verbs)), 0);
}

static void rescan_finds_what_a_dead_writer_left(void **state)
{
	struct fixture *fixture = *state;
	struct arnica_ring *ring = &fixture->qp->send_ring;
	struct arnica_hw_cqe entry = fixture_entry(0, 0x01, 0, 0);
	struct ibv_wc wc;

	assert_int_equal(fixture_post_send(fixture->qp, 8), 0);
	fake_bus_publish(ring->entries, ring->mask, 0, &entry);
	arnica_store32(&ring->record->queued, 1, memory_order_release);
	assert_int_equal(poll_one(fixture, &wc), 0);
	arnica_store32(&fixture->cq->record->rescan, 1, memory_order_release);
	assert_int_equal(poll_one(fixture, &wc), 1);
	assert_int_equal(wc.wr_id, 8);
	assert_int_equal(arnica_load32(&fixture->cq->record->rescan,
				       memory_order_relaxed),
			 0);
}

/* The adapter clears the record of a destroyed queue, through which the ready
 * stack may run. */
static void destroyed_ring_does_not_hide_those_behind_it(void **state)
{
	struct fixture *fixture = *state;
	struct arnica_qp *other = fixture_add_qp(fixture);
	struct ibv_wc wc;

	fixture_set_state(other, IBV_QPS_RTS);
	assert_int_equal(fixture_post_send(fixture->qp, 7), 0);
	assert_int_equal(fixture_post_send(other, 8), 0);
	fixture_complete(fixture, &fixture->qp->send_ring, 0,
			 fixture_entry(0, 0x01, 0, 0));
	fixture_complete(fixture, &other->send_ring, 0,
			 fixture_entry(0, 0x01, 0, 0));
	fixture->bus->wipe_on_destroy = other->send_ring.record;
	fixture->bus->wipe_bytes = sizeof(struct arnica_hw_queue_record);
	assert_int_equal(ibv_destroy_qp(&other->verbs.base), 0);
	assert_int_equal(poll_one(fixture, &wc), 1);
	assert_int_equal(wc.wr_id, 7);
	assert_int_equal(poll_one(fixture, &wc), 0);
}

static void leave_work(struct arnica_bus *bus)
{
	arnica_store32(&fake_bus_header(bus)->attention, 0,
		       memory_order_release);
}

static void attention_enters_the_adapter_once_per_poll(void **state)
{
	struct fixture *fixture = *state;
	struct ibv_wc wc;

	fixture->bus->on_poll = leave_work;
	assert_int_equal(poll_one(fixture, &wc), 0);
	assert_int_equal(fixture->bus->num_polls, 0);
	arnica_store32(&fake_bus_header(fixture->bus)->attention, 1,
		       memory_order_release);
	assert_int_equal(poll_one(fixture, &wc), 0);
	assert_int_equal(poll_one(fixture, &wc), 0);
	assert_int_equal(fixture->bus->num_polls, 1);
}

/* ... and with an open wire some polls do, as long as nothing else is left. */
static void an_open_wire_is_looked_at_now_and_then(void **state)
{
	struct fixture *fixture = *state;
	arnica_atomic_le32 *attention =
		&fake_bus_header(fixture->bus)->attention;
	struct ibv_wc wc;
	uint32_t i;

	arnica_store32(attention, ARNICA_HW_ATTENTION_WIRE,
		       memory_order_release);
	for (i = 0; i < 10 * ARNICA_CQ_WIRE_POLLS; i++)
		assert_int_equal(poll_one(fixture, &wc), 0);
	assert_int_equal(fixture->bus->num_polls, 10);
	arnica_store32(attention, ARNICA_HW_ATTENTION_WORK,
		       memory_order_release);
	for (i = 0; i < 10; i++)
		assert_int_equal(poll_one(fixture, &wc), 0);
	assert_int_equal(fixture->bus->num_polls, 20);
	arnica_store32(attention, ARNICA_HW_ATTENTION_WIRE_BUSY,
		       memory_order_release);
	for (i = 0; i < 10; i++)
		assert_int_equal(poll_one(fixture, &wc), 0);
	assert_int_equal(fixture->bus->num_polls, 30);
	/* What is held goes on, also with a poll that found something. */
	arnica_store32(attention, ARNICA_HW_ATTENTION_HELD,
		       memory_order_release);
	for (i = 0; i < 4; i++) {
		assert_int_equal(fixture_post_send(fixture->qp, 1), 0);
		fixture_complete(fixture, &fixture->qp->send_ring, i,
				 fixture_entry(i, 0x01, 0, 0));
		assert_int_equal(poll_one(fixture, &wc), 1);
	}
	assert_int_equal(fixture->bus->num_polls, 34);
}

/* In a row: what finds something begins a new one. */
static void polls_in_vain_are_told_now_and_then(void **state)
{
	struct fixture *fixture = *state;
	struct ibv_wc wc;
	uint32_t i;

	for (i = 0; i < ARNICA_BUS_VAIN_POLLS - 1; i++)
		assert_int_equal(poll_one(fixture, &wc), 0);
	assert_int_equal(fixture_post_send(fixture->qp, 1), 0);
	fixture_complete(fixture, &fixture->qp->send_ring, 0,
			 fixture_entry(0, 0x01, 0, 0));
	assert_int_equal(poll_one(fixture, &wc), 1);
	for (i = 0; i < ARNICA_BUS_VAIN_POLLS - 1; i++)
		assert_int_equal(poll_one(fixture, &wc), 0);
	assert_int_equal(fixture->bus->num_vain, 0);
	assert_int_equal(poll_one(fixture, &wc), 0);
	assert_int_equal(fixture->bus->num_vain, 1);
	for (i = 0; i < 10 * ARNICA_BUS_VAIN_POLLS; i++)
		assert_int_equal(poll_one(fixture, &wc), 0);
	assert_int_equal(fixture->bus->num_vain, 11);
}

static void counted_queue_gives_entries_back(void **state)
{
	struct fixture *fixture = *state;
	struct arnica_hw_cq_record *cq = fixture->cq->record;
	uint32_t i;

	arnica_store32(&cq->counted, 1, memory_order_release);
	arnica_store32(&cq->outstanding, 5, memory_order_release);
	for (i = 0; i < 3; i++) {
		assert_int_equal(fixture_post_send(fixture->qp, i), 0);
		fixture_complete(fixture, &fixture->qp->send_ring, i,
				 fixture_entry(0, 0x01, 0, i));
	}
	assert_int_equal(drain(fixture), 3);
	assert_int_equal(arnica_load32(&cq->outstanding, memory_order_acquire),
			 2);
}

static void reset_discards_what_was_not_polled(void **state)
{
	struct fixture *fixture = *state;
	struct arnica_qp *qp = fixture->qp;
	struct ibv_qp_attr attr = { .qp_state = IBV_QPS_RESET };
	struct ibv_wc wc;

	assert_int_equal(fixture_post_send(qp, 1), 0);
	assert_int_equal(fixture_post_send(qp, 2), 0);
	assert_int_equal(fixture_post_receive(qp, 3, NULL, 0), 0);
	assert_int_equal(fixture_post_receive(qp, 4, NULL, 0), 0);
	fixture_complete(fixture, &qp->send_ring, 0,
			 fixture_entry(0, 0x01, 0, 0));
	fixture_complete(fixture, &qp->receive_ring, 0,
			 fixture_entry(0, ARNICA_HW_RECV, 0, 0));
	assert_int_equal(ibv_modify_qp(&qp->verbs.base, &attr, IBV_QP_STATE),
			 0);
	assert_int_equal(poll_one(fixture, &wc), 0);
	fixture_set_state(qp, IBV_QPS_RTS);
	/* Indexes go on: entry 2 of each queue, entry 1 of the send ring. */
	assert_int_equal(fixture_post_send(qp, 5), 0);
	assert_int_equal(fixture_post_receive(qp, 6, NULL, 0), 0);
	fixture_complete(fixture, &qp->send_ring, 1,
			 fixture_entry(0, 0x01, 0, 2));
	fixture_complete(fixture, &qp->receive_ring, 2,
			 fixture_entry(0, ARNICA_HW_RECV, 0, 2));
	assert_int_equal(drain(fixture), 2);
}

static void extended_polling_reads_the_same(void **state)
{
	struct fixture *fixture = *state;
	struct ibv_cq_init_attr_ex init = {
		.cqe = 16,
		.wc_flags = IBV_WC_STANDARD_FLAGS |
			    IBV_WC_EX_WITH_COMPLETION_TIMESTAMP,
	};
	struct ibv_poll_cq_attr attr = { 0 };
	struct ibv_cq_ex *ex = arnica_cq_create_ex(fixture->ibv, &init);
	uint32_t i;

	assert_non_null(ex);
	for (i = 0; i < ARNICA_BUS_VAIN_POLLS; i++) {
		assert_int_equal(fixture->bus->num_vain, 0);
		assert_int_equal(ibv_start_poll(ex, &attr), ENOENT);
	}
	assert_int_equal(fixture->bus->num_vain, 1);
	attr.comp_mask = 1;
	assert_int_equal(ibv_start_poll(ex, &attr), EINVAL);
	attr.comp_mask = 0;
	pthread_mutex_init(&ex->mutex, NULL);
	pthread_cond_init(&ex->cond, NULL);
	assert_int_equal(arnica_cq_destroy(ibv_cq_ex_to_cq(ex)), 0);

	/* The plain CQ of the fixture, polled the extended way. */
	arnica_cq_ex_init(fixture->cq, IBV_WC_STANDARD_FLAGS);
	ex = &fixture->cq->verbs;
	assert_int_equal(fixture_post_send(fixture->qp, 1), 0);
	assert_int_equal(fixture_post_send(fixture->qp, 2), 0);
	fixture_complete(fixture, &fixture->qp->send_ring, 0,
			 fixture_entry(0, 0x04, 0, 0));
	fixture_complete(fixture, &fixture->qp->send_ring, 1,
			 fixture_entry(5, 0x01, 0, 1));
	assert_int_equal(ibv_start_poll(ex, &attr), 0);
	assert_int_equal(ex->wr_id, 1);
	assert_int_equal(ibv_wc_read_opcode(ex), IBV_WC_RDMA_WRITE);
	assert_int_equal(ibv_wc_read_qp_num(ex),
			 fixture->qp->verbs.base.qp_num);
	assert_int_equal(ibv_next_poll(ex), 0);
	assert_int_equal(ex->status, IBV_WC_WR_FLUSH_ERR);
	assert_int_equal(ibv_next_poll(ex), ENOENT);
	ibv_end_poll(ex);
	assert_int_equal(arnica_load32(&fixture->qp->send_ring.record->polled,
				       memory_order_acquire),
			 2);
}

static void arming_keeps_the_stronger_request_and_the_fired_count(void **state)
{
	struct fixture *fixture = *state;
	struct ibv_cq *cq = ibv_cq_ex_to_cq(&fixture->cq->verbs);
	arnica_atomic_le32 *armed = &fixture->cq->record->armed;

	arnica_store32(armed, 3 * ARNICA_HW_ARMED_FIRED_ONE,
		       memory_order_relaxed);
	assert_int_equal(ibv_req_notify_cq(cq, 1), 0);
	assert_int_equal(arnica_load32(armed, memory_order_relaxed), 0x301);
	assert_int_equal(ibv_req_notify_cq(cq, 0), 0);
	assert_int_equal(arnica_load32(armed, memory_order_relaxed), 0x302);
	assert_int_equal(ibv_req_notify_cq(cq, 1), 0);
	assert_int_equal(arnica_load32(armed, memory_order_relaxed), 0x302);
}

int main(void)
{
#define WITH_RTS(test)                                                         \
	cmocka_unit_test_setup_teardown(test, open_rts, fixture_close)
	const struct CMUnitTest tests[] = {
		WITH_RTS(empty_queue_has_nothing),
		WITH_RTS(send_completion_is_reported_as_verbs_have_it),
		WITH_RTS(receive_carries_immediate_and_length),
		WITH_RTS(errors_keep_their_status),
		WITH_RTS(contradictions_become_general_errors),
		WITH_RTS(stale_entry_of_the_last_lap_is_not_taken),
		WITH_RTS(many_rings_get_hot_and_quiet_ones_cool),
		WITH_RTS(no_ring_starves_another),
		WITH_RTS(hostile_ready_stack_does_no_harm),
		WITH_RTS(alien_number_lets_its_owner_rescan),
		WITH_RTS(rescan_finds_what_a_dead_writer_left),
		WITH_RTS(destroyed_ring_does_not_hide_those_behind_it),
		WITH_RTS(attention_enters_the_adapter_once_per_poll),
		WITH_RTS(an_open_wire_is_looked_at_now_and_then),
		WITH_RTS(polls_in_vain_are_told_now_and_then),
		WITH_RTS(counted_queue_gives_entries_back),
		WITH_RTS(reset_discards_what_was_not_polled),
		WITH_RTS(extended_polling_reads_the_same),
		WITH_RTS(arming_keeps_the_stronger_request_and_the_fired_count),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
