/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What a device need not have: it says so where it is asked for its abilities,
 * and each call agrees with that. Where it has something, every part of it that
 * it names is there.
 */
#include "vt.h"

static struct vt_end a, b;

static struct ibv_device_attr_ex abilities(void)
{
	struct ibv_device_attr_ex device;

	VT_EQUAL(ibv_query_device_ex(a.context, NULL, &device), 0);
	return device;
}

static void open_one(void)
{
	struct vt_wish wish = vt_defaults();

	vt_end_open(&a, &wish);
}

/* Options of a connection that the other side does not know are none. */
static void enhanced_connections_are_not_supported(void)
{
	struct ibv_ece ece = { .vendor_id = 1, .options = 2 };

	open_one();
	VT_EQUAL(ibv_query_ece(a.qp, &ece), EOPNOTSUPP);
	VT_EQUAL(ibv_set_ece(a.qp, &ece), EOPNOTSUPP);
	VT_EQUAL(vt_to_init(&a), 0);
	vt_end_close(&a);
}

static void flow_actions_are_not_supported(void)
{
	struct ibv_flow_action_esp_attr esp = { 0 };

	open_one();
	errno = 0;
	VT_CHECK(!ibv_create_flow_action_esp(a.context, &esp));
	VT_EQUAL(errno, EOPNOTSUPP);
	vt_end_close(&a);
}

/* Flushes are of newer headers than this program may have. */
static void unknown_operations_are_refused(void)
{
	struct ibv_qp_init_attr_ex init = {
		.cap = { 1, 1, 1, 1, 0 },
		.qp_type = IBV_QPT_RC,
		.comp_mask = IBV_QP_INIT_ATTR_PD |
			     IBV_QP_INIT_ATTR_SEND_OPS_FLAGS,
	};

	open_one();
	init.pd = a.pd;
	init.send_cq = a.send_cq;
	init.recv_cq = a.recv_cq;
	for (int bit = 13; bit < 64; bit++) {
		init.send_ops_flags = IBV_QP_EX_WITH_SEND | 1ull << bit;
		errno = 0;
		VT_CHECK(!ibv_create_qp_ex(a.context, &init));
		VT_EQUAL(errno, EOPNOTSUPP);
	}
	vt_end_close(&a);
}

/* Rights of newer headers, too: IBV_ACCESS_FLUSH_GLOBAL and _PERSISTENT. */
static void rights_to_flush_are_refused(void)
{
	open_one();
	for (int bit = 8; bit < 10; bit++) {
		errno = 0;
		VT_CHECK(!ibv_reg_mr(a.pd, a.buffer, 4096,
				     IBV_ACCESS_LOCAL_WRITE | 1 << bit));
		VT_EQUAL(errno, EOPNOTSUPP);
	}
	vt_end_close(&a);
}

static void tags_are_not_matched(void)
{
	struct ibv_srq_init_attr_ex init = {
		.attr = { .max_wr = 8, .max_sge = 1 },
		.comp_mask = IBV_SRQ_INIT_ATTR_TYPE | IBV_SRQ_INIT_ATTR_PD |
			     IBV_SRQ_INIT_ATTR_CQ | IBV_SRQ_INIT_ATTR_TM,
		.srq_type = IBV_SRQT_TM,
		.tm_cap = { .max_num_tags = 1, .max_ops = 1 },
	};
	struct ibv_srq_init_attr basic = { .attr = { .max_wr = 8,
						     .max_sge = 1 } };
	struct ibv_ops_wr wr = { .opcode = IBV_WR_TAG_DEL }, *bad;
	struct ibv_srq *srq;

	open_one();
	VT_EQUAL(abilities().tm_caps.max_num_tags, 0);
	init.pd = a.pd;
	init.cq = a.recv_cq;
	errno = 0;
	VT_CHECK(!ibv_create_srq_ex(a.context, &init));
	VT_EQUAL(errno, EOPNOTSUPP);
	srq = ibv_create_srq(a.pd, &basic);
	VT_CHECK(srq);
	VT_EQUAL(ibv_post_srq_ops(srq, &wr, &bad), EOPNOTSUPP);
	VT_EQUAL(ibv_destroy_srq(srq), 0);
	vt_end_close(&a);
}

