/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Ranges and the regions on them, through the commands. */
#include "adopt/adopt.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "adopt/advice.h"
#include "adopt/table.h"
#include "adopt/trap.h"
#include "core/clock.h"
#include "fake_function.h"
#include "front/command.h"
#include "pages.h"
#include "tpt/shared.h"
#include "tpt/tpt.h"

#define PAGE 4096u
#define PAGES 32u
#define BYTES (PAGES * PAGE)

static uint8_t *memory; /* BYTES, in the middle of more of its kind */
static uint32_t pd;

static int setup(void **state)
{
	struct adev_function *fn;
	uint8_t *around = mmap(NULL, BYTES + 2 * PAGE, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (around == MAP_FAILED || setenv("ARNICA_ADOPT", "auto", 1) ||
	    fake_function_setup(state))
		return -1;
	memory = around + PAGE;
	memset(memory, 0x42, BYTES);
	fn = *state;
	if (adev_fd_mark(fn->segment_fd, &fn->segment_file))
		return -1;
	adev_adopt_open(0);
	fn->has_peers = true;
	pd = fake_alloc_pd(fn);
	return 0;
}

static int teardown(void **state)
{
	adev_adopt_close(*state);
	atomic_store(&adev_clock_simulated_ns, 0);
	adev_trap_never = false;
	adev_adopted.budget = (struct adev_adopt_budget){ 0 };
	munmap(memory - PAGE, BYTES + 2 * PAGE);
	return fake_function_teardown(state);
}

static uint32_t reg_for(struct adev_function *fn, uint32_t access,
			const uint8_t *address, uint64_t length)
{
	const struct arnica_hw_command command = {
		.opcode = arnica_to_le32(ARNICA_HW_CMD_REG_MR),
		.reg_mr = {
			.pd = arnica_to_le32(pd),
			.access = arnica_to_le32(access),
			.address = arnica_to_le64((uintptr_t)address),
			.length = arnica_to_le64(length),
			.iova = arnica_to_le64((uintptr_t)address),
		},
	};
	struct arnica_hw_completion completion;

	assert_ok(fake_command(fn, &command, &completion));
	return arnica_from_le32(completion.mr.stag);
}

static uint32_t reg(struct adev_function *fn, const uint8_t *address,
		    uint64_t length)
{
	return reg_for(fn,
		       ARNICA_HW_ACCESS_LOCAL_WRITE |
			       ARNICA_HW_ACCESS_REMOTE_WRITE,
		       address, length);
}

static void dereg(struct adev_function *fn, uint32_t stag)
{
	assert_ok(fake_command_object(fn, ARNICA_HW_CMD_DEREG_MR, stag >> 8));
}

static char *place(const struct adev_function *fn, uint32_t stag,
		   const uint8_t *address, uint64_t bytes)
{
	return adev_tpt_shared_place(&fn->view, stag, (uintptr_t)address,
				     bytes);
}

static bool is_shared(const uint8_t *address)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	unsigned long start, end;
	char rights[8] = "", line[512];

	assert_non_null(maps);
	while (fgets(line, sizeof(line), maps))
		if (sscanf(line, "%lx-%lx %7s", &start, &end, rights) == 3 &&
		    (uintptr_t)address >= start && (uintptr_t)address < end)
			break;
	fclose(maps);
	return rights[3] == 's';
}

static void assert_all(uint8_t value)
{
	size_t i;

	for (i = 0; i < BYTES; i++)
		assert_int_equal(memory[i], value);
}

static void peers_see_the_pages_where_the_entry_says(void **state)
{
	struct adev_function *fn = *state;
	uint32_t stag = reg(fn, memory, BYTES);
	char *there = place(fn, stag, memory + 100, 200);

	assert_non_null(there);
	assert_int_equal(*there, 0x42);
	there[7] = 0x17;
	assert_int_equal(memory[107], 0x17);
	memory[107] = 0x42;
	assert_int_equal(there[7], 0x42);
	assert_null(place(fn, stag, memory - 1, 2));
	assert_null(place(fn, stag, memory + BYTES - 1, 2));
	assert_non_null(place(fn, stag, memory, BYTES));
	assert_int_equal(fn->counters.adopt_taken, 1);
	dereg(fn, stag);
	assert_false(is_shared(memory));
	assert_all(0x42);
	assert_int_equal(fn->counters.adopt_returned, 1);
	assert_int_equal(fn->heap.used_bytes, 0);
}

