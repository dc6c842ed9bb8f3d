/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Multicast groups: who gets a message and how often, in one process, in
 * several, and by packets (ARNICA_LOOPBACK=off, or $VT_PEER_NETWORK); limits;
 * and what is refused.
 */
#include <arpa/inet.h>
#include <unistd.h>

#include "vt.h"

#define GRH 40u
#define ROOM 256u
#define LENGTH 64u
#define QPN_OF_GROUPS 0xffffffu
#define MESSAGES 20u

static struct vt_end a, b;

static bool on_the_wire(void)
{
	const char *text = getenv("ARNICA_LOOPBACK");

	return getenv("VT_PEER_NETWORK") || (text && !strcmp(text, "off"));
}

static struct vt_wish datagram_wish(void)
{
	struct vt_wish wish = vt_defaults();

	wish.type = IBV_QPT_UD;
	return wish;
}

/* Each case has groups of its own, and so has each process that runs this. */
static union ibv_gid group_v4(unsigned int number)
{
	union ibv_gid gid = { .raw = { [10] = 0xff, [11] = 0xff, [12] = 239 } };
	unsigned int own = (unsigned int)getpid();

	gid.raw[13] = (uint8_t)(own >> 8);
	gid.raw[14] = (uint8_t)own;
	gid.raw[15] = (uint8_t)number;
	return gid;
}

static union ibv_gid group_v6(unsigned int number)
{
	union ibv_gid gid = { .raw = { 0xff, 0x15 } };
	unsigned int own = (unsigned int)getpid();

	gid.raw[13] = (uint8_t)(own >> 8);
	gid.raw[14] = (uint8_t)own;
	gid.raw[15] = (uint8_t)number;
	return gid;
}

static void be_ready(struct vt_end *end)
{
	VT_EQUAL(vt_to_init(end), 0);
	VT_EQUAL(vt_to_rtr(end, &(struct vt_address){ 0 }), 0);
	VT_EQUAL(vt_to_rts(end), 0);
}

static void open_ready(struct vt_end *end)
{
	struct vt_wish wish = datagram_wish();

	vt_end_open(end, &wish);
	be_ready(end);
}

/* The index of a GID of the family; the case is skipped where there is none. */
static int source_index(struct ibv_context *context, bool ipv4)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	union ibv_gid gid, none = { .raw = { 0 } };

	for (int i = 0; i < 16; i++) {
		if (ibv_query_gid(context, 1, i, &gid) ||
		    !memcmp(&gid, &none, 16) || gid.raw[0] == 0xff)
			continue;
		if (!memcmp(gid.raw, mapped, 12) == ipv4)
			return i;
	}
	return -1;
}

static struct ibv_ah *make_ah(struct vt_end *end, const union ibv_gid *gid)
{
	bool ipv4 = gid->raw[0] != 0xff;
	int index = source_index(end->context, ipv4);
	struct ibv_ah_attr attr = {
		.is_global = 1,
		.port_num = 1,
		.grh = { .dgid = *gid,
			 .hop_limit = 5,
			 .traffic_class = 0x20,
			 .sgid_index = (uint8_t)index },
	};
	struct ibv_ah *made;

	if (index < 0)
		vt_skip("no GID of the group's family");
	made = ibv_create_ah(end->pd, &attr);
	VT_CHECK(made);
	return made;
}

static void send_to(struct vt_end *from, struct ibv_ah *ah, uint64_t id,
		    uint32_t qpn)
{
	struct ibv_sge sge = vt_sge(from, 0, LENGTH);
	struct ibv_send_wr wr = vt_send_wr(id, IBV_WR_SEND_WITH_IMM, &sge);

	vt_fill(from->buffer, LENGTH, id);
	wr.imm_data = htonl((uint32_t)id);
	wr.wr.ud.ah = ah;
	wr.wr.ud.remote_qpn = qpn;
	wr.wr.ud.remote_qkey = from->wish.qkey;
	VT_EQUAL(vt_post_send(from, &wr), 0);
	vt_expect(from->send_cq, id, IBV_WC_SUCCESS);
}

