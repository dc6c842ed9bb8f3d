/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Datagrams (UD): what arrives, what precedes it, what is lost, and what the
 * sender's own errors do.
 */
#include <endian.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vt.h"

#define GRH 40u
#define ROOM (GRH + 4096u)
#define NUM_SENDERS 100u
#define PER_SENDER 20u

static struct vt_end a, b;
static struct ibv_ah *ah; /* of a, to b */
static size_t mtu_bytes;

/* With ARNICA_LOOPBACK=off packets take the wire, which may lose them, has no
 * service levels, and takes its time. */
static bool on_the_wire(void)
{
	const char *text = getenv("ARNICA_LOOPBACK");

	return text && !strcmp(text, "off");
}

static struct vt_wish datagram_wish(void)
{
	struct vt_wish wish = vt_defaults();

	wish.type = IBV_QPT_UD;
	return wish;
}

static void be_ready(struct vt_end *end)
{
	VT_EQUAL(vt_to_init(end), 0);
	VT_EQUAL(vt_to_rtr(end, &(struct vt_address){ 0 }), 0);
	VT_EQUAL(vt_to_rts(end), 0);
}

static struct ibv_ah_attr address_of(const union ibv_gid *gid)
{
	return (struct ibv_ah_attr){
		.is_global = 1,
		.port_num = 1,
		.sl = 3,
		.grh = { .dgid = *gid,
			 .hop_limit = 17,
			 .traffic_class = 0x40,
			 /* of which 20 bits are used */
			 .flow_label = 0xfff12345 },
	};
}

/* A datagram's completion tells no service level but the kind of the packet, as
 * mlx5's does: with UDP, IPv6 or IPv4. */
static int kind_of(const uint8_t *grh)
{
	return 8 | (grh[0] >> 4 == 6 ? 1 : 2);
}

static struct ibv_ah *make_ah(struct vt_end *end, const union ibv_gid *gid)
{
	struct ibv_ah_attr attr = address_of(gid);
	struct ibv_ah *made = ibv_create_ah(end->pd, &attr);

	VT_CHECK(made);
	return made;
}

static void open_both(const struct vt_wish *wish)
{
	struct ibv_port_attr port;
	struct vt_address to_b;

	vt_end_open(&a, wish);
	vt_end_open(&b, wish);
	VT_EQUAL(ibv_query_port(a.context, 1, &port), 0);
	mtu_bytes = 128u << port.active_mtu;
	be_ready(&a);
	be_ready(&b);
	to_b = vt_address_of(&b);
	ah = make_ah(&a, &to_b.gid);
}

static void close_both(void)
{
	VT_EQUAL(ibv_destroy_ah(ah), 0);
	vt_end_close(&b);
	vt_end_close(&a);
}

static struct ibv_send_wr datagram(uint64_t id, struct ibv_sge *sge,
				   struct ibv_ah *to, uint32_t qpn,
				   uint32_t qkey)
{
	struct ibv_send_wr wr = vt_send_wr(id, IBV_WR_SEND, sge);

	wr.wr.ud.ah = to;
	wr.wr.ud.remote_qpn = qpn;
	wr.wr.ud.remote_qkey = qkey;
	return wr;
}

static void send_to_b(uint64_t id, size_t length)
{
	struct ibv_sge sge = vt_sge(&a, 0, length);
	struct ibv_send_wr wr =
		datagram(id, &sge, ah, b.qp->qp_num, b.wish.qkey);

	VT_EQUAL(vt_post_send(&a, &wr), 0);
}