static void only_whole_pages_of_the_region_go(void **state)
{
	struct adev_function *fn = *state;
	uint32_t stag = reg(fn, memory + 16, BYTES - 32);

	assert_false(is_shared(memory + PAGE - 1));
	assert_true(is_shared(memory + PAGE));
	assert_true(is_shared(memory + BYTES - PAGE - 1));
	assert_false(is_shared(memory + BYTES - PAGE));
	assert_null(place(fn, stag, memory + 16, PAGE));
	assert_non_null(place(fn, stag, memory + PAGE, BYTES - 2 * PAGE));
	assert_null(place(fn, stag, memory + PAGE, BYTES - 2 * PAGE + 1));
	dereg(fn, stag);
	assert_all(0x42);
}

static void the_last_region_on_a_range_ends_it(void **state)
{
	struct adev_function *fn = *state;
	uint32_t whole = reg(fn, memory, BYTES);
	uint32_t part = reg(fn, memory + 5 * PAGE + 8, 100);
	uint32_t again = reg(fn, memory, BYTES);

	assert_ptr_equal(place(fn, part, memory + 5 * PAGE + 8, 100),
			 place(fn, whole, memory + 5 * PAGE + 8, 100));
	dereg(fn, whole);
	assert_true(is_shared(memory));
	dereg(fn, again);
	assert_true(is_shared(memory + 5 * PAGE));
	dereg(fn, part);
	assert_false(is_shared(memory));
	assert_false(is_shared(memory + 5 * PAGE));
	assert_all(0x42);
	assert_int_equal(fn->counters.adopt_taken, 1);
}

static void a_region_across_the_end_of_a_range_stays_private(void **state)
{
	struct adev_function *fn = *state;
	uint32_t first = reg(fn, memory, BYTES / 2);
	uint32_t across = reg(fn, memory + BYTES / 4, BYTES / 2);

	assert_null(place(fn, across, memory + BYTES / 4, 8));
	assert_int_equal(fn->counters.adopt_unfit, 1);
	/* Its peers may be storing into these pages past their mapping. */
	dereg(fn, first);
	assert_true(is_shared(memory));
	assert_int_equal(fn->counters.adopt_kept, 1);
	dereg(fn, across);
	assert_false(is_shared(memory));
	assert_all(0x42);
}

/* A peer that stores by way of the kernel holds pages, and waits for nobody. */
static void pages_that_peers_may_be_at_are_not_moved(void **state)
{
	struct adev_function *fn = *state;
	uint32_t small = reg(fn, memory + PAGE, PAGE), whole;

	whole = reg(fn, memory, BYTES);
	assert_null(place(fn, whole, memory, 8));
	assert_int_equal(fn->counters.adopt_unsafe, 1);
	dereg(fn, whole);
	dereg(fn, small);
	adev_adopted.num_functions++;
	fake_other_function_overlaps = true;
	whole = reg(fn, memory, BYTES);
	assert_int_equal(fn->counters.adopt_unsafe, 2);
	dereg(fn, whole);
	fake_other_function_overlaps = false;
	adev_adopted.num_functions--;
	whole = reg(fn, memory, BYTES);
	assert_non_null(place(fn, whole, memory, 8));
	dereg(fn, whole);
	assert_all(0x42);
}

/* Who only reads waits at a trap. */
static void pages_that_are_read_move_with_a_trap(void **state)
{
	struct adev_function *fn = *state;
	uint32_t small = reg_for(fn, 0, memory + PAGE, 100), whole;

	if (!adev_trap_possible())
		skip();
	whole = reg(fn, memory, BYTES);
	assert_non_null(place(fn, whole, memory, 8));
	dereg(fn, whole);
	assert_false(is_shared(memory));
	dereg(fn, small);
}

