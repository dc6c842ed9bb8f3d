/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Doorbells and the priority area as applications see them: a small message
 * overtakes bulk that another queue announced before, threads whose queues
 * share an area lose and double nothing, and each process has its own.
 */
#include <pthread.h>
#include <unistd.h>

#include "vt.h"

#define BULK_BYTES (1u << 20)
#define ROUNDS 50u
#define THREADS 4u
#define ADDS 500u
#define MESSAGES 100u

/* One of this process's counters, of all its functions together; -1 where the
 * tool is not. */
static long long counted(const char *name)
{
	const char *tool = getenv("VT_TOOL");
	char line[256], found[64];
	long long sum = 0, value;
	FILE *output;

	if (!tool)
		return -1;
	snprintf(line, sizeof(line), "%s stat --all %d", tool, (int)getpid());
	output = popen(line, "r");
	VT_CHECK(output);
	while (fgets(line, sizeof(line), output))
		if (sscanf(line, " %63s %lld", found, &value) == 2 &&
		    !strcmp(found, name))
			sum += value;
	VT_EQUAL(pclose(output), 0);
	return sum;
}

static uint64_t word_at(const struct vt_end *end, size_t offset)
{
	return __atomic_load_n((uint64_t *)(void *)(end->buffer + offset),
			       __ATOMIC_ACQUIRE);
}

/* An inline WRITE of a word. */
static void write_word(struct vt_end *end, const struct vt_end *to,
		       size_t offset, uint64_t word)
{
	struct ibv_sge sge = { (uintptr_t)&word, sizeof(word), 0 };
	struct ibv_send_wr wr = vt_send_wr(word, IBV_WR_RDMA_WRITE, &sge);

	wr.send_flags |= IBV_SEND_INLINE;
	wr.wr.rdma.remote_addr = (uintptr_t)to->buffer + offset;
	wr.wr.rdma.rkey = to->mr->rkey;
	VT_EQUAL(vt_post_send(end, &wr), 0);
}

static void connect_both(struct vt_end *a, struct vt_end *b)
{
	struct vt_address of_a = vt_address_of(a), of_b = vt_address_of(b);

	vt_connect(a, &of_b);
	vt_connect(b, &of_a);
}

/* As many long messages as the queue takes, announced at once. */
static void post_bulk(struct vt_end *end, const struct vt_end *to,
		      uint32_t count)
{
	struct ibv_send_wr wrs[64];
	struct ibv_sge sge = vt_sge(end, 0, BULK_BYTES);

	VT_CHECK(count <= 64);
	for (uint32_t i = 0; i < count; i++) {
		wrs[i] = vt_send_wr(i, IBV_WR_RDMA_WRITE, &sge);
		wrs[i].next = i + 1 < count ? &wrs[i + 1] : NULL;
		wrs[i].wr.rdma.remote_addr = (uintptr_t)to->buffer;
		wrs[i].wr.rdma.rkey = to->mr->rkey;
	}
	VT_EQUAL(vt_post_send(end, wrs), 0);
}

/*
 * The last byte of the bulk is watched in the target's memory, where nobody has
 * to poll. How far the bulk came meanwhile is chance (other processors go on
 * with it, this one may stand still for long), so one round of many must show
 * it; were the small message behind the bulk, none could.
 */
static void a_small_message_overtakes_bulk_of_another_queue(void)
{
	struct vt_wish wish = vt_defaults();
	struct vt_end bulk, bulk_peer, small, small_peer;
	uint32_t round, overtook = 0, count = 24;
	long long hits, fallbacks;

	wish.buffer_bytes = 2 * BULK_BYTES;
	vt_pair_open(&bulk, &bulk_peer, &wish, false);
	vt_end_open_in(&small, &bulk, &wish);
	vt_end_open_in(&small_peer, &bulk_peer, &wish);
	connect_both(&small, &small_peer);
	hits = counted("bf_hit");
	fallbacks = counted("bf_fallback");
	for (round = 1; round <= ROUNDS && !overtook; round++) {
		bool bulk_there;

		vt_fill(bulk.buffer, BULK_BYTES, round);
		memcpy(bulk.buffer + BULK_BYTES - 8, &round, sizeof(round));
		post_bulk(&bulk, &bulk_peer, count);
		/* The last of it, with another last word. */
		write_word(&bulk, &bulk_peer, BULK_BYTES, round);
		write_word(&small, &small_peer, 0, round);
		vt_expect(small.send_cq, round, IBV_WC_SUCCESS);
		bulk_there = word_at(&bulk_peer, BULK_BYTES) == round;
		VT_EQUAL(word_at(&small_peer, 0), round);
		overtook += !bulk_there;
		for (uint32_t i = 0; i < count; i++)
			vt_expect(bulk.send_cq, i, IBV_WC_SUCCESS);
		vt_expect(bulk.send_cq, round, IBV_WC_SUCCESS);
		vt_check_fill(bulk_peer.buffer, BULK_BYTES - 8, round, "bulk");
	}
	VT_CHECK(overtook);
	if (hits >= 0) {
		VT_CHECK(counted("bf_hit") > hits);
		VT_EQUAL(counted("bf_fallback"), fallbacks);
	}
	vt_end_close(&small);
	vt_end_close(&small_peer);
	vt_pair_close(&bulk, &bulk_peer);
}

struct adder {
	struct vt_end a, b;
};

