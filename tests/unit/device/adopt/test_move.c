/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Moving a range to a file and back: contents, rights, stores meanwhile. */
#include "adopt/move.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "adopt/trap.h"
#include "pages.h"
#include "test.h"

#define PAGE 4096u
#define PAGES 640u /* more than two pieces, and not a whole number of them */
#define BYTES (PAGES * PAGE)
#define OFFSET (16u * PAGE)

struct range {
	struct adev_move move;
	uint8_t *memory; /* one page more at either side */
	uint8_t *bytes;
};

static uint8_t mark(size_t i)
{
	return (uint8_t)(i * 7 + i / PAGE);
}

static int setup(void **state)
{
	struct range *range = calloc(1, sizeof(*range));
	size_t i;

	if (!range)
		return -1;
	range->memory = mmap(NULL, BYTES + 2 * PAGE, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	range->bytes = range->memory + PAGE;
	range->move = (struct adev_move){
		.start = (uintptr_t)range->bytes,
		.bytes = BYTES,
		.offset = OFFSET,
		.fd = memfd_create("range", MFD_CLOEXEC),
	};
	if (range->memory == MAP_FAILED || range->move.fd < 0 ||
	    ftruncate(range->move.fd, OFFSET + BYTES + PAGE) ||
	    adev_fd_mark(range->move.fd, &range->move.file))
		return -1;
	for (i = 0; i < BYTES; i++)
		range->bytes[i] = mark(i);
	*state = range;
	return 0;
}

static int teardown(void **state)
{
	struct range *range = *state;

	munmap(range->memory, BYTES + 2 * PAGE);
	close(range->move.fd);
	free(range);
	return 0;
}

static uint64_t file_blocks(const struct range *range)
{
	struct stat status;

	assert_ok(fstat(range->move.fd, &status));
	return (uint64_t)status.st_blocks;
}

static void assert_contents(const struct range *range)
{
	size_t i;

	for (i = 0; i < BYTES; i++)
		assert_int_equal(range->bytes[i], mark(i));
}

/* Rights and kind of the mapping at an address, as /proc/self/maps has them. */
static void assert_mapping(const void *address, const char *expected)
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
	assert_string_equal(rights, expected);
}

static void skip_without_trap(bool trapped)
{
	if (trapped && !adev_trap_possible())
		skip();
}

static void there_and_back(struct range *range, bool trapped)
{
	char byte;

	skip_without_trap(trapped);
	assert_ok(adev_move_out(&range->move, trapped));
	assert_contents(range);
	assert_mapping(range->bytes, "rw-s");
	assert_mapping(range->bytes - 1, "rw-p");
	assert_mapping(range->bytes + BYTES, "rw-p");
	assert_int_equal(pread(range->move.fd, &byte, 1, OFFSET + 5 * PAGE), 1);
	assert_int_equal((uint8_t)byte, mark(5 * PAGE));
	range->bytes[3] = 99;
	assert_int_equal(pread(range->move.fd, &byte, 1, OFFSET + 3), 1);
	assert_int_equal(byte, 99);
	range->bytes[3] = mark(3);

	assert_ok(adev_move_back(&range->move, PROT_READ | PROT_WRITE,
				 trapped));
	assert_contents(range);
	assert_mapping(range->bytes, "rw-p");
	assert_int_equal(file_blocks(range), 0);
}

static void contents_go_there_and_back(void **state)
{
	there_and_back(*state, false);
	there_and_back(*state, false);
}

static void contents_go_there_and_back_under_a_trap(void **state)
{
	there_and_back(*state, true);
	there_and_back(*state, true);
}

/* One mapping again, not one more for each time. */
static void mappings_do_not_pile_up(void **state)
{
	struct range *range = *state;
	unsigned long start, end;
	char line[512];
	bool whole = false;
	FILE *maps;
	int i;

	for (i = 0; i < 20; i++) {
		assert_ok(adev_move_out(&range->move, false));
		assert_ok(adev_move_back(&range->move, PROT_READ | PROT_WRITE,
					 false));
	}
	maps = fopen("/proc/self/maps", "re");
	assert_non_null(maps);
	while (fgets(line, sizeof(line), maps))
		if (sscanf(line, "%lx-%lx", &start, &end) == 2)
			whole |= start <= (uintptr_t)range->memory &&
				 end >= (uintptr_t)range->memory + BYTES +
						2 * PAGE;
	fclose(maps);
	assert_true(whole);
}

