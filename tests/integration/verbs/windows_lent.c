/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Memory that is lent to another process by windows, and taken back. */
#include <unistd.h>

#include "windows_vt.h"

/*
 * Two processes. The owner binds a window, and without waiting sends its key;
 * the peer uses it, and hands it back with its answer.
 */
#define ROUNDS 200

static void use_windows(int fd, void *argument)
{
	struct vt_wish wish = vt_defaults();
	struct vt_end end;
	struct vt_address peer;

	(void)argument;
	vt_enter_peer_network();
	vt_end_open(&end, &wish);
	peer = vt_meet(fd, &end);
	vt_recv(&end, 0, 0, 64);
	vt_sync(fd);
	for (uint64_t round = 0; round < ROUNDS; round++) {
		struct ibv_sge sge = vt_sge(&end, 8192, 64);
		struct ibv_send_wr wr;
		uint32_t rkey;

		vt_expect(end.recv_cq, round, IBV_WC_SUCCESS);
		memcpy(&rkey, end.buffer, sizeof(rkey));
		vt_recv(&end, round + 1, 0, 64);
		vt_fill(end.buffer + 4096, LENGTH, round);
		vt_rdma(&end, 1, IBV_WR_RDMA_WRITE, 4096, LENGTH,
			peer.buffer + OFFSET, rkey);
		wr = inv_wr(2, IBV_WR_SEND_WITH_INV, rkey);
		wr.sg_list = &sge;
		wr.num_sge = 1;
		VT_EQUAL(vt_post_send(&end, &wr), 0);
		vt_expect(end.send_cq, 1, IBV_WC_SUCCESS);
		vt_expect(end.send_cq, 2, IBV_WC_SUCCESS);
	}
	vt_sync(fd);
	vt_end_close(&end);
}

static void lend(uint64_t round)
{
	uint32_t rkey = ibv_inc_rkey(window->rkey);
	struct ibv_sge sge = vt_sge(&b, 0, sizeof(rkey));
	struct ibv_send_wr send = vt_send_wr(2, IBV_WR_SEND, &sge);
	struct ibv_send_wr bind =
		bind_wr(1, rkey, range(OFFSET, LENGTH,
				       IBV_ACCESS_REMOTE_WRITE));
	struct ibv_wc wc;

	bind.next = &send;
	memcpy(b.buffer, &rkey, sizeof(rkey));
	vt_recv(&b, round, 8192, 64);
	VT_EQUAL(vt_post_send(&b, &bind), 0);
	window->rkey = rkey;
	vt_expect(b.send_cq, 1, IBV_WC_SUCCESS);
	vt_expect(b.send_cq, 2, IBV_WC_SUCCESS);
	wc = vt_poll(b.recv_cq);
	VT_STATUS(&wc, IBV_WC_SUCCESS);
	VT_EQUAL(wc.wc_flags & IBV_WC_WITH_INV, IBV_WC_WITH_INV);
	VT_EQUAL(wc.invalidated_rkey, rkey);
	vt_check_fill(b.buffer + OFFSET, LENGTH, round, "lent memory");
}

static void memory_is_lent_and_given_back(void)
{
	struct vt_peer peer = vt_fork(use_windows, NULL);
	struct vt_wish wish = vt_defaults();

	wish.mr_access |= IBV_ACCESS_MW_BIND;
	vt_end_open(&b, &wish);
	window = ibv_alloc_mw(b.pd, IBV_MW_TYPE_2);
	VT_CHECK(window);
	(void)vt_meet(peer.fd, &b);
	vt_sync(peer.fd);
	for (uint64_t round = 0; round < ROUNDS; round++)
		lend(round);
	vt_sync(peer.fd);
	vt_join(&peer);
	VT_EQUAL(ibv_dealloc_mw(window), 0);
	vt_end_close(&b);
}

/*
 * A peer that writes without pause through a window that is taken away again
 * and again, on a connection that survives refusals: what it still writes
 * comes before the completion of the invalidation, never after.
 */
#define SIEGES 100
#define SIEGE_BYTES 65536u

static void besiege(int fd, void *argument)
{
	struct vt_wish wish = vt_defaults();
	struct vt_end end;
	struct vt_address peer;
	uint32_t rkey = 0;

	(void)argument;
	vt_enter_peer_network();
	wish.type = IBV_QPT_UC;
	vt_end_open(&end, &wish);
	peer = vt_meet(fd, &end);
	memset(end.buffer, 1, SIEGE_BYTES);
	do {
		vt_hear(fd, &rkey, sizeof(rkey));
		for (int i = 0; rkey && i < 40; i++) {
			vt_rdma(&end, 1, IBV_WR_RDMA_WRITE, 0, SIEGE_BYTES,
				peer.buffer, rkey);
			vt_expect(end.send_cq, 1, IBV_WC_SUCCESS);
			if (i == 2)
				vt_tell(fd, &rkey, sizeof(rkey));
		}
	} while (rkey);
	vt_end_close(&end);
}

static void hold_out(int fd, uint32_t siege)
{
	uint32_t heard;
	uint32_t rkey = bind_2(0, SIEGE_BYTES, IBV_ACCESS_REMOTE_WRITE);

	vt_tell(fd, &rkey, sizeof(rkey));
	vt_hear(fd, &heard, sizeof(heard));
	completes(inv_wr(9, IBV_WR_LOCAL_INV, rkey), IBV_WC_LOCAL_INV);
	memset(b.buffer, GUARD, SIEGE_BYTES);
	if (siege % 10 == 0)
		usleep(2000);
	for (size_t i = 0; i < SIEGE_BYTES; i++)
		VT_EQUAL(b.buffer[i], GUARD);
}

static void nothing_arrives_after_the_invalidation(void)
{
	struct vt_peer peer = vt_fork(besiege, NULL);
	struct vt_wish wish = vt_defaults();
	uint32_t end = 0;

	wish.type = IBV_QPT_UC;
	wish.mr_access |= IBV_ACCESS_MW_BIND;
	vt_end_open(&b, &wish);
	window = ibv_alloc_mw(b.pd, IBV_MW_TYPE_2);
	VT_CHECK(window);
	(void)vt_meet(peer.fd, &b);
	for (uint32_t siege = 0; siege < SIEGES; siege++)
		hold_out(peer.fd, siege);
	vt_tell(peer.fd, &end, sizeof(end));
	vt_join(&peer);
	VT_EQUAL(ibv_dealloc_mw(window), 0);
	vt_end_close(&b);
}

static const struct vt_case cases[] = {
	VT_CASE(memory_is_lent_and_given_back),
	VT_CASE(nothing_arrives_after_the_invalidation),
	{ NULL, NULL, 0 },
};

int main(int argc, char **argv)
{
	return vt_main(argc, argv, cases);
}