static void datagrams_of_all_lengths_arrive(void)
{
	struct vt_wish wish = datagram_wish();
	size_t lengths[] = { 0, 1, 8, 63, 255, 0, 0 };
	struct ibv_wc wc;

	open_both(&wish);
	lengths[5] = mtu_bytes - 1;
	lengths[6] = mtu_bytes;
	for (uint64_t i = 0; i < 7; i++) {
		vt_fill(a.buffer, lengths[i], i);
		vt_recv(&b, i, 0, ROOM);
		send_to_b(i, lengths[i]);
		vt_expect(a.send_cq, i, IBV_WC_SUCCESS);
		wc = vt_poll(b.recv_cq);
		VT_STATUS(&wc, IBV_WC_SUCCESS);
		VT_EQUAL(wc.wr_id, i);
		VT_EQUAL(wc.byte_len, GRH + lengths[i]);
		VT_EQUAL(wc.wc_flags, IBV_WC_GRH);
		VT_EQUAL(wc.src_qp, a.qp->qp_num);
		VT_EQUAL(wc.qp_num, b.qp->qp_num);
		VT_EQUAL(wc.sl, kind_of(b.buffer));
		VT_EQUAL(wc.pkey_index, 0);
		VT_EQUAL(wc.slid, 0);
		VT_EQUAL(wc.dlid_path_bits, 0);
		vt_check_fill(b.buffer + GRH, lengths[i], i, "datagram");
	}
	close_both();
}

static void immediate_and_inline_data_arrive(void)
{
	struct vt_wish wish = datagram_wish();
	struct ibv_sge sge;
	struct ibv_send_wr wr;
	struct ibv_wc wc;

	open_both(&wish);
	sge = vt_sge(&a, 0, 30);
	sge.lkey = 0; /* inline data needs none */
	wr = datagram(1, &sge, ah, b.qp->qp_num, b.wish.qkey);
	wr.opcode = IBV_WR_SEND_WITH_IMM;
	wr.imm_data = htobe32(0xa1b2c3d4);
	wr.send_flags |= IBV_SEND_INLINE;
	vt_fill(a.buffer, 30, 1);
	vt_recv(&b, 1, 0, ROOM);
	VT_EQUAL(vt_post_send(&a, &wr), 0);
	wc = vt_poll(b.recv_cq);
	VT_STATUS(&wc, IBV_WC_SUCCESS);
	VT_EQUAL(wc.wc_flags, IBV_WC_GRH | IBV_WC_WITH_IMM);
	VT_EQUAL(be32toh(wc.imm_data), 0xa1b2c3d4);
	vt_check_fill(b.buffer + GRH, 30, 1, "inline");
	close_both();
}

static void extended_calls_do_the_same(void)
{
	struct vt_wish wish = datagram_wish();
	struct ibv_qp_ex *qp;

	wish.extended = true;
	open_both(&wish);
	qp = ibv_qp_to_qp_ex(a.qp);
	VT_CHECK(qp);
	vt_fill(a.buffer, 100, 2);
	for (uint64_t i = 0; i < 2; i++)
		vt_recv(&b, i, i * 4096, ROOM);
	ibv_wr_start(qp);
	qp->wr_flags = IBV_SEND_SIGNALED;
	qp->wr_id = 0;
	ibv_wr_send(qp);
	ibv_wr_set_ud_addr(qp, ah, b.qp->qp_num, b.wish.qkey);
	ibv_wr_set_sge(qp, a.mr->lkey, (uintptr_t)a.buffer, 100);
	qp->wr_id = 1;
	ibv_wr_send_imm(qp, htobe32(9));
	ibv_wr_set_inline_data(qp, a.buffer, 50);
	ibv_wr_set_ud_addr(qp, ah, b.qp->qp_num, b.wish.qkey);
	VT_EQUAL(ibv_wr_complete(qp), 0);
	for (uint64_t i = 0; i < 2; i++) {
		vt_expect(a.send_cq, i, IBV_WC_SUCCESS);
		vt_expect(b.recv_cq, i, IBV_WC_SUCCESS);
	}
	vt_check_fill(b.buffer + GRH, 100, 2, "first");
	vt_check_fill(b.buffer + 4096 + GRH, 50, 2, "second");
	close_both();
}

static bool is_ipv4(const union ibv_gid *gid)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

	return !memcmp(gid->raw, mapped, sizeof(mapped));
}

