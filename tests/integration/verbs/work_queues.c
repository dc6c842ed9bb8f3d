/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Work queues by themselves, and receive side scaling: which queue gets a frame
 * is the Toeplitz hash of its addresses and ports, for which the numbers of the
 * published test vectors are expected.
 */
#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include "vt.h"

#define QUEUES 8u
#define DEPTH 4u
#define LENGTH 54u

static const uint8_t key[40] = {
	0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e, 0xc2, 0x41, 0x67,
	0x25, 0x3d, 0x43, 0xa3, 0x8f, 0xb0, 0xd0, 0xca, 0x2b, 0xcb,
	0xae, 0x7b, 0x30, 0xb4, 0x77, 0xcb, 0x2d, 0xa3, 0x80, 0x30,
	0xf2, 0x0c, 0x6a, 0x42, 0xb7, 0x3b, 0xbe, 0xac, 0x01, 0xfa
};

static struct vt_end a;
static struct ibv_wq *queues[QUEUES];
static struct ibv_rwq_ind_table *table;

static void open_sender(void)
{
	struct vt_wish wish = vt_defaults();
	struct ibv_qp_attr attr = { .qp_state = IBV_QPS_INIT, .port_num = 1 };
	int fd = socket(AF_PACKET, SOCK_RAW, 0);

	if (fd < 0)
		vt_skip("raw packets need CAP_NET_RAW");
	close(fd);
	wish.type = IBV_QPT_RAW_PACKET;
	wish.buffer_bytes = 65536;
	vt_end_open(&a, &wish);
	VT_EQUAL(ibv_modify_qp(a.qp, &attr, IBV_QP_STATE | IBV_QP_PORT), 0);
	VT_EQUAL(vt_set_state(a.qp, IBV_QPS_RTR), 0);
	VT_EQUAL(vt_set_state(a.qp, IBV_QPS_RTS), 0);
}

static struct ibv_wq_init_attr queue_attr(void)
{
	return (struct ibv_wq_init_attr){
		.wq_type = IBV_WQT_RQ,
		.max_wr = DEPTH,
		.max_sge = 1,
		.pd = a.pd,
		.cq = a.recv_cq,
	};
}

static int move(struct ibv_wq *wq, enum ibv_wq_state state)
{
	struct ibv_wq_attr attr = { .attr_mask = IBV_WQ_ATTR_STATE,
				    .wq_state = state };

	return ibv_modify_wq(wq, &attr);
}

/* Each receive has a place of its own, behind what is sent. */
static size_t place_of(uint64_t id)
{
	return 1024 + id * 256;
}

static int post(struct ibv_wq *wq, uint64_t id)
{
	struct ibv_sge sge = vt_sge(&a, place_of(id), 256);
	struct ibv_recv_wr wr = { .wr_id = id, .sg_list = &sge, .num_sge = 1 };
	struct ibv_recv_wr *bad = NULL;
	int error = ibv_post_wq_recv(wq, &wr, &bad);

	VT_CHECK(!error || bad == &wr);
	return error;
}

static void open_queues(void)
{
	struct ibv_wq_init_attr attr = queue_attr();

	for (uint32_t i = 0; i < QUEUES; i++) {
		queues[i] = ibv_create_wq(a.context, &attr);
		VT_CHECK(queues[i]);
		VT_EQUAL(move(queues[i], IBV_WQS_RDY), 0);
		VT_EQUAL(post(queues[i], i), 0);
	}
}

static void make_table(void)
{
	struct ibv_rwq_ind_table_init_attr attr = { .log_ind_tbl_size = 3,
						    .ind_tbl = queues };

	table = ibv_create_rwq_ind_table(a.context, &attr);
	VT_CHECK(table);
}

static void close_queues(void)
{
	VT_EQUAL(ibv_destroy_rwq_ind_table(table), 0);
	for (uint32_t i = 0; i < QUEUES; i++)
		VT_EQUAL(ibv_destroy_wq(queues[i]), 0);
	vt_end_close(&a);
}

static struct ibv_qp_init_attr_ex rss_attr(uint64_t fields)
{
	return (struct ibv_qp_init_attr_ex){
		.qp_type = IBV_QPT_RAW_PACKET,
		.comp_mask = IBV_QP_INIT_ATTR_PD | IBV_QP_INIT_ATTR_RX_HASH |
			     IBV_QP_INIT_ATTR_IND_TABLE,
		.pd = a.pd,
		.rwq_ind_tbl = table,
		.rx_hash_conf = {
			.rx_hash_function = IBV_RX_HASH_FUNC_TOEPLITZ,
			.rx_hash_key_len = sizeof(key),
			.rx_hash_key = (uint8_t *)(uintptr_t)key,
			.rx_hash_fields_mask = fields,
		},
	};
}

static struct ibv_qp *make_rss(uint64_t fields)
{
	struct ibv_qp_init_attr_ex attr = rss_attr(fields);
	struct ibv_qp *qp = ibv_create_qp_ex(a.context, &attr);

	VT_CHECK(qp);
	return qp;
}

