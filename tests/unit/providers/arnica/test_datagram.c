/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Queue pairs of types UC and UD on the host's side: operations, the bytes of a
 * datagram's entry, and what a completion tells of its sender. */
#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "fixture.h"
#include "send.h"

struct datagram {
	struct fixture *fixture;
	struct ibv_ah *ah;
	struct arnica_qp *qp;
};

static struct datagram test;

static int open_ud(void **state)
{
	struct ibv_ah_attr address = { .port_num = 1, .is_global = 1 };

	if (fixture_open(state))
		return -1;
	test.fixture = *state;
	address.grh.dgid.raw[15] = 1;
	test.ah = ibv_create_ah(test.fixture->pd, &address);
	test.qp = fixture_add_qp_of(test.fixture, test.fixture->cq,
				    IBV_QPT_UD);
	if (!test.ah || !test.qp)
		return -1;
	fixture_set_state(test.qp, IBV_QPS_RTS);
	return 0;
}

static int close_ud(void **state)
{
	assert_int_equal(ibv_destroy_qp(&test.qp->verbs.base), 0);
	assert_int_equal(ibv_destroy_ah(test.ah), 0);
	return fixture_close(state);
}

static struct ibv_send_wr datagram_wr(struct ibv_sge *sge)
{
	return (struct ibv_send_wr){
		.wr_id = 5,
		.opcode = IBV_WR_SEND,
		.send_flags = IBV_SEND_SIGNALED,
		.sg_list = sge,
		.num_sge = 1,
		.wr.ud = { .ah = test.ah,
			   .remote_qpn = 0xabcdef,
			   .remote_qkey = 0x80010203 },
	};
}

static int post(struct arnica_qp *qp, struct ibv_send_wr *wr)
{
	struct ibv_send_wr *bad = NULL;
	int error = ibv_post_send(&qp->verbs.base, wr, &bad);

	if (error)
		assert_ptr_equal(bad, wr);
	return error;
}

static void a_datagram_writes_these_bytes(void **state)
{
	unsigned char golden[48] = {
		0x01, 0x01, 0x01, 0x00, /* SEND, signaled, one segment */
		0x00, 0x00, 0x00, 0x00, /* index */
		0x00, 0x00, 0x00, 0x00, /* immediate */
		0x00, 0x00, 0x00, 0x00, /* no inline data */
		0x00, 0x00, 0x00, 0x00, /* address handle: below */
		0xef, 0xcd, 0xab, 0x00, /* destination */
		0x03, 0x02, 0x01, 0x80, /* Q_Key */
		0x00, 0x00, 0x00, 0x00, /* reserved */
		0x08, 0x07, 0x06, 0x05, 0x04, 0x03, 0x02, 0x01,
		0x10, 0x00, 0x00, 0x00, 0x00, 0x02, 0x00, 0x00,
	};
	struct ibv_sge sge = { 0x0102030405060708, 0x10, 0x200 };
	struct ibv_send_wr wr = datagram_wr(&sge);

	(void)state;
	golden[16] = (unsigned char)test.ah->handle;
	assert_int_equal(post(test.qp, &wr), 0);
	assert_memory_equal(arnica_send_entry(&test.qp->send, 0), golden,
			    sizeof(golden));
}

static void wr_functions_write_the_same_bytes(void **state)
{
	struct ibv_sge sge = { 0x5000, 0x10, 0x900 };
	struct ibv_send_wr wr = datagram_wr(&sge);
	struct ibv_qp_ex *ex = ibv_qp_to_qp_ex(&test.qp->verbs.base);
	unsigned char expected[48];

	(void)state;
	assert_int_equal(post(test.qp, &wr), 0);
	memcpy(expected, arnica_send_entry(&test.qp->send, 0), 48);
	expected[4] = 1; /* the index */
	ibv_wr_start(ex);
	ex->wr_id = 9;
	ex->wr_flags = IBV_SEND_SIGNALED;
	ibv_wr_send(ex);
	ibv_wr_set_ud_addr(ex, test.ah, 0xabcdef, 0x80010203);
	ibv_wr_set_sge(ex, 0x900, 0x5000, 0x10);
	assert_int_equal(ibv_wr_complete(ex), 0);
	assert_memory_equal(arnica_send_entry(&test.qp->send, 1), expected, 48);
}

