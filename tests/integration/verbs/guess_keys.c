/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * guess_keys COUNT: a process that was told the address of a region, but not its
 * key, tries keys at random, each on a connection of its own, because a wrong
 * one ends it. The other process watches its memory. Prints the processes and
 * what came of it, and stays until it is killed, so that counters can be read.
 */
#include <unistd.h>

#include "vt.h"

#define BYTES 4096u
#define GUARD 0xa5
#define MAX_INDEX (1u << 20) /* entries of the table: what a guesser knows */

static uint32_t count;

/* The best that a guesser can do who knows how keys are made. */
static uint32_t guess(uint64_t *seed)
{
	uint64_t random = vt_random(seed);

	return (uint32_t)(random % MAX_INDEX) << 8 |
	       (uint32_t)(random >> 32 & 0xff);
}

static void try_key(struct vt_end *end, uint64_t address, uint32_t key,
		    uint32_t turn)
{
	static const enum ibv_wr_opcode opcodes[] = {
		IBV_WR_RDMA_WRITE, IBV_WR_RDMA_READ, IBV_WR_ATOMIC_FETCH_AND_ADD
	};
	enum ibv_wr_opcode opcode = opcodes[turn % 3];
	struct ibv_sge sge = vt_sge(end, 0, 8);
	struct ibv_send_wr wr = vt_send_wr(1, opcode, &sge);

	memset(end->buffer, 0x11, 8);
	if (opcode == IBV_WR_ATOMIC_FETCH_AND_ADD) {
		wr.wr.atomic.remote_addr = address;
		wr.wr.atomic.rkey = key;
		wr.wr.atomic.compare_add = 1;
	} else {
		wr.wr.rdma.remote_addr = address;
		wr.wr.rdma.rkey = key;
	}
	VT_EQUAL(vt_post_send(end, &wr), 0);
	vt_expect(end->send_cq, 1, IBV_WC_REM_ACCESS_ERR);
	for (int i = 0; i < 8; i++)
		VT_EQUAL(end->buffer[i], 0x11);
}

static void connect_anew(int fd, struct vt_end *end,
			 const struct vt_address *peer)
{
	VT_EQUAL(vt_set_state(end->qp, IBV_QPS_RESET), 0);
	vt_sync(fd);
	vt_connect(end, peer);
	vt_sync(fd);
}

static void guess_all(int fd, void *argument)
{
	struct vt_wish wish = vt_defaults();
	uint64_t seed = vt_now_ms() * 7919 + (uint64_t)getpid();
	struct vt_address peer;
	struct vt_end end;

	(void)argument;
	wish.buffer_bytes = BYTES;
	vt_end_open(&end, &wish);
	peer = vt_meet(fd, &end);
	for (uint32_t i = 0; i < count; i++) {
		try_key(&end, peer.buffer, guess(&seed), i);
		connect_anew(fd, &end, &peer);
	}
	vt_sync(fd);
	for (;;)
		pause();
}

int main(int argc, char **argv)
{
	struct vt_wish wish = vt_defaults();
	struct vt_address address;
	struct vt_peer peer;
	struct vt_end end;

	count = argc > 1 ? (uint32_t)atoi(argv[1]) : 100;
	peer = vt_fork(guess_all, NULL);
	wish.buffer_bytes = BYTES;
	vt_end_open(&end, &wish);
	memset(end.buffer, GUARD, BYTES);
	address = vt_meet(peer.fd, &end);
	for (uint32_t i = 0; i < count; i++) {
		(void)vt_event(end.context, IBV_EVENT_QP_ACCESS_ERR);
		connect_anew(peer.fd, &end, &address);
	}
	vt_sync(peer.fd);
	for (uint32_t i = 0; i < BYTES; i++)
		VT_EQUAL(end.buffer[i], GUARD);
	printf("guessed %u processes %d %d\n", count, (int)getpid(),
	       (int)peer.pid);
	fflush(stdout);
	for (;;)
		pause();
}