/* The 40 bytes: the group is the destination, and the hop limit as sent. */
static void check_header(const uint8_t *grh, const union ibv_gid *group)
{
	if (group->raw[0] == 0xff) {
		VT_EQUAL(grh[0] >> 4, 6);
		VT_EQUAL(grh[7], 5);
		VT_CHECK(!memcmp(grh + 24, group->raw, 16));
	} else {
		VT_EQUAL(grh[20], 0x45);
		VT_EQUAL(grh[28], 5);
		VT_CHECK(!memcmp(grh + 36, group->raw + 12, 4));
	}
}

/* One message of this id and no other, in the receive that was posted. */
static void expect_one(struct vt_end *end, uint64_t id, uint32_t from,
		       const union ibv_gid *group)
{
	struct ibv_wc wc = vt_poll(end->recv_cq);
	const uint8_t *at = end->buffer + 4096;

	VT_STATUS(&wc, IBV_WC_SUCCESS);
	VT_EQUAL(wc.opcode, IBV_WC_RECV);
	VT_EQUAL(wc.byte_len, GRH + LENGTH);
	VT_EQUAL(wc.wc_flags, IBV_WC_GRH | IBV_WC_WITH_IMM);
	VT_EQUAL(ntohl(wc.imm_data), id);
	VT_EQUAL(wc.src_qp, from);
	check_header(at + wc.wr_id * ROOM, group);
	vt_check_fill(at + wc.wr_id * ROOM + GRH, LENGTH, id, "message");
}

static void post_receives(struct vt_end *end, uint64_t count)
{
	for (uint64_t i = 0; i < count; i++)
		vt_recv(end, i, 4096 + i * ROOM, ROOM);
}

/* How long nothing more has to come: by packets it would take a moment. */
static void expect_no_more(struct vt_end *end)
{
	vt_poll_nothing(end->recv_cq, on_the_wire() ? 60 : 5);
}

static void each_attached_qp_gets_it_once(bool ipv4)
{
	union ibv_gid group = ipv4 ? group_v4(1) : group_v6(1);
	struct vt_wish wish = datagram_wish();
	struct vt_end same, idle;
	struct ibv_ah *ah;

	open_ready(&a);
	ah = make_ah(&a, &group);
	open_ready(&b);
	vt_end_open_in(&same, &b, &wish);
	be_ready(&same);
	vt_end_open_in(&idle, &b, &wish);
	be_ready(&idle);
	post_receives(&b, 4);
	post_receives(&same, 4);
	post_receives(&idle, 4);
	/* Twice is once. */
	VT_EQUAL(ibv_attach_mcast(b.qp, &group, 0), 0);
	VT_EQUAL(ibv_attach_mcast(b.qp, &group, 0), 0);
	VT_EQUAL(ibv_attach_mcast(same.qp, &group, 0), 0);
	send_to(&a, ah, 1, QPN_OF_GROUPS);
	expect_one(&b, 1, a.qp->qp_num, &group);
	expect_one(&same, 1, a.qp->qp_num, &group);
	/* Who has left gets nothing, the others do. */
	VT_EQUAL(ibv_detach_mcast(same.qp, &group, 0), 0);
	VT_EQUAL(ibv_detach_mcast(same.qp, &group, 0), EINVAL);
	send_to(&a, ah, 2, QPN_OF_GROUPS);
	expect_one(&b, 2, a.qp->qp_num, &group);
	/* And comes back. */
	VT_EQUAL(ibv_attach_mcast(same.qp, &group, 0), 0);
	send_to(&a, ah, 3, QPN_OF_GROUPS);
	expect_one(&b, 3, a.qp->qp_num, &group);
	expect_one(&same, 3, a.qp->qp_num, &group);
	expect_no_more(&b);
	expect_no_more(&same);
	vt_poll_nothing(idle.recv_cq, 1);
	VT_EQUAL(ibv_detach_mcast(same.qp, &group, 0), 0);
	VT_EQUAL(ibv_detach_mcast(b.qp, &group, 0), 0);
	send_to(&a, ah, 4, QPN_OF_GROUPS);
	expect_no_more(&b);
	VT_EQUAL(ibv_destroy_ah(ah), 0);
	vt_end_close(&idle);
	vt_end_close(&same);
	vt_end_close(&b);
	vt_end_close(&a);
}

static void each_attached_qp_gets_it_once_ipv4(void)
{
	each_attached_qp_gets_it_once(true);
}

static void each_attached_qp_gets_it_once_ipv6(void)
{
	each_attached_qp_gets_it_once(false);
}