static void pages_that_are_read_do_not_move_without_a_trap(void **state)
{
	struct adev_function *fn = *state;
	uint32_t small = reg_for(fn, 0, memory + PAGE, 100), whole;
	uint32_t beside, across;

	adev_trap_never = true;
	beside = reg_for(fn, ARNICA_HW_ACCESS_REMOTE_READ, memory - PAGE, PAGE);
	whole = reg(fn, memory, BYTES);
	assert_null(place(fn, whole, memory, 8));
	assert_false(is_shared(memory));
	assert_int_equal(fn->counters.adopt_unsafe, 1);
	dereg(fn, whole);
	dereg(fn, small);
	atomic_store(&adev_clock_simulated_ns,
		     adev_now_ns() + 2 * ADEV_MS_NS);
	whole = reg(fn, memory, BYTES / 2);
	assert_non_null(place(fn, whole, memory, 8));
	/* Nor back. */
	across = reg_for(fn, ARNICA_HW_ACCESS_REMOTE_READ, memory + BYTES / 4,
			 BYTES / 2);
	dereg(fn, whole);
	assert_true(is_shared(memory));
	assert_int_equal(fn->counters.adopt_kept, 1);
	dereg(fn, across);
	assert_false(is_shared(memory));
	assert_all(0x42);
	dereg(fn, beside);
}

/* Before mremap(): all regions on the range go on with private memory. */
static void released_memory_is_private_and_still_registered(void **state)
{
	struct adev_function *fn = *state;
	uint32_t whole = reg(fn, memory, BYTES);
	uint32_t part = reg(fn, memory + 3 * PAGE, PAGE);
	uint32_t across = reg(fn, memory + BYTES - PAGE, 2 * PAGE);
	uint64_t address;

	adev_regions_release(fn, (uintptr_t)memory + 9 * PAGE, 1);
	assert_false(is_shared(memory));
	assert_null(place(fn, whole, memory, 8));
	assert_null(place(fn, part, memory + 3 * PAGE, 8));
	assert_int_equal(adev_tpt_check(&fn->view, whole, pd,
					(uintptr_t)memory, BYTES,
					ARNICA_HW_ACCESS_REMOTE_WRITE,
					&address),
			 ADEV_TPT_OK);
	assert_int_equal(adev_tpt_check(&fn->view, across, pd,
					(uintptr_t)memory + BYTES - PAGE, PAGE,
					ARNICA_HW_ACCESS_REMOTE_WRITE,
					&address),
			 ADEV_TPT_OK);
	dereg(fn, whole);
	dereg(fn, part);
	dereg(fn, across);
	assert_all(0x42);
}

static void small_regions_are_left_alone(void **state)
{
	struct adev_function *fn = *state;
	uint32_t stag = reg(fn, memory, PAGE);

	assert_null(place(fn, stag, memory, 8));
	assert_false(is_shared(memory));
	dereg(fn, stag);
	assert_int_equal(fn->counters.adopt_taken, 0);
}

static void without_peers_nothing_is_adopted(void **state)
{
	struct adev_function *fn = *state;
	uint32_t stag;

	fn->has_peers = false;
	stag = reg(fn, memory, BYTES);
	assert_null(place(fn, stag, memory, 8));
	assert_false(is_shared(memory));
	assert_int_equal(fn->counters.adopt_taken, 0);
	dereg(fn, stag);
}