static void check_header(const uint8_t *bytes, const union ibv_gid *gid)
{
	const struct ip6_hdr *ipv6 = (const void *)bytes;
	const struct iphdr *ipv4 = (const void *)(bytes + 20);

	if (is_ipv4(gid)) {
		VT_EQUAL(ipv4->version, 4);
		VT_EQUAL(ipv4->ihl, 5);
		VT_EQUAL(ipv4->tos, 0x40);
		VT_EQUAL(ipv4->ttl, 17);
		VT_EQUAL(ipv4->protocol, IPPROTO_UDP);
		VT_CHECK(!memcmp(&ipv4->saddr, gid->raw + 12, 4));
		VT_CHECK(!memcmp(&ipv4->daddr, gid->raw + 12, 4));
	} else {
		/* Who receives packets does not see the flow label. */
		VT_ONE_OF(be32toh(ipv6->ip6_flow), 0x64012345, 0x64000000);
		VT_EQUAL(ipv6->ip6_nxt, IPPROTO_UDP);
		VT_EQUAL(ipv6->ip6_hlim, 17);
		VT_CHECK(!memcmp(&ipv6->ip6_src, gid->raw, 16));
		VT_CHECK(!memcmp(&ipv6->ip6_dst, gid->raw, 16));
	}
}

static void answer_by(struct ibv_ah *to, uint32_t qpn)
{
	struct ibv_sge sge = vt_sge(&b, 0, 9);
	struct ibv_send_wr wr = datagram(7, &sge, to, qpn, a.wish.qkey);

	vt_recv(&a, 8, 65536, ROOM);
	VT_EQUAL(vt_post_send(&b, &wr), 0);
	vt_expect(b.send_cq, 7, IBV_WC_SUCCESS);
	vt_expect(a.recv_cq, 8, IBV_WC_SUCCESS);
}

/* For each address of this host: the header names it, and libibverbs makes an
 * address of the header by which an answer comes back. */
static void the_header_leads_back(void)
{
	struct vt_wish wish = datagram_wish();
	union ibv_gid gid, none = { .raw = { 0 } };
	unsigned int tried = 0;

	open_both(&wish);
	for (int index = 0; index < 16; index++) {
		struct ibv_ah_attr attr, found;
		struct ibv_ah *there, *back;
		struct ibv_sge sge;
		struct ibv_send_wr wr;
		struct ibv_wc wc;

		if (ibv_query_gid(a.context, 1, index, &gid) ||
		    !memcmp(&gid, &none, sizeof(gid)))
			continue;
		attr = address_of(&gid);
		attr.grh.sgid_index = (uint8_t)index;
		there = ibv_create_ah(a.pd, &attr);
		VT_CHECK(there);
		sge = vt_sge(&a, 0, 20);
		wr = datagram(1, &sge, there, b.qp->qp_num, b.wish.qkey);
		vt_recv(&b, 2, 0, ROOM);
		VT_EQUAL(vt_post_send(&a, &wr), 0);
		vt_expect(a.send_cq, 1, IBV_WC_SUCCESS);
		wc = vt_poll(b.recv_cq);
		VT_STATUS(&wc, IBV_WC_SUCCESS);
		check_header(b.buffer, &gid);
		memset(&found, 0, sizeof(found));
		VT_EQUAL(ibv_init_ah_from_wc(b.context, 1, &wc,
					     (struct ibv_grh *)(void *)b.buffer,
					     &found),
			 0);
		VT_EQUAL(found.is_global, 1);
		VT_EQUAL(found.sl, wc.sl);
		VT_CHECK(!memcmp(&found.grh.dgid, &gid, sizeof(gid)));
		back = ibv_create_ah_from_wc(b.pd, &wc,
					     (struct ibv_grh *)(void *)b.buffer,
					     1);
		VT_CHECK(back);
		answer_by(back, wc.src_qp);
		VT_EQUAL(ibv_destroy_ah(back), 0);
		VT_EQUAL(ibv_destroy_ah(there), 0);
		tried++;
	}
	VT_CHECK(tried > 0);
	close_both();
}