static void a_qp_may_be_in_several_groups(void)
{
	union ibv_gid groups[] = { group_v4(1), group_v4(2), group_v4(3) };
	struct ibv_ah *ah[3];

	open_ready(&a);
	open_ready(&b);
	post_receives(&b, 4);
	for (int i = 0; i < 3; i++)
		ah[i] = make_ah(&a, &groups[i]);
	VT_EQUAL(ibv_attach_mcast(b.qp, &groups[0], 0), 0);
	VT_EQUAL(ibv_attach_mcast(b.qp, &groups[1], 0), 0);
	for (uint64_t i = 0; i < 3; i++)
		send_to(&a, ah[i], i, QPN_OF_GROUPS);
	expect_one(&b, 0, a.qp->qp_num, &groups[0]);
	expect_one(&b, 1, a.qp->qp_num, &groups[1]);
	expect_no_more(&b);
	for (int i = 0; i < 3; i++)
		VT_EQUAL(ibv_destroy_ah(ah[i]), 0);
	/* Still attached: it cannot be destroyed (ibv_destroy_qp(3)). */
	VT_EQUAL(ibv_destroy_qp(b.qp), EBUSY);
	VT_EQUAL(ibv_detach_mcast(b.qp, &groups[0], 0), 0);
	VT_EQUAL(ibv_destroy_qp(b.qp), EBUSY);
	VT_EQUAL(ibv_detach_mcast(b.qp, &groups[1], 0), 0);
	vt_end_close(&b);
	vt_end_close(&a);
}

static struct ibv_qp *block_loopback(struct vt_end *end)
{
	struct ibv_qp_init_attr_ex init = {
		.send_cq = end->send_cq,
		.recv_cq = end->recv_cq,
		.cap = end->cap,
		.qp_type = IBV_QPT_UD,
		.comp_mask = IBV_QP_INIT_ATTR_PD |
			     IBV_QP_INIT_ATTR_CREATE_FLAGS,
		.pd = end->pd,
		.create_flags = IBV_QP_CREATE_BLOCK_SELF_MCAST_LB,
	};
	struct ibv_qp *qp = ibv_create_qp_ex(end->context, &init);

	VT_CHECK(qp);
	return qp;
}

/* The sender is a member like others, unless it was created otherwise. */
static void the_sender_gets_it_unless_it_refused(void)
{
	union ibv_gid group = group_v4(1);
	struct ibv_qp *plain;
	struct ibv_ah *ah;

	open_ready(&a);
	ah = make_ah(&a, &group);
	open_ready(&b);
	post_receives(&a, 2);
	post_receives(&b, 2);
	VT_EQUAL(ibv_attach_mcast(a.qp, &group, 0), 0);
	VT_EQUAL(ibv_attach_mcast(b.qp, &group, 0), 0);
	send_to(&a, ah, 1, QPN_OF_GROUPS);
	expect_one(&a, 1, a.qp->qp_num, &group);
	expect_one(&b, 1, a.qp->qp_num, &group);
	VT_EQUAL(ibv_detach_mcast(a.qp, &group, 0), 0);
	plain = a.qp;
	a.qp = block_loopback(&a);
	be_ready(&a);
	post_receives(&a, 2);
	VT_EQUAL(ibv_attach_mcast(a.qp, &group, 0), 0);
	send_to(&a, ah, 2, QPN_OF_GROUPS);
	expect_one(&b, 2, a.qp->qp_num, &group);
	expect_no_more(&a);
	VT_EQUAL(ibv_detach_mcast(a.qp, &group, 0), 0);
	VT_EQUAL(ibv_detach_mcast(b.qp, &group, 0), 0);
	VT_EQUAL(ibv_destroy_qp(plain), 0);
	VT_EQUAL(ibv_destroy_ah(ah), 0);
	vt_end_close(&b);
	vt_end_close(&a);
}

/* Each member for itself: one without a receive, or with another Q_Key, loses
 * the message and keeps nobody else from it. */
