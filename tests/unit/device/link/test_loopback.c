/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Links: which descriptions of a peer's queue pair are believed. */
#include "link/link.h"

#include <string.h>

#include "core/qp_lock.h"
#include "two_functions.h"

static enum adev_link_state resolve(struct two_qp *from)
{
	struct adev_qp *qp = two_qp_of(from);
	enum adev_link_state state;

	adev_qp_lock_send(qp);
	qp->link.resolved = false;
	state = adev_link_resolve(qp);
	adev_qp_unlock_send(qp);
	return state;
}

static void a_link_leads_to_the_peers_queue(void **state)
{
	struct two *two = *state;
	struct adev_link *link = &two_qp_of(&two->qp_a)->link;

	assert_int_equal(resolve(&two->qp_a), ADEV_LINK_UP);
	assert_ptr_equal(link->qp, &link->view->qps[two->qp_b.handle]);
	assert_int_equal(link->ring.number, 2 * two->qp_b.handle + 1);
	assert_int_equal(link->rq_stride, two->qp_b.queue[TWO_RECEIVE].stride);
	assert_int_equal(link->rq_mask, two->qp_b.queue[TWO_RECEIVE].slots - 1);
	assert_int_equal(link->ring.cq_index, two->b.cq[TWO_RECEIVE]);
}

/* Within a process both sides use one mapping. */
static void the_peer_is_not_mapped_twice(void **state)
{
	struct two *two = *state;

	assert_int_equal(resolve(&two->qp_a), ADEV_LINK_UP);
	assert_ptr_equal(two_qp_of(&two->qp_a)->link.view->base,
			 two_function_of(&two->b)->view.base);
}

/* One description that is wrong; the right one is believed afterwards. */
static void expect_refused(struct two *two, void *field, const void *wrong,
			   size_t bytes)
{
	char right[8];

	memcpy(right, field, bytes);
	memcpy(field, wrong, bytes);
	assert_int_equal(resolve(&two->qp_a), ADEV_LINK_ABSENT);
	memcpy(field, right, bytes);
	assert_int_equal(resolve(&two->qp_a), ADEV_LINK_UP);
}

static void expect_refused_32(struct two *two, uint32_t *field, uint32_t wrong)
{
	expect_refused(two, field, &wrong, sizeof(wrong));
}

static void expect_refused_64(struct two *two, uint64_t *field, uint64_t wrong)
{
	expect_refused(two, field, &wrong, sizeof(wrong));
}

static void queues_of_wrong_shapes_are_not_believed(void **state)
{
	struct two *two = *state;
	struct adev_qp_shared *shared = two_shared_of(&two->qp_b);

	expect_refused_32(two, &shared->rq_slots, 3);
	expect_refused_32(two, &shared->rq_slots,
			  2 * ARNICA_HW_MAX_QUEUE_DEPTH);
	expect_refused_32(two, &shared->rq_slots, 1u << 31);
	expect_refused_32(two, &shared->rq_stride, 0);
	expect_refused_32(two, &shared->rq_stride, 8);
	expect_refused_32(two, &shared->rq_stride, 24);
	expect_refused_32(two, &shared->rq_stride, 2 * ARNICA_HW_MAX_RQE_BYTES);
	expect_refused_32(two, &shared->rq_max_sge, shared->rq_stride / 16 + 1);
	expect_refused_32(two, &shared->rq_max_sge, UINT32_MAX);
}

static void more_segments_than_a_list_holds_are_not_believed(void **state)
{
	struct two *two = *state;
	struct adev_qp_shared *shared = two_shared_of(&two->qp_b);

	shared->rq_stride = ARNICA_HW_MAX_RQE_BYTES;
	expect_refused_32(two, &shared->rq_max_sge, ARNICA_HW_MAX_SGE + 1);
	expect_refused_32(two, &shared->rq_max_sge,
			  ARNICA_HW_MAX_RQE_BYTES / 16);
}