static void what_does_not_fit_is_lost_in_silence(void)
{
	struct vt_wish wish = datagram_wish();
	struct ibv_sge sge;
	struct ibv_send_wr wr;

	open_both(&wish);
	if (!on_the_wire()) {
		send_to_b(1, 8); /* no receive */
		vt_expect(a.send_cq, 1, IBV_WC_SUCCESS);
	}
	vt_recv(&b, 2, 0, ROOM);
	sge = vt_sge(&a, 0, 8);
	wr = datagram(3, &sge, ah, b.qp->qp_num, b.wish.qkey + 1);
	VT_EQUAL(vt_post_send(&a, &wr), 0);
	vt_expect(a.send_cq, 3, IBV_WC_SUCCESS);
	wr = datagram(4, &sge, ah, b.qp->qp_num ^ 0x400000, b.wish.qkey);
	VT_EQUAL(vt_post_send(&a, &wr), 0);
	vt_expect(a.send_cq, 4, IBV_WC_SUCCESS);
	vt_poll_nothing(b.recv_cq, 20);
	/* A controlled Q_Key: the sender's own, which is the same. */
	wr = datagram(5, &sge, ah, b.qp->qp_num, 0x80000000);
	VT_EQUAL(vt_post_send(&a, &wr), 0);
	vt_expect(a.send_cq, 5, IBV_WC_SUCCESS);
	vt_expect(b.recv_cq, 2, IBV_WC_SUCCESS);
	close_both();
}

static void a_receive_that_is_too_short_costs_itself(void)
{
	struct vt_wish wish = datagram_wish();

	open_both(&wish);
	vt_recv(&b, 1, 0, GRH + 7);
	vt_recv(&b, 2, 0, GRH + 8);
	send_to_b(3, 8);
	vt_expect(a.send_cq, 3, IBV_WC_SUCCESS);
	vt_expect(b.recv_cq, 1, IBV_WC_LOC_LEN_ERR);
	send_to_b(4, 8);
	vt_expect(b.recv_cq, 2, IBV_WC_SUCCESS);
	VT_EQUAL(vt_state(b.qp), IBV_QPS_RTS);
	close_both();
}

static void back_to_rts(struct vt_end *end)
{
	struct ibv_qp_attr attr = { .qp_state = IBV_QPS_RTS,
				    .cur_qp_state = IBV_QPS_SQE };

	VT_EQUAL(vt_state(end->qp), IBV_QPS_SQE);
	VT_EQUAL(ibv_modify_qp(end->qp, &attr,
			       IBV_QP_STATE | IBV_QP_CUR_STATE),
		 0);
	VT_EQUAL(vt_state(end->qp), IBV_QPS_RTS);
}

/* Posts `bad` and a good one behind it. */
static void expect_sqe(struct ibv_send_wr *bad, enum ibv_wc_status status)
{
	VT_EQUAL(vt_post_send(&a, bad), 0);
	vt_expect(a.send_cq, bad->wr_id, status);
	send_to_b(77, 8);
	vt_expect(a.send_cq, 77, IBV_WC_WR_FLUSH_ERR);
	back_to_rts(&a);
	vt_recv(&b, 78, 0, ROOM);
	send_to_b(79, 8);
	vt_expect(a.send_cq, 79, IBV_WC_SUCCESS);
	vt_expect(b.recv_cq, 78, IBV_WC_SUCCESS);
}

