/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The responder lock: holders that live, that died, and waiting for them. */
#include "core/qp_lock.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

#include "core/function.h"
#include "test.h"
#include "transport/qp.h"

#define SHORT_MS 1u

/* A region, and one that is not in question. */
#define INDEX 7u
#define STAG (INDEX << 8 | 0x31)
#define OTHER_STAG ((INDEX + 1) << 8 | 0x31)

struct made {
	struct adev_function fn;
	struct fixture_function self;
	struct adev_qp_shared shared[2];
	struct adev_qp *qps[2];
	struct adev_qp private;
};

static int setup(void **state)
{
	struct made *made;

	/* Its size is a multiple of its alignment. */
	made = aligned_alloc(_Alignof(struct made), sizeof(*made));
	if (!made || fixture_setup(state))
		return -1;
	*made = (struct made){ 0 };
	if (!fixture_enter(&made->self))
		return -1;
	made->fn.directory = made->self.directory;
	made->fn.view.function = made->self.function;
	made->fn.view.qps = made->shared;
	made->fn.qps = made->qps;
	made->qps[0] = made->qps[1] = &made->private;
	made->fn.qp_scan_end = 2;
	*state = made;
	return 0;
}

static int teardown(void **state)
{
	struct made *made = *state;

	fixture_leave(&made->self);
	free(made);
	return fixture_teardown(state);
}

static uint32_t holder(struct adev_qp_shared *qp)
{
	return ADEV_LOCK_HOLDER(atomic_load(&qp->lock));
}

static void only_one_takes_it(void **state)
{
	struct made *made = *state;
	struct adev_qp_shared *qp = &made->shared[0];

	assert_true(adev_qp_try_lock(qp, 5));
	assert_int_equal(holder(qp), 6);
	assert_false(adev_qp_try_lock(qp, 5));
	assert_false(adev_qp_try_lock(qp, 6));
	adev_qp_unlock(qp);
	assert_int_equal(holder(qp), 0);
	assert_true(adev_qp_try_lock(qp, 6));
}

static void every_acquisition_counts(void **state)
{
	struct made *made = *state;
	struct adev_qp_shared *qp = &made->shared[0];
	uint64_t before;

	assert_true(adev_qp_try_lock(qp, 1));
	before = atomic_load(&qp->lock);
	adev_qp_unlock(qp);
	assert_true(adev_qp_try_lock(qp, 1));
	assert_int_equal(atomic_load(&qp->lock) - before, 1ull << 32);
}

static void the_count_goes_around_without_touching_the_holder(void **state)
{
	struct made *made = *state;
	struct adev_qp_shared *qp = &made->shared[0];

	atomic_store(&qp->lock, 0xffffffffull << 32);
	assert_true(adev_qp_try_lock(qp, 1));
	assert_int_equal(atomic_load(&qp->lock), 2);
}

static void owner_takes_a_free_lock(void **state)
{
	struct made *made = *state;

	assert_ok(adev_qp_lock_owner(&made->fn, &made->shared[0], SHORT_MS));
	assert_int_equal(holder(&made->shared[0]), made->self.function + 1);
}

static void owner_gives_up_when_a_live_peer_keeps_it(void **state)
{
	struct made *made = *state;
	struct fixture_function remote;
	pid_t pid = fixture_spawn(&remote, FIXTURE_PAUSE);

	assert_true(pid > 0);
	assert_true(adev_qp_try_lock(&made->shared[0], remote.function));
	assert_int_equal(
		adev_qp_lock_owner(&made->fn, &made->shared[0], SHORT_MS),
		EBUSY);
	assert_int_equal(holder(&made->shared[0]), remote.function + 1);
	fixture_kill(pid);
	adev_directory_put(remote.directory);
}

static void owner_gives_up_when_another_thread_of_its_own_keeps_it(void **state)
{
	struct made *made = *state;

	assert_true(adev_qp_try_lock(&made->shared[0], made->self.function));
	assert_int_equal(
		adev_qp_lock_owner(&made->fn, &made->shared[0], SHORT_MS),
		EBUSY);
}

