/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Raw packets: frames from one queue pair to others, by rules; work queues and
 * how a hash spreads frames over them; errors. Between processes, and between
 * two hosts ($VT_PEER_NETWORK). Frames have a type for experiments, and an
 * address of this process's own, so that they meet nobody.
 */
#include <arpa/inet.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

#include "vt.h"

#define LENGTH 100u
#define HEADER 14u
#define TYPE 0x88b5u
#define ROOM 16384u

static struct vt_end a, b;
/* Of this run: all its processes have it. */
static unsigned int own;

static bool is_permitted(void)
{
	int fd = socket(AF_PACKET, SOCK_RAW, 0);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

static void need_right(void)
{
	if (!is_permitted())
		vt_skip("raw packets need CAP_NET_RAW");
}

static struct vt_wish raw_wish(void)
{
	struct vt_wish wish = vt_defaults();

	wish.type = IBV_QPT_RAW_PACKET;
	wish.buffer_bytes = 1 << 18;
	return wish;
}

static void be_ready(struct ibv_qp *qp)
{
	struct ibv_qp_attr attr = { .qp_state = IBV_QPS_INIT, .port_num = 1 };

	VT_EQUAL(ibv_modify_qp(qp, &attr, IBV_QP_STATE | IBV_QP_PORT), 0);
	VT_EQUAL(vt_set_state(qp, IBV_QPS_RTR), 0);
	VT_EQUAL(vt_set_state(qp, IBV_QPS_RTS), 0);
}

static void open_ready(struct vt_end *end)
{
	struct vt_wish wish = raw_wish();

	vt_end_open(end, &wish);
	be_ready(end->qp);
}

static void open_ready_in(struct vt_end *end, const struct vt_end *other)
{
	struct vt_wish wish = raw_wish();

	vt_end_open_in(end, other, &wish);
	be_ready(end->qp);
}

/* Of this process and its peers; locally administered. */
static void own_mac(uint8_t mac[6], unsigned int number)
{
	memcpy(mac, (uint8_t[]){ 2, 0xa7, (uint8_t)(own >> 16),
				 (uint8_t)(own >> 8), (uint8_t)own,
				 (uint8_t)number },
	       6);
}

/* A rule for an address, or for all of this type. */
struct eth_rule {
	struct ibv_flow_attr attr;
	struct ibv_flow_spec_eth eth;
};

static struct eth_rule rule_for(unsigned int number)
{
	struct eth_rule rule = {
		.attr = { .size = sizeof(rule), .num_of_specs = 1, .port = 1 },
		.eth = { .type = IBV_FLOW_SPEC_ETH, .size = sizeof(rule.eth) },
	};

	own_mac(rule.eth.val.dst_mac, number);
	memset(rule.eth.mask.dst_mac, 0xff, 6);
	return rule;
}

static struct ibv_flow *make_rule(struct vt_end *end, unsigned int number)
{
	struct eth_rule rule = rule_for(number);
	struct ibv_flow *flow = ibv_create_flow(end->qp, &rule.attr);

	VT_CHECK(flow);
	return flow;
}

/* A frame to an address, with a payload that tells its id. */
static void write_frame(uint8_t *frame, unsigned int number, uint64_t id,
			size_t length)
{
	own_mac(frame, number);
	own_mac(frame + 6, 0xff);
	frame[12] = TYPE >> 8;
	frame[13] = TYPE & 0xff;
	vt_fill(frame + HEADER, length - HEADER, id);
	if (length >= HEADER + sizeof(id))
		memcpy(frame + HEADER, &id, sizeof(id));
}

static void send_frame(struct vt_end *from, unsigned int number, uint64_t id,
		       size_t length)
{
	write_frame(from->buffer, number, id, length);
	vt_send(from, id, 0, length);
	vt_expect(from->send_cq, id, IBV_WC_SUCCESS);
}

static size_t place_of(uint64_t id)
{
	return (id + 1) * 8192;
}

static void expect_frame(struct vt_end *end, uint64_t wr_id,
			 unsigned int number, uint64_t id, size_t length)
{
	uint8_t frame[ROOM];
	struct ibv_wc wc = vt_poll(end->recv_cq);

	VT_STATUS(&wc, IBV_WC_SUCCESS);
	VT_EQUAL(wc.wr_id, wr_id);
	VT_EQUAL(wc.opcode, IBV_WC_RECV);
	VT_EQUAL(wc.byte_len, length);
	VT_EQUAL(wc.qp_num, end->qp->qp_num);
	VT_EQUAL(wc.wc_flags, 0);
	write_frame(frame, number, id, length);
	VT_CHECK(!memcmp(end->buffer + place_of(wr_id), frame, length));
}

static void post_receives(struct vt_end *end, uint64_t count)
{
	for (uint64_t id = 0; id < count; id++)
		vt_recv(end, id, place_of(id), 8192);
}

static void who_may_not_gets_eperm(void)
{
	struct vt_wish wish = vt_defaults();
	struct ibv_qp_init_attr attr = { .cap = { 1, 1, 1, 1, 0 },
					 .qp_type = IBV_QPT_RAW_PACKET };
	struct ibv_wq_init_attr wq = { .wq_type = IBV_WQT_RQ,
				       .max_wr = 1,
				       .max_sge = 1 };

	if (is_permitted())
		vt_skip("this user may have raw packets");
	vt_end_open(&a, &wish);
	attr.send_cq = a.send_cq;
	attr.recv_cq = a.recv_cq;
	errno = 0;
	VT_CHECK(!ibv_create_qp(a.pd, &attr));
	VT_EQUAL(errno, EPERM);
	wq.pd = a.pd;
	wq.cq = a.recv_cq;
	VT_CHECK(!ibv_create_wq(a.context, &wq));
	VT_EQUAL(errno, EPERM);
	vt_end_close(&a);
}

/* In one context and between two: who has the rule gets the frame, once; the
 * sender, too, if it asked for it. */
static void a_frame_goes_to_those_who_asked_for_it(void)
{
	struct ibv_flow *flows[3];
	struct vt_end c;

	need_right();
	open_ready(&a);
	open_ready_in(&b, &a);
	open_ready(&c);
	flows[0] = make_rule(&a, 1);
	flows[1] = make_rule(&b, 2);
	flows[2] = make_rule(&c, 1);
	post_receives(&a, 4);
	post_receives(&b, 4);
	post_receives(&c, 4);
	for (uint64_t id = 0; id < 3; id++)
		send_frame(&a, 1, id, LENGTH);
	send_frame(&c, 2, 3, LENGTH + 1);
	send_frame(&b, 3, 4, LENGTH);
	for (uint64_t id = 0; id < 3; id++) {
		expect_frame(&a, id, 1, id, LENGTH);
		expect_frame(&c, id, 1, id, LENGTH);
	}
	expect_frame(&b, 0, 2, 3, LENGTH + 1);
	vt_poll_nothing(a.recv_cq, 50);
	vt_poll_nothing(b.recv_cq, 1);
	vt_poll_nothing(c.recv_cq, 1);
	for (int i = 0; i < 3; i++)
		VT_EQUAL(ibv_destroy_flow(flows[i]), 0);
	vt_end_close(&c);
	vt_end_close(&b);
	vt_end_close(&a);
}

static void rules_have_an_order(void)
{
	struct eth_rule rule = rule_for(1);
	struct ibv_flow *flows[3];

	need_right();
	open_ready(&a);
	open_ready_in(&b, &a);
	rule.attr.priority = 5;
	flows[0] = ibv_create_flow(a.qp, &rule.attr);
	rule.attr.priority = 4;
	flows[1] = ibv_create_flow(b.qp, &rule.attr);
	VT_CHECK(flows[0] && flows[1]);
	post_receives(&a, 3);
	post_receives(&b, 3);
	send_frame(&a, 1, 0, LENGTH);
	expect_frame(&b, 0, 1, 0, LENGTH);
	/* One before both that lets them have it as well. */
	rule.attr.priority = 1;
	rule.attr.flags = IBV_FLOW_ATTR_FLAGS_DONT_TRAP;
	flows[2] = ibv_create_flow(a.qp, &rule.attr);
	VT_CHECK(flows[2]);
	send_frame(&a, 1, 1, LENGTH);
	expect_frame(&a, 0, 1, 1, LENGTH);
	expect_frame(&b, 1, 1, 1, LENGTH);
	VT_EQUAL(ibv_destroy_flow(flows[2]), 0);
	VT_EQUAL(ibv_destroy_flow(flows[1]), 0);
	send_frame(&b, 1, 2, LENGTH);
	expect_frame(&a, 1, 1, 2, LENGTH);
	vt_poll_nothing(b.recv_cq, 20);
	/* It has a rule. */
	VT_EQUAL(ibv_destroy_qp(a.qp), EBUSY);
	VT_EQUAL(ibv_destroy_flow(flows[0]), 0);
	send_frame(&b, 1, 3, LENGTH);
	vt_poll_nothing(a.recv_cq, 20);
	vt_end_close(&b);
	vt_end_close(&a);
}

static void receives_are_lost_alone(void)
{
	struct ibv_flow *flow;
	struct ibv_wc wc;

	need_right();
	open_ready(&a);
	open_ready(&b);
	flow = make_rule(&b, 1);
	/* Without a receive it is lost, and with too small a one it fails. */
	send_frame(&a, 1, 0, LENGTH);
	vt_poll_nothing(b.recv_cq, 20);
	vt_recv(&b, 7, place_of(7), LENGTH - 1);
	send_frame(&a, 1, 1, LENGTH);
	wc = vt_poll(b.recv_cq);
	VT_EQUAL(wc.wr_id, 7);
	VT_STATUS(&wc, IBV_WC_LOC_LEN_ERR);
	vt_recv(&b, 8, place_of(8), LENGTH);
	send_frame(&a, 1, 2, LENGTH);
	expect_frame(&b, 8, 1, 2, LENGTH);
	VT_EQUAL(vt_state(b.qp), IBV_QPS_RTS);
	vt_recv(&b, 9, place_of(9), LENGTH);
	VT_EQUAL(vt_set_state(b.qp, IBV_QPS_ERR), 0);
	vt_expect(b.recv_cq, 9, IBV_WC_WR_FLUSH_ERR);
	send_frame(&a, 1, 3, LENGTH);
	vt_poll_nothing(b.recv_cq, 20);
	VT_EQUAL(ibv_destroy_flow(flow), 0);
	vt_end_close(&b);
	vt_end_close(&a);
}

static void fails_and_recovers(size_t length)
{
	write_frame(a.buffer, 1, 0, HEADER);
	vt_send(&a, length, 0, length);
	vt_expect(a.send_cq, length, IBV_WC_LOC_LEN_ERR);
	vt_wait_state(a.qp, IBV_QPS_SQE);
	VT_EQUAL(vt_set_state(a.qp, IBV_QPS_RTS), 0);
}

static void frames_have_limits(void)
{
	need_right();
	open_ready(&a);
	fails_and_recovers(0);
	fails_and_recovers(HEADER - 1);
	/* More than any interface takes. */
	fails_and_recovers(70000);
	send_frame(&a, 1, 1, HEADER);
	vt_end_close(&a);
}

/* A tag goes with its frame, whatever the kernel does to it on the way. */
static void tags_stay(void)
{
	struct eth_rule rule = rule_for(1);
	uint8_t frame[LENGTH];
	struct ibv_flow *flow;
	struct ibv_wc wc;

	need_right();
	open_ready(&a);
	open_ready(&b);
	rule.eth.val.vlan_tag = htons(0x6123);
	rule.eth.mask.vlan_tag = 0xffff;
	rule.eth.val.ether_type = htons(TYPE);
	rule.eth.mask.ether_type = 0xffff;
	flow = ibv_create_flow(b.qp, &rule.attr);
	VT_CHECK(flow);
	post_receives(&b, 2);
	send_frame(&a, 1, 0, LENGTH);
	write_frame(frame, 1, 1, LENGTH);
	memcpy(frame + 12, (uint8_t[]){ 0x81, 0, 0x61, 0x23, TYPE >> 8,
					TYPE & 0xff },
	       6);
	memcpy(a.buffer, frame, LENGTH);
	vt_send(&a, 1, 0, LENGTH);
	vt_expect(a.send_cq, 1, IBV_WC_SUCCESS);
	wc = vt_poll(b.recv_cq);
	VT_STATUS(&wc, IBV_WC_SUCCESS);
	VT_EQUAL(wc.byte_len, LENGTH);
	VT_CHECK(!memcmp(b.buffer + place_of(0), frame, LENGTH));
	VT_EQUAL(ibv_destroy_flow(flow), 0);
	vt_end_close(&b);
	vt_end_close(&a);
}

static int refused(struct ibv_qp *qp, struct ibv_flow_attr *attr)
{
	errno = 0;
	VT_CHECK(!ibv_create_flow(qp, attr));
	return errno;
}

static void bad_rules_are_refused(void)
{
	struct {
		struct ibv_flow_attr attr;
		struct ibv_flow_spec_ipv4 first;
		struct ibv_flow_spec_ipv4 second;
	} twice = {
		.attr = { .num_of_specs = 2, .port = 1 },
		.first = { .type = IBV_FLOW_SPEC_IPV4,
			   .size = sizeof(twice.first) },
		.second = { .type = IBV_FLOW_SPEC_IPV4,
			    .size = sizeof(twice.second) },
	};
	struct vt_wish wish = vt_defaults();
	struct eth_rule rule;

	need_right();
	open_ready(&a);
	vt_end_open_in(&b, &a, &wish);
	rule = rule_for(1);
	VT_EQUAL(refused(b.qp, &rule.attr), EINVAL);
	rule.attr.port = 2;
	VT_EQUAL(refused(a.qp, &rule.attr), EINVAL);
	rule = rule_for(1);
	rule.eth.size--;
	VT_EQUAL(refused(a.qp, &rule.attr), EINVAL);
	rule = rule_for(1);
	rule.eth.type = (enum ibv_flow_spec_type)0x99;
	VT_EQUAL(refused(a.qp, &rule.attr), EINVAL);
	rule = rule_for(1);
	rule.attr.type = (enum ibv_flow_attr_type)9;
	VT_EQUAL(refused(a.qp, &rule.attr), EINVAL);
	rule = rule_for(1);
	rule.attr.type = IBV_FLOW_ATTR_ALL_DEFAULT;
	VT_EQUAL(refused(a.qp, &rule.attr), EINVAL);
	rule = rule_for(1);
	rule.attr.flags = IBV_FLOW_ATTR_FLAGS_EGRESS;
	VT_EQUAL(refused(a.qp, &rule.attr), EOPNOTSUPP);
	rule = rule_for(1);
	rule.eth.type = IBV_FLOW_SPEC_VXLAN_TUNNEL;
	VT_EQUAL(refused(a.qp, &rule.attr), EOPNOTSUPP);
	VT_EQUAL(refused(a.qp, &twice.attr), EINVAL);
	vt_end_close(&b);
	vt_end_close(&a);
}

/* Nobody polls: the adapter's agent takes the frame in and wakes. */
static void a_sleeper_is_woken(void)
{
	struct vt_wish wish = raw_wish();
	struct ibv_flow *flow;
	struct ibv_cq *cq;
	void *cookie;

	need_right();
	wish.channel = true;
	open_ready(&a);
	vt_end_open(&b, &wish);
	be_ready(b.qp);
	flow = make_rule(&b, 1);
	post_receives(&b, 1);
	VT_EQUAL(ibv_req_notify_cq(b.recv_cq, 0), 0);
	send_frame(&a, 1, 0, LENGTH);
	VT_CHECK(vt_readable(b.channel->fd, 30000));
	VT_EQUAL(ibv_get_cq_event(b.channel, &cq, &cookie), 0);
	ibv_ack_cq_events(cq, 1);
	expect_frame(&b, 0, 1, 0, LENGTH);
	VT_EQUAL(ibv_destroy_flow(flow), 0);
	vt_end_close(&b);
	vt_end_close(&a);
}

/* One thread sends, one makes and ends rules, and whoever polls takes in, as the
 * agent does: each frame comes whole and at most once to a queue pair. */
#define TURNS 200u

static atomic_bool stop;

static void *send_on(void *unused)
{
	uint64_t id;

	(void)unused;
	for (id = 0; !atomic_load(&stop); id++)
		send_frame(&a, 1, id, LENGTH);
	return NULL;
}

static uint64_t take_all(uint64_t next)
{
	uint64_t id = 0;
	struct ibv_wc wc;

	while (ibv_poll_cq(b.recv_cq, 1, &wc) > 0) {
		const uint8_t *frame = b.buffer + place_of(wc.wr_id);
		uint8_t expected[LENGTH];

		VT_STATUS(&wc, IBV_WC_SUCCESS);
		VT_EQUAL(wc.byte_len, LENGTH);
		memcpy(&id, frame + HEADER, sizeof(id));
		write_frame(expected, 1, id, LENGTH);
		VT_CHECK(!memcmp(expected, frame, LENGTH));
		/* They come in their order. */
		VT_CHECK(id >= next);
		next = id + 1;
		vt_recv(&b, wc.wr_id, place_of(wc.wr_id), 8192);
	}
	return next;
}

static void rules_come_and_go_while_frames_come(void)
{
	struct vt_patience patience = vt_patience(60000);
	struct ibv_flow *flow;
	pthread_t sender;
	uint64_t next = 0, before;

	need_right();
	open_ready(&a);
	open_ready(&b);
	post_receives(&b, 16);
	atomic_store(&stop, false);
	VT_EQUAL(pthread_create(&sender, NULL, send_on, NULL), 0);
	for (uint32_t turn = 0; turn < TURNS; turn++) {
		flow = make_rule(&b, 1);
		before = next;
		while (turn % 50 == 0 && next == before) {
			VT_CHECK(!vt_patience_ends(&patience));
			next = take_all(next);
		}
		next = take_all(next);
		VT_EQUAL(ibv_destroy_flow(flow), 0);
		/* What was taken in before is there; the rest is not for it. */
		next = take_all(next);
		vt_poll_nothing(b.recv_cq, 0);
	}
	atomic_store(&stop, true);
	VT_EQUAL(pthread_join(sender, NULL), 0);
	vt_end_close(&b);
	vt_end_close(&a);
}

/* From another process, which may be another host. */
static void answer(int fd, void *argument)
{
	struct ibv_flow *flow;

	(void)argument;
	vt_enter_peer_network();
	open_ready(&a);
	flow = make_rule(&a, 1);
	post_receives(&a, 20);
	vt_sync(fd);
	for (uint64_t id = 0; id < 20; id++) {
		expect_frame(&a, id, 1, id, LENGTH + id);
		send_frame(&a, 2, id, LENGTH + id);
	}
	vt_sync(fd);
	VT_EQUAL(ibv_destroy_flow(flow), 0);
	vt_end_close(&a);
}

static void processes_ping_each_other(void)
{
	struct ibv_flow *flow;
	struct vt_peer peer;

	need_right();
	peer = vt_fork(answer, NULL);
	open_ready(&b);
	flow = make_rule(&b, 2);
	post_receives(&b, 20);
	vt_sync(peer.fd);
	for (uint64_t id = 0; id < 20; id++) {
		send_frame(&b, 1, id, LENGTH + id);
		expect_frame(&b, id, 2, id, LENGTH + id);
	}
	vt_sync(peer.fd);
	vt_poll_nothing(b.recv_cq, 20);
	vt_join(&peer);
	VT_EQUAL(ibv_destroy_flow(flow), 0);
	vt_end_close(&b);
}

/* The kernel leaves checksums to the hardware, and there is none: what comes
 * has the right one all the same. */
static void send_datagram(int fd, void *argument)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(9) };
	int s, port;
	char text[33];

	(void)argument;
	vt_enter_peer_network();
	vt_hear(fd, &to.sin_addr, sizeof(to.sin_addr));
	vt_hear(fd, &port, sizeof(port));
	to.sin_port = htons((uint16_t)port);
	s = socket(AF_INET, SOCK_DGRAM, 0);
	VT_CHECK(s >= 0);
	vt_fill(text, sizeof(text), 5);
	VT_EQUAL(sendto(s, text, sizeof(text), 0, (void *)&to, sizeof(to)),
		 sizeof(text));
	close(s);
}

