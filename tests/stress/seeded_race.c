/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * A data race on purpose: one thread touches a buffer while the adapter, in the
 * call of another thread, works on it. ThreadSanitizer must report it, or it
 * would see no race of the adapter at all. The two threads are ordered in time,
 * by relaxed atomics that order nothing else, so that the report is certain.
 *
 *   seeded_race write    the adapter wrote (RDMA WRITE), the thread reads
 *   seeded_race read     the adapter read (SEND), the thread writes
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "vt.h"

#define BYTES 2000

static struct vt_end a, b;
static atomic_int done;
static volatile uint8_t sink;

static void wait_done(void)
{
	while (!atomic_load_explicit(&done, memory_order_relaxed))
		sched_yield();
}

static void *read_target(void *unused)
{
	(void)unused;
	wait_done();
	sink = b.buffer[BYTES / 2];
	return NULL;
}

static void *write_source(void *unused)
{
	(void)unused;
	wait_done();
	a.buffer[BYTES / 2] = 1;
	return NULL;
}

int main(int argc, char **argv)
{
	bool writes = argc > 1 && !strcmp(argv[1], "write");
	struct vt_wish wish = vt_defaults();
	pthread_t thread;

	vt_pair_open(&a, &b, &wish, false);
	VT_EQUAL(pthread_create(&thread, NULL,
				writes ? read_target : write_source, NULL), 0);
	vt_recv(&b, 1, 8192, 4096);
	if (writes)
		vt_rdma(&a, 2, IBV_WR_RDMA_WRITE, 0, BYTES,
			(uintptr_t)b.buffer, b.mr->rkey);
	else
		vt_send(&a, 2, 0, BYTES);
	vt_expect(a.send_cq, 2, IBV_WC_SUCCESS);
	atomic_store_explicit(&done, 1, memory_order_relaxed);
	VT_EQUAL(pthread_join(thread, NULL), 0);
	vt_pair_close(&a, &b);
	return 0;
}