/* The keys that the peers will be told stay what they are. */
static void the_first_peer_finds_what_was_registered_before(void **state)
{
	struct adev_function *fn = *state;
	uint32_t first, gone, last;

	fn->has_peers = false;
	first = reg(fn, memory, 8 * PAGE);
	gone = reg(fn, memory + 8 * PAGE, 8 * PAGE);
	last = reg(fn, memory + 16 * PAGE + 8, 8 * PAGE);
	dereg(fn, gone);
	adev_regions_meet_peers(fn);
	assert_true(fn->has_peers);
	assert_non_null(place(fn, first, memory, 8 * PAGE));
	assert_non_null(place(fn, last, memory + 17 * PAGE, 7 * PAGE));
	assert_false(is_shared(memory + 8 * PAGE));
	assert_int_equal(fn->counters.adopt_taken, 2);
	adev_regions_meet_peers(fn);
	assert_int_equal(fn->counters.adopt_taken, 2);
	dereg(fn, first);
	dereg(fn, last);
	assert_false(is_shared(memory));
	assert_all(0x42);
}

static void what_takes_too_long_stays_private(void **state)
{
	struct adev_function *fn = *state;
	uint64_t now_ns = adev_now_ns();
	uint32_t stag;

	atomic_store(&adev_clock_simulated_ns, now_ns);
	adev_adopt_budget_spend(&adev_adopted.budget, 1000 * ADEV_MS_NS);
	stag = reg(fn, memory, BYTES);
	assert_null(place(fn, stag, memory, 8));
	assert_int_equal(fn->counters.adopt_costly, 1);
	dereg(fn, stag);
	/* In the long run it is little. */
	atomic_store(&adev_clock_simulated_ns, now_ns + 60000 * ADEV_MS_NS);
	stag = reg(fn, memory, BYTES);
	assert_non_null(place(fn, stag, memory, 8));
	dereg(fn, stag);
	assert_all(0x42);
}

static void the_process_is_not_looked_at_all_the_time(void **state)
{
	struct adev_function *fn = *state;
	uint64_t now_ns = adev_now_ns();
	static char elsewhere[PAGE];
	uint32_t stag;

	if (syscall(SYS_mlock, elsewhere, 1))
		skip();
	atomic_store(&adev_clock_simulated_ns, now_ns);
	dereg(fn, reg(fn, memory, BYTES));
	assert_int_equal(fn->counters.adopt_unsafe, 1);
	assert_ok(syscall(SYS_munlock, elsewhere, 1));
	dereg(fn, reg(fn, memory, BYTES));
	assert_int_equal(fn->counters.adopt_unsafe, 2);
	assert_int_equal(fn->counters.adopt_taken, 0);
	atomic_store(&adev_clock_simulated_ns, now_ns + 2 * ADEV_MS_NS);
	stag = reg(fn, memory, BYTES);
	assert_int_equal(fn->counters.adopt_taken, 1);
	dereg(fn, stag);
}

static void what_was_unmapped_meanwhile_stays_away(void **state)
{
	struct adev_function *fn = *state;
	uint32_t stag = reg(fn, memory, BYTES);
	uint8_t *other = memory + 8 * PAGE;

	assert_ok(munmap(other, 2 * PAGE));
	assert_ptr_equal(mmap(other, PAGE, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0),
			 other);
	*other = 0x99; /* something else now */
	dereg(fn, stag);
	assert_int_equal(*other, 0x99);
	assert_int_equal(msync(other + PAGE, PAGE, MS_ASYNC), -1);
	assert_int_equal(memory[8 * PAGE - 1], 0x42);
	assert_int_equal(memory[10 * PAGE], 0x42);
	assert_false(is_shared(memory));
	assert_false(is_shared(memory + 10 * PAGE));
	assert_int_equal(fn->heap.used_bytes, 0);
}