static void places_outside_the_segment_are_not_believed(void **state)
{
	struct two *two = *state;
	struct adev_qp_shared *shared = two_shared_of(&two->qp_b);
	uint64_t size = two_function_of(&two->b)->view.size;

	expect_refused_64(two, &shared->rq_offset, size);
	expect_refused_64(two, &shared->rq_offset, size - 16);
	expect_refused_64(two, &shared->rq_offset, UINT64_MAX - 15);
	expect_refused_64(two, &shared->rq_offset, shared->rq_offset + 8);
	expect_refused_64(two, &shared->recv_ring_offset, size - 64);
	expect_refused_64(two, &shared->recv_ring_offset, UINT64_MAX - 63);
	expect_refused_64(two, &shared->recv_ring_offset,
			  shared->recv_ring_offset + 32);
	expect_refused_32(two, &shared->recv_cq,
			  two_function_of(&two->b)->view.layout.max_cq);
	expect_refused_32(two, &shared->recv_cq, UINT32_MAX);
}

static void an_eager_ring_that_does_not_fit_is_not_used(void **state)
{
	struct two *two = *state;
	struct adev_qp_shared *shared = two_shared_of(&two->qp_b);
	struct adev_link *link = &two_qp_of(&two->qp_a)->link;

	shared->eager_offset = two_function_of(&two->b)->view.size - 64;
	assert_int_equal(resolve(&two->qp_a), ADEV_LINK_UP);
	assert_int_equal(link->eager_bytes, 0);
	shared->eager_bytes = 3000;
	shared->eager_offset = 0;
	assert_int_equal(resolve(&two->qp_a), ADEV_LINK_UP);
	assert_int_equal(link->eager_bytes, 0);
}

static void a_number_that_is_another_queue_pairs_leads_nowhere(void **state)
{
	struct two *two = *state;

	expect_refused_32(two, &two_shared_of(&two->qp_b)->qpn, 0);
	expect_refused_32(two, &two_shared_of(&two->qp_b)->qpn,
			  two->qp_b.qpn ^ 1);
}

static void a_peer_that_is_being_changed_is_asked_again_later(void **state)
{
	struct two *two = *state;
	struct adev_qp_shared *shared = two_shared_of(&two->qp_b);

	while (!adev_qp_try_lock(shared,
				 two_function_of(&two->b)->view.function))
		;
	assert_int_equal(resolve(&two->qp_a), ADEV_LINK_BUSY);
	adev_qp_unlock(shared);
	assert_int_equal(resolve(&two->qp_a), ADEV_LINK_UP);
}

static void letting_go_twice_is_letting_go(void **state)
{
	struct two *two = *state;
	struct adev_qp *qp = two_qp_of(&two->qp_a);

	adev_qp_lock_send(qp);
	adev_link_drop(qp);
	adev_link_drop(qp);
	assert_null(qp->link.view);
	assert_int_equal(adev_link_resolve(qp), ADEV_LINK_UP);
	adev_qp_unlock_send(qp);
}

static void a_peer_that_closed_is_absent_not_dead(void **state)
{
	struct two *two = *state;
	const struct two_wish wish = two_defaults();
	struct two_function third;
	struct two_qp here, there;

	assert_ok(two_function_open(&third));
	two_create(&here, &two->a, &wish);
	two_create(&there, &third, &wish);
	two_connect(&here, &there, &wish);
	assert_int_equal(resolve(&here), ADEV_LINK_UP);
	two_function_close(&third);
	assert_int_equal(resolve(&here), ADEV_LINK_ABSENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		two_connected_test(a_link_leads_to_the_peers_queue),
		two_connected_test(the_peer_is_not_mapped_twice),
		two_connected_test(queues_of_wrong_shapes_are_not_believed),
		two_connected_test(
			more_segments_than_a_list_holds_are_not_believed),
		two_connected_test(places_outside_the_segment_are_not_believed),
		two_connected_test(an_eager_ring_that_does_not_fit_is_not_used),
		two_connected_test(
			a_number_that_is_another_queue_pairs_leads_nowhere),
		two_connected_test(
			a_peer_that_is_being_changed_is_asked_again_later),
		two_connected_test(letting_go_twice_is_letting_go),
		two_connected_test(a_peer_that_closed_is_absent_not_dead),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
