/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Many of everything at once: queue pairs in a process, and processes with a
 * device open. $VT_QPS and $VT_PROCESSES say how many; by default few enough
 * for every day. What must not happen is that one costs more the more there
 * are, so everything here is done for all of them.
 */
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include "vt.h"

static uint32_t num_qps, num_processes;
static struct vt_end own;

static struct ibv_qp *make_qp(struct ibv_cq *cq)
{
	struct ibv_qp_init_attr init = {
		.send_cq = cq,
		.recv_cq = cq,
		.cap = { 1, 1, 1, 1, 0 },
		.qp_type = IBV_QPT_RC,
	};

	return ibv_create_qp(own.pd, &init);
}

static void connect_qp(struct ibv_qp *qp, uint32_t peer)
{
	struct vt_end end = own;
	struct vt_address address = vt_address_of(&own);

	end.qp = qp;
	address.qpn = peer;
	vt_connect(&end, &address);
}

static void send_across(struct ibv_qp *from, struct ibv_qp *to,
			struct ibv_cq *cq, uint64_t id)
{
	struct ibv_sge source = vt_sge(&own, 0, 8), sink = vt_sge(&own, 64, 8);
	struct ibv_recv_wr receive = { .wr_id = id, .sg_list = &sink,
				       .num_sge = 1 };
	struct ibv_send_wr send = vt_send_wr(id, IBV_WR_SEND, &source);
	struct ibv_recv_wr *bad_receive;
	struct ibv_send_wr *bad_send;
	struct ibv_wc wc;

	memcpy(own.buffer, &id, 8);
	memset(own.buffer + 64, 0, 8);
	VT_EQUAL(ibv_post_recv(to, &receive, &bad_receive), 0);
	VT_EQUAL(ibv_post_send(from, &send, &bad_send), 0);
	for (int i = 0; i < 2; i++) {
		wc = vt_poll(cq);
		VT_STATUS(&wc, IBV_WC_SUCCESS);
		VT_EQUAL(wc.wr_id, id);
	}
	VT_CHECK(!memcmp(own.buffer + 64, &id, 8));
}

/* All of them connected in pairs, each pair used, and destroyed out of order. */
static void many_queue_pairs_work_at_once(void)
{
	struct vt_wish wish = vt_defaults();
	struct ibv_qp **qps = calloc(num_qps, sizeof(*qps));
	struct ibv_device_attr attr;
	struct ibv_cq *cq;

	VT_CHECK(qps);
	vt_end_open(&own, &wish);
	VT_EQUAL(ibv_query_device(own.context, &attr), 0);
	VT_CHECK(attr.max_qp >= 50000);
	cq = ibv_create_cq(own.context, 1024, NULL, NULL, 0);
	VT_CHECK(cq);
	for (uint32_t i = 0; i < num_qps; i++) {
		qps[i] = make_qp(cq);
		if (!qps[i])
			vt_fail(__FILE__, __LINE__, "queue pair %u: %m", i);
	}
	for (uint32_t i = 0; i < num_qps; i++)
		connect_qp(qps[i], qps[i ^ 1]->qp_num);
	for (uint32_t i = 0; i < num_qps; i += 2)
		send_across(qps[i], qps[i + 1], cq, i + 1);
	for (uint32_t i = 0; i < num_qps; i += 2)
		VT_EQUAL(ibv_destroy_qp(qps[i]), 0);
	for (uint32_t i = 1; i < num_qps; i += 2)
		VT_EQUAL(ibv_destroy_qp(qps[i]), 0);
	VT_EQUAL(ibv_destroy_cq(cq), 0);
	vt_end_close(&own);
	free(qps);
}

/* Each process: its number is told first, the even ones send. */
static void be_one_of_many(int fd, void *argument)
{
	struct vt_wish wish = vt_defaults();
	struct vt_address mine, peer;
	uint32_t number;

	(void)argument;
	vt_hear(fd, &number, sizeof(number));
	vt_end_open(&own, &wish);
	mine = vt_address_of(&own);
	vt_tell(fd, &mine, sizeof(mine));
	vt_hear(fd, &peer, sizeof(peer));
	vt_connect(&own, &peer);
	vt_recv(&own, 1, 64, 8);
	vt_sync(fd);
	if (number & 1) {
		vt_expect(own.recv_cq, 1, IBV_WC_SUCCESS);
		VT_EQUAL(own.buffer[64], (uint8_t)(number ^ 1));
	} else {
		own.buffer[0] = (uint8_t)number;
		vt_send(&own, 2, 0, 8);
		vt_expect(own.send_cq, 2, IBV_WC_SUCCESS);
	}
	vt_sync(fd);
	vt_end_close(&own);
}

/* All open at the same time; then in pairs. */
static void many_processes_have_a_device(void)
{
	struct vt_peer *peers = calloc(num_processes, sizeof(*peers));
	struct vt_address *addresses = calloc(num_processes,
					      sizeof(*addresses));
	struct rlimit files;

	VT_CHECK(peers && addresses);
	VT_EQUAL(getrlimit(RLIMIT_NOFILE, &files), 0);
	files.rlim_cur = files.rlim_max;
	VT_EQUAL(setrlimit(RLIMIT_NOFILE, &files), 0);
	if (files.rlim_max < num_processes + 64)
		vt_skip("only %llu files may be open",
			(unsigned long long)files.rlim_max);
	for (uint32_t i = 0; i < num_processes; i++)
		peers[i] = vt_fork(be_one_of_many, NULL);
	for (uint32_t i = 0; i < num_processes; i++)
		vt_tell(peers[i].fd, &i, sizeof(i));
	for (uint32_t i = 0; i < num_processes; i++)
		vt_hear(peers[i].fd, &addresses[i], sizeof(addresses[i]));
	for (uint32_t i = 0; i < num_processes; i++)
		vt_tell(peers[i].fd, &addresses[i ^ 1], sizeof(addresses[i]));
	for (uint32_t i = 0; i < num_processes; i++)
		vt_sync(peers[i].fd);
	for (uint32_t i = 0; i < num_processes; i++)
		vt_sync(peers[i].fd);
	for (uint32_t i = 0; i < num_processes; i++)
		vt_join(&peers[i]);
	free(addresses);
	free(peers);
}

int main(int argc, char **argv)
{
	const struct vt_case cases[] = {
		{ "many_queue_pairs_work_at_once",
		  many_queue_pairs_work_at_once, 300 },
		{ "many_processes_have_a_device",
		  many_processes_have_a_device, 300 },
		{ NULL, NULL, 0 },
	};

	num_qps = (uint32_t)vt_setting("VT_QPS", 2000) & ~1u;
	num_processes = (uint32_t)vt_setting("VT_PROCESSES", 60) & ~1u;
	return vt_main(argc, argv, cases);
}