static void what_cannot_be_returned_is_kept_and_tried_again(void **state)
{
	struct adev_function *fn = *state;
	uint32_t stag = reg(fn, memory, BYTES);
	static char elsewhere[PAGE];

	/* Directly: with sanitizers the function locks nothing. */
	if (syscall(SYS_mlock, elsewhere, 1))
		skip();
	dereg(fn, stag);
	assert_true(is_shared(memory));
	assert_int_equal(fn->counters.adopt_kept, 1);
	assert_all(0x42);
	/* It is as good as new for the next region on it. */
	stag = reg(fn, memory, BYTES);
	assert_non_null(place(fn, stag, memory, BYTES));
	dereg(fn, stag);
	assert_ok(syscall(SYS_munlock, elsewhere, 1));
	/* Not at each turn. */
	atomic_store(&adev_clock_simulated_ns, adev_now_ns() + ADEV_MS_NS);
	stag = reg(fn, memory - PAGE, 2 * PAGE);
	assert_true(is_shared(memory + PAGE));
	dereg(fn, stag);
	atomic_store(&adev_clock_simulated_ns,
		     adev_now_ns() + 10 * ADEV_MS_NS);
	stag = reg(fn, memory - PAGE, 2 * PAGE);
	assert_false(is_shared(memory + PAGE));
	assert_all(0x42);
	dereg(fn, stag);
}

static void replace(uint8_t *start, uint64_t bytes, uint8_t value)
{
	assert_ptr_equal(mmap(start, bytes, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0),
			 start);
	memset(start, value, bytes);
}

static void what_was_replaced_serves_no_other_region(void **state)
{
	struct adev_function *fn = *state;
	uint32_t stag = reg(fn, memory, BYTES), above;
	static char elsewhere[PAGE];

	if (syscall(SYS_mlock, elsewhere, 1))
		skip();
	dereg(fn, stag);
	assert_int_equal(fn->counters.adopt_kept, 1);
	replace(memory, BYTES / 2, 0x99);
	stag = reg(fn, memory, BYTES);
	assert_null(place(fn, stag, memory, 8));
	assert_null(place(fn, stag, memory + BYTES / 2, 8));
	assert_int_equal(*memory, 0x99);
	/* What is left of it is as good as ever. */
	above = reg(fn, memory + BYTES / 2, BYTES / 2);
	assert_non_null(place(fn, above, memory + BYTES / 2, 8));
	dereg(fn, above);
	assert_ok(syscall(SYS_munlock, elsewhere, 1));
	dereg(fn, stag);
	assert_int_equal(memory[BYTES / 2 - 1], 0x99);
	assert_int_equal(memory[BYTES / 2], 0x42);
}

static void what_was_replaced_while_registered_is_not_joined(void **state)
{
	struct adev_function *fn = *state;
	uint32_t old = reg(fn, memory, BYTES);
	uint32_t stag, other;

	replace(memory, BYTES, 0x99);
	stag = reg(fn, memory, BYTES);
	other = reg(fn, memory + PAGE, 100);
	assert_non_null(place(fn, old, memory, 8));
	assert_null(place(fn, stag, memory, 8));
	assert_null(place(fn, other, memory + PAGE, 8));
	assert_int_equal(fn->counters.adopt_taken, 1);
	dereg(fn, old);
	dereg(fn, stag);
	dereg(fn, other);
	assert_all(0x99);
}

/* In more parts than one look finds. */
static void only_what_may_be_written_is_joined(void **state)
{
	struct adev_function *fn = *state;
	uint32_t whole = reg(fn, memory, BYTES), stag, i;

	for (i = 1; i < PAGES; i += 2)
		assert_ok(mprotect(memory + i * PAGE, PAGE, PROT_READ));
	stag = reg_for(fn, ARNICA_HW_ACCESS_REMOTE_READ, memory, BYTES);
	assert_null(place(fn, stag, memory, 8));
	dereg(fn, stag);
	stag = reg(fn, memory + (PAGES - 2) * PAGE, PAGE);
	assert_non_null(place(fn, stag, memory + (PAGES - 2) * PAGE, 8));
	dereg(fn, stag);
	dereg(fn, whole);
	assert_all(0x42);
	assert_false(is_shared(memory + BYTES - 1));
}

