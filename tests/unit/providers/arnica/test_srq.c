/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Shared receive queues: what a post writes, and how entries come back. */
#include <cmocka.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>

#include "arnica/hw/wqe.h"
#include "fixture.h"
#include "srq.h"

#define DEPTH 3u

static struct arnica_srq *open_srq(struct fixture *fixture)
{
	struct ibv_srq_init_attr attr = { .attr = { .max_wr = DEPTH,
						    .max_sge = 2 } };
	struct ibv_srq *srq = ibv_create_srq(fixture->pd, &attr);

	assert_non_null(srq);
	return arnica_srq_of(srq);
}

static int post(struct arnica_srq *srq, uint64_t wr_id)
{
	struct ibv_sge sge = { 0x1000, 64, 0x200 };
	struct ibv_recv_wr wr = { .wr_id = wr_id, .sg_list = &sge,
				  .num_sge = 1 };
	struct ibv_recv_wr *bad;

	return ibv_post_srq_recv(&srq->verbs.base, &wr, &bad);
}

static uint32_t slot_at(struct arnica_srq *srq, uint32_t index)
{
	return arnica_load32(&srq->ring[index & srq->mask],
			     memory_order_relaxed);
}

/* The adapter's part: a QP takes it. */
static void take(struct arnica_srq *srq, uint32_t slot, uint32_t qp)
{
	uint64_t word = arnica_load64(&srq->words[slot], memory_order_relaxed);

	assert_int_equal((uint32_t)word, 0);
	arnica_store64(&srq->words[slot], word | (qp + 1),
		       memory_order_relaxed);
}

static void close_srq(struct arnica_srq *srq)
{
	assert_int_equal(ibv_destroy_srq(&srq->verbs.base), 0);
}

static void a_post_writes_entry_word_ring_and_index(void **state)
{
	static const unsigned char golden[32] = {
		0x00, 0x10, 0, 0, 0, 0, 0, 0, 0x40, 0, 0, 0, 0x00, 0x02, 0, 0,
		0,    0,    0, 0, 0, 0, 0, 0, 0,    0, 0, 0, 0x00, 0x01, 0, 0,
	};
	struct fixture *fixture = *state;
	struct arnica_srq *srq = open_srq(fixture);
	uint32_t slot;

	assert_int_equal(post(srq, 10), 0);
	assert_int_equal(post(srq, 11), 0);
	assert_int_equal(arnica_load32(&srq->record->producer,
				       memory_order_acquire), 2);
	slot = slot_at(srq, 1);
	assert_true(slot < DEPTH && slot != slot_at(srq, 0));
	assert_memory_equal(srq->entries + ((size_t)slot << srq->shift), golden,
			    sizeof(golden));
	assert_int_equal(arnica_load64(&srq->words[slot], memory_order_relaxed),
			 1ull << 32);
	assert_int_equal(fixture->bus->num_doorbells, 0);
	close_srq(srq);
}

static void a_waiting_message_asks_for_the_doorbell(void **state)
{
	struct fixture *fixture = *state;
	struct arnica_srq *srq = open_srq(fixture);
	uint32_t queue, number, producer;

	arnica_store32(&srq->record->waiting, 1, memory_order_release);
	assert_int_equal(post(srq, 1), 0);
	assert_int_equal(fixture->bus->num_doorbells, 1);
	assert_int_equal(fixture->bus->doorbells[0].offset, ARNICA_HW_DB_SRQ);
	arnica_hw_doorbell_decode(fixture->bus->doorbells[0].value, &queue,
				  &number, &producer);
	assert_int_equal(queue, srq->verbs.base.handle);
	assert_int_equal(number, FAKE_SRQ);
	assert_int_equal(producer, 1);
	close_srq(srq);
}

static void what_does_not_fit_is_refused(void **state)
{
	struct fixture *fixture = *state;
	struct arnica_srq *srq = open_srq(fixture);
	struct ibv_sge sge[3] = { 0 };
	struct ibv_recv_wr wr[2] = {
		{ .wr_id = 1, .sg_list = sge, .num_sge = 2, .next = &wr[1] },
		{ .wr_id = 2, .sg_list = sge, .num_sge = 3 },
	};
	struct ibv_recv_wr *bad = NULL;

	assert_int_equal(ibv_post_srq_recv(&srq->verbs.base, wr, &bad), EINVAL);
	assert_ptr_equal(bad, &wr[1]);
	/* What stood before it is posted. */
	assert_int_equal(arnica_load32(&srq->record->producer,
				       memory_order_relaxed), 1);
	assert_int_equal(post(srq, 2), 0);
	assert_int_equal(post(srq, 3), 0);
	assert_int_equal(post(srq, 4), ENOMEM);
	close_srq(srq);
}

