/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Regions are made and ended without pause while others use the memory: threads
 * store and make system calls, children are forked, a peer writes and reads
 * through another region. Nothing is lost and nothing fails. Every case holds
 * whether or not the memory is adopted, so all run in each of these surroundings;
 * where it can be adopted, some must have been.
 */
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "adoption_vt.h"

#define ROUNDS 2000u
#define CHILDREN 20u
/* The headers may be older than the kernel. */
#define FEATURE_MINOR_SHMEM ((uint64_t)1 << 10)

static _Atomic bool stop;
static _Atomic uint32_t firing; /* threads that have begun */

static bool seen; /* adopted memory */

static void look(const void *address)
{
	seen = seen || kind_at(address) == 's';
}

/* Does all that the rules ask for hold here? With ARNICA_ADOPT=all time does not
 * matter. */
static bool is_possible(void)
{
	const char *mode = getenv("ARNICA_ADOPT");
	struct uffdio_api api = { .api = UFFD_API,
				  .features = FEATURE_MINOR_SHMEM };
	bool possible;
	int fd;

	if (!mode || strcmp(mode, "all"))
		return false;
	fd = (int)syscall(SYS_userfaultfd, 0);
	possible = fd >= 0 && !ioctl(fd, UFFDIO_API, &api);
	if (fd >= 0)
		close(fd);
	return possible;
}

static void check_seen(void)
{
	VT_CHECK(seen || !is_possible());
}

static void *shoot(void *counted)
{
	_Atomic uint64_t *words = (_Atomic uint64_t *)(void *)memory;
	const size_t num_words = BYTES / 2 / 8;
	size_t i = 0;

	atomic_fetch_add(&firing, 1);
	while (!atomic_load_explicit(&stop, memory_order_relaxed)) {
		atomic_fetch_add_explicit(&words[i], 1, memory_order_relaxed);
		++*(uint64_t *)counted;
		i = (i + 517) % num_words;
	}
	return NULL;
}

/* In the other half: the kernel stores into it and loads from it. */
static void *call(void *calls)
{
	uint8_t *mine = memory + BYTES / 2 + 100;
	const size_t bytes = 3 * PAGE;
	int ends[2];

	VT_CHECK(!pipe(ends));
	atomic_fetch_add(&firing, 1);
	while (!atomic_load_explicit(&stop, memory_order_relaxed)) {
		uint8_t value = (uint8_t)++*(uint64_t *)calls;

		memset(mine, value, bytes);
		VT_EQUAL(write(ends[1], mine, bytes), bytes);
		memset(mine, 0xee, bytes);
		VT_EQUAL(read(ends[0], mine, bytes), bytes);
		for (size_t i = 0; i < bytes; i++)
			VT_EQUAL(mine[i], value);
	}
	close(ends[0]);
	close(ends[1]);
	return NULL;
}

static void no_store_is_lost_under_fire(void)
{
	uint64_t counted = 0, calls = 0, sum = 0;
	pthread_t shooter, caller;

	open_memory();
	memset(memory, 0, BYTES);
	VT_CHECK(!pthread_create(&shooter, NULL, shoot, &counted));
	VT_CHECK(!pthread_create(&caller, NULL, call, &calls));
	while (atomic_load(&firing) < 2)
		usleep(100);
	for (uint32_t i = 0; i < ROUNDS; i++) {
		struct ibv_mr *mr = reg();

		look(memory);
		VT_CHECK(!ibv_dereg_mr(mr));
	}
	atomic_store(&stop, true);
	pthread_join(shooter, NULL);
	pthread_join(caller, NULL);
	check_seen();
	for (size_t i = 0; i < BYTES / 2 / 8; i++)
		sum += ((uint64_t *)(void *)memory)[i];
	VT_EQUAL(sum, counted);
	VT_EQUAL(kind_at(memory), 'p');
}

static void join(pid_t pid)
{
	int status;

	VT_EQUAL(waitpid(pid, &status, 0), pid);
	VT_EQUAL(status, 0);
}

/* What the parent's thread stores meanwhile is not for the child, and what the
 * child stores is not for the parent. */
static void live_in_child(void)
{
	static uint8_t first_look[BYTES];

	memcpy(first_look, memory, BYTES);
	usleep(2000);
	VT_CHECK(!memcmp(first_look, memory, BYTES));
	memset(memory, 0xff, BYTES);
	usleep(1000);
	check_all(0xff);
	_exit(0);
}