static void *add(void *argument)
{
	struct adder *adder = argument;
	struct vt_end *a = &adder->a;

	for (uint32_t i = 0; i < ADDS; i++) {
		struct ibv_sge sge = vt_sge(a, 0, 8);
		struct ibv_send_wr wr = vt_send_wr(
			i, IBV_WR_ATOMIC_FETCH_AND_ADD, &sge);

		wr.wr.atomic.remote_addr = (uintptr_t)adder->b.buffer;
		wr.wr.atomic.rkey = adder->b.mr->rkey;
		wr.wr.atomic.compare_add = 1;
		VT_EQUAL(vt_post_send(a, &wr), 0);
		vt_expect(a->send_cq, i, IBV_WC_SUCCESS);
		/* What stood there before: each was carried out once. */
		VT_EQUAL(word_at(a, 0), i);
	}
	return NULL;
}

/* Which page a queue has goes by its handle: one in eight has the same. */
static void threads_that_share_an_area_lose_nothing(void)
{
	struct vt_wish wish = vt_defaults();
	static struct adder adders[THREADS];
	struct vt_end spare[16 * THREADS];
	uint32_t found = 0, num_spare = 0;
	pthread_t threads[THREADS];
	struct vt_end first, first_peer;

	wish.buffer_bytes = 4096;
	vt_pair_open(&first, &first_peer, &wish, false);
	while (found < THREADS) {
		struct vt_end end;

		vt_end_open_in(&end, &first, &wish);
		if (end.qp->handle % 8 == first.qp->handle % 8 ||
		    num_spare == 16 * THREADS)
			adders[found++].a = end;
		else
			spare[num_spare++] = end;
	}
	for (uint32_t i = 0; i < THREADS; i++) {
		vt_end_open_in(&adders[i].b, &first_peer, &wish);
		connect_both(&adders[i].a, &adders[i].b);
	}
	for (uint32_t i = 0; i < THREADS; i++)
		VT_EQUAL(pthread_create(&threads[i], NULL, add, &adders[i]), 0);
	for (uint32_t i = 0; i < THREADS; i++)
		VT_EQUAL(pthread_join(threads[i], NULL), 0);
	for (uint32_t i = 0; i < THREADS; i++) {
		VT_EQUAL(word_at(&adders[i].b, 0), ADDS);
		vt_end_close(&adders[i].a);
		vt_end_close(&adders[i].b);
	}
	while (num_spare)
		vt_end_close(&spare[--num_spare]);
	vt_pair_close(&first, &first_peer);
}

static void send_and_count(struct vt_end *end, const struct vt_address *peer)
{
	long long hits = counted("bf_hit"), fetched = counted("wqe_fetched");
	struct ibv_sge sge = vt_sge(end, 0, 16);
	struct ibv_send_wr wr = vt_send_wr(0, IBV_WR_RDMA_WRITE, &sge);
	char text[300] = { 0 };
	struct ibv_sge large = { (uintptr_t)text, sizeof(text), 0 };

	wr.wr.rdma.remote_addr = peer->buffer + 64;
	wr.wr.rdma.rkey = peer->rkey;
	for (wr.wr_id = 0; wr.wr_id < MESSAGES; wr.wr_id++) {
		VT_EQUAL(vt_post_send(end, &wr), 0);
		vt_expect(end->send_cq, wr.wr_id, IBV_WC_SUCCESS);
	}
	if (hits < 0)
		return;
	/* Now and then another thread of the adapter is at the queue, and reads
	 * the descriptor there. */
	VT_CHECK(counted("bf_hit") >= hits + MESSAGES * 9 / 10);
	VT_CHECK(counted("wqe_fetched") <= fetched + MESSAGES / 10);
	hits = counted("bf_hit");
	fetched = counted("wqe_fetched");
	/* Too large for the area: the doorbell alone. */
	wr.sg_list = &large;
	wr.send_flags |= IBV_SEND_INLINE;
	VT_EQUAL(vt_post_send(end, &wr), 0);
	vt_expect(end->send_cq, wr.wr_id, IBV_WC_SUCCESS);
	VT_EQUAL(counted("bf_hit"), hits);
	VT_EQUAL(counted("wqe_fetched"), fetched + 1);
	VT_EQUAL(counted("bf_fallback"), 0);
}

/* The one sends, then the other; each finds its own on its own pages only. */
static void run_side(int fd, bool first)
{
	struct vt_wish wish = vt_defaults();
	struct vt_address peer;
	struct vt_end end;
	long long hits;

	wish.inline_bytes = 300;
	vt_end_open(&end, &wish);
	peer = vt_meet(fd, &end);
	hits = counted("bf_hit");
	vt_sync(fd);
	if (first)
		send_and_count(&end, &peer);
	else
		vt_sync(fd);
	if (first)
		VT_CHECK(hits < 0 || counted("bf_hit") > hits);
	else
		VT_EQUAL(counted("bf_hit"), hits);
	if (first)
		vt_sync(fd);
	else
		send_and_count(&end, &peer);
	vt_sync(fd);
	vt_end_close(&end);
}

static void second_side(int fd, void *argument)
{
	(void)argument;
	run_side(fd, false);
}

static void each_process_has_pages_of_its_own(void)
{
	struct vt_peer peer = vt_fork(second_side, NULL);

	run_side(peer.fd, true);
	vt_join(&peer);
}

int main(int argc, char **argv)
{
	static const struct vt_case cases[] = {
		VT_CASE(a_small_message_overtakes_bulk_of_another_queue),
		VT_CASE(threads_that_share_an_area_lose_nothing),
		VT_CASE(each_process_has_pages_of_its_own),
		{ 0 },
	};

	return vt_main(argc, argv, cases);
}