static void entries_come_back_in_any_order_and_once(void **state)
{
	struct fixture *fixture = *state;
	struct arnica_srq *srq = open_srq(fixture);
	uint64_t wr_id = 0;
	uint32_t middle;

	for (uint64_t i = 0; i < DEPTH; i++)
		assert_int_equal(post(srq, 100 + i), 0);
	middle = slot_at(srq, 1);
	assert_true(arnica_srq_return(srq, middle, &wr_id));
	assert_int_equal(wr_id, 101);
	assert_false(arnica_srq_return(srq, middle, &wr_id));
	assert_false(arnica_srq_return(srq, srq->mask + 1, &wr_id));
	assert_false(arnica_srq_return(srq, DEPTH, &wr_id)); /* never posted */
	assert_int_equal(post(srq, 200), 0);
	assert_int_equal(slot_at(srq, 3), middle);
	assert_int_equal(post(srq, 201), ENOMEM);
	close_srq(srq);
}

static void a_destroyed_queue_pair_gives_back_what_it_took(void **state)
{
	struct fixture *fixture = *state;
	struct arnica_srq *srq = open_srq(fixture);
	uint64_t wr_id;

	for (uint64_t i = 0; i < DEPTH; i++)
		assert_int_equal(post(srq, i), 0);
	take(srq, slot_at(srq, 0), 7);
	take(srq, slot_at(srq, 1), 8);
	take(srq, slot_at(srq, 2), 7);
	assert_true(arnica_srq_return(srq, slot_at(srq, 0), &wr_id));
	arnica_srq_reclaim(srq, 7); /* one was polled, one was not */
	assert_int_equal(post(srq, 10), 0);
	assert_int_equal(post(srq, 11), 0);
	assert_int_equal(post(srq, 12), ENOMEM);
	close_srq(srq);
}

/* A completion of the QP's ring names the entry of the SRQ. */
static void a_completion_finds_its_entry(void **state)
{
	struct fixture *fixture = *state;
	struct arnica_srq *srq = open_srq(fixture);
	struct ibv_qp_init_attr attr = {
		.send_cq = ibv_cq_ex_to_cq(&fixture->cq->verbs),
		.recv_cq = ibv_cq_ex_to_cq(&fixture->cq->verbs),
		.srq = &srq->verbs.base,
		.cap = { 1, 5, 1, 1, 0 },
		.qp_type = IBV_QPT_RC,
	};
	struct ibv_qp *ibv_qp = ibv_create_qp(fixture->pd, &attr);
	struct arnica_qp *qp = arnica_qp_of(ibv_qp);
	struct ibv_recv_wr wr = { 0 }, *bad;
	struct ibv_wc wc;

	assert_non_null(ibv_qp);
	assert_int_equal(attr.cap.max_recv_wr, 0);
	fixture_set_state(qp, IBV_QPS_RTS);
	assert_int_equal(ibv_post_recv(ibv_qp, &wr, &bad), EINVAL);
	for (uint64_t i = 0; i < DEPTH; i++)
		assert_int_equal(post(srq, 50 + i), 0);
	fixture_complete(fixture, &qp->receive_ring, 0,
			 fixture_entry(0, ARNICA_HW_RECV, 0, slot_at(srq, 2)));
	assert_int_equal(ibv_poll_cq(attr.recv_cq, 1, &wc), 1);
	assert_int_equal(wc.status, IBV_WC_SUCCESS);
	assert_int_equal(wc.wr_id, 52);
	assert_int_equal(post(srq, 60), 0);
	/* One that the adapter does not have, or of another queue. */
	fixture_complete(fixture, &qp->receive_ring, 1,
			 fixture_entry(0, ARNICA_HW_RECV, 0, 1000));
	assert_int_equal(ibv_poll_cq(attr.recv_cq, 1, &wc), 1);
	assert_int_equal(wc.status, IBV_WC_GENERAL_ERR);
	assert_int_equal(post(srq, 61), ENOMEM);
	assert_int_equal(ibv_destroy_qp(ibv_qp), 0);
	close_srq(srq);
}

static int resize(struct arnica_srq *srq, uint32_t depth)
{
	struct ibv_srq_attr attr = { .max_wr = depth };

	return ibv_modify_srq(&srq->verbs.base, &attr, IBV_SRQ_MAX_WR);
}

static uint32_t depth_of(struct arnica_srq *srq)
{
	struct ibv_srq_attr attr;

	assert_int_equal(ibv_query_srq(&srq->verbs.base, &attr), 0);
	return attr.max_wr;
}

/* Each post has a slot of its own, whatever the size was before. */
static void fill_up(struct arnica_srq *srq, uint32_t depth)
{
	uint32_t i, first = srq->head;
	uint64_t seen = 0, wr_id;

	for (i = 0; i < depth; i++)
		assert_int_equal(post(srq, i), 0);
	assert_int_equal(post(srq, i), ENOMEM);
	for (i = 0; i < depth; i++) {
		uint32_t slot = slot_at(srq, first + i);

		assert_true(slot <= srq->mask && !(seen & 1ull << slot));
		seen |= 1ull << slot;
		assert_true(arnica_srq_return(srq, slot, &wr_id));
		assert_int_equal(wr_id, i);
	}
}

