/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Extended completion queues: times that are true, flags that are refused, and
 * the attributes that one may be created with. What its readers tell of a
 * message is in features.c.
 */
#include <time.h>

#include "vt.h"

#define TIMES                                                                  \
	((uint64_t)IBV_WC_EX_WITH_COMPLETION_TIMESTAMP |                       \
	 IBV_WC_EX_WITH_COMPLETION_TIMESTAMP_WALLCLOCK)

static struct vt_end a, b;
static struct ibv_cq_ex *cq; /* b receives by it */

static uint64_t raw_clock(void)
{
	struct ibv_values_ex values = { .comp_mask = IBV_VALUES_MASK_RAW_CLOCK };

	VT_EQUAL(ibv_query_rt_values_ex(b.context, &values), 0);
	VT_EQUAL(values.comp_mask, IBV_VALUES_MASK_RAW_CLOCK);
	return (uint64_t)values.raw_clock.tv_sec * 1000000000u +
	       (uint64_t)values.raw_clock.tv_nsec;
}

static uint64_t wall_clock(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void open_with(struct ibv_cq_init_attr_ex *attr)
{
	struct vt_wish wish = vt_defaults();
	struct ibv_qp_init_attr qp = { .qp_type = IBV_QPT_RC };
	struct vt_address to_a, to_b;

	vt_end_open(&a, &wish);
	vt_end_open(&b, &wish);
	VT_EQUAL(ibv_destroy_qp(b.qp), 0);
	cq = ibv_create_cq_ex(b.context, attr);
	VT_CHECK(cq);
	qp.send_cq = b.send_cq;
	qp.recv_cq = ibv_cq_ex_to_cq(cq);
	qp.cap = b.cap;
	b.qp = ibv_create_qp(b.pd, &qp);
	VT_CHECK(b.qp);
	to_a = vt_address_of(&a);
	to_b = vt_address_of(&b);
	vt_connect(&a, &to_b);
	vt_connect(&b, &to_a);
}

static void close_all(void)
{
	VT_EQUAL(ibv_destroy_qp(b.qp), 0);
	b.qp = NULL;
	VT_EQUAL(ibv_destroy_cq(ibv_cq_ex_to_cq(cq)), 0);
	vt_pair_close(&a, &b);
}

/* Leaves the session open. */
static void start_poll(void)
{
	struct vt_patience patience = vt_patience(30000);
	struct ibv_poll_cq_attr none = { 0 };
	int status;

	while ((status = ibv_start_poll(cq, &none)) == ENOENT)
		VT_CHECK(!vt_patience_ends(&patience));
	VT_EQUAL(status, 0);
}

static void exchange(uint64_t id)
{
	vt_recv(&b, id, 0, 64);
	vt_send(&a, id, 0, 64);
	vt_expect(a.send_cq, id, IBV_WC_SUCCESS);
	start_poll();
	VT_EQUAL(cq->wr_id, id);
	VT_EQUAL(cq->status, IBV_WC_SUCCESS);
}

static void a_completion_tells_when_it_happened(void)
{
	struct ibv_cq_init_attr_ex attr = { .cqe = 16, .wc_flags = TIMES };
	uint64_t id, last = 0;

	open_with(&attr);
	for (id = 1; id <= 20; id++) {
		uint64_t before = raw_clock(), wall_before = wall_clock();
		uint64_t time, wall;

		exchange(id);
		time = ibv_wc_read_completion_ts(cq);
		wall = ibv_wc_read_completion_wallclock_ns(cq);
		ibv_end_poll(cq);
		VT_CHECK(before <= time && time <= raw_clock());
		VT_CHECK(wall_before <= wall && wall <= wall_clock());
		VT_CHECK(last < time);
		last = time;
	}
	close_all();
}

/* The time is that of the completion, however late it is asked for. */
static void a_late_poll_changes_no_time(void)
{
	struct ibv_cq_init_attr_ex attr = { .cqe = 16, .wc_flags = TIMES };
	uint64_t done, time, again;

	open_with(&attr);
	vt_recv(&b, 1, 0, 64);
	vt_send(&a, 1, 0, 64);
	vt_expect(a.send_cq, 1, IBV_WC_SUCCESS); /* acknowledged: it is there */
	done = raw_clock();
	nanosleep(&(struct timespec){ .tv_nsec = 30000000 }, NULL);
	start_poll();
	time = ibv_wc_read_completion_ts(cq);
	again = ibv_wc_read_completion_ts(cq);
	ibv_end_poll(cq);
	VT_CHECK(time <= done);
	VT_EQUAL(again, time);
	close_all();
}

static void completions_without_a_message_have_times_too(void)
{
	struct ibv_cq_init_attr_ex attr = { .cqe = 16, .wc_flags = TIMES };
	uint64_t before;

	open_with(&attr);
	vt_recv(&b, 9, 0, 64);
	before = raw_clock();
	VT_EQUAL(vt_set_state(b.qp, IBV_QPS_ERR), 0);
	start_poll();
	VT_EQUAL(cq->wr_id, 9);
	VT_EQUAL(cq->status, IBV_WC_WR_FLUSH_ERR);
	VT_CHECK(before <= ibv_wc_read_completion_ts(cq));
	VT_CHECK(ibv_wc_read_completion_ts(cq) <= raw_clock());
	ibv_end_poll(cq);
	close_all();
}

static void the_device_says_what_its_clock_is(void)
{
	struct ibv_values_ex values = { .comp_mask = 1u << 20 };
	struct vt_wish wish = vt_defaults();
	struct ibv_device_attr_ex device;
	uint64_t first;

	vt_end_open(&b, &wish);
	VT_EQUAL(ibv_query_device_ex(b.context, NULL, &device), 0);
	VT_CHECK(device.completion_timestamp_mask == UINT64_MAX);
	VT_EQUAL(device.hca_core_clock, 1000000); /* kHz: nanoseconds */
	first = raw_clock();
	nanosleep(&(struct timespec){ .tv_nsec = 20000000 }, NULL);
	VT_CHECK(raw_clock() >= first + 20000000);
	VT_EQUAL(ibv_query_rt_values_ex(b.context, &values), EOPNOTSUPP);
	vt_end_close(&b);
}

static void refused(struct ibv_cq_init_attr_ex attr, int error)
{
	errno = 0;
	VT_CHECK(!ibv_create_cq_ex(b.context, &attr));
	VT_EQUAL(errno, error);
}

/* Flow tags and stripped VLAN tags belong to raw packets, tag matching to an
 * SRQ of its own type: none of these are there. */
static void what_is_not_there_is_refused(void)
{
	struct vt_wish wish = vt_defaults();
	struct ibv_cq_init_attr_ex attr = { .cqe = 16 };

	vt_end_open(&b, &wish);
	attr.wc_flags = IBV_WC_EX_WITH_FLOW_TAG;
	refused(attr, EOPNOTSUPP);
	attr.wc_flags = IBV_WC_EX_WITH_CVLAN;
	refused(attr, EOPNOTSUPP);
	attr.wc_flags = IBV_WC_EX_WITH_TM_INFO;
	refused(attr, EOPNOTSUPP);
	attr.wc_flags = 1ull << 40;
	refused(attr, EOPNOTSUPP);
	attr.wc_flags = 0;
	attr.comp_mask = IBV_CQ_INIT_ATTR_MASK_FLAGS;
	attr.flags = 1u << 30;
	refused(attr, EOPNOTSUPP);
	attr.comp_mask = 1u << 30;
	refused(attr, EOPNOTSUPP);
	attr.comp_mask = IBV_CQ_INIT_ATTR_MASK_PD; /* and none is given */
	refused(attr, EINVAL);
	attr.comp_mask = 0;
	attr.cqe = 0;
	refused(attr, EINVAL);
	vt_end_close(&b);
}

static void works_with(struct ibv_cq_init_attr_ex attr)
{
	uint64_t id;

	attr.cqe = 8;
	open_with(&attr);
	for (id = 1; id <= 20; id++) {
		exchange(id);
		VT_EQUAL(ibv_wc_read_opcode(cq), IBV_WC_RECV);
		ibv_end_poll(cq);
	}
	close_all();
}

static void single_threaded_use_can_be_promised(void)
{
	works_with((struct ibv_cq_init_attr_ex){
		.comp_mask = IBV_CQ_INIT_ATTR_MASK_FLAGS,
		.flags = IBV_CREATE_CQ_ATTR_SINGLE_THREADED });
}

static void overruns_can_be_ignored(void)
{
	works_with((struct ibv_cq_init_attr_ex){
		.comp_mask = IBV_CQ_INIT_ATTR_MASK_FLAGS,
		.flags = IBV_CREATE_CQ_ATTR_IGNORE_OVERRUN });
}

static void a_parent_domain_may_be_named(void)
{
	struct ibv_parent_domain_init_attr parent = { 0 };
	struct ibv_cq_init_attr_ex attr = {
		.cqe = 8,
		.comp_mask = IBV_CQ_INIT_ATTR_MASK_PD,
	};
	struct vt_wish wish = vt_defaults();
	struct ibv_cq_ex *of_parent;

	vt_end_open(&b, &wish);
	parent.pd = b.pd;
	attr.parent_domain = ibv_alloc_parent_domain(b.context, &parent);
	VT_CHECK(attr.parent_domain);
	of_parent = ibv_create_cq_ex(b.context, &attr);
	VT_CHECK(of_parent);
	VT_EQUAL(ibv_destroy_cq(ibv_cq_ex_to_cq(of_parent)), 0);
	VT_EQUAL(ibv_dealloc_pd(attr.parent_domain), 0);
	vt_end_close(&b);
}

static const struct vt_case cases[] = {
	VT_CASE(a_completion_tells_when_it_happened),
	VT_CASE(a_late_poll_changes_no_time),
	VT_CASE(completions_without_a_message_have_times_too),
	VT_CASE(the_device_says_what_its_clock_is),
	VT_CASE(what_is_not_there_is_refused),
	VT_CASE(single_threaded_use_can_be_promised),
	VT_CASE(overruns_can_be_ignored),
	VT_CASE(a_parent_domain_may_be_named),
	{ NULL, NULL, 0 },
};

int main(int argc, char **argv)
{
	return vt_main(argc, argv, cases);
}
