/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Registered memory that peers reach directly: the program must not notice but
 * by speed. Children of a fork have their own copy; what the program does to the
 * memory under a registration has the effect that it always has. What others do
 * meanwhile is in adoption_fire.c, unusual memory and surroundings are in
 * adoption_edges.c.
 * Every case holds whether or not the memory is in fact adopted
 * (ARNICA_ADOPT, privileges, filters), so all run in each of these surroundings.
 */
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "adoption_vt.h"

static void private_memory_comes_back(void)
{
	struct ibv_mr *first, *second;

	open_memory();
	first = reg();
	second = ibv_reg_mr(pd, memory + 10 * PAGE + 7, 5 * PAGE, 0);
	VT_CHECK(second);
	check_all(0x42);
	VT_CHECK(!ibv_dereg_mr(first));
	VT_CHECK(!ibv_dereg_mr(second));
	VT_EQUAL(kind_at(memory), 'p');
	VT_EQUAL(kind_at(memory + 12 * PAGE), 'p');
	check_all(0x42);
}

static void heap_memory_comes_back(void)
{
	struct ibv_mr *mr;
	uint8_t *heap;

	open_memory();
	for (uint32_t i = 0; i < 100; i++) {
		size_t bytes = (i % 20 + 1) * 10000;

		heap = malloc(bytes);
		VT_CHECK(heap);
		memset(heap, (int)i, bytes);
		mr = ibv_reg_mr(pd, heap, bytes, VT_ALL_ACCESS);
		VT_CHECK(mr);
		VT_EQUAL(heap[bytes - 1], i);
		VT_CHECK(!ibv_dereg_mr(mr));
		VT_EQUAL(heap[0], i);
		VT_EQUAL(kind_at(heap + bytes / 2), 'p');
		free(heap);
	}
}

/* A memory that ended: the descendants' results are their status. */
static void join(pid_t pid)
{
	int status;

	VT_EQUAL(waitpid(pid, &status, 0), pid);
	VT_EQUAL(status, 0);
}

static void a_forked_child_has_the_moment_of_the_fork(void)
{
	struct ibv_mr *mr;
	int to_child[2];
	char byte = 0;
	pid_t pid;

	open_memory();
	mr = reg();
	VT_CHECK(!pipe(to_child));
	pid = fork();
	VT_CHECK(pid >= 0);
	if (!pid) {
		/* After the parent has changed its own. */
		VT_EQUAL(read(to_child[0], &byte, 1), 1);
		check_all(0x42);
		memset(memory, 0x17, BYTES);
		check_all(0x17);
		fflush(stdout);
		_exit(0);
	}
	memset(memory, 0x99, BYTES);
	VT_EQUAL(write(to_child[1], &byte, 1), 1);
	join(pid);
	check_all(0x99);
	VT_CHECK(!ibv_dereg_mr(mr));
	check_all(0x99);
	VT_EQUAL(kind_at(memory), 'p');
}

/* As of any private memory: its beginning is not for children. */
static void a_child_does_without_a_part_of_it(void)
{
	const size_t left_out = 5 * PAGE;
	struct ibv_mr *mr;
	pid_t pid;

	open_memory();
	mr = reg();
	VT_CHECK(!madvise(memory, left_out, MADV_DONTFORK));
	pid = fork();
	VT_CHECK(pid >= 0);
	if (!pid) {
		check_bytes(memory + left_out, BYTES - left_out, 0x42);
		memset(memory + left_out, 0x17, BYTES - left_out);
		VT_EQUAL(kind_at(memory), 0);
		fflush(stdout);
		_exit(0);
	}
	join(pid);
	check_all(0x42);
	VT_CHECK(!ibv_dereg_mr(mr));
	check_all(0x42);
}

/* As many descriptors as there may be are open. */
static void a_child_needs_no_descriptor(void)
{
	struct rlimit limit, none;
	struct ibv_mr *mr;
	pid_t pid;

	open_memory();
	mr = reg();
	VT_CHECK(!getrlimit(RLIMIT_NOFILE, &limit));
	none = limit;
	none.rlim_cur = 0;
	VT_CHECK(!setrlimit(RLIMIT_NOFILE, &none));
	pid = fork();
	VT_CHECK(pid >= 0);
	if (!pid) {
		check_all(0x42);
		memset(memory, 0x17, BYTES);
		check_all(0x17);
		fflush(stdout);
		_exit(0);
	}
	VT_CHECK(!setrlimit(RLIMIT_NOFILE, &limit));
	join(pid);
	check_all(0x42);
	VT_CHECK(!ibv_dereg_mr(mr));
	check_all(0x42);
}

static void children_of_children_have_their_own(void)
{
	struct ibv_mr *mr;
	pid_t pid;

	open_memory();
	mr = reg();
	pid = fork();
	VT_CHECK(pid >= 0);
	if (!pid) {
		memset(memory, 0x01, BYTES);
		pid = fork();
		if (!pid) {
			check_all(0x01);
			memset(memory, 0x02, BYTES);
			_exit(0);
		}
		join(pid);
		check_all(0x01);
		_exit(0);
	}
	join(pid);
	check_all(0x42);
	VT_CHECK(!ibv_dereg_mr(mr));
}

/* What is asked for a fork at libibverbs holds: no copy, and no damage. */
static void programs_are_started_from_it(void)
{
	struct ibv_mr *mr;

	open_memory();
	mr = reg();
	VT_EQUAL(system("true"), 0);
	check_all(0x42);
	VT_CHECK(!ibv_dereg_mr(mr));
	check_all(0x42);
}