static void a_change_of_the_place_changes_the_pages(void **state)
{
	struct adev_function *fn = *state;
	uint32_t stag = reg(fn, memory, BYTES / 2);
	struct arnica_hw_command command = {
		.opcode = arnica_to_le32(ARNICA_HW_CMD_REREG_MR),
		.reg_mr = {
			.handle = arnica_to_le32(stag >> 8),
			.change = arnica_to_le32(ARNICA_HW_REREG_TRANSLATION),
			.address = arnica_to_le64(
				(uintptr_t)(memory + BYTES / 2)),
			.length = arnica_to_le64(BYTES / 2),
		},
	};

	assert_ok(fake_command(fn, &command, NULL));
	assert_false(is_shared(memory));
	assert_true(is_shared(memory + BYTES / 2));
	assert_non_null(place(fn, stag, memory + BYTES / 2, 8));
	dereg(fn, stag);
	assert_all(0x42);
}

static void without_room_it_stays_private(void **state)
{
	struct adev_function *fn = *state;
	uint64_t quota = fn->heap.quota_bytes;
	uint32_t stag;

	fn->heap.quota_bytes = fn->heap.used_bytes + PAGE;
	stag = reg(fn, memory, BYTES);
	assert_null(place(fn, stag, memory, 8));
	assert_int_equal(fn->counters.adopt_no_room, 1);
	assert_all(0x42);
	fn->heap.quota_bytes = quota;
	dereg(fn, stag);
}

static void a_closed_function_gives_all_back(void **state)
{
	struct adev_function *fn = *state;

	(void)reg(fn, memory, BYTES);
	assert_true(is_shared(memory));
	adev_adopt_close(fn);
	assert_false(is_shared(memory));
	assert_all(0x42);
	adev_adopt_open(0); /* for the teardown */
}

/* What the handlers around fork() do; they are installed with the adapter. */
static void a_forked_child_has_its_own(void **state)
{
	struct adev_function *fn = *state;
	uint32_t stag = reg(fn, memory, BYTES);
	int status;
	pid_t pid;

	assert_ok(munmap(memory + 3 * PAGE, PAGE));
	assert_ok(mprotect(memory + 5 * PAGE, PAGE, PROT_READ));
	adev_adopt_before_fork();
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		adev_adopt_after_fork_child();
		if (is_shared(memory) || memory[5 * PAGE] != 0x42 ||
		    memory[BYTES - 1] != 0x42 ||
		    msync(memory + 3 * PAGE, PAGE, MS_ASYNC) != -1)
			_exit(1);
		memset(memory, 0, PAGE);
		_exit(0);
	}
	memory[1] = 0x43;
	adev_adopt_after_fork_parent();
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(memory[0], 0x42);
	assert_int_equal(memory[1], 0x43);
	assert_true(is_shared(memory));
	dereg(fn, stag);
	assert_false(is_shared(memory));
}

/* Every other page is a part of its own: more than one look finds, and with the
 * largest more than one block of copies holds. */
static void a_child_has_all_of_many_parts(struct adev_function *fn,
					  uint8_t *start, uint32_t pages)
{
	uint32_t stag = reg(fn, start, (uint64_t)pages * PAGE), i;
	int status;
	pid_t pid;

	assert_true(is_shared(start));
	for (i = 1; i < pages; i += 2)
		assert_ok(mprotect(start + (size_t)i * PAGE, PAGE, PROT_READ));
	adev_adopt_before_fork();
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		adev_adopt_after_fork_child();
		for (i = 0; i < pages * PAGE; i++)
			if (start[i] != 0x42)
				_exit(1);
		start[(size_t)(pages - 2) * PAGE] = 0;
		_exit(is_shared(start + (size_t)(pages - 1) * PAGE) ? 2 : 0);
	}
	adev_adopt_after_fork_parent();
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(start[(size_t)(pages - 2) * PAGE], 0x42);
	dereg(fn, stag);
	assert_false(is_shared(start + (size_t)(pages - 1) * PAGE));
}

static void a_forked_child_has_every_part(void **state)
{
	a_child_has_all_of_many_parts(*state, memory, PAGES);
	assert_all(0x42);
}

