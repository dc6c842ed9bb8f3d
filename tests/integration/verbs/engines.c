/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Engine threads (ARNICA_ENGINES): as many as were asked for, asleep without
 * work, at work when a program leaves some, gone with the last device, absent in
 * a forked child, and in nobody's way when things are destroyed.
 */
#include <dirent.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vt.h"

#define LARGE (8u << 20)
#define SEED 4
#define ENGINES 2

static void set_engines(const char *text)
{
	VT_EQUAL(setenv("ARNICA_ENGINES", text, 1), 0);
}

static FILE *open_of_thread(const char *thread, const char *file)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/task/%.16s/%s", thread, file);
	return fopen(path, "r");
}

static bool is_engine(const char *thread)
{
	FILE *file = open_of_thread(thread, "comm");
	char name[32] = "";

	if (!file)
		return false;
	if (!fgets(name, sizeof(name), file))
		name[0] = '\0';
	fclose(file);
	return strncmp(name, "arnica-engine", 13) == 0;
}

static unsigned long long blocked_signals(const char *thread)
{
	FILE *file = open_of_thread(thread, "status");
	unsigned long long blocked = 0;
	char line[128];

	VT_CHECK(file);
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "SigBlk: %llx", &blocked) == 1)
			break;
	fclose(file);
	return blocked;
}

/* Signals that arrive in this process are not this thread's; its own faults are.
 * The thread library begins each thread with all of them blocked. */
static void check_signals(const char *thread)
{
	struct vt_patience patience = vt_patience(20000);
	unsigned long long blocked;

	do {
		blocked = blocked_signals(thread);
		VT_CHECK(!vt_patience_ends(&patience));
	} while (blocked & 1ull << (SIGSEGV - 1));
	VT_CHECK(blocked & 1ull << (SIGTERM - 1));
	VT_CHECK(blocked & 1ull << (SIGALRM - 1));
	VT_CHECK(blocked & 1ull << (SIGCHLD - 1));
}

/* How often they were given a processor, as the kernel counts it. */
static uint64_t slices_of(const char *thread)
{
	FILE *file = open_of_thread(thread, "schedstat");
	unsigned long long run, wait, slices = 0;

	if (!file)
		return 0;
	if (fscanf(file, "%llu %llu %llu", &run, &wait, &slices) != 3)
		slices = 0;
	fclose(file);
	return slices;
}

struct engines {
	uint32_t count;
	uint64_t slices;
};

static struct engines look(void)
{
	struct engines found = { 0 };
	DIR *folder = opendir("/proc/self/task");
	struct dirent *entry;

	VT_CHECK(folder);
	while ((entry = readdir(folder)))
		if (is_engine(entry->d_name)) {
			check_signals(entry->d_name);
			found.count++;
			found.slices += slices_of(entry->d_name);
		}
	closedir(folder);
	return found;
}

/* When none of them has run for a while: all have begun, and sleep. */
static struct engines at_rest(void)
{
	struct vt_patience patience = vt_patience(20000);
	struct engines before, now = look();

	do {
		VT_CHECK(!vt_patience_ends(&patience));
		before = now;
		usleep(50000);
		now = look();
	} while (now.slices != before.slices);
	return now;
}

static struct vt_wish large_wish(void)
{
	struct vt_wish wish = vt_defaults();

	wish.buffer_bytes = LARGE;
	return wish;
}

static void post_large(struct vt_end *from, const struct vt_end *to,
		       uint64_t id)
{
	vt_rdma(from, id, IBV_WR_RDMA_WRITE, 0, LARGE, (uintptr_t)to->buffer,
		to->mr->rkey);
}

static void as_many_as_were_asked_for(void)
{
	struct vt_wish wish = vt_defaults();
	struct vt_end a, b;

	VT_EQUAL(unsetenv("ARNICA_ENGINES"), 0);
	vt_end_open(&a, &wish);
	VT_EQUAL(look().count, 0);
	vt_end_close(&a);
	set_engines("2");
	vt_end_open(&a, &wish);
	VT_EQUAL(look().count, ENGINES);
	/* They are the process's, not the context's. */
	vt_end_open(&b, &wish);
	VT_EQUAL(look().count, ENGINES);
	vt_end_close(&a);
	VT_EQUAL(look().count, ENGINES);
	vt_end_close(&b);
	VT_EQUAL(look().count, 0);
	set_engines("1");
	vt_end_open(&a, &wish);
	VT_EQUAL(look().count, 1);
	vt_end_close(&a);
}

static void nonsense_refuses_the_device(void)
{
	static const char *const texts[] = { "many", "-1", "65", "2 " };

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct ibv_device **list;

		set_engines(texts[i]);
		list = ibv_get_device_list(NULL);
		VT_CHECK(!list || !list[0] || !ibv_open_device(list[0]));
		VT_EQUAL(look().count, 0);
		if (list)
			ibv_free_device_list(list);
	}
}

static void without_work_they_never_run(void)
{
	struct vt_wish wish = vt_defaults();
	struct engines before, after;
	struct vt_end a, b;

	set_engines("2");
	vt_pair_open(&a, &b, &wish, false);
	before = at_rest();
	/* Messages that their poster carries out are no work for them. */
	for (uint64_t i = 0; i < 1000; i++) {
		vt_recv(&b, i, 0, 64);
		vt_send(&a, i, 0, 64);
		vt_expect(a.send_cq, i, IBV_WC_SUCCESS);
		vt_expect(b.recv_cq, i, IBV_WC_SUCCESS);
	}
	usleep(100000);
	after = look();
	VT_EQUAL(after.count, ENGINES);
	VT_EQUAL(after.slices, before.slices);
	vt_pair_close(&a, &b);
}

