/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Order of completions, and work that is not signaled: a signaled request
 * completes after all before it, retires those that were not signaled, and
 * nothing comes early, twice or not at all. Run on a wire that loses packets,
 * too.
 */
#include <unistd.h>

#include "vt.h"

#define DEPTH 32u
#define SLOT 8192u
#define SLOTS 64u /* more than can be under way */
#define MESSAGES 1500u

static struct vt_end a, b;

struct posted {
	enum ibv_wr_opcode opcode;
	uint32_t bytes;
	bool signaled;
};

static struct posted posted[MESSAGES];
static uint64_t counter_expected;

static struct vt_wish wish_of_queue(void)
{
	struct vt_wish wish = vt_defaults();

	wish.send_depth = DEPTH;
	wish.recv_depth = DEPTH;
	wish.all_signaled = false;
	wish.buffer_bytes = 2 * SLOTS * SLOT + 4096;
	/* However late an answer is, it comes. */
	wish.retry_cnt = 7;
	wish.timeout = 17;
	return wish;
}

/* The lower half of each buffer is this side's source or sink, the upper half
 * the peer's; the word at the end is counted up. */
static size_t near(uint32_t index)
{
	return index % SLOTS * SLOT;
}

static size_t far(uint32_t index)
{
	return (SLOTS + index % SLOTS) * SLOT;
}

#define COUNTER (2 * SLOTS * SLOT)

static void prepare(uint32_t index, uint64_t *random)
{
	static const enum ibv_wr_opcode opcodes[] = {
		IBV_WR_RDMA_WRITE, IBV_WR_RDMA_WRITE, IBV_WR_RDMA_READ,
		IBV_WR_ATOMIC_FETCH_AND_ADD,
	};
	struct posted *request = &posted[index];

	request->opcode = opcodes[vt_random(random) % 4];
	request->bytes = 1 + (uint32_t)(vt_random(random) % SLOT);
	/* Never so many in a row that the queue fills. */
	request->signaled = vt_random(random) % 4 == 0 ||
			    index % (DEPTH / 2) == DEPTH / 2 - 1 ||
			    index == MESSAGES - 1;
	if (request->opcode == IBV_WR_ATOMIC_FETCH_AND_ADD)
		request->bytes = 8;
}

static void post(uint32_t index)
{
	const struct posted *request = &posted[index];
	struct ibv_sge sge = vt_sge(&a, near(index), request->bytes);
	struct ibv_send_wr wr = vt_send_wr(index, request->opcode, &sge);

	wr.send_flags = request->signaled ? IBV_SEND_SIGNALED : 0;
	wr.wr.rdma.rkey = b.mr->rkey;
	wr.wr.rdma.remote_addr = (uintptr_t)b.buffer + far(index);
	if (request->opcode == IBV_WR_RDMA_WRITE) {
		vt_fill(a.buffer + near(index), request->bytes, index);
		memset(b.buffer + far(index), 0, request->bytes);
	} else if (request->opcode == IBV_WR_RDMA_READ) {
		vt_fill(b.buffer + far(index), request->bytes, index);
		memset(a.buffer + near(index), 0, request->bytes);
	} else {
		wr.wr.atomic.rkey = b.mr->rkey;
		wr.wr.atomic.remote_addr = (uintptr_t)b.buffer + COUNTER;
		wr.wr.atomic.compare_add = 1;
	}
	VT_EQUAL(vt_post_send(&a, &wr), 0);
}

/* What a request does has been done, signaled or not. */
static void check(uint32_t index)
{
	const struct posted *request = &posted[index];
	uint64_t original;

	switch (request->opcode) {
	case IBV_WR_RDMA_WRITE:
		vt_check_fill(b.buffer + far(index), request->bytes, index,
			      "written");
		break;
	case IBV_WR_RDMA_READ:
		vt_check_fill(a.buffer + near(index), request->bytes, index,
			      "read");
		break;
	default:
		memcpy(&original, a.buffer + near(index), 8);
		VT_EQUAL(original, counter_expected);
		counter_expected++;
	}
}

static uint32_t next_signaled(uint32_t index)
{
	while (!posted[index].signaled)
		index++;
	return index;
}

