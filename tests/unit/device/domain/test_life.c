/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "test.h"

#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "domain/life.h"
#include "domain/proc.h"

static struct robust_list_head *current_head(void)
{
	struct robust_list_head *head = NULL;
	size_t bytes;

	syscall(SYS_get_robust_list, 0, &head, &bytes);
	return head;
}

static void word_is_the_threads_own_until_dropped(void **state)
{
	struct adev_directory *directory;
	_Atomic uint32_t *life;

	(void)state;
	assert_ok(adev_directory_open(&directory));
	life = &directory->table->slots[5].life;
	assert_false(adev_life_is_mine(directory->shadow, 5));
	assert_ok(adev_life_take(directory->shadow, 5, 0));
	assert_true(adev_life_is_mine(directory->shadow, 5));
	assert_int_equal(*life, gettid());
	assert_int_equal(adev_life_take(directory->shadow, 5, 0), EBUSY);
	adev_life_drop(directory->shadow, 5);
	assert_int_equal(*life, 0);
	assert_false(adev_life_is_mine(directory->shadow, 5));
	adev_directory_put(directory);
}

static void list_of_the_c_library_returns(void **state)
{
	struct robust_list_head *before = current_head();
	struct adev_directory *directory;

	(void)state;
	assert_ok(adev_directory_open(&directory));
	assert_int_equal(adev_life_take(directory->shadow, 6, 1), EBUSY);
	assert_ptr_equal(current_head(), before);
	assert_ok(adev_life_take(directory->shadow, 6, 0));
	assert_ok(adev_life_take(directory->shadow, 7, 0));
	assert_ptr_not_equal(current_head(), before);
	adev_life_drop(directory->shadow, 6);
	assert_ptr_not_equal(current_head(), before);
	adev_life_drop(directory->shadow, 7);
	assert_ptr_equal(current_head(), before);
	adev_directory_put(directory);
}

/* Somebody took us for dead and entered: the word is theirs now. */
static void word_of_the_next_owner_is_left_alone(void **state)
{
	struct adev_directory *directory;

	(void)state;
	assert_ok(adev_directory_open(&directory));
	assert_ok(adev_life_take(directory->shadow, 8, 0));
	directory->table->slots[8].life = 4711;
	adev_life_drop(directory->shadow, 8);
	assert_int_equal(directory->table->slots[8].life, 4711);
	adev_directory_put(directory);
}

static void *take_and_end(void *opaque)
{
	struct adev_directory *directory = opaque;

	return adev_life_take(directory->shadow, 9, 0) == 0 ? opaque : NULL;
}

static void end_of_the_thread_marks_the_word(void **state)
{
	struct adev_directory *directory;
	pthread_t thread;
	void *result;

	(void)state;
	assert_ok(adev_directory_open(&directory));
	assert_ok(pthread_create(&thread, NULL, take_and_end, directory));
	assert_ok(pthread_join(thread, &result));
	assert_non_null(result);
	assert_int_equal(directory->table->slots[9].life, ADEV_LIFE_OWNER_DIED);
	assert_ok(adev_life_take(directory->shadow, 9, ADEV_LIFE_OWNER_DIED));
	adev_life_drop(directory->shadow, 9);
	adev_directory_put(directory);
}

static void take_and_drop_forever(struct adev_directory *directory)
{
	for (;;)
		for (uint32_t i = 0; i < 4; i++) {
			uint32_t life = directory->table->slots[i].life;

			if (adev_life_take(directory->shadow, i, life) == 0)
				adev_life_drop(directory->shadow, i);
		}
}

static void sigkill_at_any_store_marks_the_word(void **state)
{
	struct timespec pause = { 0 };
	struct adev_directory *directory;
	pid_t pid;

	(void)state;
	assert_ok(adev_directory_open(&directory));
	for (int round = 0; round < 200; round++) {
		pid = fork();
		if (pid == 0)
			take_and_drop_forever(directory);
		pause.tv_nsec = 500000 + (long)(adev_proc_random() % 1000000);
		nanosleep(&pause, NULL);
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		for (uint32_t i = 0; i < 4; i++)
			assert_true(adev_life_is_free(
				directory->table->slots[i].life));
	}
	adev_directory_put(directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		domain_test(word_is_the_threads_own_until_dropped),
		domain_test(list_of_the_c_library_returns),
		domain_test(word_of_the_next_owner_is_left_alone),
		domain_test(end_of_the_thread_marks_the_word),
		domain_test(sigkill_at_any_store_marks_the_word),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