static void errors_of_the_sender_are_sqe(void)
{
	struct vt_wish wish = datagram_wish();
	struct ibv_ah_attr attr;
	struct ibv_send_wr wr;
	struct vt_address to_b;
	struct ibv_ah *foreign;
	struct ibv_sge sge;
	struct ibv_pd *pd;

	open_both(&wish);
	sge = vt_sge(&a, 0, 4097);
	wr = datagram(1, &sge, ah, b.qp->qp_num, b.wish.qkey);
	expect_sqe(&wr, IBV_WC_LOC_LEN_ERR);
	sge = vt_sge(&a, 0, 8);
	sge.lkey ^= 0x100;
	wr = datagram(2, &sge, ah, b.qp->qp_num, b.wish.qkey);
	expect_sqe(&wr, IBV_WC_LOC_PROT_ERR);
	pd = ibv_alloc_pd(a.context);
	to_b = vt_address_of(&b);
	attr = address_of(&to_b.gid);
	foreign = ibv_create_ah(pd, &attr);
	VT_CHECK(foreign);
	VT_EQUAL(ibv_dealloc_pd(pd), EBUSY);
	sge = vt_sge(&a, 0, 8);
	wr = datagram(3, &sge, foreign, b.qp->qp_num, b.wish.qkey);
	expect_sqe(&wr, IBV_WC_LOC_QP_OP_ERR);
	VT_EQUAL(ibv_destroy_ah(foreign), 0);
	VT_EQUAL(ibv_dealloc_pd(pd), 0);
	close_both();
}

static void bad_requests_are_refused(void)
{
	static const enum ibv_wr_opcode opcodes[] = {
		IBV_WR_RDMA_WRITE, IBV_WR_RDMA_WRITE_WITH_IMM,
		IBV_WR_RDMA_READ, IBV_WR_ATOMIC_CMP_AND_SWP,
		IBV_WR_ATOMIC_FETCH_AND_ADD, IBV_WR_TSO
	};
	struct vt_wish wish = datagram_wish();
	struct ibv_ah_attr attr = { .port_num = 1, .is_global = 1 };
	struct ibv_send_wr wr;
	struct ibv_sge sge;

	open_both(&wish);
	sge = vt_sge(&a, 0, 8);
	for (int i = 0; i < 6; i++) {
		wr = datagram(1, &sge, ah, b.qp->qp_num, b.wish.qkey);
		wr.opcode = opcodes[i];
		VT_EQUAL(vt_post_send(&a, &wr), EINVAL);
	}
	wr = datagram(1, &sge, NULL, b.qp->qp_num, b.wish.qkey);
	VT_EQUAL(vt_post_send(&a, &wr), EINVAL);
	VT_CHECK(!ibv_create_ah(a.pd, &attr)); /* to nobody */
	VT_EQUAL(errno, EINVAL);
	attr = (struct ibv_ah_attr){ .port_num = 1 }; /* RoCE needs a GID */
	VT_CHECK(!ibv_create_ah(a.pd, &attr));
	VT_EQUAL(errno, EINVAL);
	attr = address_of(&(union ibv_gid){ .raw = { 1 } });
	attr.port_num = 2;
	VT_CHECK(!ibv_create_ah(a.pd, &attr));
	VT_EQUAL(errno, EINVAL);
	close_both();
}

static void to_err_flushes_both_queues(void)
{
	struct vt_wish wish = datagram_wish();

	open_both(&wish);
	vt_recv(&b, 1, 0, ROOM);
	vt_recv(&b, 2, 0, ROOM);
	VT_EQUAL(vt_set_state(b.qp, IBV_QPS_ERR), 0);
	vt_expect(b.recv_cq, 1, IBV_WC_WR_FLUSH_ERR);
	vt_expect(b.recv_cq, 2, IBV_WC_WR_FLUSH_ERR);
	send_to_b(3, 8);
	vt_expect(a.send_cq, 3, IBV_WC_SUCCESS);
	/* And again from the beginning. */
	VT_EQUAL(vt_set_state(b.qp, IBV_QPS_RESET), 0);
	be_ready(&b);
	vt_recv(&b, 4, 0, ROOM);
	send_to_b(5, 8);
	vt_expect(b.recv_cq, 4, IBV_WC_SUCCESS);
	close_both();
}

