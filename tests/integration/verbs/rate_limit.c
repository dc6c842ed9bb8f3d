/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The rate limit of a queue pair (packet pacing): no more goes than it says, with
 * a burst; it can be changed and lifted while work is queued; it is the queue
 * pair's own. Nothing is said here of how fast it is at least: machines pause.
 */
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "vt.h"

#define KBPS 100000u
#define BYTES_A_MS 12500ull /* the same */
#define BURST 16384u
#define LENGTH 4096u
#define COUNT 128u
#define SMALL 8u
#define SMALL_COUNT 1024u
#define ROOM (1u << 20)

static struct vt_end a, b, c, d;

static uint64_t now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_nsec / 1000;
}

static struct vt_wish wish_of(enum ibv_qp_type type)
{
	struct vt_wish wish = vt_defaults();

	wish.type = type;
	wish.mr_access = VT_ALL_ACCESS;
	wish.qp_access = type == IBV_QPT_UC ? IBV_ACCESS_REMOTE_WRITE :
					      VT_ALL_ACCESS;
	wish.buffer_bytes = ROOM;
	wish.send_depth = wish.recv_depth = SMALL_COUNT;
	wish.cqe = 2 * SMALL_COUNT;
	wish.mtu = IBV_MTU_4096;
	return wish;
}

static void open_pair(enum ibv_qp_type type)
{
	struct vt_wish wish = wish_of(type);

	vt_pair_open(&a, &b, &wish, false);
}

static int limit(struct ibv_qp *qp, uint32_t kbps, uint32_t burst)
{
	struct ibv_qp_rate_limit_attr attr = { .rate_limit = kbps,
					       .max_burst_sz = burst };

	return ibv_modify_qp_rate_limit(qp, &attr);
}

static uint32_t limit_of(struct ibv_qp *qp)
{
	struct ibv_qp_init_attr init;
	struct ibv_qp_attr attr;

	VT_EQUAL(ibv_query_qp(qp, &attr, IBV_QP_RATE_LIMIT, &init), 0);
	return attr.rate_limit;
}

static void finish(struct vt_end *end, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		struct ibv_wc wc = vt_poll(end->send_cq);

		VT_STATUS(&wc, IBV_WC_SUCCESS);
	}
}

/* It began at `began_us`, and is over: not too soon. The last of the bytes had not
 * to be waited for. */
static void check_time(uint64_t began_us, uint64_t bytes, uint64_t kbps)
{
	uint64_t took_us = now_us() - began_us;
	uint64_t least_us = (bytes - BURST - LENGTH) * 8000 / kbps;

	if (took_us < least_us)
		vt_fail(__FILE__, __LINE__,
			"%llu bytes in %llu us, but %llu kbps need %llu us",
			(unsigned long long)bytes, (unsigned long long)took_us,
			(unsigned long long)kbps,
			(unsigned long long)least_us);
}

static void rdma(enum ibv_wr_opcode opcode, uint32_t count, size_t bytes)
{
	for (uint32_t i = 0; i < count; i++)
		vt_rdma(&a, i, opcode, 0, bytes, (uintptr_t)b.buffer,
			b.mr->rkey);
}

static void rdma_takes_its_time(enum ibv_qp_type type,
				enum ibv_wr_opcode opcode, uint32_t count,
				size_t bytes)
{
	uint64_t began_us;

	open_pair(type);
	VT_EQUAL(limit(a.qp, KBPS, BURST), 0);
	VT_EQUAL(limit_of(a.qp), KBPS);
	began_us = now_us();
	rdma(opcode, count, bytes);
	finish(&a, count);
	check_time(began_us, count * bytes, KBPS);
	vt_pair_close(&a, &b);
}

static void writes_keep_the_limit(void)
{
	rdma_takes_its_time(IBV_QPT_RC, IBV_WR_RDMA_WRITE, COUNT, LENGTH);
	rdma_takes_its_time(IBV_QPT_RC, IBV_WR_RDMA_WRITE, 1, ROOM / 2);
}

static void reads_keep_the_limit(void)
{
	rdma_takes_its_time(IBV_QPT_RC, IBV_WR_RDMA_READ, 2, ROOM / 4);
}

static void unreliable_connections_keep_the_limit(void)
{
	rdma_takes_its_time(IBV_QPT_UC, IBV_WR_RDMA_WRITE, 2, ROOM / 4);
}

/* They take the short way otherwise. */
static void small_messages_keep_the_limit(void)
{
	uint64_t began_us;

	open_pair(IBV_QPT_RC);
	VT_EQUAL(limit(a.qp, 1000, 1), 0);
	began_us = now_us();
	rdma(IBV_WR_RDMA_WRITE, SMALL_COUNT, SMALL);
	finish(&a, SMALL_COUNT);
	VT_CHECK(now_us() - began_us >= (SMALL_COUNT - 1) * SMALL * 8);
	vt_pair_close(&a, &b);
}

