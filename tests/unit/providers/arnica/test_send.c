/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Posting sends: the bytes of each entry, doorbells, and every refusal. */
#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "arnica/hw/doorbell.h"
#include "calibrate.h"
#include "fixture.h"
#include "send.h"

static int open_rts(void **state)
{
	struct fixture *fixture;

	if (fixture_open(state))
		return -1;
	fixture = *state;
	fixture_set_state(fixture->qp, IBV_QPS_RTS);
	return 0;
}

static struct fake_doorbell last_doorbell(struct fixture *fixture)
{
	assert_true(fixture->bus->num_doorbells > 0);
	return fixture->bus->doorbells[fixture->bus->num_doorbells - 1];
}

static void assert_producer(struct fixture *fixture, uint32_t expected)
{
	struct fake_doorbell doorbell = last_doorbell(fixture);
	uint32_t queue;
	uint32_t qpn;
	uint32_t producer;

	arnica_hw_doorbell_decode(doorbell.value, &queue, &qpn, &producer);
	assert_int_equal(queue, fixture->qp->verbs.base.handle);
	assert_int_equal(qpn, fixture->qp->verbs.base.qp_num);
	assert_int_equal(producer, expected);
}

static void send_writes_these_bytes(void **state)
{
	static const unsigned char golden[64] = {
		0x02, 0x07, 0x02, 0x00, /* SEND_IMM, signaled fence solicited,
					   two segments */
		0x00, 0x00, 0x00, 0x00, /* index */
		0x11, 0x22, 0x33, 0x44, /* immediate, as given */
		0x00, 0x00, 0x00, 0x00, /* no inline data */
		0,    0,    0,	  0,	0,    0,    0,	  0,
		0,    0,    0,	  0,	0,    0,    0,	  0, /* no target */
		0x08, 0x07, 0x06, 0x05, 0x04, 0x03, 0x02, 0x01,
		0x10, 0x00, 0x00, 0x00, 0x00, 0x02, 0x00, 0x00,
		0x18, 0x17, 0x16, 0x15, 0x14, 0x13, 0x12, 0x11,
		0x20, 0x00, 0x00, 0x00, 0x00, 0x03, 0x00, 0x00,
	};
	struct fixture *fixture = *state;
	struct ibv_sge sge[] = {
		{ 0x0102030405060708, 0x10, 0x200 },
		{ 0x1112131415161718, 0x20, 0x300 },
	};
	struct ibv_send_wr wr = {
		.opcode = IBV_WR_SEND_WITH_IMM,
		.send_flags = IBV_SEND_SIGNALED | IBV_SEND_FENCE |
			      IBV_SEND_SOLICITED,
		.sg_list = sge,
		.num_sge = 2,
	};
	struct ibv_send_wr *bad;

	memcpy(&wr.imm_data, "\x11\x22\x33\x44", 4);
	assert_int_equal(ibv_post_send(&fixture->qp->verbs.base, &wr, &bad), 0);
	assert_memory_equal(fixture->qp->send.entries, golden, sizeof(golden));
}

static void atomic_writes_these_bytes(void **state)
{
	static const unsigned char golden[64] = {
		0x07,
		0x00,
		0x01,
		0x00,
		0,
		0,
		0,
		0,
		0,
		0,
		0,
		0,
		0,
		0,
		0,
		0,
		/* remote address, key */
		0x88,
		0x77,
		0x66,
		0x55,
		0x44,
		0x33,
		0x22,
		0x11,
		0x78,
		0x56,
		0x34,
		0x12,
		0,
		0,
		0,
		0,
		/* swap, compare */
		0x05,
		0,
		0,
		0,
		0,
		0,
		0,
		0,
		0x09,
		0,
		0,
		0,
		0,
		0,
		0,
		0,
		/* where the old value goes */
		0x00,
		0x10,
		0,
		0,
		0,
		0,
		0,
		0,
		0x08,
		0,
		0,
		0,
		0x00,
		0x02,
		0,
		0,
	};
	struct fixture *fixture = *state;
	struct ibv_sge sge = { 0x1000, 8, 0x200 };
	struct ibv_send_wr wr = {
		.opcode = IBV_WR_ATOMIC_CMP_AND_SWP,
		.sg_list = &sge,
		.num_sge = 1,
		.wr.atomic = { 0x1122334455667788, 9, 5, 0x12345678 },
	};
	struct ibv_send_wr *bad;

	assert_int_equal(ibv_post_send(&fixture->qp->verbs.base, &wr, &bad), 0);
	assert_memory_equal(fixture->qp->send.entries, golden, sizeof(golden));
}

