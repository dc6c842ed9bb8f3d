/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Moving bytes to and from another process, by each method. The other process
 * registers memory that this one shares, so that the result can be looked at
 * without the adapter.
 */
#include "dma/dma.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/adapter.h"
#include "fixture.h"
#include "two_functions.h"

#define MEGABYTE (1u << 20)
#define BYTES (4u * MEGABYTE)
#define PAGE 65536u /* a multiple of every machine's */
#define RIGHTS                                                                 \
	((uint32_t)ARNICA_HW_ACCESS_REMOTE_WRITE | ARNICA_HW_ACCESS_REMOTE_READ)

struct answer {
	uint32_t function, pd, stag;
	uint64_t generation;
};

struct pair {
	struct two_function own;
	struct answer peer;
	struct adev_view *view;
	pid_t pid;
	int command_fd, answer_fd;
	char *shared; /* the peer's memory, at the same address here */
	char *memory; /* own */
};

/* The other process: registers, then unmaps a page for each byte it is sent. */
static void run_peer(char *shared, int command_fd, int answer_fd)
{
	struct two_function function;
	struct answer answer = { 0 };
	uint32_t handle;
	char page;

	if (two_function_open(&function) ||
	    two_register(&function, shared, BYTES, TWO_ALL_RIGHTS, &handle,
			 &answer.stag))
		_exit(1);
	answer.function = two_function_of(&function)->view.function;
	answer.generation = two_function_of(&function)->view.generation;
	answer.pd = function.pd;
	if (write(answer_fd, &answer, sizeof(answer)) != sizeof(answer))
		_exit(1);
	while (read(command_fd, &page, 1) == 1)
		if (munmap(shared + (size_t)page * PAGE, PAGE) ||
		    write(answer_fd, &page, 1) != 1)
			_exit(1);
	two_function_close(&function);
	_exit(0);
}