static void thrown_away_contents_are_zeros(void)
{
	struct ibv_mr *mr;

	open_memory();
	mr = reg();
	VT_CHECK(!madvise(memory, BYTES, MADV_DONTNEED));
	check_all(0);
	memset(memory, 0x33, BYTES);
	VT_CHECK(!madvise(memory + 4 * PAGE, PAGE, MADV_DONTNEED));
	for (size_t i = 0; i < BYTES; i++)
		VT_EQUAL(memory[i], i / PAGE == 4 ? 0 : 0x33);
	VT_CHECK(!madvise(memory, PAGE, MADV_FREE));
	VT_ONE_OF(memory[0], 0, 0x33);
	VT_CHECK(madvise(memory, PAGE, MADV_REMOVE) && errno == EINVAL);
	VT_CHECK(!madvise(memory, BYTES, MADV_WILLNEED));
	VT_CHECK(!madvise(memory, BYTES, MADV_DONTFORK));
	VT_CHECK(!madvise(memory, BYTES, MADV_DOFORK));
	VT_CHECK(!ibv_dereg_mr(mr));
	VT_EQUAL(memory[BYTES - 1], 0x33);
	VT_EQUAL(kind_at(memory), 'p');
}

static void unmapped_memory_stays_unmapped(void)
{
	struct ibv_mr *mr;

	open_memory();
	mr = reg();
	VT_CHECK(!munmap(memory + 8 * PAGE, 4 * PAGE));
	VT_CHECK(mmap(memory + 9 * PAGE, PAGE, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
		      0) == memory + 9 * PAGE);
	memory[9 * PAGE] = 0x55;
	VT_CHECK(!ibv_dereg_mr(mr));
	VT_EQUAL(kind_at(memory + 8 * PAGE), 0);
	VT_EQUAL(memory[9 * PAGE], 0x55);
	VT_EQUAL(kind_at(memory + 10 * PAGE), 0);
	VT_EQUAL(memory[8 * PAGE - 1], 0x42);
	VT_EQUAL(memory[12 * PAGE], 0x42);
	VT_EQUAL(kind_at(memory), 'p');
	VT_EQUAL(kind_at(memory + 12 * PAGE), 'p');
}

static void moved_and_grown_memory_is_whole(void)
{
	struct ibv_mr *mr;
	uint8_t *grown;

	open_memory();
	mr = reg();
	grown = mremap(memory, BYTES, 4 * BYTES, MREMAP_MAYMOVE);
	VT_CHECK(grown != MAP_FAILED);
	for (size_t i = 0; i < 4 * BYTES; i++)
		VT_EQUAL(grown[i], i < BYTES ? 0x42 : 0);
	memset(grown, 0x77, 4 * BYTES);
	VT_CHECK(!ibv_dereg_mr(mr));
	for (size_t i = 0; i < 4 * BYTES; i++)
		VT_EQUAL(grown[i], 0x77);
}

static void protection_stays_as_it_was_set(void)
{
	struct ibv_mr *mr;

	open_memory();
	mr = reg();
	VT_CHECK(!mprotect(memory + 2 * PAGE, PAGE, PROT_READ));
	VT_CHECK(!ibv_dereg_mr(mr));
	check_all(0x42);
	/* The kernel finds out without a signal. */
	VT_CHECK(!mprotect(memory + 3 * PAGE, PAGE, PROT_READ | PROT_WRITE));
	int zero = open("/dev/zero", O_RDONLY | O_CLOEXEC);

	VT_CHECK(read(zero, memory + 2 * PAGE, 1) == -1 && errno == EFAULT);
	VT_EQUAL(read(zero, memory + 3 * PAGE, 1), 1);
	close(zero);
}

/* Both ends of each message, in memory that is reached directly and not. */
static void data_arrives_at_every_place(void)
{
	static const struct {
		size_t offset, bytes;
	} pieces[] = {
		{ 0, 8 },	       { 1, 1 },
		{ 4090, 20 },	       { 4096, 4096 },
		{ 5000, 40000 },       { BYTES - 8, 8 },
		{ BYTES - 5000, 5000 }, { 0, BYTES },
	};
	struct vt_wish wish = vt_defaults();
	struct vt_end a, b;

	wish.buffer_bytes = BYTES;
	vt_pair_open(&a, &b, &wish, false);
	for (uint32_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
		size_t offset = pieces[i].offset, bytes = pieces[i].bytes;

		vt_fill(a.buffer, bytes, i);
		memset(b.buffer, 0, BYTES);
		vt_rdma(&a, i, IBV_WR_RDMA_WRITE, 0, (uint32_t)bytes,
			(uintptr_t)b.buffer + offset, b.mr->rkey);
		vt_expect(a.send_cq, i, IBV_WC_SUCCESS);
		vt_check_fill(b.buffer + offset, bytes, i, "what was written");
		for (size_t j = 0; j < BYTES; j++)
			if (j < offset || j >= offset + bytes)
				VT_EQUAL(b.buffer[j], 0);
	}
	vt_pair_close(&a, &b);
}

int main(int argc, char **argv)
{
	static const struct vt_case cases[] = {
		VT_CASE(private_memory_comes_back),
		VT_CASE(heap_memory_comes_back),
		VT_CASE(a_forked_child_has_the_moment_of_the_fork),
		VT_CASE(a_child_does_without_a_part_of_it),
		VT_CASE(a_child_needs_no_descriptor),
		VT_CASE(children_of_children_have_their_own),
		VT_CASE(programs_are_started_from_it),
		VT_CASE(thrown_away_contents_are_zeros),
		VT_CASE(unmapped_memory_stays_unmapped),
		VT_CASE(moved_and_grown_memory_is_whole),
		VT_CASE(protection_stays_as_it_was_set),
		VT_CASE(data_arrives_at_every_place),
		{ 0 },
	};

	return vt_main(argc, argv, cases);
}
