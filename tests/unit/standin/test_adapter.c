/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * standin/adapter.c: the first touch, with a fake adapter beside this program.
 * Each case needs a process of its own, because a process finds its adapter
 * once: this program runs itself with the name of the case.
 */
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "adapter.h"
#include "tree_build.h"

#define NUM_THREADS 8

static char domain[] = "/tmp/standin-adapter-XXXXXX";

static int start(void **state)
{
	(void)state;
	if (!mkdtemp(domain))
		return -1;
	return setenv("FAKE_DOMAIN", domain, 1);
}

static int finish(void **state)
{
	(void)state;
	standin_build_remove(AT_FDCWD, domain);
	return 0;
}

static void *touch(void *result)
{
	const struct standin_adapter **adapter = result;

	/* Reads what another thread may have published. */
	if (standin_adapter_get(adapter) ||
	    strcmp((*adapter)->identity.device_name, "arnica0") ||
	    strncmp((*adapter)->root, getenv("FAKE_DOMAIN"),
		    sizeof(domain) - 1))
		*adapter = NULL;
	return NULL;
}

static int run_threads(void)
{
	const struct standin_adapter *adapters[NUM_THREADS];
	pthread_t threads[NUM_THREADS];
	int i;

	for (i = 0; i < NUM_THREADS; i++)
		pthread_create(&threads[i], NULL, touch, &adapters[i]);
	for (i = 0; i < NUM_THREADS; i++)
		pthread_join(threads[i], NULL);
	for (i = 0; i < NUM_THREADS; i++) {
		if (!adapters[i] || adapters[i] != adapters[0])
			return 1;
	}
	return 0;
}

static int run_failure(void)
{
	const struct standin_adapter *adapter;

	errno = E2BIG;
	if (standin_adapter_get(&adapter) != ENOSPC || adapter ||
	    errno != E2BIG)
		return 1;
	unsetenv("FAKE_ERROR");
	if (standin_adapter_get(&adapter) != ENOSPC)
		return 2;
	return standin_adapter_is_loading() ? 3 : 0;
}

static void run(const char *name, const char *error)
{
	int status;

	fflush(stdout);
	if (!fork()) {
		if (error)
			setenv("FAKE_ERROR", error, 1);
		execl(program_invocation_name, program_invocation_name, name,
		      NULL);
		_exit(99);
	}
	assert_true(wait(&status) > 0);
	assert_int_equal(status, 0);
}

static void threads_that_come_first_together_share_one_adapter(void **state)
{
	(void)state;
	run("threads", NULL);
}

static void a_failure_is_remembered(void **state)
{
	(void)state;
	run("failure", "28"); /* ENOSPC */
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			threads_that_come_first_together_share_one_adapter),
		cmocka_unit_test(a_failure_is_remembered),
	};

	if (argc > 1)
		return strcmp(argv[1], "threads") ? run_failure() :
						    run_threads();
	return cmocka_run_group_tests(tests, start, finish);
}
