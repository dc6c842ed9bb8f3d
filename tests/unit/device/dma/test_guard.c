/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Guarded copies in programs with and without handlers of their own. Each case
 * is a process of its own: the handler is installed once.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "dma/guard.h"

#define PAGE ((size_t)sysconf(_SC_PAGESIZE))
#define RIGHT 42

static unsigned char *page; /* of which each case makes what it needs */
static volatile sig_atomic_t handled;

static void unprotect(int number, siginfo_t *info, void *context)
{
	(void)number;
	(void)info;
	(void)context;
	handled++;
	if (mprotect(page, PAGE, PROT_READ | PROT_WRITE))
		_exit(1);
}

static void own_handler(void)
{
	struct sigaction action = { .sa_sigaction = unprotect,
				    .sa_flags = SA_SIGINFO };

	sigaction(SIGSEGV, &action, NULL);
}

static bool copy(void)
{
	static const char bytes[100] = { 1 };

	return adev_guard_copy(page, bytes, sizeof(bytes));
}

static int unmapped(void)
{
	adev_guard_install();
	munmap(page, PAGE);
	return copy() ? 1 : RIGHT;
}

static int unmapped_with_own_handler(void)
{
	own_handler();
	adev_guard_install();
	munmap(page, PAGE);
	return copy() || handled ? 1 : RIGHT;
}

static int protected_with_own_handler(void)
{
	own_handler();
	adev_guard_install();
	mprotect(page, PAGE, PROT_READ);
	return copy() && handled == 1 && page[0] == 1 ? RIGHT : 1;
}

static int outside_with_own_handler(void)
{
	own_handler();
	adev_guard_install();
	mprotect(page, PAGE, PROT_NONE);
	*(volatile unsigned char *)page = 1;
	return handled == 1 ? RIGHT : 1;
}

static int outside(void)
{
	adev_guard_install();
	mprotect(page, PAGE, PROT_NONE);
	*(volatile unsigned char *)page = 1;
	return 1;
}

static int sent(void)
{
	adev_guard_install();
	raise(SIGSEGV);
	return 1;
}

#define MAX_BYTES 80u

/* A guarded copy of so many bytes, and nothing around them. */
static bool copies(size_t bytes)
{
	unsigned char from[MAX_BYTES], to[MAX_BYTES + 2], expected[MAX_BYTES + 2];
	size_t i;

	for (i = 0; i < sizeof(from); i++)
		from[i] = (unsigned char)(i + 1);
	memset(to, 0xee, sizeof(to));
	memset(expected, 0xee, sizeof(expected));
	memcpy(expected + 1, from, bytes);
	return adev_guard_copy(to + 1, from, bytes) &&
	       memcmp(to, expected, sizeof(to)) == 0;
}

/* Short ones are copied in another way than long ones. */
static int every_length(void)
{
	unsigned char bytes[MAX_BYTES] = { 0 };
	unsigned char *gone = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	size_t length;

	adev_guard_install();
	gone += PAGE;
	munmap(gone, PAGE);
	for (length = 1; length <= MAX_BYTES; length++) {
		/* All of it, or the last byte only, is where nothing is. */
		unsigned char *partly = gone + 1 - length;

		if (!copies(length) || adev_guard_copy(gone, bytes, length) ||
		    adev_guard_copy(bytes, gone, length) ||
		    adev_guard_copy(partly, bytes, length) ||
		    adev_guard_copy(bytes, partly, length))
			return 1;
	}
	return RIGHT;
}

/* Wait status of the case as a program that had no handler at its start. */
static int status_of(int (*run)(void))
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		signal(SIGSEGV, SIG_DFL);
		signal(SIGBUS, SIG_DFL);
		page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		_exit(run());
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

#define RIGHT_STATUS (RIGHT << 8)

static void what_is_unmapped_ends_the_copy(void **state)
{
	(void)state;
	assert_int_equal(status_of(unmapped), RIGHT_STATUS);
}

static void copies_of_every_length_are_guarded(void **state)
{
	(void)state;
	assert_int_equal(status_of(every_length), RIGHT_STATUS);
}

static void a_program_with_a_handler_is_guarded_too(void **state)
{
	(void)state;
	assert_int_equal(status_of(unmapped_with_own_handler), RIGHT_STATUS);
}

static void protected_pages_are_the_programs_business(void **state)
{
	(void)state;
	assert_int_equal(status_of(protected_with_own_handler), RIGHT_STATUS);
	assert_int_equal(status_of(outside_with_own_handler), RIGHT_STATUS);
}

static void other_faults_and_signals_end_the_program(void **state)
{
	int status;

	(void)state;
	status = status_of(outside);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
	status = status_of(sent);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_unmapped_ends_the_copy),
		cmocka_unit_test(copies_of_every_length_are_guarded),
		cmocka_unit_test(a_program_with_a_handler_is_guarded_too),
		cmocka_unit_test(protected_pages_are_the_programs_business),
		cmocka_unit_test(other_faults_and_signals_end_the_program),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