/* The last bytes of a message are written last; nothing is said of the others,
 * and so of the whole. */
static void the_order_of_a_message_s_bytes_is_not_promised(void)
{
	static const enum ibv_wr_opcode opcodes[] = {
		IBV_WR_SEND, IBV_WR_SEND_WITH_IMM, IBV_WR_RDMA_WRITE,
		IBV_WR_RDMA_WRITE_WITH_IMM, IBV_WR_RDMA_READ,
	};

	open_one();
	for (size_t i = 0; i < sizeof(opcodes) / sizeof(opcodes[0]); i++)
		VT_EQUAL(ibv_query_qp_data_in_order(a.qp, opcodes[i], 0), 0);
	vt_end_close(&a);
}

/* The clock is the only one of the values; of others it is not said that they
 * were looked at. */
static void only_known_values_are_queried(void)
{
	struct ibv_values_ex values = { .comp_mask =
						IBV_VALUES_MASK_RAW_CLOCK };
	struct timespec first;

	open_one();
	VT_EQUAL(ibv_query_rt_values_ex(a.context, &values), 0);
	VT_EQUAL(values.comp_mask, IBV_VALUES_MASK_RAW_CLOCK);
	first = values.raw_clock;
	VT_EQUAL(ibv_query_rt_values_ex(a.context, &values), 0);
	VT_CHECK(values.raw_clock.tv_sec > first.tv_sec ||
		 values.raw_clock.tv_nsec >= first.tv_nsec);
	values.comp_mask = 1u << 10;
	VT_ONE_OF(ibv_query_rt_values_ex(a.context, &values), EOPNOTSUPP,
		  EINVAL);
	vt_end_close(&a);
}

/* A message of the queue pair to itself, with an event on this vector. */
static void have_event_on(struct ibv_comp_channel *channel, int vector)
{
	struct vt_end self = a;
	struct vt_address address;
	struct ibv_cq *cq;
	void *context;

	cq = ibv_create_cq(a.context, 16, &self, channel, vector);
	VT_CHECK(cq);
	self.send_cq = self.recv_cq = cq;
	self.qp = ibv_create_qp(a.pd, &(struct ibv_qp_init_attr){
					      .send_cq = cq,
					      .recv_cq = cq,
					      .cap = { 4, 4, 1, 1, 0 },
					      .qp_type = IBV_QPT_RC,
					      .sq_sig_all = 0 });
	VT_CHECK(self.qp);
	address = vt_address_of(&self);
	vt_connect(&self, &address);
	VT_CHECK(!vt_readable(channel->fd, 0));
	VT_EQUAL(ibv_req_notify_cq(cq, 0), 0);
	vt_recv(&self, 1, 4096, 64);
	vt_send(&self, 2, 0, 64);
	VT_CHECK(vt_readable(channel->fd, 10000));
	VT_EQUAL(ibv_get_cq_event(channel, &cq, &context), 0);
	VT_CHECK(cq == self.send_cq && context == &self);
	ibv_ack_cq_events(cq, 1);
	(void)vt_poll(cq);
	(void)vt_poll(cq);
	VT_EQUAL(ibv_destroy_qp(self.qp), 0);
	VT_EQUAL(ibv_destroy_cq(cq), 0);
}

