/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Parent domains, thread domains, and the application's allocators. */
#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>

#include "fixture.h"
#include "pd.h"

#define WITH_DEVICE(test)                                                      \
	cmocka_unit_test_setup_teardown(test, fixture_open, fixture_close)

static unsigned int num_taken, num_given;
static enum { OWN, DEFAULT, NONE } answer;
static int cookie;

static void *take(struct ibv_pd *pd, void *context, size_t size,
		  size_t alignment, uint64_t type)
{
	assert_non_null(pd);
	assert_ptr_equal(context, &cookie);
	assert_true(type == ARNICA_RESOURCE_SEND_QUEUE ||
		    type == ARNICA_RESOURCE_RECEIVE_QUEUE);
	num_taken++;
	if (answer == DEFAULT)
		return IBV_ALLOCATOR_USE_DEFAULT;
	return answer == NONE ? NULL : aligned_alloc(alignment, size);
}

static void give(struct ibv_pd *pd, void *context, void *memory, uint64_t type)
{
	(void)type;
	assert_non_null(pd);
	assert_ptr_equal(context, &cookie);
	num_given++;
	free(memory);
}

static struct ibv_parent_domain_init_attr wish(struct fixture *fixture)
{
	num_taken = 0;
	num_given = 0;
	answer = OWN;
	return (struct ibv_parent_domain_init_attr){
		.pd = fixture->pd,
		.comp_mask = IBV_PARENT_DOMAIN_INIT_ATTR_ALLOCATORS |
			     IBV_PARENT_DOMAIN_INIT_ATTR_PD_CONTEXT,
		.alloc = take,
		.free = give,
		.pd_context = &cookie,
	};
}

static struct ibv_qp *qp_of(struct fixture *fixture, struct ibv_pd *pd)
{
	struct ibv_cq *cq = ibv_cq_ex_to_cq(&fixture->cq->verbs);
	struct ibv_qp_init_attr attr = {
		.send_cq = cq,
		.recv_cq = cq,
		.cap = { 4, 4, 1, 1, 0 },
		.qp_type = IBV_QPT_RC,
	};

	return ibv_create_qp(pd, &attr);
}

static void queues_stand_in_the_applications_memory(void **state)
{
	struct fixture *fixture = *state;
	struct ibv_parent_domain_init_attr attr = wish(fixture);
	struct ibv_pd *parent = ibv_alloc_parent_domain(fixture->ibv, &attr);
	struct ibv_qp *qp = qp_of(fixture, parent);

	assert_non_null(qp);
	assert_ptr_equal(qp->pd, parent);
	assert_int_equal(parent->handle, fixture->pd->handle);
	assert_int_equal(num_taken, 2);
	fixture_set_state(arnica_qp_of(qp), IBV_QPS_RTS);
	assert_int_equal(fixture_post_send(arnica_qp_of(qp), 7), 0);
	assert_int_equal(ibv_dealloc_pd(parent), EBUSY);
	assert_int_equal(ibv_dealloc_pd(fixture->pd), EBUSY);
	assert_int_equal(ibv_destroy_qp(qp), 0);
	assert_int_equal(num_given, 2);
	assert_int_equal(ibv_dealloc_pd(parent), 0);
}

static void allocators_may_decline_or_fail(void **state)
{
	struct fixture *fixture = *state;
	struct ibv_parent_domain_init_attr attr = wish(fixture);
	struct ibv_pd *parent = ibv_alloc_parent_domain(fixture->ibv, &attr);
	struct ibv_qp *qp;

	answer = DEFAULT;
	qp = qp_of(fixture, parent);
	assert_non_null(qp);
	assert_int_equal(ibv_destroy_qp(qp), 0);
	assert_int_equal(num_given, 0);
	answer = NONE;
	assert_null(qp_of(fixture, parent));
	assert_int_equal(errno, ENOMEM);
	assert_int_equal(num_given, 0);
	assert_int_equal(ibv_dealloc_pd(parent), 0);
}

static void thread_domain_is_busy_while_it_is_used(void **state)
{
	struct fixture *fixture = *state;
	struct ibv_td_init_attr none = { 0 }, unknown = { .comp_mask = 1 };
	struct ibv_td *td = ibv_alloc_td(fixture->ibv, &none);
	struct ibv_parent_domain_init_attr attr = { .pd = fixture->pd,
						    .td = td };
	struct ibv_pd *parent = ibv_alloc_parent_domain(fixture->ibv, &attr);
	struct ibv_qp *qp;

	assert_null(ibv_alloc_td(fixture->ibv, &unknown));
	assert_int_equal(errno, EINVAL);
	assert_int_equal(ibv_dealloc_td(td), EBUSY);
	qp = qp_of(fixture, parent);
	assert_true(arnica_qp_of(qp)->send.lock.unshared);
	assert_true(arnica_qp_of(qp)->receive.lock.unshared);
	assert_false(fixture->qp->send.lock.unshared);
	assert_int_equal(ibv_destroy_qp(qp), 0);
	assert_int_equal(ibv_dealloc_pd(parent), 0);
	assert_int_equal(ibv_dealloc_td(td), 0);
}

static int refusal(struct fixture *fixture,
		   struct ibv_parent_domain_init_attr attr)
{
	errno = 0;
	assert_null(ibv_alloc_parent_domain(fixture->ibv, &attr));
	return errno;
}

static void bad_parents_are_refused(void **state)
{
	struct fixture *fixture = *state;
	struct ibv_parent_domain_init_attr attr = wish(fixture);
	struct ibv_pd *parent = ibv_alloc_parent_domain(fixture->ibv, &attr);

	attr.pd = NULL;
	assert_int_equal(refusal(fixture, attr), EINVAL);
	attr.pd = parent; /* no parents of parents */
	assert_int_equal(refusal(fixture, attr), EINVAL);
	attr = wish(fixture);
	attr.comp_mask = 1u << 9;
	assert_int_equal(refusal(fixture, attr), EINVAL);
	attr = wish(fixture);
	attr.free = NULL;
	assert_int_equal(refusal(fixture, attr), EINVAL);
	assert_int_equal(ibv_dealloc_pd(parent), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_DEVICE(queues_stand_in_the_applications_memory),
		WITH_DEVICE(allocators_may_decline_or_fail),
		WITH_DEVICE(thread_domain_is_busy_while_it_is_used),
		WITH_DEVICE(bad_parents_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