/* The Q_Key can be changed while the QP works, and is told by a query. */
static void the_qkey_can_change(void)
{
	struct vt_wish wish = datagram_wish();
	struct ibv_qp_init_attr init;
	struct ibv_qp_attr attr = { .qkey = 0x222 };

	open_both(&wish);
	VT_EQUAL(ibv_modify_qp(b.qp, &attr, IBV_QP_QKEY), 0);
	memset(&attr, 0, sizeof(attr));
	VT_EQUAL(ibv_query_qp(b.qp, &attr, IBV_QP_QKEY, &init), 0);
	VT_EQUAL(attr.qkey, 0x222);
	VT_EQUAL(init.qp_type, IBV_QPT_UD);
	vt_recv(&b, 1, 0, ROOM);
	send_to_b(2, 8);
	vt_expect(a.send_cq, 2, IBV_WC_SUCCESS);
	vt_poll_nothing(b.recv_cq, 10);
	b.wish.qkey = 0x222;
	send_to_b(3, 8);
	vt_expect(b.recv_cq, 1, IBV_WC_SUCCESS);
	close_both();
}

static void wait_for_a_datagram(struct ibv_comp_channel *channel)
{
	struct ibv_cq *cq;
	void *context;

	VT_CHECK(vt_readable(channel->fd, 20000));
	VT_EQUAL(ibv_get_cq_event(channel, &cq, &context), 0);
	ibv_ack_cq_events(cq, 1);
}

static void a_sleeping_receiver_is_woken(void)
{
	struct vt_wish wish = datagram_wish();

	wish.channel = true;
	open_both(&wish);
	for (uint64_t i = 0; i < 20; i++) {
		vt_recv(&b, i, 0, ROOM);
		VT_EQUAL(ibv_req_notify_cq(b.recv_cq, 0), 0);
		send_to_b(i, 8);
		wait_for_a_datagram(b.channel);
		vt_expect(b.recv_cq, i, IBV_WC_SUCCESS);
		vt_expect(a.send_cq, i, IBV_WC_SUCCESS);
	}
	close_both();
}

struct many {
	struct vt_address receiver;
	uint32_t number;
};

static void open_sender(int fd, struct many *many)
{
	struct vt_wish wish = datagram_wish();

	vt_hear(fd, many, sizeof(*many));
	wish.buffer_bytes = 65536;
	vt_end_open(&a, &wish);
	be_ready(&a);
	ah = make_ah(&a, &many->receiver.gid);
}

static void send_number(const struct many *many, uint64_t id, size_t length)
{
	struct ibv_sge sge = vt_sge(&a, 0, length);
	struct ibv_send_wr wr = datagram(id, &sge, ah, many->receiver.qpn,
					 a.wish.qkey);

	VT_EQUAL(vt_post_send(&a, &wr), 0);
	vt_expect(a.send_cq, id, IBV_WC_SUCCESS);
}

static void one_of_many(int fd, void *argument)
{
	struct many many;

	(void)argument;
	open_sender(fd, &many);
	vt_sync(fd);
	for (uint32_t i = 0; i < PER_SENDER; i++) {
		/* Some short, some long. */
		size_t length = i % 2 ? 1024 : 64;

		vt_fill(a.buffer, length, many.number * PER_SENDER + i);
		memcpy(a.buffer, &(uint32_t[2]){ many.number, i }, 8);
		send_number(&many, i, length);
	}
	vt_sync(fd);
	VT_EQUAL(ibv_destroy_ah(ah), 0);
	vt_end_close(&a);
}

/* Nothing is lost: there is a receive for each of them. */
static void receive_all_of_many(void)
{
	uint8_t next[NUM_SENDERS] = { 0 };

	for (uint32_t i = 0; i < NUM_SENDERS * PER_SENDER; i++) {
		struct ibv_wc wc = vt_poll(b.recv_cq);
		uint32_t word[2];
		uint8_t *at = b.buffer + wc.wr_id * ROOM;

		VT_STATUS(&wc, IBV_WC_SUCCESS);
		memcpy(word, at + GRH, 8);
		VT_CHECK(word[0] < NUM_SENDERS);
		/* In order, from each of them. */
		VT_EQUAL(word[1], next[word[0]]);
		next[word[0]]++;
		memset(at + GRH, 0, 8);
		for (size_t byte = 8; byte < wc.byte_len - GRH; byte++)
			VT_EQUAL(at[GRH + byte],
				 vt_byte(word[0] * PER_SENDER + word[1], byte));
	}
}