static void a_forked_child_has_every_part_of_large_memory(void **state)
{
	const uint32_t pages = 1000;
	uint8_t *large = mmap(NULL, (size_t)pages * PAGE,
			      PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint32_t round;

	assert_true(large != MAP_FAILED);
	for (round = 0; round < 2; round++) {
		assert_ok(mprotect(large, (size_t)pages * PAGE,
				   PROT_READ | PROT_WRITE));
		memset(large, 0x42, (size_t)pages * PAGE);
		a_child_has_all_of_many_parts(*state, large, pages);
	}
	assert_ok(munmap(large, (size_t)pages * PAGE));
}

/* As another thread might, in a place that became free. */
static uint8_t *occupy(uint64_t place, uint64_t bytes)
{
	uint8_t *mine = mmap((void *)(uintptr_t)place, bytes,
			     PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE,
			     -1, 0);

	assert_int_equal((uintptr_t)mine, place);
	memset(mine, 0x77, bytes);
	return mine;
}

static void fork_and_look_at(const uint8_t *mine)
{
	int status;
	pid_t pid;

	adev_adopt_before_fork();
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		adev_adopt_after_fork_child();
		_exit(*mine != 0x77 || memory[0] != 0x42 ||
		      memory[BYTES - 1] != 0x42);
	}
	adev_adopt_after_fork_parent();
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(*mine, 0x77);
}

/* Where the private mapping was while it was set aside. */
static void what_was_returned_leaves_its_place_to_others(void **state)
{
	struct adev_function *fn = *state;
	uint32_t stag = reg(fn, memory, BYTES);
	uint64_t parked = adev_adopted.ranges[0].move.parked;
	uint8_t *mine;

	/* Two parts, of which the second cannot come back at first. */
	assert_ok(mprotect(memory, 8 * PAGE, PROT_READ));
	assert_ok(mprotect((uint8_t *)(uintptr_t)parked + 20 * PAGE, PAGE,
			   PROT_NONE));
	dereg(fn, stag);
	assert_int_equal(fn->counters.adopt_kept, 1);
	assert_false(is_shared(memory));
	assert_true(is_shared(memory + 8 * PAGE));
	mine = occupy(parked, 8 * PAGE);
	fork_and_look_at(mine);
	dereg(fn, reg(fn, memory + BYTES, 100));
	assert_false(is_shared(memory + 8 * PAGE));
	assert_int_equal(adev_adopted.used, 0);
	assert_all(0x42);
	assert_int_equal(*mine, 0x77);
	assert_ok(munmap(mine, 8 * PAGE));
}

static void advice_reaches_every_part(void **state)
{
	struct adev_function *fn = *state;
	uint32_t stag = reg(fn, memory, BYTES), i;
	char *there = place(fn, stag, memory, BYTES);

	assert_non_null(there);
	for (i = 1; i < PAGES; i += 2)
		assert_ok(mprotect(memory + i * PAGE, PAGE, PROT_READ));
	assert_ok(adev_adopt_advise((uintptr_t)memory + PAGE, BYTES - 2 * PAGE,
				    MADV_DONTNEED));
	for (i = 0; i < PAGES; i++) {
		uint8_t expected = i && i < PAGES - 1 ? 0 : 0x42;

		assert_int_equal(memory[i * PAGE + 5], expected);
		assert_int_equal(there[i * PAGE + 5], expected);
	}
	dereg(fn, stag);
	assert_int_equal(memory[(PAGES - 2) * PAGE], 0);
	assert_int_equal(memory[(PAGES - 1) * PAGE], 0x42);
}

static void the_word_holds_what_went_in(void **state)
{
	uint64_t word = adev_tpt_shared_encode(0x123000, 0x456000, true);

	(void)state;
	assert_true(word == 0x0100004560000123ull);
	assert_true(adev_tpt_shared_offset(word) == 0x123000);
	assert_true(adev_tpt_shared_bytes(word) == 0x456000);
	assert_true(adev_tpt_shared_start(word, 0x7001) == 0x8000);
	assert_true(adev_tpt_shared_start(word ^ ADEV_TPT_SHARED_SKIP,
					  0x7001) == 0x7000);
	word = adev_tpt_shared_encode((1ull << 40) - PAGE, (1ull << 40) - PAGE,
				      false);
	assert_true(adev_tpt_shared_offset(word) == (1ull << 40) - PAGE);
	assert_true(adev_tpt_shared_bytes(word) == (1ull << 40) - PAGE);
}