static void a_member_that_cannot_take_it_harms_nobody(void)
{
	union ibv_gid group = group_v4(1);
	struct vt_wish wish = datagram_wish();
	struct vt_end empty, other;
	struct ibv_ah *ah;

	open_ready(&a);
	ah = make_ah(&a, &group);
	open_ready(&b);
	vt_end_open_in(&empty, &b, &wish);
	be_ready(&empty);
	wish.qkey++;
	vt_end_open_in(&other, &b, &wish);
	be_ready(&other);
	VT_EQUAL(ibv_attach_mcast(empty.qp, &group, 0), 0);
	VT_EQUAL(ibv_attach_mcast(other.qp, &group, 0), 0);
	VT_EQUAL(ibv_attach_mcast(b.qp, &group, 0), 0);
	post_receives(&b, 4);
	post_receives(&other, 4);
	send_to(&a, ah, 1, QPN_OF_GROUPS);
	expect_one(&b, 1, a.qp->qp_num, &group);
	expect_no_more(&other);
	/* The group's number and its address belong together. */
	send_to(&a, ah, 2, b.qp->qp_num);
	expect_no_more(&b);
	VT_EQUAL(ibv_detach_mcast(empty.qp, &group, 0), 0);
	VT_EQUAL(ibv_detach_mcast(other.qp, &group, 0), 0);
	VT_EQUAL(ibv_detach_mcast(b.qp, &group, 0), 0);
	VT_EQUAL(ibv_destroy_ah(ah), 0);
	vt_end_close(&other);
	vt_end_close(&empty);
	vt_end_close(&b);
	vt_end_close(&a);
}

static void what_is_no_group_is_refused(void)
{
	union ibv_gid group = group_v4(1), host = group;
	struct vt_wish wish = vt_defaults();

	host.raw[12] = 10;
	vt_end_open(&b, &wish); /* RC */
	open_ready(&a);
	VT_EQUAL(ibv_attach_mcast(b.qp, &group, 0), EINVAL);
	VT_EQUAL(ibv_detach_mcast(b.qp, &group, 0), EINVAL);
	VT_EQUAL(ibv_attach_mcast(a.qp, &host, 0), EINVAL);
	VT_EQUAL(ibv_detach_mcast(a.qp, &group, 0), EINVAL);
	/* A connection has one peer. */
	VT_EQUAL(vt_to_init(&b), 0);
	VT_EQUAL(vt_to_rtr(&b, &(struct vt_address){ .qpn = QPN_OF_GROUPS,
						     .gid = group }),
		 EINVAL);
	vt_end_close(&a);
	vt_end_close(&b);
}

/* Groups of which packets stay on the host: limits need no network. */
static union ibv_gid host_group(unsigned int number)
{
	union ibv_gid gid = group_v6(number);

	gid.raw[1] = 0x11;
	gid.raw[2] = (uint8_t)(number >> 8);
	return gid;
}

static struct ibv_qp *small_qp(struct vt_end *end)
{
	struct ibv_qp_init_attr init = {
		.send_cq = end->send_cq,
		.recv_cq = end->recv_cq,
		.cap = { 1, 1, 1, 1, 0 },
		.qp_type = IBV_QPT_UD,
	};
	struct ibv_qp *qp = ibv_create_qp(end->pd, &init);

	VT_CHECK(qp);
	return qp;
}

