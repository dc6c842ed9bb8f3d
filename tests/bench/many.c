/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * many QPS: opens a device, makes that many queue pairs and connects them in
 * pairs, and prints what each took, in memory of the process and in time, and
 * what writes of 8 bytes cost through one pair of them, in processor time.
 */
#include <time.h>
#include <unistd.h>

#include "vt.h"

#define ROUNDS 200000u
#define BATCH 16u

static struct vt_end own;

/* Of this thread: the adapter runs in the call, and others that want the
 * processor do not count. */
static double now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

/* kB of private memory. */
static double private_kb(void)
{
	FILE *file = fopen("/proc/self/status", "r");
	char line[128];
	double found = 0;

	VT_CHECK(file);
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "RssAnon: %lf", &found) == 1)
			break;
	fclose(file);
	return found;
}

static struct ibv_qp *make_qp(void)
{
	struct ibv_qp_init_attr init = {
		.send_cq = own.send_cq,
		.recv_cq = own.send_cq,
		.cap = { 2 * BATCH, 1, 1, 1, 0 },
		.qp_type = IBV_QPT_RC,
	};
	struct ibv_qp *qp = ibv_create_qp(own.pd, &init);

	VT_CHECK(qp);
	return qp;
}

static void connect_qp(struct ibv_qp *qp, const struct ibv_qp *to)
{
	struct vt_address address = vt_address_of(&own);
	struct vt_end end = own;

	end.qp = qp;
	address.qpn = to->qp_num;
	vt_connect(&end, &address);
}

/* Posts alone, without polling between them: nanoseconds of one. */
static double cost_of_post(struct ibv_qp *qp)
{
	struct ibv_sge sge = vt_sge(&own, 0, 8);
	struct ibv_send_wr wr = vt_send_wr(0, IBV_WR_RDMA_WRITE, &sge), *bad;
	double spent = 0, began;

	wr.wr.rdma.remote_addr = (uintptr_t)own.buffer + 64;
	wr.wr.rdma.rkey = own.mr->rkey;
	for (uint32_t i = 0; i < ROUNDS / BATCH; i++) {
		began = now_ns();
		for (uint32_t j = 0; j < BATCH; j++) {
			wr.send_flags = j == BATCH - 1 ? IBV_SEND_SIGNALED : 0;
			VT_EQUAL(ibv_post_send(qp, &wr, &bad), 0);
		}
		spent += now_ns() - began;
		vt_expect(own.send_cq, 0, IBV_WC_SUCCESS);
	}
	return spent / ROUNDS;
}

int main(int argc, char **argv)
{
	uint32_t count = argc > 1 ? (uint32_t)atoi(argv[1]) : 16;
	struct ibv_qp **qps = calloc(count, sizeof(*qps));
	struct vt_wish wish = vt_defaults();
	double began, before_kb, created_ns, connected_ns, each_bytes;

	VT_CHECK(qps && count >= 2 && !(count & 1));
	vt_end_open(&own, &wish);
	before_kb = private_kb();
	began = now_ns();
	for (uint32_t i = 0; i < count; i++)
		qps[i] = make_qp();
	created_ns = now_ns() - began;
	began = now_ns();
	for (uint32_t i = 0; i < count; i++)
		connect_qp(qps[i], qps[i ^ 1]);
	connected_ns = now_ns() - began;
	each_bytes = (private_kb() - before_kb) * 1024 / count;
	(void)cost_of_post(qps[0]); /* warm */
	printf("post_ns %.1f create_us %.2f connect_us %.2f private_bytes %.0f",
	       cost_of_post(qps[0]), created_ns / count / 1e3,
	       connected_ns / count / 1e3, each_bytes);
	began = now_ns();
	for (uint32_t i = 0; i < count; i++)
		VT_EQUAL(ibv_destroy_qp(qps[i]), 0);
	printf(" destroy_us %.2f\n", (now_ns() - began) / count / 1e3);
	vt_end_close(&own);
	free(qps);
	return 0;
}
