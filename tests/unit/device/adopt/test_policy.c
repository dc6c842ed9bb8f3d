/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What is adopted and what is not, by what the memory and the process are. */
#include "adopt/policy.h"

#include <fcntl.h>
#include <linux/io_uring.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "adopt/process.h"
#include "adopt/trap.h"
#include "pages.h"
#include "test.h"

#define PAGE 4096u
#define PAGES 16u

static char *map(int rights, int flags)
{
	/* Between pages of its own kind, so that nothing is above a guard. */
	char *memory = mmap(NULL, (PAGES + 2) * PAGE, PROT_READ | PROT_WRITE,
			    MAP_ANONYMOUS | flags, -1, 0);

	assert_ptr_not_equal(memory, MAP_FAILED);
	assert_ok(mprotect(memory + PAGE, PAGES * PAGE, rights));
	return memory + PAGE;
}

static void unmap(char *memory)
{
	munmap(memory - PAGE, (PAGES + 2) * PAGE);
}

static enum adev_adopt_verdict judge_as(enum adev_adopt_mode mode,
					const char *memory, uint64_t pages)
{
	const struct adev_adopt_question question = {
		.mode = mode,
		.start = (uintptr_t)memory,
		.bytes = pages * PAGE,
		.file_end = 1u << 30,
	};
	bool trapped;

	return adev_adopt_judge(&question, &trapped);
}

static enum adev_adopt_verdict judge(const char *memory)
{
	return judge_as(ADEV_ADOPT_AUTO, memory, PAGES);
}

static void plain_private_memory_is_fit(void **state)
{
	char *memory = map(PROT_READ | PROT_WRITE, MAP_PRIVATE);
	void *heap = aligned_alloc(PAGE, 4 * PAGE);

	(void)state;
	assert_int_equal(judge(memory), ADEV_ADOPT_FIT);
	assert_int_equal(judge_as(ADEV_ADOPT_AUTO, heap, 4), ADEV_ADOPT_FIT);
	free(heap);
	unmap(memory);
}

static void the_mode_decides_what_is_worth_it(void **state)
{
	char *memory = map(PROT_READ | PROT_WRITE, MAP_PRIVATE);

	(void)state;
	assert_int_equal(judge_as(ADEV_ADOPT_OFF, memory, PAGES),
			 ADEV_ADOPT_SMALL);
	assert_int_equal(judge_as(ADEV_ADOPT_AUTO, memory, 1),
			 ADEV_ADOPT_SMALL);
	assert_int_equal(judge_as(ADEV_ADOPT_ALL, memory, 1), ADEV_ADOPT_FIT);
	assert_true(adev_adopt_limit(ADEV_ADOPT_AUTO) <
		    adev_adopt_limit(ADEV_ADOPT_ALL));
	unmap(memory);
}

static void other_mappings_are_unfit(void **state)
{
	char *shared = map(PROT_READ | PROT_WRITE, MAP_SHARED);
	char *readable = map(PROT_READ, MAP_PRIVATE);
	char *executable = map(PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE);
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	char *file = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE,
			  fd, 0);

	(void)state;
	assert_int_equal(judge(shared), ADEV_ADOPT_UNFIT);
	assert_int_equal(judge(readable), ADEV_ADOPT_UNFIT);
	assert_int_equal(judge(executable), ADEV_ADOPT_UNFIT);
	assert_int_equal(judge_as(ADEV_ADOPT_ALL, file, 2), ADEV_ADOPT_UNFIT);
	munmap(file, 2 * PAGE);
	close(fd);
	unmap(executable);
	unmap(readable);
	unmap(shared);
}

static void several_mappings_are_unfit(void **state)
{
	char *memory = map(PROT_READ | PROT_WRITE, MAP_PRIVATE);

	(void)state;
	assert_ok(munmap(memory + 4 * PAGE, PAGE));
	assert_int_equal(judge(memory), ADEV_ADOPT_UNFIT);
	assert_int_equal(judge_as(ADEV_ADOPT_AUTO, memory, 4), ADEV_ADOPT_FIT);
	unmap(memory);
}