static void rights_come_back_as_they_are_then(void **state)
{
	struct range *range = *state;

	assert_ok(adev_move_out(&range->move, false));
	assert_ok(mprotect(range->bytes, BYTES, PROT_READ));
	assert_ok(adev_move_back(&range->move, PROT_READ, false));
	assert_mapping(range->bytes, "r--p");
	assert_contents(range);
}

/* The file's end is the limit here; memory behaves no differently. */
static void what_does_not_fit_stays(void **state)
{
	struct range *range = *state;
	struct rlimit limit, before;

	assert_ok(getrlimit(RLIMIT_FSIZE, &before));
	limit = before;
	limit.rlim_cur = OFFSET + 2 * 1024 * 1024 + 3 * PAGE;
	signal(SIGXFSZ, SIG_IGN);
	assert_ok(setrlimit(RLIMIT_FSIZE, &limit));
	assert_int_not_equal(adev_move_out(&range->move, false), 0);
	assert_ok(setrlimit(RLIMIT_FSIZE, &before));
	assert_contents(range);
	assert_mapping(range->bytes, "rw-p");
	assert_int_equal(file_blocks(range), 0);
	there_and_back(range, false);
}

static void what_cannot_come_back_stays_shared(void **state)
{
	struct range *range = *state;

	skip_without_trap(true);
	assert_ok(adev_move_out(&range->move, true));
	/* Directly: with sanitizers the function locks nothing. */
	if (syscall(SYS_mlock, range->bytes, PAGE)) {
		assert_ok(adev_move_back(&range->move, PROT_READ | PROT_WRITE,
					 true));
		skip();
	}
	/* What is locked cannot be taken away from its users. */
	assert_int_not_equal(adev_move_back(&range->move,
					    PROT_READ | PROT_WRITE, true),
			     0);
	assert_contents(range);
	assert_mapping(range->bytes, "rw-s");
	assert_ok(syscall(SYS_munlock, range->bytes, PAGE));
	assert_ok(adev_move_back(&range->move, PROT_READ | PROT_WRITE, true));
	assert_contents(range);
}

static void assert_untouched(int fd, uint64_t bytes)
{
	struct stat status;
	char page[PAGE] = "";

	assert_ok(fstat(fd, &status));
	assert_int_equal(status.st_size, bytes);
	assert_int_equal(status.st_blocks, PAGE / 512);
	assert_int_equal(pread(fd, page, PAGE, OFFSET), PAGE);
	assert_string_equal(page, "not ours");
}

/* A program that closes what it has not opened. */
static void another_file_with_the_same_number_is_left_alone(void **state)
{
	struct range *range = *state;
	int mine = dup(range->move.fd);
	int other = memfd_create("other", MFD_CLOEXEC);

	assert_true(mine >= 0 && other >= 0);
	assert_ok(ftruncate(other, OFFSET + BYTES));
	assert_int_equal(pwrite(other, "not ours", 8, OFFSET), 8);
	assert_int_equal(dup2(other, range->move.fd), range->move.fd);
	assert_int_equal(adev_move_out(&range->move, false), EBADF);
	assert_contents(range);
	assert_int_equal(dup2(mine, range->move.fd), range->move.fd);
	assert_ok(adev_move_out(&range->move, false));
	assert_int_equal(dup2(other, range->move.fd), range->move.fd);
	assert_int_equal(adev_move_snapshot(&range->move), EBADF);
	assert_int_equal(adev_move_back(&range->move, PROT_READ | PROT_WRITE,
					false),
			 EBADF);
	assert_contents(range);
	assert_untouched(other, OFFSET + BYTES);
	assert_int_equal(dup2(mine, range->move.fd), range->move.fd);
	assert_ok(adev_move_back(&range->move, PROT_READ | PROT_WRITE, false));
	assert_contents(range);
	close(mine);
	close(other);
}

/* Words that a thread counts up all the time, and what it counted. */
struct fire {
	_Atomic uint64_t *words;
	uint64_t total;
	_Atomic bool stop, started;
};