static void datagrams_keep_the_limit(void)
{
	struct vt_wish wish = wish_of(IBV_QPT_UD);
	struct ibv_ah_attr to = { .is_global = 1, .port_num = 1 };
	struct ibv_send_wr wr;
	struct vt_address address;
	struct ibv_sge sge;
	uint64_t began_us;
	struct ibv_ah *ah;

	vt_end_open(&a, &wish);
	vt_end_open(&b, &wish);
	address = vt_address_of(&b);
	vt_connect(&a, &address);
	vt_connect(&b, &address);
	VT_EQUAL(limit(a.qp, KBPS, BURST), 0);
	to.grh.dgid = address.gid;
	to.grh.hop_limit = 64;
	ah = ibv_create_ah(a.pd, &to);
	VT_CHECK(ah);
	sge = vt_sge(&a, 0, 1024);
	wr = vt_send_wr(1, IBV_WR_SEND, &sge);
	wr.wr.ud.ah = ah;
	wr.wr.ud.remote_qpn = address.qpn;
	wr.wr.ud.remote_qkey = wish.qkey;
	began_us = now_us();
	for (uint32_t i = 0; i < 4 * COUNT; i++)
		VT_EQUAL(vt_post_send(&a, &wr), 0);
	finish(&a, 4 * COUNT);
	check_time(began_us, 4 * COUNT * 1024, KBPS);
	VT_EQUAL(ibv_destroy_ah(ah), 0);
	vt_end_close(&a);
	vt_end_close(&b);
}

/* To an address of this process's own, which nobody has asked for. */
static void frames_keep_the_limit(void)
{
	int fd = socket(AF_PACKET, SOCK_RAW, 0);
	struct vt_wish wish = wish_of(IBV_QPT_RAW_PACKET);
	struct ibv_qp_attr attr = { .qp_state = IBV_QPS_INIT, .port_num = 1 };
	unsigned int own = (unsigned int)getpid();
	uint64_t began_us;

	if (fd < 0)
		vt_skip("raw packets need CAP_NET_RAW");
	close(fd);
	vt_end_open(&a, &wish);
	VT_EQUAL(ibv_modify_qp(a.qp, &attr, IBV_QP_STATE | IBV_QP_PORT), 0);
	VT_EQUAL(vt_set_state(a.qp, IBV_QPS_RTR), 0);
	VT_EQUAL(vt_set_state(a.qp, IBV_QPS_RTS), 0);
	VT_EQUAL(limit(a.qp, KBPS, BURST), 0);
	memcpy(a.buffer, (uint8_t[]){ 2, 0xc8, (uint8_t)(own >> 16),
				      (uint8_t)(own >> 8), (uint8_t)own, 1 },
	       6);
	memcpy(a.buffer + 12, (uint8_t[]){ 0x88, 0xb5 }, 2);
	began_us = now_us();
	for (uint32_t i = 0; i < 4 * COUNT; i++)
		vt_send(&a, i, 0, 1024);
	finish(&a, 4 * COUNT);
	check_time(began_us, 4 * COUNT * 1024, KBPS);
	vt_end_close(&a);
}

/* What would take more than a minute is done at once. */
static void a_limit_is_lifted_while_work_is_queued(void)
{
	struct ibv_qp_attr attr = { .rate_limit = 0 };
	uint64_t began_ms = vt_now_ms();

	open_pair(IBV_QPT_RC);
	VT_EQUAL(limit(a.qp, 1000, 0), 0);
	rdma(IBV_WR_RDMA_WRITE, 8, ROOM);
	VT_EQUAL(limit(a.qp, 1001, 0), 0);
	VT_EQUAL(limit_of(a.qp), 1001);
	VT_EQUAL(ibv_modify_qp(a.qp, &attr, IBV_QP_RATE_LIMIT), 0);
	VT_EQUAL(limit_of(a.qp), 0);
	finish(&a, 8);
	VT_CHECK(vt_now_ms() - began_ms < 40000);
	vt_pair_close(&a, &b);
}

/* One beside it, of the same function and the same class, is over long before. */
static void others_are_not_slowed(void)
{
	struct vt_wish wish = wish_of(IBV_QPT_RC);
	struct vt_address of_c, of_d;
	struct ibv_wc wc;

	open_pair(IBV_QPT_RC);
	vt_end_open_in(&c, &a, &wish);
	vt_end_open_in(&d, &b, &wish);
	of_c = vt_address_of(&c);
	of_d = vt_address_of(&d);
	vt_connect(&c, &of_d);
	vt_connect(&d, &of_c);
	VT_EQUAL(limit(a.qp, 1000, BURST), 0);
	rdma(IBV_WR_RDMA_WRITE, 1, ROOM);
	for (uint32_t i = 0; i < 4; i++)
		vt_rdma(&c, i, IBV_WR_RDMA_WRITE, 0, ROOM, of_d.buffer,
			of_d.rkey);
	finish(&c, 4);
	VT_EQUAL(ibv_poll_cq(a.send_cq, 1, &wc), 0);
	/* The first one need not be waited for: it may end with an error. */
	VT_EQUAL(vt_set_state(a.qp, IBV_QPS_ERR), 0);
	vt_expect(a.send_cq, 0, IBV_WC_WR_FLUSH_ERR);
	vt_end_close(&c);
	vt_end_close(&d);
	vt_pair_close(&a, &b);
}