static char *map(void)
{
	return mmap(NULL, BYTES, PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
}

static int setup(void **state)
{
	struct pair *pair = calloc(1, sizeof(*pair));
	int commands[2], answers[2];

	if (!pair || fixture_setup(state) || pipe(commands) || pipe(answers) ||
	    setenv("ARNICA_SEGMENT_MAX", "268435456", 1))
		return -1;
	pair->shared = map();
	pair->memory = map();
	pair->pid = fork();
	if (!pair->pid) {
		close(commands[1]);
		run_peer(pair->shared, commands[0], answers[1]);
	}
	close(commands[0]);
	close(answers[1]);
	pair->command_fd = commands[1];
	pair->answer_fd = answers[0];
	if (read(pair->answer_fd, &pair->peer, sizeof(pair->peer)) !=
		    sizeof(pair->peer) ||
	    two_function_open(&pair->own) ||
	    adev_adapter_attach(two_function_of(&pair->own),
				pair->peer.function, pair->peer.generation,
				&pair->view))
		return -1;
	*state = pair;
	return 0;
}

static int teardown(void **state)
{
	struct pair *pair = *state;

	adev_adapter_detach(pair->view);
	two_function_close(&pair->own);
	close(pair->command_fd);
	close(pair->answer_fd);
	waitpid(pair->pid, NULL, 0);
	munmap(pair->shared, BYTES);
	munmap(pair->memory, BYTES);
	free(pair);
	return fixture_teardown(state);
}

/* Where the system refuses it, nothing can be said about process_vm. */
static void use(struct pair *pair, enum adev_dma_method method)
{
	if (method == ADEV_DMA_PROCESS_VM &&
	    adev_dma_probe(pair->view) != ADEV_DMA_PROCESS_VM)
		skip();
	atomic_store(&pair->view->method, (int)method);
}

static void unmap_at_peer(struct pair *pair, char page)
{
	assert_int_equal(write(pair->command_fd, &page, 1), 1);
	assert_int_equal(read(pair->answer_fd, &page, 1), 1);
}

/* A list of `bytes` bytes at `memory` in pieces of at most `piece`. */
static void list(struct adev_gather *gather, const char *memory, uint32_t stag,
		 uint64_t bytes, uint64_t piece)
{
	uint64_t offset;

	memset(gather, 0, sizeof(*gather));
	gather->bytes = bytes;
	for (offset = 0; offset < bytes; offset += piece) {
		struct adev_piece *next = &gather->pieces[gather->num_pieces++];

		next->address = (uintptr_t)memory + offset;
		next->iova = next->address;
		next->bytes = bytes - offset < piece ? bytes - offset : piece;
		next->stag = stag;
	}
}

static enum adev_dma_result run(struct pair *pair,
				const struct adev_gather *local,
				const struct adev_gather *remote, bool write)
{
	struct adev_transfer transfer = {
		.fn = two_function_of(&pair->own),
		.view = pair->view,
		.local = local,
		.remote = remote,
		.bytes = remote->bytes,
		.allowance = ADEV_GATHER_ENTRY_BYTES,
		.user = { .pd = pair->peer.pd },
		.access = RIGHTS,
		.inbox_slot = -1,
	};
	enum adev_dma_result result;
	uint64_t until = 0;

	do {
		result = write ? adev_dma_write(&transfer) :
				 adev_dma_read(&transfer);
		if (result == ADEV_DMA_LATER)
			(void)two_patience(&until);
	} while (result == ADEV_DMA_MORE || result == ADEV_DMA_LATER);
	assert_int_equal(transfer.inbox_slot, -1);
	if (result == ADEV_DMA_DONE)
		assert_int_equal(transfer.done, transfer.bytes);
	return result;
}

static const uint32_t lengths[] = { 1,
				    7,
				    8,
				    9,
				    15,
				    63,
				    4096,
				    65535,
				    65536,
				    65537,
				    65544,
				    MEGABYTE - 1,
				    MEGABYTE,
				    MEGABYTE + 1,
				    MEGABYTE + 8,
				    MEGABYTE + 9,
				    3 * MEGABYTE + 13 };
#define LENGTHS (sizeof(lengths) / sizeof(lengths[0]))

/* Each length in one piece and in unlike pieces, not aligned. */
static void move_all_lengths(struct pair *pair, bool write)
{
	unsigned int i;

	for (i = 0; i < 2 * LENGTHS; i++) {
		uint32_t length = lengths[i / 2];
		uint64_t many = i % 2 ? length / 5 + 1 : length;
		uint64_t few = i % 2 ? length / 3 + 1 : length;
		char *from = write ? pair->memory : pair->shared;
		char *to = write ? pair->shared : pair->memory;
		struct adev_gather local, remote;

		list(&local, pair->memory + 3, 0, length, many);
		list(&remote, pair->shared + 3, pair->peer.stag, length, few);
		two_fill(from + 3, length, i);
		memset(to, 0, length + 4);
		assert_int_equal(run(pair, &local, &remote, write),
				 ADEV_DMA_DONE);
		two_check(to + 3, length, i);
		assert_int_equal(to[2], 0);
		assert_int_equal(to[3 + length], 0);
	}
}

static void process_vm_writes_every_length(void **state)
{
	use(*state, ADEV_DMA_PROCESS_VM);
	move_all_lengths(*state, true);
}

static void process_vm_reads_every_length(void **state)
{
	use(*state, ADEV_DMA_PROCESS_VM);
	move_all_lengths(*state, false);
}

static void bounce_buffers_write_every_length(void **state)
{
	use(*state, ADEV_DMA_BOUNCE);
	move_all_lengths(*state, true);
}

static void bounce_buffers_read_every_length(void **state)
{
	use(*state, ADEV_DMA_BOUNCE);
	move_all_lengths(*state, false);
}

static void a_copy_moves_every_length(void **state)
{
	/* The shared memory is mapped here as well. */
	use(*state, ADEV_DMA_LOCAL);
	move_all_lengths(*state, true);
	move_all_lengths(*state, false);
}

static void nothing_is_moved_at_once(void **state)
{
	struct pair *pair = *state;
	struct adev_gather local, remote;

	use(pair, ADEV_DMA_BOUNCE);
	list(&local, pair->memory, 0, 0, 1);
	list(&remote, pair->shared, pair->peer.stag, 0, 1);
	assert_int_equal(run(pair, &local, &remote, true), ADEV_DMA_DONE);
	assert_int_equal(run(pair, &local, &remote, false), ADEV_DMA_DONE);
}

#define WATCHED 100u /* a head and a tail */
#define TURNS 2000u

static atomic_uint turn;

static unsigned char byte_at(const char *memory, unsigned int offset)
{
	return __atomic_load_n((const unsigned char *)memory + offset,
			       __ATOMIC_ACQUIRE);
}

/* As an application does that spins on the last byte of what is written. */
static void *watch(void *argument)
{
	const char *memory = argument;
	uintptr_t early = 0;
	unsigned int i;

	for (i = 1; i <= TURNS; i++) {
		while (byte_at(memory, WATCHED - 1) != (unsigned char)i)
			sched_yield();
		if (byte_at(memory, 0) != (unsigned char)i ||
		    byte_at(memory, WATCHED / 2) != (unsigned char)i ||
		    byte_at(memory, WATCHED - 9) != (unsigned char)i)
			early++;
		atomic_store(&turn, i);
	}
	return (void *)early;
}

static void expect_tail_last(struct pair *pair)
{
	struct adev_gather local, remote;
	pthread_t thread;
	void *early;
	unsigned int i;

	list(&local, pair->memory, 0, WATCHED, WATCHED);
	list(&remote, pair->shared, pair->peer.stag, WATCHED, WATCHED);
	atomic_store(&turn, 0);
	assert_ok(pthread_create(&thread, NULL, watch, pair->shared));
	for (i = 1; i <= TURNS; i++) {
		memset(pair->memory, (int)i, WATCHED);
		assert_int_equal(run(pair, &local, &remote, true),
				 ADEV_DMA_DONE);
		while (atomic_load(&turn) != i)
			sched_yield();
	}
	assert_ok(pthread_join(thread, &early));
	assert_null(early);
}

static void the_last_bytes_are_seen_last_with_process_vm(void **state)
{
	use(*state, ADEV_DMA_PROCESS_VM);
	expect_tail_last(*state);
}

static void the_last_bytes_are_seen_last_with_bounce_buffers(void **state)
{
	use(*state, ADEV_DMA_BOUNCE);
	expect_tail_last(*state);
}

static void the_last_bytes_are_seen_last_with_a_copy(void **state)
{
#ifdef __SANITIZE_THREAD__
	skip(); /* to watch memory that is written is a race by intention */
#endif
	use(*state, ADEV_DMA_LOCAL);
	expect_tail_last(*state);
}

/* Whatever length and place: the last store is of bytes of one cache line, is
 * one of the machine's where they are aligned, and has the last byte. */
static void the_last_bytes_are_in_one_line(void **state)
{
	uint64_t end, bytes;

	(void)state;
	for (end = 1000; end < 1200; end++)
		for (bytes = 1; bytes < 200; bytes++) {
			uint64_t tail = adev_dma_tail(end, bytes);

			assert_in_range(tail, 1, bytes < 8 ? bytes : 8);
			assert_int_equal((end - tail) / 64, (end - 1) / 64);
			if (end % 8 == 0 && bytes >= 8)
				assert_int_equal(tail, 8);
#if defined(__x86_64__) || defined(__i386__)
			else if (end % 8 == 0)
				assert_int_equal(tail, bytes);
#else
			/* One store, or it is seen in parts. */
			assert_true(tail == 1 || tail == 4 || tail == 8);
			assert_int_equal(end % tail, 0);
#endif
		}
}

static void copies_across_lines_are_whole(void **state)
{
	_Alignas(64) unsigned char to[256];
	unsigned char from[256], expected[256];
	size_t at, bytes, i;

	(void)state;
	for (i = 0; i < sizeof(from); i++)
		from[i] = (unsigned char)(i + 1);
	for (at = 48; at < 72; at++)
		for (bytes = 1; bytes < 80; bytes++) {
			memset(to, 0, sizeof(to));
			memset(expected, 0, sizeof(expected));
			memcpy(expected + at, from, bytes);
			assert_true(adev_dma_copy_here(to + at, from, bytes));
			assert_memory_equal(to, expected, sizeof(to));
		}
}

/* A page in the middle is not there at the peer. */
static void expect_remote_fault(struct pair *pair)
{
	struct adev_gather local, remote;

	unmap_at_peer(pair, 2);
	list(&local, pair->memory, 0, 200000, 200000);
	list(&remote, pair->shared, pair->peer.stag, 200000, 200000);
	assert_int_equal(run(pair, &local, &remote, true), ADEV_DMA_FAULT);
	assert_int_equal(run(pair, &local, &remote, false), ADEV_DMA_FAULT);
	/* What is there can still be reached. */
	list(&local, pair->memory, 0, 4096, 4096);
	list(&remote, pair->shared, pair->peer.stag, 4096, 4096);
	assert_int_equal(run(pair, &local, &remote, true), ADEV_DMA_DONE);
}

static void memory_gone_at_the_peer_is_a_fault_with_process_vm(void **state)
{
	use(*state, ADEV_DMA_PROCESS_VM);
	expect_remote_fault(*state);
}

static void memory_gone_at_the_peer_is_a_fault_with_bounce_buffers(void **state)
{
	use(*state, ADEV_DMA_BOUNCE);
	expect_remote_fault(*state);
}

static void expect_local_fault(struct pair *pair)
{
	struct adev_gather local, remote;

	assert_ok(munmap(pair->memory + PAGE, PAGE));
	list(&local, pair->memory, 0, 3 * PAGE, 80000);
	list(&remote, pair->shared, pair->peer.stag, 3 * PAGE, 3 * PAGE);
	assert_int_equal(run(pair, &local, &remote, true),
			 ADEV_DMA_LOCAL_FAULT);
	assert_int_equal(run(pair, &local, &remote, false),
			 ADEV_DMA_LOCAL_FAULT);
}

static void memory_gone_here_is_a_local_fault_with_process_vm(void **state)
{
	use(*state, ADEV_DMA_PROCESS_VM);
	expect_local_fault(*state);
}

static void memory_gone_here_is_a_local_fault_with_bounce_buffers(void **state)
{
	two_faults_expected();
	use(*state, ADEV_DMA_BOUNCE);
	expect_local_fault(*state);
}

static void memory_gone_here_is_a_local_fault_with_a_copy(void **state)
{
	two_faults_expected();
	use(*state, ADEV_DMA_LOCAL);
	expect_local_fault(*state);
}

static enum adev_dma_result atomic_at(struct pair *pair, size_t offset,
				      enum adev_atomic atomic, uint64_t value,
				      uint64_t compare, uint64_t *original)
{
	struct adev_gather remote;
	struct adev_transfer transfer = {
		.fn = two_function_of(&pair->own),
		.view = pair->view,
		.remote = &remote,
		.bytes = 8,
		.user = { .pd = pair->peer.pd },
		.access = ARNICA_HW_ACCESS_REMOTE_ATOMIC,
		.inbox_slot = -1,
	};
	enum adev_dma_result result;
	uint64_t until = 0;

	list(&remote, pair->shared + offset, pair->peer.stag, 8, 8);
	while ((result = adev_dma_atomic(&transfer, atomic, value, compare,
					 original)) == ADEV_DMA_LATER)
		(void)two_patience(&until);
	assert_int_equal(transfer.inbox_slot, -1);
	return result;
}

static void atomics_are_done_by_the_peer_itself(void **state)
{
	struct pair *pair = *state;
	uint64_t *word = (uint64_t *)(void *)(pair->shared + 64), original;

	*word = 5;
	assert_int_equal(atomic_at(pair, 64, ADEV_ATOMIC_FETCH_ADD, 3, 0, &original),
			 ADEV_DMA_DONE);
	assert_int_equal(original, 5);
	assert_int_equal(*word, 8);
	assert_int_equal(atomic_at(pair, 64, ADEV_ATOMIC_CAS, 100, 7, &original),
			 ADEV_DMA_DONE);
	assert_int_equal(original, 8);
	assert_int_equal(*word, 8);
	assert_int_equal(atomic_at(pair, 64, ADEV_ATOMIC_CAS, 100, 8, &original),
			 ADEV_DMA_DONE);
	assert_int_equal(original, 8);
	assert_int_equal(*word, 100);
}

static void an_atomic_on_memory_that_is_gone_is_a_fault(void **state)
{
	struct pair *pair = *state;
	uint64_t original;

	unmap_at_peer(pair, 2);
	assert_int_equal(atomic_at(pair, 2 * PAGE, ADEV_ATOMIC_FETCH_ADD, 1, 0,
				   &original),
			 ADEV_DMA_FAULT);
}

/* The peer's segment is mapped here as well: neither system calls nor the peer
 * take part. No key is asked for at this level. */
static void memory_of_a_segment_is_reached_through_our_mapping(void **state)
{
	struct pair *pair = *state;
	struct adev_function *fn = two_function_of(&pair->own);
	uint64_t offset = ARNICA_HW_BAR_DOORBELLS + ARNICA_HW_DB_AREA0;
	char *here = pair->view->base + offset;
	struct adev_gather local, remote;
	struct adev_transfer transfer = { .fn = fn, .view = pair->view,
					  .remote = &remote, .bytes = 8,
					  .inbox_slot = -1 };
	uint64_t count, original;

	use(pair, ADEV_DMA_BOUNCE);
	count = atomic_load(&fn->counters.dma_process_vm) +
		atomic_load(&fn->counters.dma_bounce);
	memset(pair->memory, 7, 512);
	list(&local, pair->memory, 0, 300, 100);
	list(&remote, here, 0, 300, 300);
	remote.pieces[0].address =
		pair->view->shared->base_address + offset;
	assert_int_equal(run(pair, &local, &remote, true), ADEV_DMA_DONE);
	assert_memory_equal(here, pair->memory, 300);
	memset(pair->memory, 0, 512);
	assert_int_equal(run(pair, &local, &remote, false), ADEV_DMA_DONE);
	assert_memory_equal(here, pair->memory, 300);
	remote.bytes = remote.pieces[0].bytes = 8;
	assert_int_equal(adev_dma_atomic(&transfer, ADEV_ATOMIC_FETCH_ADD, 1, 0,
					 &original),
			 ADEV_DMA_DONE);
	assert_true(original == 0x0707070707070707u);
	assert_int_equal(here[0], 8);
	assert_int_equal(atomic_load(&fn->counters.dma_process_vm) +
				 atomic_load(&fn->counters.dma_bounce),
			 count);
}

static void a_process_that_ended_is_gone(void **state)
{
	struct pair *pair = *state;
	struct adev_gather local, remote;

	use(pair, ADEV_DMA_PROCESS_VM);
	assert_ok(kill(pair->pid, SIGKILL));
	assert_int_equal(waitpid(pair->pid, NULL, 0), pair->pid);
	list(&local, pair->memory, 0, 4096, 4096);
	list(&remote, pair->shared, pair->peer.stag, 4096, 4096);
	assert_int_equal(run(pair, &local, &remote, true), ADEV_DMA_GONE);
	assert_int_equal(run(pair, &local, &remote, false), ADEV_DMA_GONE);
}

#define dma_test(function)                                                     \
	cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		dma_test(process_vm_writes_every_length),
		dma_test(process_vm_reads_every_length),
		dma_test(bounce_buffers_write_every_length),
		dma_test(bounce_buffers_read_every_length),
		dma_test(a_copy_moves_every_length),
		dma_test(nothing_is_moved_at_once),
		dma_test(the_last_bytes_are_seen_last_with_process_vm),
		dma_test(the_last_bytes_are_seen_last_with_bounce_buffers),
		dma_test(the_last_bytes_are_seen_last_with_a_copy),
		cmocka_unit_test(the_last_bytes_are_in_one_line),
		cmocka_unit_test(copies_across_lines_are_whole),
		dma_test(memory_gone_at_the_peer_is_a_fault_with_process_vm),
		dma_test(
			memory_gone_at_the_peer_is_a_fault_with_bounce_buffers),
		dma_test(memory_gone_here_is_a_local_fault_with_process_vm),
		dma_test(memory_gone_here_is_a_local_fault_with_bounce_buffers),
		dma_test(memory_gone_here_is_a_local_fault_with_a_copy),
		dma_test(atomics_are_done_by_the_peer_itself),
		dma_test(an_atomic_on_memory_that_is_gone_is_a_fault),
		dma_test(memory_of_a_segment_is_reached_through_our_mapping),
		dma_test(a_process_that_ended_is_gone),
	};

	two_faults_prepare();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