static void inline_data_of_several_segments_is_gathered(void **state)
{
	struct fixture *fixture = *state;
	struct ibv_sge sge[] = {
		{ (uintptr_t) "abc", 3, 0 },
		{ (uintptr_t) "", 0, 0 },
		{ (uintptr_t) "defgh", 5, 0 },
	};
	struct ibv_send_wr wr = {
		.opcode = IBV_WR_SEND,
		.send_flags = IBV_SEND_INLINE,
		.sg_list = sge,
		.num_sge = 3,
	};
	struct ibv_send_wr *bad;
	const unsigned char *entry = fixture->qp->send.entries;

	assert_int_equal(ibv_post_send(&fixture->qp->verbs.base, &wr, &bad), 0);
	assert_memory_equal(entry, "\x01\x08\x00\x00", 4);
	assert_memory_equal(entry + 12, "\x08\x00\x00\x00", 4);
	assert_memory_equal(entry + 32, "abcdefgh", 8);
	assert_int_equal(last_doorbell(fixture).length, 48); /* 40 rounded up */
}

static void single_request_on_idle_queue_uses_the_area(void **state)
{
	struct fixture *fixture = *state;
	struct fake_doorbell doorbell;
	const unsigned char *area;
	arnica_le64 word;

	assert_int_equal(fixture_post_send(fixture->qp, 1), 0);
	doorbell = last_doorbell(fixture);
	assert_int_equal(doorbell.offset, ARNICA_HW_DB_AREA0);
	assert_int_equal(doorbell.length, 32);
	assert_producer(fixture, 1);
	area = fixture->bus->memory + ARNICA_HW_BAR_DOORBELLS +
	       doorbell.page * ARNICA_HW_PAGE_BYTES + doorbell.offset;
	memcpy(&word, area, 8);
	assert_int_equal(arnica_from_le64(word), doorbell.value);
	assert_memory_equal(area + 8, fixture->qp->send.entries, 32);
	memcpy(&word, area + 8 + 32, 8);
	assert_int_equal(arnica_from_le64(word),
			 arnica_hw_area_seal(doorbell.value, area + 8, 32));

	assert_int_equal(fixture_post_send(fixture->qp, 2), 0);
	assert_int_equal(last_doorbell(fixture).offset, ARNICA_HW_DB_AREA1);
}

static void busy_queue_and_taken_area_use_the_doorbell(void **state)
{
	struct fixture *fixture = *state;
	struct arnica_doorbell_page *page = fixture->qp->send.doorbell.page;
	uint32_t i;

	assert_true(arnica_spinlock_try_lock(&page->lock));
	assert_int_equal(fixture_post_send(fixture->qp, 0), 0);
	assert_int_equal(last_doorbell(fixture).offset, ARNICA_HW_DB_SQ);
	arnica_spinlock_unlock(&page->lock);
	for (i = 1; i <= ARNICA_SEND_IDLE; i++)
		assert_int_equal(fixture_post_send(fixture->qp, i), 0);
	assert_int_equal(last_doorbell(fixture).offset, ARNICA_HW_DB_SQ);
	assert_producer(fixture, ARNICA_SEND_IDLE + 1);
}

static void list_rings_once_and_stops_at_the_bad_one(void **state)
{
	struct fixture *fixture = *state;
	struct ibv_send_wr wr[3] = {
		{ .opcode = IBV_WR_SEND, .next = &wr[1] },
		{ .opcode = IBV_WR_SEND, .next = &wr[2] },
		{ .opcode = IBV_WR_TSO },
	};
	struct ibv_send_wr *bad = NULL;

	assert_int_equal(ibv_post_send(&fixture->qp->verbs.base, wr, &bad),
			 EINVAL);
	assert_ptr_equal(bad, &wr[2]);
	assert_int_equal(fixture->bus->num_doorbells, 1);
	assert_int_equal(last_doorbell(fixture).offset, ARNICA_HW_DB_SQ);
	assert_producer(fixture, 2);
}