static void a_size_is_what_it_holds(void **state)
{
	static const uint32_t sizes[] = { 4, 1, 9, 16, 2, 3, 10, 1, 16 };
	struct fixture *fixture = *state;
	struct arnica_srq *srq = open_srq(fixture);
	uint64_t wr_id;
	uint32_t i;

	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		assert_int_equal(resize(srq, sizes[i]), 0);
		assert_int_equal(depth_of(srq), sizes[i]);
		fill_up(srq, sizes[i]);
	}
	assert_int_equal(resize(srq, 17), ENOMEM); /* capacity */
	assert_int_equal(resize(srq, 0), EINVAL);
	for (i = 0; i < 5; i++)
		assert_int_equal(post(srq, i), 0);
	assert_int_equal(resize(srq, 4), EINVAL);
	assert_int_equal(depth_of(srq), 16);
	assert_int_equal(resize(srq, 5), 0);
	assert_int_equal(post(srq, 5), ENOMEM);
	for (i = 1; i <= 5; i++)
		assert_true(arnica_srq_return(
			srq, slot_at(srq, srq->head - i), &wr_id));
	fill_up(srq, 5);
	close_srq(srq);
}

/* The adapter refuses at the last moment, or at the first. */
static void a_failure_leaves_it_as_it_was(void **state)
{
	static const uint32_t opcodes[] = { ARNICA_HW_CMD_MODIFY_SRQ,
					    ARNICA_HW_CMD_GROW_SRQ };
	static const uint32_t sizes[] = { 2, 8 };
	struct fixture *fixture = *state;
	struct arnica_srq *srq = open_srq(fixture);
	uint32_t i;

	for (i = 0; i < 2; i++) {
		fixture->bus->fail_opcode = opcodes[i];
		fixture->bus->fail_status = ARNICA_HW_COMMAND_NO_MEMORY;
		assert_int_equal(resize(srq, sizes[i]), ENOMEM);
		fixture->bus->fail_opcode = 0;
		assert_int_equal(depth_of(srq), DEPTH);
		fill_up(srq, DEPTH);
	}
	close_srq(srq);
}

static void attributes_are_the_adapters(void **state)
{
	struct fixture *fixture = *state;
	struct arnica_srq *srq = open_srq(fixture);
	struct ibv_srq_attr attr = { .srq_limit = 2 };

	assert_int_equal(ibv_modify_srq(&srq->verbs.base, &attr, IBV_SRQ_LIMIT),
			 0);
	assert_int_equal(arnica_from_le32(
				 fixture->bus->last.modify_srq.limit), 2);
	assert_int_equal(ibv_modify_srq(&srq->verbs.base, &attr, 1 << 5),
			 EINVAL);
	assert_int_equal(ibv_query_srq(&srq->verbs.base, &attr), 0);
	assert_int_equal(attr.max_wr, DEPTH);
	assert_int_equal(attr.max_sge, 2);
	assert_int_equal(attr.srq_limit, FAKE_SRQ_LIMIT);
	close_srq(srq);
}

/* Two pollers give back, one poster takes. */
#define ROUNDS 1000u

struct giver {
	struct arnica_srq *srq;
	_Atomic uint32_t *queue; /* slots + 1 to give back; 0: none */
};

static void *give_back(void *argument)
{
	struct giver *giver = argument;
	uint64_t wr_id;

	for (uint32_t given = 0; given < ROUNDS;) {
		uint32_t slot = atomic_exchange(giver->queue, 0);

		if (!slot) {
			sched_yield();
			continue;
		}
		assert_true(arnica_srq_return(giver->srq, slot - 1, &wr_id));
		assert_int_equal(wr_id, given++);
	}
	return NULL;
}

static void pollers_and_poster_share_no_lock(void **state)
{
	struct fixture *fixture = *state;
	struct arnica_srq *srq = open_srq(fixture);
	_Atomic uint32_t queues[2] = { 0, 0 };
	struct giver givers[2] = { { srq, &queues[0] }, { srq, &queues[1] } };
	uint64_t counts[2] = { 0, 0 };
	pthread_t threads[2];
	uint32_t posts = 0;

	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, give_back,
						&givers[i]), 0);
	while (posts < 2 * ROUNDS) {
		uint32_t to = posts % 2;

		if (atomic_load(&queues[to]) || post(srq, counts[to])) {
			sched_yield();
			continue;
		}
		counts[to]++;
		atomic_store(&queues[to], slot_at(srq, posts) + 1);
		posts++;
	}
	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	close_srq(srq);
}

#define srq_test(function)                                                     \
	cmocka_unit_test_setup_teardown(function, fixture_open, fixture_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
		srq_test(a_post_writes_entry_word_ring_and_index),
		srq_test(a_waiting_message_asks_for_the_doorbell),
		srq_test(what_does_not_fit_is_refused),
		srq_test(entries_come_back_in_any_order_and_once),
		srq_test(a_destroyed_queue_pair_gives_back_what_it_took),
		srq_test(a_completion_finds_its_entry),
		srq_test(a_size_is_what_it_holds),
		srq_test(a_failure_leaves_it_as_it_was),
		srq_test(attributes_are_the_adapters),
		srq_test(pollers_and_poster_share_no_lock),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