static void children_forked_under_fire_have_their_own(void)
{
	uint64_t counted = 0, sum = 0;
	pthread_t shooter;

	open_memory();
	memset(memory, 0, BYTES);
	VT_CHECK(!pthread_create(&shooter, NULL, shoot, &counted));
	while (atomic_load(&firing) < 1)
		usleep(100);
	for (uint32_t i = 0; i < CHILDREN; i++) {
		struct ibv_mr *mr = reg();
		pid_t pid;

		look(memory);
		pid = fork();
		VT_CHECK(pid >= 0);
		if (!pid)
			live_in_child();
		if (i % 2) {
			join(pid);
			VT_CHECK(!ibv_dereg_mr(mr));
		} else {
			VT_CHECK(!ibv_dereg_mr(mr));
			join(pid);
		}
	}
	atomic_store(&stop, true);
	pthread_join(shooter, NULL);
	check_seen();
	for (size_t i = 0; i < BYTES / 2 / 8; i++)
		sum += ((uint64_t *)(void *)memory)[i];
	VT_EQUAL(sum, counted);
	check_bytes(memory + BYTES / 2, BYTES / 2, 0);
}

struct target {
	uint64_t address;
	uint32_t rkey;
};

/* Each value that arrived can be read back, until the other side says that it
 * has done enough. */
static void write_and_read_back(int fd, void *argument)
{
	struct vt_wish wish = vt_defaults();
	struct target target;
	struct vt_end end;
	uint64_t *words;

	(void)argument;
	vt_end_open(&end, &wish);
	vt_meet(fd, &end);
	vt_hear(fd, &target, sizeof(target));
	words = (uint64_t *)(void *)end.buffer;
	for (uint64_t i = 1; !vt_readable(fd, 0); i++) {
		uint64_t place = target.address + i % 200 * 8;

		words[0] = i;
		vt_rdma(&end, 1, IBV_WR_RDMA_WRITE, 0, 8, place, target.rkey);
		vt_rdma(&end, 2, IBV_WR_RDMA_READ, 8, 8, place, target.rkey);
		vt_expect(end.send_cq, 1, IBV_WC_SUCCESS);
		vt_expect(end.send_cq, 2, IBV_WC_SUCCESS);
		VT_EQUAL(words[1], i);
	}
	vt_sync(fd);
	vt_end_close(&end);
}

/* Registers what lies around, upon and across the peer's region. */
static void register_around(uint8_t *target, uint32_t rounds)
{
	for (uint32_t i = 0; i < rounds; i++) {
		struct ibv_mr *whole = reg_part(target - 8 * PAGE, 24 * PAGE);
		struct ibv_mr *part = reg_part(target, 2 * PAGE);
		struct ibv_mr *across = reg_part(target - 20 * PAGE, 21 * PAGE);

		VT_CHECK(!ibv_dereg_mr(i % 2 ? whole : part));
		VT_CHECK(!ibv_dereg_mr(across));
		VT_CHECK(!ibv_dereg_mr(i % 2 ? part : whole));
	}
}

static void write_into(size_t bytes)
{
	struct vt_peer peer = vt_fork(write_and_read_back, NULL);
	struct vt_wish wish = vt_defaults();
	struct target target;
	struct vt_end end;
	struct ibv_mr *mr;

	vt_end_open(&end, &wish);
	pd = end.pd;
	memory = map_memory(BYTES, MAP_PRIVATE | MAP_ANONYMOUS);
	memset(memory, 0, BYTES);
	mr = reg_part(memory + 32 * PAGE, bytes);
	vt_meet(peer.fd, &end);
	target = (struct target){ (uintptr_t)mr->addr, mr->rkey };
	vt_tell(peer.fd, &target, sizeof(target));
	look(mr->addr);
	register_around(mr->addr, ROUNDS / 4);
	vt_sync(peer.fd);
	vt_join(&peer);
	VT_CHECK(!ibv_dereg_mr(mr));
	vt_end_close(&end);
}

/* Less than a page is never adopted: the peer's stores go past the mapping. */
static void a_peer_writes_into_private_memory_under_fire(void)
{
	write_into(PAGE / 2);
	VT_CHECK(!seen);
}

static void a_peer_writes_into_adopted_memory_under_fire(void)
{
	write_into(4 * PAGE);
	check_seen();
}

int main(int argc, char **argv)
{
	static const struct vt_case cases[] = {
		VT_CASE(no_store_is_lost_under_fire),
		VT_CASE(children_forked_under_fire_have_their_own),
		VT_CASE(a_peer_writes_into_private_memory_under_fire),
		VT_CASE(a_peer_writes_into_adopted_memory_under_fire),
		{ 0 },
	};

	return vt_main(argc, argv, cases);
}
