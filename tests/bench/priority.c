/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * priority KIND POSTER ROUNDS: a write of 8 bytes, from its post until its
 * completion was polled, alone and beside a queue pair of the same function that
 * writes 1 MiB messages without pause; see priority.py.
 *
 * KIND says what the small message has: "none", "class" (the highest service
 * level) or "area" (the priority area). POSTER says who posts and polls the
 * long ones: "same" thread, or "other". Medians in us, the time that one
 * gather entry takes, and of the small ones that came late the 99th percentile.
 */
#include <pthread.h>
#include <stdatomic.h>

#include "figures.h"
#include "vt.h"

#define BULK_BYTES (1u << 20)
#define BULK_DEPTH 4u /* on their way at once */
#define ENTRY_BYTES 65536u
#define BLOCK 16u /* measured in a row, before the other way is */
/* As many are on their way when the priority area is not used any more. */
#define UNSIGNALED 4u

static struct vt_end bulk, small;
static struct vt_address bulk_peer, small_peer;
static bool by_area, same_thread;
static uint32_t rounds, on_their_way;
/* Written by the thread that measures: how many times the other one is to begin
 * or end; and what it has done of that. */
static _Atomic uint32_t wanted, reached;

static struct vt_wish bulk_wish(void)
{
	struct vt_wish wish = vt_defaults();

	wish.buffer_bytes = BULK_BYTES;
	return wish;
}

static struct vt_wish small_wish(uint8_t sl)
{
	struct vt_wish wish = vt_defaults();

	wish.buffer_bytes = BULK_BYTES;
	wish.all_signaled = false;
	wish.sl = sl;
	return wish;
}

static void target(int fd, void *sl)
{
	struct vt_wish wish = bulk_wish();

	vt_end_open(&bulk, &wish);
	wish = small_wish(*(uint8_t *)sl);
	vt_end_open_in(&small, &bulk, &wish);
	memset(bulk.buffer, 1, BULK_BYTES);
	memset(small.buffer, 1, BULK_BYTES);
	vt_meet(fd, &bulk);
	vt_meet(fd, &small);
	vt_sync(fd);
	vt_sync(fd);
	vt_end_close(&small);
	vt_end_close(&bulk);
}

static void take_bulk(void)
{
	struct ibv_wc wc[BULK_DEPTH];
	int i, count = ibv_poll_cq(bulk.send_cq, BULK_DEPTH, wc);

	VT_CHECK(count >= 0);
	for (i = 0; i < count; i++)
		VT_STATUS(&wc[i], IBV_WC_SUCCESS);
	on_their_way -= (uint32_t)count;
}

static void keep_bulk(void)
{
	take_bulk();
	while (on_their_way < BULK_DEPTH) {
		vt_rdma(&bulk, 0, IBV_WR_RDMA_WRITE, 0, BULK_BYTES,
			bulk_peer.buffer, bulk_peer.rkey);
		on_their_way++;
	}
}

static void end_bulk(void)
{
	while (on_their_way)
		take_bulk();
}

/* An odd number: without pause. */
static void *write_bulk(void *unused)
{
	uint32_t turn = 0;

	(void)unused;
	while (turn != UINT32_MAX) {
		uint32_t now = atomic_load(&wanted);

		if (now % 2 && now != UINT32_MAX)
			keep_bulk();
		else
			end_bulk();
		if (now != turn)
			atomic_store(&reached, now);
		turn = now;
	}
	return NULL;
}

static void tell_other(uint32_t turn)
{
	atomic_store(&wanted, turn);
	while (atomic_load(&reached) != turn)
		;
}

static void set_bulk(bool on, uint32_t *turn)
{
	if (!same_thread)
		tell_other(++*turn);
	else if (on)
		keep_bulk();
	else
		end_bulk();
}

static void post(size_t at, size_t bytes, uint32_t flags)
{
	struct ibv_sge sge = vt_sge(&small, at, bytes);
	struct ibv_send_wr wr = vt_send_wr(0, IBV_WR_RDMA_WRITE, &sge);

	wr.wr.rdma.remote_addr = small_peer.buffer + at;
	wr.wr.rdma.rkey = small_peer.rkey;
	wr.send_flags = flags;
	VT_EQUAL(vt_post_send(&small, &wr), 0);
}

static double time_of(size_t at, size_t bytes)
{
	struct ibv_wc wc;
	double begin;
	int count;

	for (uint32_t i = 0; i < UNSIGNALED && !by_area; i++)
		post(0, 8, 0);
	begin = now_us();
	post(at, bytes, IBV_SEND_SIGNALED);
	do {
		count = ibv_poll_cq(small.send_cq, 1, &wc);
	} while (!count);
	begin = now_us() - begin;
	VT_EQUAL(count, 1);
	VT_STATUS(&wc, IBV_WC_SUCCESS);
	return begin;
}

/* Somewhere in what the others do. */
static void wait_some(uint64_t *seed)
{
	double end = now_us() + (double)(vt_random(seed) % 64);

	while (now_us() < end)
		;
}

static void measure(void)
{
	double *alone = calloc(rounds, sizeof(*alone));
	double *under = calloc(rounds, sizeof(*under));
	double *entry = calloc(rounds, sizeof(*entry));
	uint64_t seed = 1;
	uint32_t turn = 0;

	VT_CHECK(alone && under && entry);
	for (uint32_t i = 0; i < rounds; i += BLOCK) {
		for (uint32_t j = i; j < i + BLOCK; j++) {
			alone[j] = time_of(0, 8);
			entry[j] = time_of(j * ENTRY_BYTES % BULK_BYTES,
					   ENTRY_BYTES);
			entry[j] -= alone[j];
		}
		set_bulk(true, &turn);
		for (uint32_t j = i; j < i + BLOCK; j++) {
			if (same_thread)
				keep_bulk();
			else
				wait_some(&seed);
			under[j] = time_of(0, 8);
		}
		set_bulk(false, &turn);
	}
	printf("alone_us %.2f under_us %.2f entry_us %.2f", median(alone, rounds),
	       median(under, rounds), median(entry, rounds));
	printf(" late_us %.2f\n", under[rounds * 99 / 100]);
	free(alone);
	free(under);
	free(entry);
}

static void run(void)
{
	pthread_t thread;

	if (same_thread) {
		measure();
		return;
	}
	VT_EQUAL(pthread_create(&thread, NULL, write_bulk, NULL), 0);
	measure();
	tell_other(UINT32_MAX);
	VT_EQUAL(pthread_join(thread, NULL), 0);
}

int main(int argc, char **argv)
{
	struct vt_peer peer;
	struct vt_wish wish;
	uint8_t sl;

	VT_EQUAL(argc, 4);
	by_area = !strcmp(argv[1], "area");
	sl = strcmp(argv[1], "class") ? 0 : 15;
	same_thread = !strcmp(argv[2], "same");
	rounds = (uint32_t)strtoul(argv[3], NULL, 10);
	VT_CHECK(rounds && rounds % BLOCK == 0);
	peer = vt_fork(target, &sl);
	wish = bulk_wish();
	vt_end_open(&bulk, &wish);
	wish = small_wish(sl);
	vt_end_open_in(&small, &bulk, &wish);
	memset(bulk.buffer, 2, BULK_BYTES);
	memset(small.buffer, 2, BULK_BYTES);
	bulk_peer = vt_meet(peer.fd, &bulk);
	small_peer = vt_meet(peer.fd, &small);
	vt_sync(peer.fd);
	run();
	vt_sync(peer.fd);
	vt_end_close(&small);
	vt_end_close(&bulk);
	vt_join(&peer);
	return 0;
}