static void *shoot(void *argument)
{
	struct fire *fire = argument;
	size_t i = 0;

	while (!atomic_load(&fire->stop)) {
		atomic_fetch_add_explicit(&fire->words[i], 1,
					  memory_order_relaxed);
		fire->total++;
		i = (i + 4099) % (BYTES / 8);
		atomic_store_explicit(&fire->started, true,
				      memory_order_relaxed);
	}
	return NULL;
}

/* Zeros to the file and back: the kernel reads and writes the range, too. */
static void *call(void *argument)
{
	struct fire *fire = argument;
	uint8_t *page = (uint8_t *)fire->words + BYTES;
	int fd = memfd_create("calls", MFD_CLOEXEC);

	/* The last page is this thread's alone. */
	page -= PAGE;
	while (!atomic_load(&fire->stop)) {
		memset(page, (int)(fire->total & 0x7f), PAGE);
		if (pwrite(fd, page, PAGE, 0) != PAGE)
			break;
		memset(page, 0xee, PAGE);
		if (pread(fd, page, PAGE, 0) != PAGE ||
		    page[PAGE - 1] != (fire->total & 0x7f))
			break;
		fire->total++;
	}
	close(fd);
	return atomic_load(&fire->stop) ? NULL : fire;
}

static uint64_t sum(const struct fire *fire, size_t words)
{
	uint64_t total = 0;
	size_t i;

	for (i = 0; i < words; i++)
		total += atomic_load(&fire->words[i]);
	return total;
}

static void no_store_is_lost_under_fire(void **state)
{
	struct range *range = *state;
	struct fire fire = { .words = (void *)range->bytes };
	pthread_t thread;
	int i;

	skip_without_trap(true);
	memset(range->bytes, 0, BYTES);
	assert_ok(pthread_create(&thread, NULL, shoot, &fire));
	while (!atomic_load(&fire.started))
		sched_yield();
	for (i = 0; i < 60; i++) {
		assert_ok(adev_move_out(&range->move, true));
		assert_ok(adev_move_back(&range->move, PROT_READ | PROT_WRITE,
					 true));
	}
	atomic_store(&fire.stop, true);
	assert_ok(pthread_join(thread, NULL));
	assert_true(fire.total > 0);
	assert_int_equal(sum(&fire, BYTES / 8), fire.total);
}

static void system_calls_never_fail_under_a_trap(void **state)
{
	struct range *range = *state;
	struct fire fire = { .words = (void *)range->bytes };
	pthread_t thread;
	void *failed;
	int i;

	skip_without_trap(true);
	assert_ok(pthread_create(&thread, NULL, call, &fire));
	for (i = 0; i < 60; i++) {
		assert_ok(adev_move_out(&range->move, true));
		assert_ok(adev_move_back(&range->move, PROT_READ | PROT_WRITE,
					 true));
	}
	atomic_store(&fire.stop, true);
	assert_ok(pthread_join(thread, &failed));
	assert_null(failed);
}

static void a_snapshot_is_the_childs_own(void **state)
{
	struct range *range = *state;
	int status;
	pid_t pid;

	assert_ok(adev_move_out(&range->move, false));
	assert_ok(adev_move_snapshot(&range->move));
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		size_t i;

		adev_move_child(&range->move, PROT_READ | PROT_WRITE);
		for (i = 0; i < BYTES; i++)
			if (range->bytes[i] != mark(i))
				_exit(1);
		memset(range->bytes, 0, BYTES);
		_exit(0);
	}
	adev_move_forget_snapshot(&range->move);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_contents(range);
	assert_ok(adev_move_back(&range->move, PROT_READ | PROT_WRITE, false));
	assert_contents(range);
}

static bool is_mapped(const uint8_t *page)
{
	unsigned char there;

	return !mincore((void *)(uintptr_t)page, PAGE, &there);
}

static bool is_marked(const struct range *range, size_t from, size_t to)
{
	while (from < to && range->bytes[from] == mark(from))
		from++;
	return from == to;
}