static void a_datagram_needs_an_address(void **state)
{
	struct ibv_sge sge = { 0x5000, 0x10, 0x900 };
	struct ibv_send_wr wr = datagram_wr(&sge);
	struct ibv_qp_ex *ex = ibv_qp_to_qp_ex(&test.qp->verbs.base);

	(void)state;
	wr.wr.ud.ah = NULL;
	assert_int_equal(post(test.qp, &wr), EINVAL);
	ibv_wr_start(ex);
	ibv_wr_send(ex);
	ibv_wr_set_sge(ex, 0x900, 0x5000, 0x10);
	assert_int_equal(ibv_wr_complete(ex), EINVAL);
	ibv_wr_start(ex);
	ibv_wr_send(ex);
	ibv_wr_set_ud_addr(ex, test.ah, 1, 1);
	ibv_wr_send(ex);
	ibv_wr_send(ex);
	ibv_wr_set_ud_addr(ex, test.ah, 1, 1);
	assert_int_equal(ibv_wr_complete(ex), EINVAL);
	assert_int_equal(test.qp->send.head, 0);
}

/* In the order of enum ibv_wr_opcode. */
static const struct {
	enum ibv_wr_opcode opcode;
	bool uc, ud;
} operations[] = {
	{ IBV_WR_RDMA_WRITE, true, false },
	{ IBV_WR_RDMA_WRITE_WITH_IMM, true, false },
	{ IBV_WR_SEND, true, true },
	{ IBV_WR_SEND_WITH_IMM, true, true },
	{ IBV_WR_RDMA_READ, false, false },
	{ IBV_WR_ATOMIC_CMP_AND_SWP, false, false },
	{ IBV_WR_ATOMIC_FETCH_AND_ADD, false, false },
	{ IBV_WR_TSO, false, false },
	{ (enum ibv_wr_opcode)99, false, false },
};

static void each_type_has_its_operations(void **state)
{
	struct arnica_qp *uc = fixture_add_qp_of(test.fixture,
						 test.fixture->cq, IBV_QPT_UC);
	struct ibv_sge sge = { 0x5000, 8, 0x900 };
	unsigned int i;

	(void)state;
	fixture_set_state(uc, IBV_QPS_RTS);
	for (i = 0; i < sizeof(operations) / sizeof(*operations); i++) {
		struct ibv_send_wr wr = datagram_wr(&sge);

		wr.opcode = operations[i].opcode;
		assert_int_equal(post(uc, &wr), operations[i].uc ? 0 : EINVAL);
		assert_int_equal(post(test.qp, &wr),
				 operations[i].ud ? 0 : EINVAL);
	}
	assert_int_equal(ibv_destroy_qp(&uc->verbs.base), 0);
}

static int create_error(enum ibv_qp_type type, uint64_t ops)
{
	struct ibv_cq *cq = ibv_cq_ex_to_cq(&test.fixture->cq->verbs);
	struct ibv_qp_init_attr_ex attr = {
		.send_cq = cq,
		.recv_cq = cq,
		.cap = { 1, 1, 1, 1, 0 },
		.qp_type = type,
		.comp_mask = IBV_QP_INIT_ATTR_PD |
			     IBV_QP_INIT_ATTR_SEND_OPS_FLAGS,
		.pd = test.fixture->pd,
		.send_ops_flags = ops,
	};
	struct ibv_qp *qp;

	errno = 0;
	qp = ibv_create_qp_ex(test.fixture->ibv, &attr);
	if (qp)
		assert_int_equal(ibv_destroy_qp(qp), 0);
	return errno;
}

