/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Posts of a program that polls busily may wait for its next poll, so that they
 * leave together (device/exec/hold.h). All of them arrive, also if none comes:
 * what has arrived is seen through memory that both sides share, so that
 * looking at it is no call of verbs.
 */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "vt.h"

#define SLOTS 16u
#define SLOT 8u
#define PATIENCE_MS 60000

static struct shared {
	_Atomic uint64_t seen; /* the last round */
	_Atomic bool over;
} *shared;

static void share(void)
{
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	VT_CHECK(shared != MAP_FAILED);
}

/* Says which round's number the last slot has. */
static void target(int fd, void *unused)
{
	struct vt_wish wish = vt_defaults();
	struct vt_patience patience;
	uint64_t round = 0;
	struct vt_end end;

	(void)unused;
	vt_end_open(&end, &wish);
	vt_meet(fd, &end);
	vt_sync(fd);
	patience = vt_patience(PATIENCE_MS);
	while (!atomic_load(&shared->over)) {
		const volatile uint64_t *last = (void *)(end.buffer +
							 (SLOTS - 1) * SLOT);

		VT_CHECK(!vt_patience_ends(&patience));
		if (*last == round)
			continue;
		round = *last;
		for (uint32_t i = 0; i < SLOTS; i++)
			VT_CHECK(*(volatile uint64_t *)(end.buffer +
							i * SLOT) >= round);
		atomic_store(&shared->seen, round);
		patience = vt_patience(PATIENCE_MS);
	}
	vt_sync(fd);
	vt_end_close(&end);
}

/* Each request of a round by itself. */
static void post_round(struct vt_end *end, const struct vt_address *address,
		       uint64_t round)
{
	for (uint32_t i = 0; i < SLOTS; i++)
		memcpy(end->buffer + i * SLOT, &round, SLOT);
	for (uint32_t i = 0; i < SLOTS; i++)
		vt_rdma(end, i, IBV_WR_RDMA_WRITE, i * SLOT, SLOT,
			address->buffer + i * SLOT, address->rkey);
}

static void complete_round(struct vt_end *end)
{
	for (uint32_t i = 0; i < SLOTS; i++)
		vt_expect(end->send_cq, i, IBV_WC_SUCCESS);
}

/* What the adapter counted, by `arnica stat`; zero: it does not say. */
static unsigned long long num_held(void)
{
	const char *tool = getenv("VT_TOOL");
	unsigned long long count = 0, one;
	char command[512], line[256];
	FILE *output;

	VT_CHECK(tool != NULL);
	snprintf(command, sizeof(command), "%s stat", tool);
	output = popen(command, "r");
	VT_CHECK(output != NULL);
	while (fgets(line, sizeof(line), output))
		if (sscanf(line, " posts_held %llu", &one) == 1)
			count += one;
	pclose(output);
	return count;
}

static struct vt_address begin(struct vt_peer *peer, struct vt_end *end)
{
	struct vt_wish wish = vt_defaults();
	struct vt_address address;

	share();
	*peer = vt_fork(target, NULL);
	vt_end_open(end, &wish);
	address = vt_meet(peer->fd, end);
	vt_sync(peer->fd);
	return address;
}

static void finish(struct vt_peer *peer, struct vt_end *end)
{
	atomic_store(&shared->over, true);
	vt_sync(peer->fd);
	vt_end_close(end);
	vt_join(peer);
}

static void posts_of_a_busy_poller_leave_together(void)
{
	struct vt_patience patience = vt_patience(PATIENCE_MS);
	struct vt_address address;
	struct vt_peer peer;
	struct vt_end end;
	uint64_t round = 0;

	address = begin(&peer, &end);
	do {
		for (uint32_t i = 0; i < 2000; i++) {
			post_round(&end, &address, ++round);
			complete_round(&end);
		}
		VT_CHECK(!vt_patience_ends(&patience));
	} while (!num_held());
	while (atomic_load(&shared->seen) != round)
		VT_CHECK(!vt_patience_ends(&patience));
	finish(&peer, &end);
}

static void they_arrive_without_another_poll(void)
{
	struct vt_patience patience;
	struct vt_address address;
	struct vt_peer peer;
	struct vt_end end;
	uint64_t round = 0;
	uint32_t i, times;

	address = begin(&peer, &end);
	for (times = 0; times < 20; times++) {
		for (i = 0; i < 2000; i++) {
			post_round(&end, &address, ++round);
			complete_round(&end);
		}
		post_round(&end, &address, ++round);
		/* Computes. */
		patience = vt_patience(PATIENCE_MS);
		while (atomic_load(&shared->seen) != round)
			VT_CHECK(!vt_patience_ends(&patience));
		complete_round(&end);
	}
	finish(&peer, &end);
}

static const struct vt_case cases[] = {
	VT_CASE(posts_of_a_busy_poller_leave_together),
	VT_CASE(they_arrive_without_another_poll),
	{ NULL, NULL, 0 },
};

int main(int argc, char **argv)
{
	return vt_main(argc, argv, cases);
}