/* What the child has: all but the pages [first, end). */
static bool has_the_others(const struct range *range, size_t first, size_t end,
			   int rights)
{
	adev_move_child(&range->move, rights);
	/* The rights are those of the range: the kernel cannot store there. */
	if (!(rights & PROT_WRITE) &&
	    read(open("/dev/zero", O_RDONLY), range->bytes + BYTES - PAGE,
		 PAGE) != -1)
		return false;
	return !is_mapped(range->bytes + first * PAGE) &&
	       !is_mapped(range->bytes + (end - 1) * PAGE) &&
	       is_marked(range, 0, first * PAGE) &&
	       is_marked(range, end * PAGE, BYTES);
}

static void child_without(struct range *range, size_t first, size_t end,
			  int rights)
{
	uint64_t parked;
	int status;
	pid_t pid;

	assert_ok(adev_move_out(&range->move, false));
	parked = range->move.parked;
	assert_ok(madvise((void *)(uintptr_t)(parked + first * PAGE),
			  (end - first) * PAGE, MADV_DONTFORK));
	assert_ok(adev_move_snapshot(&range->move));
	pid = fork();
	assert_true(pid >= 0);
	if (!pid)
		_exit(!has_the_others(range, first, end, rights));
	adev_move_forget_snapshot(&range->move);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_ok(madvise((void *)(uintptr_t)(parked + first * PAGE),
			  (end - first) * PAGE, MADV_DOFORK));
	assert_ok(adev_move_back(&range->move, PROT_READ | PROT_WRITE, false));
	assert_contents(range);
}

static void a_child_does_without_what_it_shall_not_have(void **state)
{
	const int both = PROT_READ | PROT_WRITE;

	child_without(*state, 0, 3, both);
	child_without(*state, 5, 9, both);
	child_without(*state, PAGES - 300, PAGES - 2, PROT_READ);
}

/* As found by a child that may open nothing: pages [3, 5) are its parent's no
 * more, and [7, 9) are something else. */
static bool has_what_was_left(const struct range *range, bool seen)
{
	struct rlimit none = { 0 };

	if (setrlimit(RLIMIT_NOFILE, &none))
		return false;
	if (seen)
		adev_move_child(&range->move, PROT_READ);
	else
		adev_move_child_unseen(&range->move);
	return is_marked(range, 0, 3 * PAGE) &&
	       is_marked(range, 5 * PAGE, 7 * PAGE) &&
	       !range->bytes[7 * PAGE] && !range->bytes[9 * PAGE - 1] &&
	       is_marked(range, 9 * PAGE, BYTES);
}

static void child_that_may_open_nothing(struct range *range, bool seen)
{
	int status;
	pid_t pid;

	assert_ok(adev_move_out(&range->move, false));
	assert_ok(munmap(range->bytes + 3 * PAGE, 2 * PAGE));
	assert_ptr_not_equal(mmap(range->bytes + 7 * PAGE, 2 * PAGE,
				  PROT_READ | PROT_WRITE,
				  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
				  0),
			     MAP_FAILED);
	assert_ok(adev_move_snapshot(&range->move));
	pid = fork();
	assert_true(pid >= 0);
	if (!pid)
		_exit(!has_what_was_left(range, seen));
	adev_move_forget_snapshot(&range->move);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	munmap((void *)(uintptr_t)range->move.parked, BYTES);
}

static void a_child_needs_no_descriptor(void **state)
{
	child_that_may_open_nothing(*state, false);
}

static void a_child_with_other_rights_needs_no_descriptor(void **state)
{
	child_that_may_open_nothing(*state, true);
}

#define test(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(contents_go_there_and_back),
		test(contents_go_there_and_back_under_a_trap),
		test(mappings_do_not_pile_up),
		test(rights_come_back_as_they_are_then),
		test(what_does_not_fit_stays),
		test(what_cannot_come_back_stays_shared),
		test(another_file_with_the_same_number_is_left_alone),
		test(no_store_is_lost_under_fire),
		test(system_calls_never_fail_under_a_trap),
		test(a_snapshot_is_the_childs_own),
		test(a_child_does_without_what_it_shall_not_have),
		test(a_child_needs_no_descriptor),
		test(a_child_with_other_rights_needs_no_descriptor),
	};

	if (!pages_are_adopted())
		return 77;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