static void signaled_work_retires_what_was_before_it(void)
{
	struct vt_wish wish = wish_of_queue();
	uint64_t random = vt_setting("VT_SEED", 5);
	uint32_t next = 0, retired = 0;

	vt_pair_open(&a, &b, &wish, false);
	memset(b.buffer + COUNTER, 0, 8);
	for (uint32_t i = 0; i < MESSAGES; i++)
		prepare(i, &random);
	while (retired < MESSAGES) {
		uint32_t expected = next_signaled(retired);
		struct ibv_wc wc;

		/* As many as the queue takes: those that are retired left it. */
		for (; next < MESSAGES && next - retired < DEPTH; next++)
			post(next);
		wc = vt_poll(a.send_cq);
		VT_STATUS(&wc, IBV_WC_SUCCESS);
		VT_EQUAL(wc.wr_id, expected);
		for (; retired <= expected; retired++)
			check(retired);
	}
	vt_poll_nothing(a.send_cq, 5);
	vt_pair_close(&a, &b);
}

/* A queue of which nothing is signaled fills, and says so; the next completion
 * empties it. */
static void unsignaled_work_stays_in_the_queue(void)
{
	struct vt_wish wish = wish_of_queue();
	struct ibv_sge sge;
	struct ibv_send_wr wr;
	uint32_t taken = 0;

	vt_pair_open(&a, &b, &wish, false);
	sge = vt_sge(&a, 0, 64);
	wr = vt_send_wr(1, IBV_WR_RDMA_WRITE, &sge);
	wr.send_flags = 0;
	wr.wr.rdma.rkey = b.mr->rkey;
	wr.wr.rdma.remote_addr = (uintptr_t)b.buffer;
	while (taken < a.cap.max_send_wr - 1) {
		VT_EQUAL(vt_post_send(&a, &wr), 0);
		taken++;
	}
	vt_poll_nothing(a.send_cq, 20);
	wr.wr_id = 2;
	wr.send_flags = IBV_SEND_SIGNALED;
	VT_EQUAL(vt_post_send(&a, &wr), 0);
	VT_EQUAL(vt_post_send(&a, &wr), ENOMEM);
	vt_expect(a.send_cq, 2, IBV_WC_SUCCESS);
	vt_poll_nothing(a.send_cq, 5);
	for (uint32_t i = 0; i < a.cap.max_send_wr; i++)
		VT_EQUAL(vt_post_send(&a, &wr), 0);
	for (uint32_t i = 0; i < a.cap.max_send_wr; i++)
		vt_expect(a.send_cq, 2, IBV_WC_SUCCESS);
	vt_pair_close(&a, &b);
}

/* A request that fails completes though it is not signaled, after those before
 * it, and so do all behind it. */
static void unsignaled_work_that_fails_completes(void)
{
	struct vt_wish wish = wish_of_queue();

	vt_pair_open(&a, &b, &wish, false);
	for (uint32_t i = 0; i < 9; i++) {
		struct ibv_sge sge = vt_sge(&a, 0, 64);
		struct ibv_send_wr wr = vt_send_wr(i, IBV_WR_RDMA_WRITE, &sge);

		wr.send_flags = i == 2 ? IBV_SEND_SIGNALED : 0;
		wr.wr.rdma.rkey = b.mr->rkey + (i == 5 ? 1 : 0);
		wr.wr.rdma.remote_addr = (uintptr_t)b.buffer;
		VT_EQUAL(vt_post_send(&a, &wr), 0);
	}
	vt_expect(a.send_cq, 2, IBV_WC_SUCCESS);
	vt_expect(a.send_cq, 5, IBV_WC_REM_ACCESS_ERR);
	for (uint32_t i = 6; i < 9; i++)
		vt_expect(a.send_cq, i, IBV_WC_WR_FLUSH_ERR);
	vt_poll_nothing(a.send_cq, 5);
	vt_pair_close(&a, &b);
}

static const struct vt_case cases[] = {
	VT_CASE(signaled_work_retires_what_was_before_it),
	VT_CASE(unsignaled_work_stays_in_the_queue),
	VT_CASE(unsignaled_work_that_fails_completes),
	{ NULL, NULL, 0 },
};

int main(int argc, char **argv)
{
	return vt_main(argc, argv, cases);
}