static void wr_functions_of_other_types_are_not_supported(void **state)
{
	(void)state;
	assert_int_equal(create_error(IBV_QPT_UD,
				      IBV_QP_EX_WITH_SEND |
					      IBV_QP_EX_WITH_SEND_WITH_IMM),
			 0);
	assert_int_equal(create_error(IBV_QPT_UD, IBV_QP_EX_WITH_RDMA_WRITE),
			 EOPNOTSUPP);
	assert_int_equal(create_error(IBV_QPT_UC, IBV_QP_EX_WITH_RDMA_WRITE),
			 0);
	assert_int_equal(create_error(IBV_QPT_UC, IBV_QP_EX_WITH_RDMA_READ),
			 EOPNOTSUPP);
	assert_int_equal(create_error(IBV_QPT_UC,
				      IBV_QP_EX_WITH_ATOMIC_CMP_AND_SWP),
			 EOPNOTSUPP);
}

static struct arnica_hw_cqe arrival(void)
{
	struct arnica_hw_cqe entry =
		fixture_entry(0, ARNICA_HW_RECV, ARNICA_HW_CQE_GRH, 0);

	entry.byte_len = arnica_to_le32(ARNICA_HW_GRH_BYTES);
	entry.source = arnica_to_le32(0x0b123456);
	return entry;
}

static void a_completion_tells_of_the_sender(void **state)
{
	struct ibv_wc wc;

	(void)state;
	assert_int_equal(fixture_post_receive(test.qp, 7, NULL, 0), 0);
	fixture_complete(test.fixture, &test.qp->receive_ring, 0, arrival());
	assert_int_equal(ibv_poll_cq(ibv_cq_ex_to_cq(&test.fixture->cq->verbs),
				     1, &wc),
			 1);
	assert_int_equal(wc.wr_id, 7);
	assert_int_equal(wc.status, IBV_WC_SUCCESS);
	assert_int_equal(wc.wc_flags, IBV_WC_GRH);
	assert_int_equal(wc.src_qp, 0x123456);
	assert_int_equal(wc.sl, 11);
	assert_int_equal(wc.vendor_err, 0);
	assert_int_equal(wc.slid, 0);
	assert_int_equal(wc.dlid_path_bits, 0);
	assert_int_equal(wc.pkey_index, 0);
	assert_int_equal(wc.byte_len, ARNICA_HW_GRH_BYTES);
}

/* The plain CQ of the fixture, polled the extended way. */
static void the_extended_poll_tells_the_same(void **state)
{
	struct ibv_poll_cq_attr attr = { 0 };
	struct ibv_cq_ex *ex = &test.fixture->cq->verbs;

	(void)state;
	arnica_cq_ex_init(test.fixture->cq, IBV_WC_STANDARD_FLAGS |
						    IBV_WC_EX_WITH_SRC_QP |
						    IBV_WC_EX_WITH_SLID |
						    IBV_WC_EX_WITH_SL);
	assert_int_equal(fixture_post_receive(test.qp, 7, NULL, 0), 0);
	fixture_complete(test.fixture, &test.qp->receive_ring, 0, arrival());
	assert_int_equal(ibv_start_poll(ex, &attr), 0);
	assert_int_equal(ibv_wc_read_src_qp(ex), 0x123456);
	assert_int_equal(ibv_wc_read_sl(ex), 11);
	assert_int_equal(ibv_wc_read_slid(ex), 0);
	assert_int_equal(ibv_wc_read_dlid_path_bits(ex), 0);
	assert_int_equal(ibv_wc_read_wc_flags(ex), IBV_WC_GRH);
	assert_int_equal(ibv_wc_read_vendor_err(ex), 0);
	assert_int_equal(ibv_wc_read_byte_len(ex), ARNICA_HW_GRH_BYTES);
	ibv_end_poll(ex);
}

int main(void)
{
#define WITH_UD(test) cmocka_unit_test_setup_teardown(test, open_ud, close_ud)
	const struct CMUnitTest tests[] = {
		WITH_UD(a_datagram_writes_these_bytes),
		WITH_UD(wr_functions_write_the_same_bytes),
		WITH_UD(a_datagram_needs_an_address),
		WITH_UD(each_type_has_its_operations),
		WITH_UD(wr_functions_of_other_types_are_not_supported),
		WITH_UD(a_completion_tells_of_the_sender),
		WITH_UD(the_extended_poll_tells_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