static void own_mac(uint8_t mac[6])
{
	unsigned int own = (unsigned int)getpid();

	memcpy(mac, (uint8_t[]){ 2, 0xa8, (uint8_t)(own >> 16),
				 (uint8_t)(own >> 8), (uint8_t)own, 1 },
	       6);
}

static struct ibv_flow *make_rule(struct ibv_qp *qp)
{
	struct {
		struct ibv_flow_attr attr;
		struct ibv_flow_spec_eth eth;
	} rule = {
		.attr = { .size = sizeof(rule), .num_of_specs = 1, .port = 1 },
		.eth = { .type = IBV_FLOW_SPEC_ETH, .size = sizeof(rule.eth) },
	};
	struct ibv_flow *flow;

	own_mac(rule.eth.val.dst_mac);
	memset(rule.eth.mask.dst_mac, 0xff, 6);
	flow = ibv_create_flow(qp, &rule.attr);
	VT_CHECK(flow);
	return flow;
}

/* A segment of TCP, or with another type a frame that nobody hashes. */
static void send_segment(uint16_t type, const char *source, uint16_t from,
			 const char *destination, uint16_t to)
{
	uint8_t *frame = a.buffer;

	memset(frame, 0, LENGTH);
	own_mac(frame);
	own_mac(frame + 6);
	frame[12] = (uint8_t)(type >> 8);
	frame[13] = (uint8_t)type;
	frame[14] = 0x45;
	frame[17] = LENGTH - 14;
	frame[22] = 64;
	frame[23] = IPPROTO_TCP;
	VT_EQUAL(inet_pton(AF_INET, source, frame + 26), 1);
	VT_EQUAL(inet_pton(AF_INET, destination, frame + 30), 1);
	frame[34] = (uint8_t)(from >> 8);
	frame[35] = (uint8_t)from;
	frame[36] = (uint8_t)(to >> 8);
	frame[37] = (uint8_t)to;
	vt_send(&a, 77, 0, LENGTH);
	vt_expect(a.send_cq, 77, IBV_WC_SUCCESS);
}

/* The next frame came to this queue, and is a whole one. */
static void expect_in(uint32_t queue)
{
	struct ibv_wc wc = vt_poll(a.recv_cq);

	VT_STATUS(&wc, IBV_WC_SUCCESS);
	VT_EQUAL(wc.wr_id, queue);
	VT_EQUAL(wc.qp_num, queues[queue]->wq_num);
	VT_EQUAL(wc.byte_len, LENGTH);
	VT_CHECK(!memcmp(a.buffer, a.buffer + place_of(queue), LENGTH));
	VT_EQUAL(post(queues[queue], queue), 0);
}

static const struct {
	const char *source, *destination;
	uint16_t from, to;
	uint32_t hash, hash_with_ports;
} vectors[] = {
	{ "66.9.149.187", "161.142.100.80", 2794, 1766, 0x323e8fc2, 0x51ccc178 },
	{ "199.92.111.2", "65.69.140.83", 14230, 4739, 0xd718262a, 0xc626b0ea },
	{ "24.19.198.95", "12.22.207.184", 12898, 38024, 0xd2d0a5de,
	  0x5c2b394a },
	{ "38.27.205.30", "209.142.163.6", 48228, 2217, 0x82989176, 0xafc7327f },
	{ "153.39.163.191", "202.188.127.2", 44251, 1303, 0x5d1809c5,
	  0x10e828a2 },
};

static void frames_are_spread_by_their_hash(void)
{
	const uint64_t addresses = IBV_RX_HASH_SRC_IPV4 | IBV_RX_HASH_DST_IPV4;
	struct ibv_flow *flow;
	struct ibv_qp *qp;

	open_sender();
	open_queues();
	make_table();
	for (int ports = 0; ports < 2; ports++) {
		qp = make_rss(addresses |
			      (ports ? IBV_RX_HASH_SRC_PORT_TCP |
					       IBV_RX_HASH_DST_PORT_TCP :
				       0));
		flow = make_rule(qp);
		for (uint32_t i = 0; i < 5; i++) {
			send_segment(0x0800, vectors[i].source, vectors[i].from,
				     vectors[i].destination, vectors[i].to);
			expect_in((ports ? vectors[i].hash_with_ports :
					   vectors[i].hash) %
				  QUEUES);
		}
		send_segment(0x88b5, "1.2.3.4", 1, "5.6.7.8", 2);
		expect_in(0);
		VT_EQUAL(ibv_destroy_flow(flow), 0);
		VT_EQUAL(ibv_destroy_qp(qp), 0);
	}
	close_queues();
}

static void what_is_used_is_busy(void)
{
	struct ibv_flow *flow;
	struct ibv_qp *qp;

	open_sender();
	open_queues();
	make_table();
	qp = make_rss(IBV_RX_HASH_SRC_IPV4);
	flow = make_rule(qp);
	VT_EQUAL(ibv_destroy_qp(qp), EBUSY);
	VT_EQUAL(ibv_destroy_rwq_ind_table(table), EBUSY);
	VT_EQUAL(ibv_destroy_wq(queues[3]), EBUSY);
	VT_EQUAL(ibv_destroy_cq(a.recv_cq), EBUSY);
	VT_EQUAL(ibv_destroy_flow(flow), 0);
	VT_EQUAL(ibv_destroy_qp(qp), 0);
	close_queues();
}