static void a_limit_ends_with_its_connection(void)
{
	struct vt_address peer;

	open_pair(IBV_QPT_RC);
	VT_EQUAL(limit(a.qp, 1000, 0), 0);
	rdma(IBV_WR_RDMA_WRITE, 4, ROOM);
	VT_EQUAL(vt_set_state(a.qp, IBV_QPS_RESET), 0);
	VT_EQUAL(limit_of(a.qp), 0);
	VT_EQUAL(vt_set_state(b.qp, IBV_QPS_RESET), 0);
	peer = vt_address_of(&b);
	vt_connect(&a, &peer);
	peer = vt_address_of(&a);
	vt_connect(&b, &peer);
	rdma(IBV_WR_RDMA_WRITE, 4, ROOM);
	finish(&a, 4);
	vt_pair_close(&a, &b);
}

static void the_device_says_what_it_takes(void)
{
	struct ibv_packet_pacing_caps caps;
	struct ibv_device_attr_ex device;

	open_pair(IBV_QPT_RC);
	VT_EQUAL(ibv_query_device_ex(a.context, NULL, &device), 0);
	caps = device.packet_pacing_caps;
	for (int type = IBV_QPT_RC; type <= IBV_QPT_UD; type++)
		VT_CHECK(caps.supported_qpts & 1u << type);
	VT_CHECK(caps.supported_qpts & 1u << IBV_QPT_RAW_PACKET);
	VT_CHECK(caps.qp_rate_limit_min > 1);
	VT_EQUAL(limit(a.qp, caps.qp_rate_limit_min, 0), 0);
	VT_EQUAL(limit(a.qp, caps.qp_rate_limit_max, 0), 0);
	VT_EQUAL(limit(a.qp, caps.qp_rate_limit_min - 1, 0), EINVAL);
	VT_EQUAL(limit(a.qp, caps.qp_rate_limit_max + 1, 0), EINVAL);
	VT_EQUAL(limit_of(a.qp), caps.qp_rate_limit_max);
	/* Nothing to shape. */
	VT_EQUAL(limit(a.qp, 0, BURST), EINVAL);
	VT_EQUAL(limit_of(a.qp), caps.qp_rate_limit_max);
	vt_pair_close(&a, &b);
}

/* On the way to sending, and then; not before, and not while it drains. */
static void a_limit_belongs_to_who_sends(void)
{
	struct vt_wish wish = wish_of(IBV_QPT_UD);
	struct ibv_qp_attr attr = { .qp_state = IBV_QPS_RTS,
				    .rate_limit = 5000 };
	struct vt_address own;

	vt_end_open(&a, &wish);
	own = vt_address_of(&a);
	VT_EQUAL(limit(a.qp, 5000, 0), EINVAL);
	VT_EQUAL(vt_to_init(&a), 0);
	VT_EQUAL(limit(a.qp, 5000, 0), EINVAL);
	VT_EQUAL(vt_to_rtr(&a, &own), 0);
	VT_EQUAL(limit(a.qp, 5000, 0), EINVAL);
	VT_EQUAL(limit_of(a.qp), 0);
	VT_EQUAL(ibv_modify_qp(a.qp, &attr,
			       IBV_QP_STATE | IBV_QP_SQ_PSN |
				       IBV_QP_RATE_LIMIT),
		 0);
	VT_EQUAL(limit_of(a.qp), 5000);
	VT_EQUAL(vt_set_state(a.qp, IBV_QPS_SQD), 0);
	VT_EQUAL(limit(a.qp, 6000, 0), EINVAL);
	VT_EQUAL(limit_of(a.qp), 5000);
	vt_end_close(&a);
}

static const struct vt_case cases[] = {
	VT_CASE(writes_keep_the_limit),
	VT_CASE(reads_keep_the_limit),
	VT_CASE(unreliable_connections_keep_the_limit),
	VT_CASE(small_messages_keep_the_limit),
	VT_CASE(datagrams_keep_the_limit),
	VT_CASE(frames_keep_the_limit),
	VT_CASE(a_limit_is_lifted_while_work_is_queued),
	VT_CASE(others_are_not_slowed),
	VT_CASE(a_limit_ends_with_its_connection),
	VT_CASE(the_device_says_what_it_takes),
	VT_CASE(a_limit_belongs_to_who_sends),
	{ 0 },
};

int main(int argc, char **argv)
{
	return vt_main(argc, argv, cases);
}