static void limits_hold_and_one_more_is_refused(void)
{
	struct ibv_device_attr attr;
	union ibv_gid group = host_group(0), more = host_group(1);
	struct ibv_qp **qps;
	int count, attached = 0;

	open_ready(&a);
	VT_EQUAL(ibv_query_device(a.context, &attr), 0);
	VT_CHECK(attr.max_mcast_grp > 0 && attr.max_mcast_qp_attach > 0);
	VT_CHECK(attr.max_total_mcast_qp_attach >= attr.max_mcast_grp);
	count = attr.max_mcast_qp_attach + 1;
	qps = calloc((size_t)count, sizeof(*qps));
	VT_CHECK(qps);
	for (int i = 0; i < count; i++)
		qps[i] = small_qp(&a);
	/* Queue pairs of one group. */
	for (int i = 0; i < count - 1; i++)
		VT_EQUAL(ibv_attach_mcast(qps[i], &group, 0), 0);
	VT_EQUAL(ibv_attach_mcast(qps[count - 1], &group, 0), ENOMEM);
	VT_EQUAL(ibv_attach_mcast(qps[0], &group, 0), 0);
	VT_EQUAL(ibv_attach_mcast(qps[count - 1], &more, 0), 0);
	VT_EQUAL(ibv_detach_mcast(qps[count - 1], &more, 0), 0);
	/* Attachments together. */
	attached = count - 1;
	for (unsigned int g = 1; attached < attr.max_total_mcast_qp_attach;
	     g++) {
		group = host_group(g);
		for (int i = 0; i < count - 1 &&
				attached < attr.max_total_mcast_qp_attach;
		     i++, attached++)
			VT_EQUAL(ibv_attach_mcast(qps[i], &group, 0), 0);
	}
	more = host_group(999);
	VT_EQUAL(ibv_attach_mcast(qps[0], &more, 0), ENOMEM);
	for (unsigned int g = 0; attached; g++) {
		group = host_group(g);
		for (int i = 0; i < count - 1 && attached; i++, attached--)
			VT_EQUAL(ibv_detach_mcast(qps[i], &group, 0), 0);
	}
	/* Groups. */
	for (int g = 0; g < attr.max_mcast_grp; g++) {
		group = host_group((unsigned int)g);
		VT_EQUAL(ibv_attach_mcast(qps[0], &group, 0), 0);
	}
	more = host_group((unsigned int)attr.max_mcast_grp);
	VT_EQUAL(ibv_attach_mcast(qps[0], &more, 0), ENOMEM);
	VT_EQUAL(ibv_attach_mcast(qps[1], &group, 0), 0);
	VT_EQUAL(ibv_detach_mcast(qps[1], &group, 0), 0);
	for (int g = 0; g < attr.max_mcast_grp; g++) {
		group = host_group((unsigned int)g);
		VT_EQUAL(ibv_detach_mcast(qps[0], &group, 0), 0);
	}
	for (int i = 0; i < count; i++)
		VT_EQUAL(ibv_destroy_qp(qps[i]), 0);
	free(qps);
	vt_end_close(&a);
}

/* More groups than a socket can join. */
static void many_groups_of_ipv4_work(void)
{
	struct ibv_ah *ah;

	open_ready(&a);
	open_ready(&b);
	post_receives(&b, 60);
	for (unsigned int g = 0; g < 60; g++) {
		union ibv_gid group = group_v4(g);

		VT_EQUAL(ibv_attach_mcast(b.qp, &group, 0), 0);
	}
	for (unsigned int g = 0; g < 60; g++) {
		union ibv_gid group = group_v4(g);

		ah = make_ah(&a, &group);
		send_to(&a, ah, g, QPN_OF_GROUPS);
		expect_one(&b, g, a.qp->qp_num, &group);
		VT_EQUAL(ibv_detach_mcast(b.qp, &group, 0), 0);
		VT_EQUAL(ibv_destroy_ah(ah), 0);
	}
	expect_no_more(&b);
	vt_end_close(&b);
	vt_end_close(&a);
}

/* A member in a process of its own: two QPs of the group, and its own sending
 * at the end. */
static void be_a_member(int fd, void *argument)
{
	struct vt_wish wish = datagram_wish();
	struct vt_end second;
	union ibv_gid group;
	struct ibv_ah *ah;
	uint32_t from;

	(void)argument;
	vt_enter_peer_network();
	vt_hear(fd, &group, sizeof(group));
	open_ready(&a);
	ah = make_ah(&a, &group);
	vt_end_open_in(&second, &a, &wish);
	be_ready(&second);
	post_receives(&a, MESSAGES + 1);
	post_receives(&second, MESSAGES + 1);
	VT_EQUAL(ibv_attach_mcast(a.qp, &group, 0), 0);
	VT_EQUAL(ibv_attach_mcast(second.qp, &group, 0), 0);
	vt_sync(fd);
	vt_hear(fd, &from, sizeof(from));
	for (uint64_t i = 0; i < MESSAGES; i++) {
		expect_one(&a, i, from, &group);
		expect_one(&second, i, from, &group);
	}
	expect_no_more(&a);
	expect_no_more(&second);
	VT_EQUAL(ibv_detach_mcast(a.qp, &group, 0), 0);
	VT_EQUAL(ibv_detach_mcast(second.qp, &group, 0), 0);
	vt_sync(fd); /* nobody listens but the parent */
	vt_hear(fd, &from, sizeof(from));
	send_to(&a, ah, 100 + from, QPN_OF_GROUPS);
	vt_tell(fd, &a.qp->qp_num, sizeof(a.qp->qp_num));
	vt_sync(fd);
	VT_EQUAL(ibv_destroy_ah(ah), 0);
	vt_end_close(&second);
	vt_end_close(&a);
}