static void owner_replaces_a_dead_holder(void **state)
{
	struct made *made = *state;
	struct fixture_function remote;
	pid_t pid = fixture_spawn(&remote, FIXTURE_PAUSE);
	uint64_t before;

	assert_true(pid > 0);
	assert_true(adev_qp_try_lock(&made->shared[0], remote.function));
	before = atomic_load(&made->shared[0].lock);
	fixture_kill(pid);
	assert_true(fixture_wait_life(&remote, ADEV_LIFE_DEAD));
	assert_ok(adev_qp_lock_owner(&made->fn, &made->shared[0], SHORT_MS));
	assert_int_equal(holder(&made->shared[0]), made->self.function + 1);
	assert_int_equal(atomic_load(&made->shared[0].lock) >> 32,
			 (before >> 32) + 1);
	adev_directory_put(remote.directory);
}

static void a_holder_that_cannot_exist_is_replaced(void **state)
{
	struct made *made = *state;

	atomic_store(&made->shared[0].lock, 0xfffffffful);
	assert_ok(adev_qp_lock_owner(&made->fn, &made->shared[0], SHORT_MS));
	adev_qp_unlock(&made->shared[0]);
	atomic_store(&made->shared[0].lock, (uint64_t)ADEV_FUNCTIONS + 1);
	assert_ok(adev_qp_lock_owner(&made->fn, &made->shared[0], SHORT_MS));
}

static void quiesce_waits_for_nobody_when_all_are_free(void **state)
{
	struct made *made = *state;

	assert_ok(adev_qp_lock_quiesce(&made->fn, INDEX, SHORT_MS));
}

static void quiesce_is_refused_by_a_live_holder_of_any_queue(void **state)
{
	struct made *made = *state;

	assert_true(adev_qp_try_lock(&made->shared[1], made->self.function));
	assert_int_equal(adev_qp_lock_quiesce(&made->fn, INDEX, SHORT_MS), EBUSY);
}

static void quiesce_does_not_wait_for_the_dead(void **state)
{
	struct made *made = *state;
	struct fixture_function remote;
	pid_t pid = fixture_spawn(&remote, FIXTURE_PAUSE);

	assert_true(pid > 0);
	assert_true(adev_qp_try_lock(&made->shared[1], remote.function));
	fixture_kill(pid);
	assert_true(fixture_wait_life(&remote, ADEV_LIFE_DEAD));
	assert_ok(adev_qp_lock_quiesce(&made->fn, INDEX, SHORT_MS));
	adev_directory_put(remote.directory);
}

static void quiesce_does_not_look_at_queues_that_are_gone(void **state)
{
	struct made *made = *state;

	assert_true(adev_qp_try_lock(&made->shared[1], made->self.function));
	made->qps[1] = NULL;
	assert_ok(adev_qp_lock_quiesce(&made->fn, INDEX, SHORT_MS));
}

/* A live peer that is stopped (it only sleeps) while it holds shared[0]. */
static pid_t stopped_holder(struct made *made, struct fixture_function *remote)
{
	pid_t pid = fixture_spawn(remote, FIXTURE_PAUSE);

	assert_true(pid > 0);
	assert_true(adev_qp_try_lock_announcing(&made->shared[0],
						remote->function));
	assert_int_equal(holder(&made->shared[0]), remote->function + 1);
	return pid;
}

static void end_holder(pid_t pid, struct fixture_function *remote)
{
	fixture_kill(pid);
	adev_directory_put(remote->directory);
}

static void quiesce_waits_for_a_stopped_holder_of_this_region_only(void **state)
{
	struct made *made = *state;
	struct fixture_function remote;
	pid_t pid = stopped_holder(made, &remote);

	adev_qp_announce(&made->shared[0], STAG);
	assert_int_equal(adev_qp_lock_quiesce(&made->fn, INDEX, SHORT_MS),
			 EBUSY);
	adev_qp_announce(&made->shared[0], OTHER_STAG);
	assert_ok(adev_qp_lock_quiesce(&made->fn, INDEX, SHORT_MS));
	end_holder(pid, &remote);
}