static void full_queue_is_enomem_until_polled(void **state)
{
	struct fixture *fixture = *state;
	struct ibv_wc wc;
	uint32_t i;

	for (i = 0; i < FIXTURE_DEPTH; i++)
		assert_int_equal(fixture_post_send(fixture->qp, i), 0);
	assert_int_equal(fixture_post_send(fixture->qp, i), ENOMEM);
	/* The completion of the third retires the unsignaled ones before it. */
	fixture_complete(fixture, &fixture->qp->send_ring, 0,
			 fixture_entry(0, ARNICA_HW_RECV, 0, 2));
	assert_int_equal(
		ibv_poll_cq(ibv_cq_ex_to_cq(&fixture->cq->verbs), 1, &wc), 1);
	assert_int_equal(wc.wr_id, 2);
	for (i = 0; i < 3; i++)
		assert_int_equal(fixture_post_send(fixture->qp, i), 0);
	assert_int_equal(fixture_post_send(fixture->qp, i), ENOMEM);
}

static int post(struct fixture *fixture, enum ibv_wr_opcode opcode,
		unsigned int flags, struct ibv_sge *sge, int num_sge)
{
	struct ibv_send_wr wr = {
		.opcode = opcode,
		.send_flags = flags,
		.sg_list = sge,
		.num_sge = num_sge,
	};
	struct ibv_send_wr *bad = NULL;
	int error = ibv_post_send(&fixture->qp->verbs.base, &wr, &bad);

	if (error)
		assert_ptr_equal(bad, &wr);
	return error;
}

static void bad_requests_are_einval(void **state)
{
	struct fixture *fixture = *state;
	struct ibv_sge sge[FIXTURE_SGE + 1] = { { 0 } };
	static char bytes[FIXTURE_INLINE + 1];

	assert_int_equal(post(fixture, (enum ibv_wr_opcode)77, 0, sge, 1),
			 EINVAL);
	assert_int_equal(post(fixture, IBV_WR_SEND, 0, sge, FIXTURE_SGE + 1),
			 EINVAL);
	assert_int_equal(post(fixture, IBV_WR_SEND, 0, sge, -1), EINVAL);
	sge[0] = (struct ibv_sge){ (uintptr_t)bytes, FIXTURE_INLINE, 0 };
	assert_int_equal(post(fixture, IBV_WR_SEND, IBV_SEND_INLINE, sge, 1),
			 0);
	sge[0].length++;
	assert_int_equal(post(fixture, IBV_WR_SEND, IBV_SEND_INLINE, sge, 1),
			 EINVAL);
	/* Lengths that overflow 32 bits together. */
	sge[0].length = FIXTURE_INLINE;
	sge[1] = (struct ibv_sge){ (uintptr_t)bytes, 0xffffffff, 0 };
	assert_int_equal(post(fixture, IBV_WR_SEND, IBV_SEND_INLINE, sge, 2),
			 EINVAL);
	sge[0].length = 8;
	assert_int_equal(
		post(fixture, IBV_WR_RDMA_READ, IBV_SEND_INLINE, sge, 1),
		EINVAL);
	assert_int_equal(fixture->qp->send.head, 1);
}

static void state_decides_who_may_post(void **state)
{
	static const int answers[] = { EINVAL, EINVAL, EINVAL, 0, 0, 0, 0 };
	struct fixture *fixture = *state;
	int qp_state;

	for (qp_state = IBV_QPS_RESET; qp_state <= IBV_QPS_ERR; qp_state++) {
		fixture_set_state(fixture->qp, (enum ibv_qp_state)qp_state);
		assert_int_equal(fixture_post_send(fixture->qp, 0),
				 answers[qp_state]);
	}
}

static void wr_functions_write_the_same_bytes(void **state)
{
	struct fixture *fixture = *state;
	struct ibv_qp_ex *ex = &fixture->qp->verbs.ex;
	struct ibv_sge sge = { 0x5000, 64, 0x900 };
	struct ibv_send_wr wr = {
		.opcode = IBV_WR_RDMA_WRITE,
		.send_flags = IBV_SEND_SIGNALED,
		.sg_list = &sge,
		.num_sge = 1,
		.wr.rdma = { 0x7000, 0xabc },
	};
	struct ibv_send_wr *bad;
	unsigned char expected[48];

	assert_ptr_equal(ibv_qp_to_qp_ex(&fixture->qp->verbs.base), ex);
	assert_int_equal(ibv_post_send(&fixture->qp->verbs.base, &wr, &bad), 0);
	memcpy(expected, arnica_send_entry(&fixture->qp->send, 0), 48);
	expected[4] = 1; /* the index */
	ibv_wr_start(ex);
	ex->wr_id = 9;
	ex->wr_flags = IBV_SEND_SIGNALED;
	ibv_wr_rdma_write(ex, 0xabc, 0x7000);
	ibv_wr_set_sge(ex, 0x900, 0x5000, 64);
	assert_int_equal(ibv_wr_complete(ex), 0);
	assert_memory_equal(arnica_send_entry(&fixture->qp->send, 1), expected,
			    48);
	assert_producer(fixture, 2);
	assert_int_equal(last_doorbell(fixture).length, 48);
}