/* Nobody polls: the data arrive, and the engine threads have run. */
static void they_carry_out_what_is_left(void)
{
	struct vt_wish wish = large_wish();
	struct vt_patience patience = vt_patience(60000);
	struct engines before;
	struct vt_end a, b;

	set_engines("2");
	vt_pair_open(&a, &b, &wish, false);
	vt_fill(a.buffer, LARGE, SEED);
	before = at_rest();
	post_large(&a, &b, 1);
	while (look().slices == before.slices) {
		usleep(1000);
		VT_CHECK(!vt_patience_ends(&patience));
	}
	vt_expect(a.send_cq, 1, IBV_WC_SUCCESS);
	vt_check_fill(b.buffer, LARGE, SEED, "written");
	vt_pair_close(&a, &b);
}

#define QPS 6

static void many_queue_pairs_are_all_carried_out(void)
{
	struct vt_wish wish = large_wish();
	struct vt_end a[QPS], b[QPS];

	set_engines("3");
	wish.buffer_bytes = LARGE / 4;
	for (uint32_t i = 0; i < QPS; i++) {
		vt_pair_open(&a[i], &b[i], &wish, false);
		vt_fill(a[i].buffer, LARGE / 4, SEED + i);
	}
	for (uint32_t round = 0; round < 3; round++) {
		for (uint32_t i = 0; i < QPS; i++)
			for (uint64_t j = 0; j < 4; j++)
				vt_rdma(&a[i], j, IBV_WR_RDMA_WRITE, 0,
					LARGE / 4, (uintptr_t)b[i].buffer,
					b[i].mr->rkey);
		for (uint32_t i = 0; i < QPS; i++)
			for (uint64_t j = 0; j < 4; j++)
				vt_expect(a[i].send_cq, j, IBV_WC_SUCCESS);
	}
	for (uint32_t i = 0; i < QPS; i++) {
		vt_check_fill(b[i].buffer, LARGE / 4, SEED + i, "written");
		vt_pair_close(&a[i], &b[i]);
	}
}

/* While engine threads are at them. */
static void what_is_destroyed_is_left_alone(void)
{
	struct vt_wish wish = large_wish();
	struct vt_end a, b, c, d;

	set_engines("3");
	for (uint32_t round = 0; round < 9; round++) {
		wish.buffer_bytes = LARGE / 8;
		vt_pair_open(&a, &b, &wish, false);
		vt_pair_open(&c, &d, &wish, true);
		vt_rdma(&a, 1, IBV_WR_RDMA_WRITE, 0, LARGE / 8,
			(uintptr_t)b.buffer, b.mr->rkey);
		vt_rdma(&c, 1, IBV_WR_RDMA_WRITE, 0, LARGE / 8,
			(uintptr_t)d.buffer, d.mr->rkey);
		if (round % 3 == 0)
			usleep(100 * round);
		if (round % 3 == 1)
			VT_EQUAL(vt_set_state(c.qp, IBV_QPS_RESET), 0);
		vt_pair_close(&a, &b);
		vt_pair_close(&c, &d);
	}
	VT_EQUAL(look().count, 0);
}

/* In the child there are none; it ends at once, and can begin anew. */
static void a_forked_child_has_none(void)
{
	struct vt_wish wish = large_wish();
	struct vt_end a, b, own;
	int status;
	pid_t child;

	set_engines("2");
	vt_pair_open(&a, &b, &wish, false);
	vt_fill(a.buffer, LARGE, SEED);
	for (uint32_t round = 0; round < 5; round++) {
		post_large(&a, &b, round);
		fflush(NULL);
		child = fork();
		VT_CHECK(child >= 0);
		if (!child) {
			VT_EQUAL(look().count, 0);
			/* ThreadSanitizer starts no threads in a child. */
			if (!VT_SANITIZED) {
				wish.buffer_bytes = 4096;
				vt_end_open(&own, &wish);
				VT_EQUAL(look().count, ENGINES);
				vt_end_close(&own);
			}
			ibv_close_device(a.context);
			_exit(0);
		}
		VT_EQUAL(waitpid(child, &status, 0), child);
		VT_EQUAL(status, 0);
		VT_EQUAL(look().count, ENGINES);
		vt_expect(a.send_cq, round, IBV_WC_SUCCESS);
	}
	vt_check_fill(b.buffer, LARGE, SEED, "written");
	vt_pair_close(&a, &b);
}

static const struct vt_case cases[] = {
	VT_CASE(as_many_as_were_asked_for),
	VT_CASE(nonsense_refuses_the_device),
	VT_CASE(without_work_they_never_run),
	VT_CASE(they_carry_out_what_is_left),
	VT_CASE(many_queue_pairs_are_all_carried_out),
	VT_CASE(what_is_destroyed_is_left_alone),
	VT_CASE(a_forked_child_has_none),
	{ NULL, NULL, 0 },
};

int main(int argc, char **argv)
{
	return vt_main(argc, argv, cases);
}