static int quiesced(struct made *made, const uint32_t *stags, uint32_t count)
{
	adev_qp_announce_list(&made->shared[0], stags, count);
	return adev_qp_lock_quiesce(&made->fn, INDEX, SHORT_MS);
}

static void quiesce_finds_the_region_among_others(void **state)
{
	const uint32_t last[] = { OTHER_STAG, OTHER_STAG, OTHER_STAG, STAG };
	const uint32_t none[] = { OTHER_STAG, OTHER_STAG, OTHER_STAG,
				  OTHER_STAG };
	const uint32_t many[] = { ADEV_USES_ANY, 1, 2, 3 };
	struct made *made = *state;
	struct fixture_function remote;
	pid_t pid = stopped_holder(made, &remote);

	assert_int_equal(quiesced(made, last, 4), EBUSY);
	/* What stands behind the last one is of an earlier message. */
	assert_ok(quiesced(made, last, 3));
	assert_ok(quiesced(made, none, 4));
	assert_int_equal(quiesced(made, many, 4), EBUSY);
	end_holder(pid, &remote);
}

static void quiesce_passes_a_stopped_holder_that_announced_nothing(void **state)
{
	struct made *made = *state;
	struct fixture_function remote;
	pid_t pid = stopped_holder(made, &remote);

	assert_ok(adev_qp_lock_quiesce(&made->fn, INDEX, 20000));
	end_holder(pid, &remote);
}

static void an_announcement_ends_with_its_acquisition(void **state)
{
	struct made *made = *state;
	struct adev_qp_shared *qp = &made->shared[0];
	struct fixture_function remote;
	pid_t pid;

	assert_true(adev_qp_try_lock_announcing(qp, made->self.function));
	adev_qp_announce(qp, OTHER_STAG);
	adev_qp_unlock(qp);
	pid = fixture_spawn(&remote, FIXTURE_PAUSE);
	assert_true(pid > 0);
	/* This holder announces nothing, and may use any region. */
	assert_true(adev_qp_try_lock(qp, remote.function));
	assert_int_equal(adev_qp_lock_quiesce(&made->fn, INDEX, SHORT_MS),
			 EBUSY);
	end_holder(pid, &remote);
}

static atomic_bool stop;

static void *take_and_give(void *argument)
{
	struct made *made = argument;

	while (!atomic_load(&stop)) {
		if (adev_qp_try_lock(&made->shared[0], made->self.function)) {
			sched_yield();
			adev_qp_unlock(&made->shared[0]);
		}
	}
	return NULL;
}

static void quiesce_waits_for_holders_not_for_their_successors(void **state)
{
	struct made *made = *state;
	pthread_t thread;
	int i;

	atomic_store(&stop, false);
	assert_ok(pthread_create(&thread, NULL, take_and_give, made));
	for (i = 0; i < 100; i++)
		assert_ok(adev_qp_lock_quiesce(&made->fn, INDEX, 20000));
	atomic_store(&stop, true);
	assert_ok(pthread_join(thread, NULL));
}

#define lock_test(function)                                                    \
	cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		lock_test(only_one_takes_it),
		lock_test(every_acquisition_counts),
		lock_test(the_count_goes_around_without_touching_the_holder),
		lock_test(owner_takes_a_free_lock),
		lock_test(owner_gives_up_when_a_live_peer_keeps_it),
		lock_test(
			owner_gives_up_when_another_thread_of_its_own_keeps_it),
		lock_test(owner_replaces_a_dead_holder),
		lock_test(a_holder_that_cannot_exist_is_replaced),
		lock_test(quiesce_waits_for_nobody_when_all_are_free),
		lock_test(quiesce_is_refused_by_a_live_holder_of_any_queue),
		lock_test(quiesce_does_not_wait_for_the_dead),
		lock_test(quiesce_does_not_look_at_queues_that_are_gone),
		lock_test(quiesce_waits_for_holders_not_for_their_successors),
		lock_test(quiesce_waits_for_a_stopped_holder_of_this_region_only),
		lock_test(quiesce_finds_the_region_among_others),
		lock_test(quiesce_passes_a_stopped_holder_that_announced_nothing),
		lock_test(an_announcement_ends_with_its_acquisition),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