static void wr_batch_posts_all_or_nothing(void **state)
{
	struct fixture *fixture = *state;
	struct ibv_qp_ex *ex = &fixture->qp->verbs.ex;
	static char bytes[FIXTURE_INLINE + 1];
	uint32_t i;

	ibv_wr_start(ex);
	ibv_wr_send(ex);
	ibv_wr_set_inline_data(ex, bytes, sizeof(bytes));
	ibv_wr_send(ex);
	assert_int_equal(ibv_wr_complete(ex), EINVAL);

	ibv_wr_start(ex);
	for (i = 0; i < FIXTURE_DEPTH + 1; i++)
		ibv_wr_send(ex);
	assert_int_equal(ibv_wr_complete(ex), ENOMEM);

	ibv_wr_start(ex);
	ibv_wr_send(ex);
	ibv_wr_abort(ex);
	assert_int_equal(fixture->qp->send.head, 0);
	assert_int_equal(fixture->bus->num_doorbells, 0);

	ibv_wr_start(ex);
	for (i = 0; i < FIXTURE_DEPTH; i++)
		ibv_wr_send(ex);
	assert_int_equal(ibv_wr_complete(ex), 0);
	assert_int_equal(fixture->bus->num_doorbells, 1);
	assert_producer(fixture, FIXTURE_DEPTH);
}

/* A library from before that call has the word with the mark there. */
static void a_call_that_the_library_has_no_place_for_is_not_offered(void **state)
{
	struct fixture *fixture = *state;
	struct ibv_qp_ex *ex = &fixture->qp->verbs.ex;
	size_t offset = arnica_calibration.qp_mask_offset;
	const uint64_t ops = IBV_QP_EX_WITH_SEND | IBV_QP_EX_WITH_ATOMIC_WRITE;

	arnica_calibration.qp_mask_offset =
		offsetof(struct ibv_qp_ex, wr_atomic_write);
	ex->wr_atomic_write = NULL;
	arnica_send_wr_init(fixture->qp);
	assert_null(ex->wr_atomic_write);
	assert_false(arnica_send_wr_supported(IBV_QPT_RC, ops));
	assert_true(arnica_send_wr_supported(IBV_QPT_RC, IBV_QP_EX_WITH_SEND));
	arnica_calibration.qp_mask_offset += sizeof(void *);
	arnica_send_wr_init(fixture->qp);
	assert_non_null(ex->wr_atomic_write);
	assert_true(arnica_send_wr_supported(IBV_QPT_RC, ops));
	assert_false(arnica_send_wr_supported(IBV_QPT_UC, ops));
	arnica_calibration.qp_mask_offset = offset;
}

int main(void)
{
#define WITH_RTS(test)                                                         \
	cmocka_unit_test_setup_teardown(test, open_rts, fixture_close)
	const struct CMUnitTest tests[] = {
		WITH_RTS(send_writes_these_bytes),
		WITH_RTS(atomic_writes_these_bytes),
		WITH_RTS(inline_data_of_several_segments_is_gathered),
		WITH_RTS(single_request_on_idle_queue_uses_the_area),
		WITH_RTS(busy_queue_and_taken_area_use_the_doorbell),
		WITH_RTS(list_rings_once_and_stops_at_the_bad_one),
		WITH_RTS(full_queue_is_enomem_until_polled),
		WITH_RTS(bad_requests_are_einval),
		WITH_RTS(state_decides_who_may_post),
		WITH_RTS(wr_functions_write_the_same_bytes),
		WITH_RTS(wr_batch_posts_all_or_nothing),
		WITH_RTS(a_call_that_the_library_has_no_place_for_is_not_offered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