static void every_completion_vector_has_events_and_no_other(void)
{
	struct ibv_cq_init_attr_ex init = { .cqe = 4 };
	struct ibv_comp_channel *channel;
	int count;

	open_one();
	count = a.context->num_comp_vectors;
	VT_CHECK(count >= 1);
	channel = ibv_create_comp_channel(a.context);
	VT_CHECK(channel);
	for (int vector = 0; vector < count; vector++)
		have_event_on(channel, vector);
	for (int i = 0; i < 3; i++) {
		const int bad[] = { count, -1, INT32_MAX };

		errno = 0;
		VT_CHECK(!ibv_create_cq(a.context, 4, NULL, channel, bad[i]));
		VT_EQUAL(errno, EINVAL);
		init.comp_vector = (uint32_t)bad[i];
		errno = 0;
		VT_CHECK(!ibv_create_cq_ex(a.context, &init));
		VT_EQUAL(errno, EINVAL);
	}
	VT_EQUAL(ibv_destroy_comp_channel(channel), 0);
	vt_end_close(&a);
}

/* One entry of four segments, two of them of no bytes. */
static void refill(struct ibv_srq *srq, uint64_t id)
{
	struct ibv_sge sge[4] = { vt_sge(&a, 64, 0), vt_sge(&a, 128, 10),
				  { .length = 0, .lkey = a.mr->lkey },
				  vt_sge(&a, 256, 30) };
	struct ibv_recv_wr wr = { .wr_id = id, .sg_list = sge, .num_sge = 4 };
	struct ibv_recv_wr *bad = NULL;

	VT_EQUAL(ibv_post_srq_recv(srq, &wr, &bad), 0);
	VT_EQUAL(ibv_post_srq_recv(srq, &wr, &bad), ENOMEM);
	VT_CHECK(bad == &wr);
}

static void send_one(uint64_t id, size_t bytes)
{
	struct ibv_wc wc;

	vt_fill(a.buffer + 4096, 40, id);
	vt_send(&a, id, 4096, bytes);
	vt_expect(a.send_cq, id, IBV_WC_SUCCESS);
	wc = vt_poll(b.recv_cq);
	VT_STATUS(&wc, IBV_WC_SUCCESS);
	VT_EQUAL(wc.wr_id, id);
	VT_EQUAL(wc.byte_len, bytes);
	if (!bytes)
		return;
	VT_EQUAL(memcmp(a.buffer + 128, a.buffer + 4096, 10), 0);
	VT_EQUAL(memcmp(a.buffer + 256, a.buffer + 4106, 30), 0);
}

static void a_shared_queue_of_one_entry_turns_around(void)
{
	struct ibv_srq_init_attr init = { .attr = { .max_wr = 1,
						    .max_sge = 4 } };
	struct vt_wish wish = vt_defaults();
	struct vt_address of_a, of_b;

	open_one();
	wish.srq = ibv_create_srq(a.pd, &init);
	VT_CHECK(wish.srq);
	vt_end_open_in(&b, &a, &wish);
	of_a = vt_address_of(&a);
	of_b = vt_address_of(&b);
	vt_connect(&a, &of_b);
	vt_connect(&b, &of_a);
	for (uint64_t id = 0; id < 1000; id++) {
		refill(wish.srq, id);
		send_one(id, id % 3 ? 40 : 0);
	}
	vt_end_close(&b);
	VT_EQUAL(ibv_destroy_srq(wish.srq), 0);
	vt_end_close(&a);
}

static const struct vt_case cases[] = {
	VT_CASE(enhanced_connections_are_not_supported),
	VT_CASE(flow_actions_are_not_supported),
	VT_CASE(unknown_operations_are_refused),
	VT_CASE(rights_to_flush_are_refused),
	VT_CASE(tags_are_not_matched),
	VT_CASE(the_order_of_a_message_s_bytes_is_not_promised),
	VT_CASE(only_known_values_are_queried),
	VT_CASE(every_completion_vector_has_events_and_no_other),
	VT_CASE(a_shared_queue_of_one_entry_turns_around),
	{ 0 },
};

int main(int argc, char **argv)
{
	return vt_main(argc, argv, cases);
}
