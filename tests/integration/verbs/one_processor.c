/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Two processes that have one processor between them, and poll. */
#include <sched.h>

#include "vt.h"

#define ROUNDS 300u
#define BYTES 8u
/* Polls in vain for each message, at most: a processor that is handed over when
 * its slice ends has tens or hundreds of thousands of them. */
#define VAIN_POLLS 5000u

/* The first that this process may use. Peers inherit it. */
static void share_one_processor(void)
{
	cpu_set_t allowed, one;
	int processor = 0;

	VT_EQUAL(sched_getaffinity(0, sizeof(allowed), &allowed), 0);
	while (processor < CPU_SETSIZE - 1 && !CPU_ISSET(processor, &allowed))
		processor++;
	CPU_ZERO(&one);
	CPU_SET(processor, &one);
	VT_EQUAL(sched_setaffinity(0, sizeof(one), &one), 0);
}

/* Waits for a completion; polls in vain. */
static uint64_t take(struct ibv_cq *cq)
{
	uint64_t vain = 0;
	struct ibv_wc wc;
	int count;

	while ((count = ibv_poll_cq(cq, 1, &wc)) == 0)
		vain++;
	VT_EQUAL(count, 1);
	VT_STATUS(&wc, IBV_WC_SUCCESS);
	return vain;
}

/* A message there and one back, so many times; polls in vain. */
static uint64_t play(struct vt_end *end, bool begins)
{
	uint64_t vain = 0;
	uint32_t i;

	for (i = 0; i < ROUNDS; i++) {
		vt_recv(end, i, 0, BYTES);
		if (begins)
			vt_send(end, i, BYTES, BYTES);
		vain += take(end->recv_cq);
		if (!begins)
			vt_send(end, i, BYTES, BYTES);
		vain += take(end->send_cq);
	}
	return vain;
}

static void partner(int fd, void *unused)
{
	struct vt_wish wish = vt_defaults();
	struct vt_end end;

	(void)unused;
	wish.all_signaled = true;
	vt_end_open(&end, &wish);
	vt_meet(fd, &end);
	vt_sync(fd);
	(void)play(&end, false);
	vt_sync(fd);
	vt_end_close(&end);
}

static void a_ping_pong_hands_the_processor_over(void)
{
	struct vt_wish wish = vt_defaults();
	struct vt_peer peer;
	struct vt_end end;
	uint64_t vain;

	wish.all_signaled = true;
	share_one_processor();
	peer = vt_fork(partner, NULL);
	vt_end_open(&end, &wish);
	vt_meet(peer.fd, &end);
	vt_sync(peer.fd);
	vain = play(&end, true);
	vt_sync(peer.fd);
	vt_end_close(&end);
	vt_join(&peer);
	printf("      %.0f polls in vain for each message\n",
	       (double)vain / (2 * ROUNDS));
	VT_CHECK(vain < 2ull * ROUNDS * VAIN_POLLS);
}

static const struct vt_case cases[] = {
	VT_CASE(a_ping_pong_hands_the_processor_over),
	{ NULL, NULL, 0 },
};

int main(int argc, char **argv)
{
	return vt_main(argc, argv, cases);
}