static void a_hundred_senders_reach_one_receiver(void)
{
	static struct vt_peer peers[NUM_SENDERS];
	struct vt_wish wish = datagram_wish();
	struct many many;

	if (on_the_wire())
		vt_skip("packets may be lost");
	wish.recv_depth = wish.cqe = NUM_SENDERS * PER_SENDER;
	wish.buffer_bytes = (size_t)NUM_SENDERS * PER_SENDER * ROOM;
	for (uint32_t i = 0; i < NUM_SENDERS; i++)
		peers[i] = vt_fork(one_of_many, NULL);
	vt_end_open(&b, &wish);
	be_ready(&b);
	for (uint64_t i = 0; i < NUM_SENDERS * PER_SENDER; i++)
		vt_recv(&b, i, i * ROOM, ROOM);
	many.receiver = vt_address_of(&b);
	for (many.number = 0; many.number < NUM_SENDERS; many.number++)
		vt_tell(peers[many.number].fd, &many, sizeof(many));
	for (uint32_t i = 0; i < NUM_SENDERS; i++)
		vt_sync(peers[i].fd);
	receive_all_of_many();
	for (uint32_t i = 0; i < NUM_SENDERS; i++) {
		vt_sync(peers[i].fd);
		vt_join(&peers[i]);
	}
	vt_end_close(&b);
}

static void send_for_ever(int fd, void *argument)
{
	struct many many;

	(void)argument;
	open_sender(fd, &many);
	vt_sync(fd);
	for (uint64_t i = 0;; i++)
		send_number(&many, i, 8);
}

/* Senders are killed in the middle, again and again; who is left goes on. */
static void senders_that_are_killed_harm_nobody(void)
{
	struct vt_wish wish = datagram_wish();
	struct many many = { .number = 0 };
	struct vt_peer lasting = vt_fork(send_for_ever, NULL);
	struct vt_peer victims[20];
	uint64_t random = vt_setting("VT_SEED", vt_now_ms());

	for (int i = 0; i < 20; i++)
		victims[i] = vt_fork(send_for_ever, NULL);
	vt_end_open(&b, &wish);
	be_ready(&b);
	many.receiver = vt_address_of(&b);
	for (uint64_t i = 0; i < 64; i++)
		vt_recv(&b, i, i * ROOM, ROOM);
	vt_tell(lasting.fd, &many, sizeof(many));
	vt_sync(lasting.fd);
	for (int i = 0; i < 20; i++) {
		uint64_t until;

		vt_tell(victims[i].fd, &many, sizeof(many));
		vt_sync(victims[i].fd);
		until = vt_now_ms() + vt_random(&random) % 20;
		/* At least one more arrives after each death. */
		for (int turn = 0; turn < 2; turn++) {
			do {
				struct ibv_wc wc = vt_poll(b.recv_cq);

				VT_STATUS(&wc, IBV_WC_SUCCESS);
				vt_recv(&b, wc.wr_id, wc.wr_id * ROOM, ROOM);
			} while (vt_now_ms() < until);
			if (!turn)
				kill(victims[i].pid, SIGKILL);
		}
	}
	kill(lasting.pid, SIGKILL);
	vt_end_close(&b);
}

/* Where a delivery can be cut off, in its order. */
static const char *const points[] = {
	"datagram_locked", "datagram_admitted", "completion_before_publish",
	"completion_published", "receive_consumed", "ready_queued",
	"ready_linked", "ready_pushed", "event_fired", "event_marked",
	"event_summarised", "datagram_unlocking",
};

