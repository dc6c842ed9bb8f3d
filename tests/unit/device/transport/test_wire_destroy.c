/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Destruction of queue pairs whose peers are reached over the wire. */
#include <pthread.h>
#include <sched.h>

#include "transport/remote.h"
#include "two_wire.h"

#define ROUNDS 3000u

struct observer {
	struct adev_function *fn;
	uint32_t index; /* of the QP that is being destroyed */
	bool watching;  /* both change while nobody serves */
	_Atomic bool stop;
	_Atomic uint32_t times_seen;
};

/* Who serves the function while a QP is taken out of it must not find it on a
 * list. */
static void *serve(void *opaque)
{
	struct observer *observer = opaque;
	struct adev_function *fn = observer->fn;

	while (!atomic_load(&observer->stop)) {
		if (atomic_flag_test_and_set(&fn->serving))
			continue;
		if (observer->watching &&
		    !__atomic_load_n(&fn->qps[observer->index],
				     __ATOMIC_ACQUIRE) &&
		    atomic_load(&fn->settling))
			atomic_fetch_add(&observer->times_seen, 1);
		atomic_flag_clear(&fn->serving);
	}
	return NULL;
}

static void watch(struct observer *observer, bool watching, uint32_t index)
{
	while (atomic_flag_test_and_set(&observer->fn->serving))
		sched_yield();
	observer->watching = watching;
	observer->index = index;
	atomic_flag_clear(&observer->fn->serving);
}

static void a_qp_that_settles_is_on_no_list_once_withdrawn(void **state)
{
	struct two_wire *wire = *state;
	const struct two_wish wish = two_defaults();
	struct observer observer = { .fn = two_function_of(&wire->two.a) };
	pthread_t thread;
	uint32_t i;

	assert_ok(pthread_create(&thread, NULL, serve, &observer));
	for (i = 0; i < ROUNDS; i++) {
		struct adev_qp *qp;

		two_wire_connect(wire, &wish);
		qp = two_qp_of(&wire->two.qp_a);
		adev_settle_later(qp);
		assert_true(atomic_load(&observer.fn->settling) == qp);
		watch(&observer, true, qp->index);
		assert_ok(two_destroy(&wire->two.qp_a));
		watch(&observer, false, 0);
		assert_null(atomic_load(&observer.fn->settling));
		assert_null(observer.fn->timed);
		assert_ok(two_destroy(&wire->two.qp_b));
	}
	atomic_store(&observer.stop, true);
	pthread_join(thread, NULL);
	assert_int_equal(atomic_load(&observer.times_seen), 0);
}

static void a_qp_with_packets_under_way_can_be_destroyed(void **state)
{
	struct two_wire *wire = *state;
	struct two *two = &wire->two;
	struct two_request request =
		two_request(ARNICA_HW_OP_WRITE, &two->a, 0, 4096, &two->b, 0);

	(void)two_send(&two->qp_a, &request);
	assert_non_null(two_function_of(&two->a)->timed);
	assert_ok(two_destroy(&two->qp_a));
	assert_null(two_function_of(&two->a)->timed);
	/* Its packets and their answers find nobody, and harm nobody. */
	two_wire_settle(wire, 1000000000);
	two_wire_expect_state(wire, &two->qp_b, ARNICA_HW_QPS_RTS);
	assert_ok(two_destroy(&two->qp_b));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		two_wire_test(a_qp_that_settles_is_on_no_list_once_withdrawn),
		two_wire_connected_test(
			a_qp_with_packets_under_way_can_be_destroyed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