/* The thread's own, and what looks like another thread's. */
static void stacks_are_unfit(void **state)
{
	char here[8 * PAGE];
	char *memory = map(PROT_READ | PROT_WRITE, MAP_PRIVATE);

	(void)state;
	here[0] = 0;
	assert_int_equal(
		judge_as(ADEV_ADOPT_ALL,
			 (char *)(((uintptr_t)here + PAGE) &
				  ~(uintptr_t)(PAGE - 1)),
			 4),
		ADEV_ADOPT_UNFIT);
	assert_ok(mprotect(memory - PAGE, PAGE, PROT_NONE));
	assert_int_equal(judge(memory), ADEV_ADOPT_UNFIT);
	unmap(memory);
}

static void locked_memory_stays(void **state)
{
	char *memory = map(PROT_READ | PROT_WRITE, MAP_PRIVATE);
	static char elsewhere[PAGE];

	(void)state;
	/* Directly: with sanitizers the function locks nothing. */
	if (syscall(SYS_mlock, elsewhere, 1))
		skip();
	assert_int_equal(judge(memory), ADEV_ADOPT_UNSAFE);
	assert_ok(syscall(SYS_munlock, elsewhere, 1));
	assert_int_equal(judge(memory), ADEV_ADOPT_FIT);
	unmap(memory);
}

static void no_process_with_io_uring(void **state)
{
	char *memory = map(PROT_READ | PROT_WRITE, MAP_PRIVATE);
	struct io_uring_params params = { 0 };
	int ring = (int)syscall(SYS_io_uring_setup, 4, &params);

	(void)state;
	if (ring < 0)
		skip();
	assert_int_equal(judge(memory), ADEV_ADOPT_UNSAFE);
	assert_int_equal(judge_as(ADEV_ADOPT_ALL, memory, PAGES),
			 ADEV_ADOPT_UNSAFE);
	close(ring);
	assert_int_equal(judge(memory), ADEV_ADOPT_FIT);
	unmap(memory);
}

static void no_process_with_asynchronous_io(void **state)
{
	char *memory = map(PROT_READ | PROT_WRITE, MAP_PRIVATE);
	unsigned long context = 0;

	(void)state;
	if (syscall(SYS_io_setup, 4, &context))
		skip();
	assert_int_equal(judge(memory), ADEV_ADOPT_UNSAFE);
	assert_ok(syscall(SYS_io_destroy, context));
	assert_int_equal(judge(memory), ADEV_ADOPT_FIT);
	unmap(memory);
}

/* Else the process would be killed by a signal. */
static void no_segment_beyond_the_file_limit(void **state)
{
	char *memory = map(PROT_READ | PROT_WRITE, MAP_PRIVATE);
	struct rlimit before, less;

	(void)state;
	assert_ok(getrlimit(RLIMIT_FSIZE, &before));
	less = before;
	less.rlim_cur = 1u << 20;
	assert_ok(setrlimit(RLIMIT_FSIZE, &less));
	assert_int_equal(judge(memory), ADEV_ADOPT_UNFIT);
	assert_ok(setrlimit(RLIMIT_FSIZE, &before));
	assert_int_equal(judge(memory), ADEV_ADOPT_FIT);
	unmap(memory);
}

static void *wait_for_end(void *argument)
{
	pthread_barrier_wait(argument);
	return NULL;
}