/* The address of this host, of the GID table. */
static struct in_addr own_ipv4(void)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	struct in_addr address = { 0 };
	union ibv_gid gid;

	for (int i = 0; i < 16; i++)
		if (!ibv_query_gid(a.context, 1, i, &gid) &&
		    !memcmp(gid.raw, mapped, 12))
			memcpy(&address, gid.raw + 12, 4);
	return address;
}

static uint16_t sum(const uint8_t *bytes, size_t length, uint32_t start)
{
	for (size_t i = 0; i < length; i++)
		start += i & 1 ? bytes[i] : (uint32_t)bytes[i] << 8;
	while (start >> 16)
		start = (start & 0xffff) + (start >> 16);
	return (uint16_t)start;
}

static void the_kernel_s_datagrams_come_whole(void)
{
	struct {
		struct ibv_flow_attr attr;
		struct ibv_flow_spec_tcp_udp udp;
	} rule = {
		.attr = { .size = sizeof(rule), .num_of_specs = 1, .port = 1 },
		.udp = { .type = IBV_FLOW_SPEC_UDP, .size = sizeof(rule.udp) },
	};
	const uint8_t *frame;
	struct in_addr address;
	struct ibv_flow *flow;
	struct vt_peer peer;
	struct ibv_wc wc;
	uint8_t text[33];
	int port = 20000 + getpid() % 20000;

	if (!getenv("VT_PEER_NETWORK"))
		vt_skip("there is no other host");
	need_right();
	peer = vt_fork(send_datagram, NULL);
	open_ready(&a);
	rule.udp.val.dst_port = htons((uint16_t)port);
	rule.udp.mask.dst_port = 0xffff;
	flow = ibv_create_flow(a.qp, &rule.attr);
	VT_CHECK(flow);
	post_receives(&a, 1);
	address = own_ipv4();
	VT_CHECK(address.s_addr);
	vt_tell(peer.fd, &address, sizeof(address));
	vt_tell(peer.fd, &port, sizeof(port));
	wc = vt_poll(a.recv_cq);
	VT_STATUS(&wc, IBV_WC_SUCCESS);
	VT_EQUAL(wc.byte_len, HEADER + 20 + 8 + sizeof(text));
	frame = a.buffer + place_of(0) + HEADER;
	vt_fill(text, sizeof(text), 5);
	VT_CHECK(!memcmp(frame + 28, text, sizeof(text)));
	VT_EQUAL(sum(frame, 20, 0), 0xffff);
	/* With the pseudo-header: addresses, protocol, length. */
	VT_EQUAL(sum(frame + 12, 8 + 8 + sizeof(text), 17 + 8 + sizeof(text)),
		 0xffff);
	vt_join(&peer);
	VT_EQUAL(ibv_destroy_flow(flow), 0);
	vt_end_close(&a);
}

int main(int argc, char **argv)
{
	static const struct vt_case cases[] = {
		VT_CASE(who_may_not_gets_eperm),
		VT_CASE(a_frame_goes_to_those_who_asked_for_it),
		VT_CASE(rules_have_an_order),
		VT_CASE(receives_are_lost_alone),
		VT_CASE(frames_have_limits),
		VT_CASE(tags_stay),
		VT_CASE(bad_rules_are_refused),
		VT_CASE(a_sleeper_is_woken),
		VT_CASE(rules_come_and_go_while_frames_come),
		VT_CASE(processes_ping_each_other),
		VT_CASE(the_kernel_s_datagrams_come_whole),
		{ NULL, NULL, 0 },
	};

	own = (unsigned int)getpid();
	return vt_main(argc, argv, cases);
}