static void processes_get_it(bool ipv4)
{
	union ibv_gid group = ipv4 ? group_v4(1) : group_v6(1);
	struct vt_peer peers[3];
	struct ibv_ah *ah;
	uint32_t qpn;

	for (int i = 0; i < 3; i++)
		peers[i] = vt_fork(be_a_member, NULL);
	open_ready(&b);
	ah = make_ah(&b, &group);
	post_receives(&b, 3);
	for (int i = 0; i < 3; i++)
		vt_tell(peers[i].fd, &group, sizeof(group));
	for (int i = 0; i < 3; i++) {
		vt_sync(peers[i].fd);
		vt_tell(peers[i].fd, &b.qp->qp_num, sizeof(b.qp->qp_num));
	}
	/* The whole of it fits a default receive buffer: nothing is lost. */
	for (uint64_t i = 0; i < MESSAGES; i++)
		send_to(&b, ah, i, QPN_OF_GROUPS);
	for (int i = 0; i < 3; i++)
		vt_sync(peers[i].fd);
	VT_EQUAL(ibv_attach_mcast(b.qp, &group, 0), 0);
	for (uint32_t i = 0; i < 3; i++) {
		vt_tell(peers[i].fd, &i, sizeof(i));
		vt_hear(peers[i].fd, &qpn, sizeof(qpn));
		expect_one(&b, 100 + i, qpn, &group);
	}
	expect_no_more(&b);
	for (int i = 0; i < 3; i++) {
		vt_sync(peers[i].fd);
		vt_join(&peers[i]);
	}
	VT_EQUAL(ibv_detach_mcast(b.qp, &group, 0), 0);
	VT_EQUAL(ibv_destroy_ah(ah), 0);
	vt_end_close(&b);
}

static void processes_get_it_ipv4(void)
{
	processes_get_it(true);
}

static void processes_get_it_ipv6(void)
{
	processes_get_it(false);
}

/* A member ends without a word: those who are left get what comes. */
static void die_as_a_member(int fd, void *argument)
{
	union ibv_gid group;

	(void)argument;
	vt_hear(fd, &group, sizeof(group));
	open_ready(&a);
	VT_EQUAL(ibv_attach_mcast(a.qp, &group, 0), 0);
	vt_sync(fd);
	vt_hear(fd, &group, 1);
	_exit(0);
}

static void a_member_that_ends_harms_nobody(void)
{
	union ibv_gid group = group_v4(1);
	struct vt_peer peer = vt_fork(die_as_a_member, NULL);
	struct ibv_ah *ah;

	open_ready(&a);
	ah = make_ah(&a, &group);
	open_ready(&b);
	post_receives(&b, 4);
	VT_EQUAL(ibv_attach_mcast(b.qp, &group, 0), 0);
	vt_tell(peer.fd, &group, sizeof(group));
	vt_sync(peer.fd);
	send_to(&a, ah, 1, QPN_OF_GROUPS);
	expect_one(&b, 1, a.qp->qp_num, &group);
	vt_tell(peer.fd, &group, 1);
	vt_join(&peer);
	send_to(&a, ah, 2, QPN_OF_GROUPS);
	expect_one(&b, 2, a.qp->qp_num, &group);
	VT_EQUAL(ibv_detach_mcast(b.qp, &group, 0), 0);
	VT_EQUAL(ibv_destroy_ah(ah), 0);
	vt_end_close(&b);
	vt_end_close(&a);
}

int main(int argc, char **argv)
{
	const struct vt_case cases[] = {
		VT_CASE(each_attached_qp_gets_it_once_ipv4),
		VT_CASE(each_attached_qp_gets_it_once_ipv6),
		VT_CASE(a_qp_may_be_in_several_groups),
		VT_CASE(the_sender_gets_it_unless_it_refused),
		VT_CASE(a_member_that_cannot_take_it_harms_nobody),
		VT_CASE(what_is_no_group_is_refused),
		VT_CASE(limits_hold_and_one_more_is_refused),
		VT_CASE(many_groups_of_ipv4_work),
		VT_CASE(processes_get_it_ipv4),
		VT_CASE(processes_get_it_ipv6),
		VT_CASE(a_member_that_ends_harms_nobody),
		{ NULL, NULL, 0 },
	};

	return vt_main(argc, argv, cases);
}