/* Without fault points compiled in, it comes to its end. */
static void send_until_the_point(int fd, void *argument)
{
	struct many many;

	setenv("ARNICA_FAULT_POINT", argument, 1);
	open_sender(fd, &many);
	vt_sync(fd);
	for (uint64_t i = 0; i < 300; i++)
		send_number(&many, i, 8);
	_exit(0);
}

/*
 * The receiver sleeps between two messages, so that events are fired, too. One
 * may tell of a message that an earlier poll took: its request is used up, and
 * the CQ armed again before the next sleep, as ibv_get_cq_event(3) shows.
 */
static void receive_some(unsigned int count)
{
	while (count--) {
		struct ibv_wc wc;
		int got;

		VT_EQUAL(ibv_req_notify_cq(b.recv_cq, 0), 0);
		got = ibv_poll_cq(b.recv_cq, 1, &wc);
		while (!got) {
			wait_for_a_datagram(b.channel);
			VT_EQUAL(ibv_req_notify_cq(b.recv_cq, 0), 0);
			got = ibv_poll_cq(b.recv_cq, 1, &wc);
		}
		VT_EQUAL(got, 1);
		VT_STATUS(&wc, IBV_WC_SUCCESS);
		vt_recv(&b, wc.wr_id, wc.wr_id * ROOM, ROOM);
	}
}

/* True when it was killed there. */
static bool dies_at(const char *point, int count, const struct many *many)
{
	char fault[64];
	struct vt_peer victim;
	int status;

	snprintf(fault, sizeof(fault), "%s:%d:kill", point, count);
	victim = vt_fork(send_until_the_point, fault);
	vt_tell(victim.fd, many, sizeof(*many));
	vt_sync(victim.fd);
	while (waitpid(victim.pid, &status, WNOHANG) == 0)
		receive_some(1);
	close(victim.fd);
	receive_some(40);
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
}

static void a_sender_that_dies_at_a_point_harms_nobody(void)
{
	struct vt_wish wish = datagram_wish();
	struct vt_peer lasting = vt_fork(send_for_ever, NULL);
	struct many many = { .number = 0 };
	unsigned int died = 0;

	wish.channel = true;
	vt_end_open(&b, &wish);
	be_ready(&b);
	many.receiver = vt_address_of(&b);
	for (uint64_t i = 0; i < 64; i++)
		vt_recv(&b, i, i * ROOM, ROOM);
	vt_tell(lasting.fd, &many, sizeof(many));
	vt_sync(lasting.fd);
	for (size_t i = 0; i < sizeof(points) / sizeof(*points); i++)
		for (int count = 1; count < 20; count += 7)
			died += dies_at(points[i], count, &many);
	kill(lasting.pid, SIGKILL);
	if (!died)
		vt_skip("this build has no fault points");
	printf("      %u died\n", died);
	vt_end_close(&b);
}

int main(int argc, char **argv)
{
	const struct vt_case cases[] = {
		VT_CASE(datagrams_of_all_lengths_arrive),
		VT_CASE(immediate_and_inline_data_arrive),
		VT_CASE(extended_calls_do_the_same),
		VT_CASE(the_header_leads_back),
		VT_CASE(what_does_not_fit_is_lost_in_silence),
		VT_CASE(a_receive_that_is_too_short_costs_itself),
		VT_CASE(errors_of_the_sender_are_sqe),
		VT_CASE(bad_requests_are_refused),
		VT_CASE(to_err_flushes_both_queues),
		VT_CASE(the_qkey_can_change),
		VT_CASE(a_sleeping_receiver_is_woken),
		{ "a_hundred_senders_reach_one_receiver",
		  a_hundred_senders_reach_one_receiver, 120 },
		{ "senders_that_are_killed_harm_nobody",
		  senders_that_are_killed_harm_nobody, 120 },
		{ "a_sender_that_dies_at_a_point_harms_nobody",
		  a_sender_that_dies_at_a_point_harms_nobody, 120 },
		{ NULL, NULL, 0 },
	};

	return vt_main(argc, argv, cases);
}
