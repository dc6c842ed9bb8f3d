/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * overlap BYTES ROUNDS: a transfer beside a computation; see overlap.py.
 *
 * An RDMA WRITE to a process that sleeps, timed alone, and then with a
 * computation half again as long between the post and the first poll. Medians
 * in us: the transfer alone, the post, the computation, all of it.
 */
#include "figures.h"
#include "vt.h"

static size_t bytes;
static uint32_t rounds;

static struct vt_wish large_wish(void)
{
	struct vt_wish wish = vt_defaults();

	wish.buffer_bytes = bytes;
	return wish;
}

static void target(int fd, void *unused)
{
	struct vt_wish wish = large_wish();
	struct vt_end end;

	(void)unused;
	vt_end_open(&end, &wish);
	memset(end.buffer, 1, bytes);
	vt_meet(fd, &end);
	vt_sync(fd);
	vt_sync(fd);
	vt_end_close(&end);
}

static void wait_for(struct vt_end *end)
{
	struct ibv_wc wc;
	int count;

	do {
		count = ibv_poll_cq(end->send_cq, 1, &wc);
	} while (!count);
	VT_EQUAL(count, 1);
	VT_STATUS(&wc, IBV_WC_SUCCESS);
}

/* Calculates for that long, and calls nobody but the clock. */
static void compute(double us)
{
	double end = now_us() + us;
	volatile double sum = 0;

	while (now_us() < end)
		for (int i = 1; i < 200; i++)
			sum += 1.0 / i;
}

static void measure(struct vt_end *end, const struct vt_address *to)
{
	double *alone = calloc(rounds, sizeof(*alone));
	double *post = calloc(rounds, sizeof(*post));
	double *both = calloc(rounds, sizeof(*both));
	double compute_us = 0, first_us, begin;

	VT_CHECK(alone && post && both);
	begin = now_us();
	vt_rdma(end, 0, IBV_WR_RDMA_WRITE, 0, bytes, to->buffer, to->rkey);
	first_us = now_us() - begin;
	wait_for(end);
	for (uint32_t i = 0; i < rounds; i++) {
		begin = now_us();
		vt_rdma(end, i, IBV_WR_RDMA_WRITE, 0, bytes, to->buffer,
			to->rkey);
		wait_for(end);
		alone[i] = now_us() - begin;
	}
	compute_us = 1.5 * median(alone, rounds);
	for (uint32_t i = 0; i < rounds; i++) {
		begin = now_us();
		vt_rdma(end, i, IBV_WR_RDMA_WRITE, 0, bytes, to->buffer,
			to->rkey);
		post[i] = now_us() - begin;
		compute(compute_us);
		wait_for(end);
		both[i] = now_us() - begin;
	}
	printf("alone_us %.1f first_us %.2f post_us %.2f ",
	       median(alone, rounds), first_us, median(post, rounds));
	printf("compute_us %.1f both_us %.1f\n", compute_us,
	       median(both, rounds));
	free(alone);
	free(post);
	free(both);
}

int main(int argc, char **argv)
{
	struct vt_address address;
	struct vt_peer peer;
	struct vt_wish wish;
	struct vt_end end;

	VT_EQUAL(argc, 3);
	bytes = strtoull(argv[1], NULL, 10);
	rounds = (uint32_t)strtoul(argv[2], NULL, 10);
	VT_CHECK(bytes && rounds);
	wish = large_wish();
	peer = vt_fork(target, NULL);
	vt_end_open(&end, &wish);
	memset(end.buffer, 2, bytes);
	address = vt_meet(peer.fd, &end);
	vt_sync(peer.fd);
	measure(&end, &address);
	vt_sync(peer.fd);
	vt_end_close(&end);
	vt_join(&peer);
	return 0;
}