/* Whatever an owner writes there, peers stay within its segment. */
static void a_hostile_word_leads_nowhere_else(void **state)
{
	struct adev_function *fn = *state;
	uint32_t stag = reg(fn, memory, PAGE);
	struct adev_tpt_entry *entry = &fn->view.tpt[stag >> 8];

	entry->shared = adev_tpt_shared_encode((1ull << 40) - PAGE, BYTES,
					       false);
	assert_null(place(fn, stag, memory, 8));
	entry->shared = UINT64_MAX;
	assert_null(place(fn, stag, memory, 8));
	assert_null(place(fn, stag, memory + PAGE, 8));
	entry->shared = adev_tpt_shared_encode(fn->view.size - PAGE, 2 * PAGE,
					       false);
	assert_non_null(place(fn, stag, memory, PAGE));
	assert_null(place(fn, stag, memory, PAGE + 1));
	assert_null(place(fn, UINT32_MAX, memory, 8));
	entry->shared = 0;
	dereg(fn, stag);
}

static _Atomic bool is_closed;

static void *close_it(void *fn)
{
	adev_adopt_close(fn);
	atomic_store(&is_closed, true);
	return NULL;
}

/* Another function's thread turned a range of it back, and is on its way. */
static void a_function_stays_until_its_heap_has_all_back(void **state)
{
	struct adev_function *fn = *state, *other = calloc(1, sizeof(*other));
	struct adev_adopted_leftover leftover = { .fn = fn };
	uint32_t offset;
	pthread_t thread;

	assert_non_null(other);
	assert_ok(adev_heap_alloc(&fn->heap, PAGE, &leftover.offset));
	leftover.bytes = PAGE;
	atomic_fetch_add(&adev_adopted.giving, 1);
	atomic_store(&is_closed, false);
	adev_adopt_open(0);
	assert_ok(pthread_create(&thread, NULL, close_it, other));
	for (offset = 0; offset < 20; offset++) {
		usleep(1000);
		assert_false(atomic_load(&is_closed));
	}
	adev_adopted_give_to_heap(&leftover);
	assert_ok(pthread_join(thread, NULL));
	assert_int_equal(atomic_load(&adev_adopted.giving), 0);
	free(other);
}

#define test(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(peers_see_the_pages_where_the_entry_says),
		test(only_whole_pages_of_the_region_go),
		test(the_last_region_on_a_range_ends_it),
		test(a_region_across_the_end_of_a_range_stays_private),
		test(pages_that_peers_may_be_at_are_not_moved),
		test(pages_that_are_read_move_with_a_trap),
		test(pages_that_are_read_do_not_move_without_a_trap),
		test(released_memory_is_private_and_still_registered),
		test(small_regions_are_left_alone),
		test(without_peers_nothing_is_adopted),
		test(the_first_peer_finds_what_was_registered_before),
		test(what_takes_too_long_stays_private),
		test(the_process_is_not_looked_at_all_the_time),
		test(what_was_unmapped_meanwhile_stays_away),
		test(what_cannot_be_returned_is_kept_and_tried_again),
		test(what_was_replaced_serves_no_other_region),
		test(what_was_replaced_while_registered_is_not_joined),
		test(only_what_may_be_written_is_joined),
		test(a_change_of_the_place_changes_the_pages),
		test(without_room_it_stays_private),
		test(a_closed_function_gives_all_back),
		test(a_function_stays_until_its_heap_has_all_back),
		test(a_forked_child_has_its_own),
		test(a_forked_child_has_every_part),
		test(a_forked_child_has_every_part_of_large_memory),
		test(what_was_returned_leaves_its_place_to_others),
		test(advice_reaches_every_part),
		test(the_word_holds_what_went_in),
		test(a_hostile_word_leads_nowhere_else),
	};

	if (!pages_are_adopted())
		return 77;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