/* A read of another thread may be under way into any page. */
static void files_without_cache_count_with_several_threads(void **state)
{
	char *memory = map(PROT_READ | PROT_WRITE, MAP_PRIVATE);
	char name[] = "/tmp/arnica-direct-XXXXXX";
	pthread_barrier_t barrier;
	pthread_t thread;
	int fd, direct;

	(void)state;
	fd = mkstemp(name);
	assert_true(fd >= 0);
	direct = open(name, O_RDONLY | O_DIRECT | O_CLOEXEC);
	unlink(name);
	close(fd);
	if (direct < 0)
		skip();
	assert_int_equal(judge(memory), ADEV_ADOPT_FIT);
	pthread_barrier_init(&barrier, NULL, 2);
	assert_ok(pthread_create(&thread, NULL, wait_for_end, &barrier));
	assert_int_equal(judge(memory), ADEV_ADOPT_UNSAFE);
	assert_int_equal(judge_as(ADEV_ADOPT_ALL, memory, PAGES),
			 adev_trap_possible() ? ADEV_ADOPT_FIT :
						ADEV_ADOPT_UNSAFE);
	close(direct);
	assert_int_equal(judge(memory), adev_trap_possible() ?
						ADEV_ADOPT_FIT :
						ADEV_ADOPT_UNSAFE);
	pthread_barrier_wait(&barrier);
	assert_ok(pthread_join(thread, NULL));
	unmap(memory);
}

static void the_variable_is_checked(void **state)
{
	static const struct {
		const char *text;
		enum adev_adopt_mode mode;
	} cases[] = {
		{ "off", ADEV_ADOPT_OFF },   { "auto", ADEV_ADOPT_AUTO },
		{ "all", ADEV_ADOPT_ALL },   { "", ADEV_ADOPT_DEFAULT },
		{ "on", ADEV_ADOPT_DEFAULT }, { "all ", ADEV_ADOPT_DEFAULT },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_ok(setenv("ARNICA_ADOPT", cases[i].text, 1));
		assert_int_equal(adev_adopt_mode(), cases[i].mode);
	}
	assert_ok(unsetenv("ARNICA_ADOPT"));
	assert_int_equal(adev_adopt_mode(), ADEV_ADOPT_DEFAULT);
}

static void write_text(const char *folder, const char *name, const char *text)
{
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	if (!text) {
		unlink(path);
		return;
	}
	file = fopen(path, "we");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_ok(fclose(file));
}

/* As seen in a container: its own group is the first that there is. */
static void set_limit(const char *folder, const char *limit, const char *used)
{
	char version_1[64];

	snprintf(version_1, sizeof(version_1), "%s/memory", folder);
	write_text(folder, "memory.max", limit);
	write_text(folder, "memory.current", used);
	write_text(version_1, "memory.limit_in_bytes", limit);
	write_text(version_1, "memory.usage_in_bytes", used);
}

static void the_limit_of_a_control_group_counts(void **state)
{
	char folder[] = "/tmp/arnica-groups-XXXXXX", version_1[64];
	const char *before = adev_process_groups;

	(void)state;
	if (access("/proc/self/cgroup", R_OK))
		skip();
	assert_non_null(mkdtemp(folder));
	snprintf(version_1, sizeof(version_1), "%s/memory", folder);
	assert_ok(mkdir(version_1, 0700));
	adev_process_groups = folder;
	set_limit(folder, "5000000\n", "1999999\n");
	assert_int_equal(adev_process_room(), 3000001);
	set_limit(folder, "5000000\n", "6000000\n");
	assert_int_equal(adev_process_room(), 0);
	set_limit(folder, "max\n", "6000000\n");
	assert_true(adev_process_room() > 5000000);
	set_limit(folder, NULL, NULL);
	assert_true(adev_process_room() > 5000000);
	adev_process_groups = before;
	assert_ok(rmdir(version_1));
	assert_ok(rmdir(folder));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain_private_memory_is_fit),
		cmocka_unit_test(the_mode_decides_what_is_worth_it),
		cmocka_unit_test(other_mappings_are_unfit),
		cmocka_unit_test(several_mappings_are_unfit),
		cmocka_unit_test(stacks_are_unfit),
		cmocka_unit_test(locked_memory_stays),
		cmocka_unit_test(no_process_with_io_uring),
		cmocka_unit_test(no_process_with_asynchronous_io),
		cmocka_unit_test(files_without_cache_count_with_several_threads),
		cmocka_unit_test(no_segment_beyond_the_file_limit),
		cmocka_unit_test(the_variable_is_checked),
		cmocka_unit_test(the_limit_of_a_control_group_counts),
	};

	if (!pages_are_adopted())
		return 77;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
