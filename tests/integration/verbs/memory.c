/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What a processor sees of its memory while others write to it through the
 * adapter: the last byte of a message is not there before the rest, and atomic
 * operations of several processes do not lose each other's work.
 */
#include <sched.h>
#include <stdatomic.h>

#include "vt.h"

#define ROUNDS 3000u
#define LONGEST (128u << 10)

static uint32_t length_of(uint32_t round)
{
	static const uint32_t lengths[] = { 8,	  9,	64,   65,    200,
					    1024, 4096, 5000, 20000, LONGEST };

	return lengths[round % 10];
}

static uint8_t mark_of(uint32_t round)
{
	return (uint8_t)(1 + round % 255);
}

/* Writes message after message; the other side answers through memory too. */
static void writer(int fd, void *extended)
{
	struct vt_wish wish = vt_defaults();
	struct vt_address peer;
	struct vt_end end;

	wish.send_depth = 4;
	wish.extended = extended != NULL;
	vt_end_open(&end, &wish);
	peer = vt_meet(fd, &end);
	for (uint32_t round = 0; round < ROUNDS; round++) {
		uint32_t length = length_of(round);

		memset(end.buffer, mark_of(round), length);
		vt_rdma(&end, round, IBV_WR_RDMA_WRITE, 0, length,
			peer.buffer + LONGEST - length, peer.rkey);
		vt_expect(end.send_cq, round, IBV_WC_SUCCESS);
		vt_sync(fd);
	}
	vt_sync(fd);
	vt_end_close(&end);
}

/* Looks at the last byte only, never polls, and then at all the others. */
static void last_byte_comes_last(void)
{
	struct vt_peer peer = vt_fork(writer, NULL);
	struct vt_wish wish = vt_defaults();
	struct vt_end end;
	volatile uint8_t *last;

	vt_end_open(&end, &wish);
	vt_meet(peer.fd, &end);
	last = end.buffer + LONGEST - 1;
	for (uint32_t round = 0; round < ROUNDS; round++) {
		uint64_t deadline = vt_now_ms() + 20000;
		uint32_t length = length_of(round), turn = 0;

		while (*last != mark_of(round)) {
			if (++turn % 4096 == 0)
				VT_CHECK(vt_now_ms() < deadline);
			if (turn % 512 == 0)
				sched_yield();
		}
		atomic_thread_fence(memory_order_acquire);
		for (uint32_t i = LONGEST - length; i < LONGEST; i++)
			if (end.buffer[i] != mark_of(round))
				vt_fail(__FILE__, __LINE__,
					"round %u, %u bytes: byte %u is late",
					round, length,
					i - (LONGEST - length));
		vt_sync(peer.fd);
	}
	vt_sync(peer.fd);
	vt_end_close(&end);
	vt_join(&peer);
}

#define ADDERS 4
#define ADDITIONS 3000u

static void adder(int fd, void *argument)
{
	struct vt_wish wish = vt_defaults();
	struct vt_address peer;
	struct vt_end end;
	uint64_t *result;

	(void)argument;
	vt_end_open(&end, &wish);
	peer = vt_meet(fd, &end);
	result = (uint64_t *)(void *)end.buffer;
	for (uint32_t i = 0; i < ADDITIONS; i++) {
		vt_rdma(&end, i, IBV_WR_ATOMIC_FETCH_AND_ADD, 0, 8,
			peer.buffer, peer.rkey); /* adds one */
		vt_expect(end.send_cq, i, IBV_WC_SUCCESS);
		VT_CHECK(*result < (ADDERS + 1) * ADDITIONS);
	}
	vt_sync(fd);
	vt_end_close(&end);
}

/* The owner of the word adds too, through a connection to itself. */
static void additions_of_many_processes_are_all_there(void)
{
	struct vt_peer peers[ADDERS];
	struct vt_end ends[ADDERS], own;
	struct vt_wish wish = vt_defaults();
	struct vt_address self;
	uint64_t *word;

	for (int i = 0; i < ADDERS; i++)
		peers[i] = vt_fork(adder, NULL);
	vt_end_open(&own, &wish);
	self = vt_address_of(&own);
	word = (uint64_t *)(void *)own.buffer;
	for (int i = 0; i < ADDERS; i++) {
		struct vt_address mine, theirs;

		vt_end_open_in(&ends[i], &own, &wish);
		/* All of them name the one word by the one region; it must be
		 * in the PD of each QP, so the region is registered in each. */
		VT_EQUAL(ibv_dereg_mr(ends[i].mr), 0);
		ends[i].mr = ibv_reg_mr(ends[i].pd, own.buffer, 4096,
					VT_ALL_ACCESS);
		VT_CHECK(ends[i].mr);
		VT_EQUAL(vt_to_init(&ends[i]), 0);
		mine = vt_address_of(&ends[i]);
		mine.buffer = self.buffer;
		vt_tell(peers[i].fd, &mine, sizeof(mine));
		vt_hear(peers[i].fd, &theirs, sizeof(theirs));
		VT_EQUAL(vt_to_rtr(&ends[i], &theirs), 0);
		VT_EQUAL(vt_to_rts(&ends[i]), 0);
	}
	vt_connect(&own, &self);
	for (int i = 0; i < ADDERS; i++)
		vt_sync(peers[i].fd); /* off they go */
	for (uint32_t i = 0; i < ADDITIONS; i++) {
		vt_rdma(&own, i, IBV_WR_ATOMIC_FETCH_AND_ADD, 4096, 8,
			self.buffer, self.rkey);
		vt_expect(own.send_cq, i, IBV_WC_SUCCESS);
	}
	for (int i = 0; i < ADDERS; i++)
		vt_sync(peers[i].fd);
	VT_EQUAL(*word, (ADDERS + 1) * ADDITIONS);
	for (int i = 0; i < ADDERS; i++) {
		vt_join(&peers[i]);
		vt_end_close(&ends[i]);
	}
	vt_end_close(&own);
}

static const struct vt_case cases[] = {
	{ "last_byte_comes_last", last_byte_comes_last, 120 },
	{ "additions_of_many_processes_are_all_there",
	  additions_of_many_processes_are_all_there, 120 },
	{ NULL, NULL, 0 },
};

int main(int argc, char **argv)
{
	return vt_main(argc, argv, cases);
}