static void a_queue_has_its_states(void)
{
	struct ibv_wq_init_attr attr;
	struct ibv_wq_attr change = { .attr_mask = IBV_WQ_ATTR_STATE |
						   IBV_WQ_ATTR_CURR_STATE,
				      .wq_state = IBV_WQS_RDY,
				      .curr_wq_state = IBV_WQS_ERR };
	struct ibv_wq *wq;

	open_sender();
	attr = queue_attr();
	attr.wq_context = &a;
	wq = ibv_create_wq(a.context, &attr);
	VT_CHECK(wq && wq->wq_context == &a);
	VT_CHECK(attr.max_wr >= DEPTH && attr.max_sge >= 1);
	VT_EQUAL(wq->state, IBV_WQS_RESET);
	VT_EQUAL(post(wq, 0), EINVAL);
	VT_EQUAL(ibv_modify_wq(wq, &change), EINVAL);
	VT_EQUAL(move(wq, IBV_WQS_RDY), 0);
	VT_EQUAL(wq->state, IBV_WQS_RDY);
	for (uint32_t i = 0; i < attr.max_wr; i++)
		VT_EQUAL(post(wq, i), 0);
	VT_EQUAL(post(wq, 99), ENOMEM);
	VT_EQUAL(move(wq, IBV_WQS_ERR), 0);
	for (uint32_t i = 0; i < attr.max_wr; i++)
		vt_expect(a.recv_cq, i, IBV_WC_WR_FLUSH_ERR);
	VT_EQUAL(post(wq, 5), 0);
	vt_expect(a.recv_cq, 5, IBV_WC_WR_FLUSH_ERR);
	VT_EQUAL(move(wq, IBV_WQS_RDY), EINVAL);
	VT_EQUAL(move(wq, IBV_WQS_RESET), 0);
	VT_EQUAL(move(wq, IBV_WQS_RDY), 0);
	VT_EQUAL(post(wq, 6), 0);
	VT_EQUAL(move(wq, IBV_WQS_RESET), 0);
	vt_poll_nothing(a.recv_cq, 1);
	VT_EQUAL(ibv_destroy_wq(wq), 0);
	vt_end_close(&a);
}

static int refused_rss(struct ibv_qp_init_attr_ex *attr)
{
	errno = 0;
	VT_CHECK(!ibv_create_qp_ex(a.context, attr));
	return errno;
}

static void what_is_not_offered_is_refused(void)
{
	struct ibv_rwq_ind_table_init_attr bad_table = { .ind_tbl = queues };
	struct ibv_wq_init_attr bad;
	struct ibv_qp_init_attr_ex attr;
	struct ibv_qp *qp;

	open_sender();
	open_queues();
	bad = queue_attr();
	bad.max_wr = 0;
	VT_CHECK(!ibv_create_wq(a.context, &bad));
	VT_EQUAL(errno, EINVAL);
	bad = queue_attr();
	bad.comp_mask = IBV_WQ_INIT_ATTR_FLAGS;
	bad.create_flags = IBV_WQ_FLAGS_CVLAN_STRIPPING;
	VT_CHECK(!ibv_create_wq(a.context, &bad));
	VT_EQUAL(errno, EOPNOTSUPP);
	bad_table.log_ind_tbl_size = 30;
	VT_CHECK(!ibv_create_rwq_ind_table(a.context, &bad_table));
	VT_EQUAL(errno, EINVAL);
	make_table();
	attr = rss_attr(IBV_RX_HASH_SRC_IPV4 | IBV_RX_HASH_SRC_IPV6);
	VT_EQUAL(refused_rss(&attr), EINVAL);
	attr = rss_attr(IBV_RX_HASH_INNER);
	VT_EQUAL(refused_rss(&attr), EOPNOTSUPP);
	attr = rss_attr(0);
	attr.rx_hash_conf.rx_hash_key_len = 39;
	VT_EQUAL(refused_rss(&attr), EINVAL);
	attr = rss_attr(0);
	attr.rx_hash_conf.rx_hash_function = 2;
	VT_EQUAL(refused_rss(&attr), EOPNOTSUPP);
	attr = rss_attr(0);
	attr.comp_mask &= ~(uint32_t)IBV_QP_INIT_ATTR_RX_HASH;
	VT_EQUAL(refused_rss(&attr), EINVAL);
	qp = make_rss(0);
	VT_EQUAL(vt_set_state(qp, IBV_QPS_INIT), EOPNOTSUPP);
	VT_EQUAL(ibv_destroy_qp(qp), 0);
	close_queues();
}

int main(int argc, char **argv)
{
	static const struct vt_case cases[] = {
		VT_CASE(frames_are_spread_by_their_hash),
		VT_CASE(what_is_used_is_busy),
		VT_CASE(a_queue_has_its_states),
		VT_CASE(what_is_not_offered_is_refused),
		{ NULL, NULL, 0 },
	};

	return vt_main(argc, argv, cases);
}
