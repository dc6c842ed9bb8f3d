/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Devices, regions, queues: what is asked of the adapter, what is refused
 * before it is asked, and which errno the application sees.
 */
#include <cmocka.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "async.h"
#include "fixture.h"
#include "mr.h"

static atomic_bool acknowledged;

static void device_reports_what_it_is(void **state)
{
	struct fixture *fixture = *state;
	struct ibv_device_attr_ex attr;
	struct ibv_device_attr small;

	assert_int_equal(ibv_query_device(fixture->ibv, &small), 0);
	assert_memory_equal(&small.node_guid,
			    "\x01\x02\x03\x04\x05\x06\x07\x08", 8);
	assert_int_equal(small.vendor_id, 0xa711ca);
	assert_int_equal(small.atomic_cap, IBV_ATOMIC_GLOB);
	assert_string_equal(small.fw_ver, "fake");
	assert_int_equal(ibv_query_device_ex(fixture->ibv, NULL, &attr), 0);
	assert_int_equal(attr.hca_core_clock, 1000000);
	assert_int_equal(attr.odp_caps.general_caps,
			 IBV_ODP_SUPPORT | IBV_ODP_SUPPORT_IMPLICIT);
	assert_int_equal(attr.raw_packet_caps, 0);
	assert_int_equal(attr.rss_caps.rx_hash_function,
			 IBV_RX_HASH_FUNC_TOEPLITZ);
	assert_int_equal(attr.rss_caps.supported_qpts, 1 << IBV_QPT_RAW_PACKET);
}

/* Nothing is written beyond the structure of the oldest release. */
static void port_attributes_fit_the_oldest_structure(void **state)
{
	struct fixture *fixture = *state;
	unsigned char memory[80];
	struct ibv_port_attr *attr = (struct ibv_port_attr *)(void *)memory;

	memset(memory, 0xee, sizeof(memory));
	assert_int_equal(ibv_query_port(fixture->ibv, 1, attr), 0);
	assert_int_equal(attr->state, IBV_PORT_ACTIVE);
	assert_int_equal(attr->link_layer, IBV_LINK_LAYER_ETHERNET);
	assert_int_equal(memory[sizeof(*attr)], 0xee);
}

static void access_rights_follow_the_rules(void **state)
{
	(void)state;
	assert_int_equal(arnica_mr_check_access(0), 0);
	assert_int_equal(arnica_mr_check_access(IBV_ACCESS_LOCAL_WRITE |
						IBV_ACCESS_REMOTE_WRITE),
			 0);
	assert_int_equal(arnica_mr_check_access(IBV_ACCESS_REMOTE_READ), 0);
	assert_int_equal(arnica_mr_check_access(IBV_ACCESS_REMOTE_WRITE),
			 EINVAL);
	assert_int_equal(arnica_mr_check_access(IBV_ACCESS_REMOTE_ATOMIC),
			 EINVAL);
	assert_int_equal(arnica_mr_check_access(IBV_ACCESS_ON_DEMAND), 0);
	assert_int_equal(arnica_mr_check_access(1 << 8), EOPNOTSUPP);
	assert_int_equal(arnica_mr_check_access(1 << 15), EINVAL);
	assert_int_equal(arnica_mr_check_access(IBV_ACCESS_RELAXED_ORDERING),
			 0);
	assert_int_equal(arnica_mr_check_access(1 << 28), 0);
}

static void region_errors_reach_errno(void **state)
{
	struct fixture *fixture = *state;
	char buffer[8];

	errno = 0;
	assert_null(ibv_reg_mr(fixture->pd, buffer, 0, 0));
	assert_int_equal(errno, EINVAL);
	fixture->bus->fail_opcode = ARNICA_HW_CMD_REG_MR;
	fixture->bus->fail_status = ARNICA_HW_COMMAND_FAULT;
	errno = 0;
	assert_null(ibv_reg_mr(fixture->pd, buffer, 8, 0));
	assert_int_equal(errno, EFAULT);
}

static void rereg_changes_what_it_names(void **state)
{
	struct fixture *fixture = *state;
	char buffer[8];
	char other[16];
	struct ibv_mr *mr = ibv_reg_mr(fixture->pd, buffer, 8, 0);
	const struct arnica_hw_cmd_reg_mr *asked = &fixture->bus->last.reg_mr;

	assert_int_equal(ibv_rereg_mr(mr, IBV_REREG_MR_CHANGE_TRANSLATION, NULL,
				      other, 16, 0),
			 0);
	assert_int_equal(arnica_from_le32(asked->change), 1);
	assert_int_equal(arnica_from_le64(asked->address), (uintptr_t)other);
	assert_int_equal(arnica_from_le64(asked->iova), (uintptr_t)other);
	assert_int_equal(arnica_from_le64(asked->length), 16);
	assert_int_equal(ibv_rereg_mr(mr, IBV_REREG_MR_CHANGE_ACCESS, NULL,
				      NULL, 0, IBV_ACCESS_REMOTE_WRITE),
			 IBV_REREG_MR_ERR_CMD);
	assert_int_equal(errno, EINVAL);
	fixture->bus->fail_opcode = ARNICA_HW_CMD_DEREG_MR;
	fixture->bus->fail_status = ARNICA_HW_COMMAND_BUSY;
	assert_int_equal(ibv_dereg_mr(mr), EBUSY);
	fixture->bus->fail_opcode = 0;
	assert_int_equal(ibv_dereg_mr(mr), 0);
}

static void bad_completion_queues_are_refused(void **state)
{
	struct fixture *fixture = *state;
	struct ibv_cq_init_attr_ex init = { .cqe = 1 };
	struct ibv_cq *cq = ibv_cq_ex_to_cq(&fixture->cq->verbs);

	assert_null(ibv_create_cq(fixture->ibv, 0, NULL, NULL, 0));
	assert_int_equal(errno, EINVAL);
	assert_null(ibv_create_cq(fixture->ibv, -1, NULL, NULL, 0));
	assert_null(ibv_create_cq(fixture->ibv, 65537, NULL, NULL, 0));
	assert_null(ibv_create_cq(fixture->ibv, 1, NULL, NULL, 4));
	assert_int_equal(errno, EINVAL);
	init.wc_flags = IBV_WC_EX_WITH_TM_INFO;
	assert_null(arnica_cq_create_ex(fixture->ibv, &init));
	assert_int_equal(errno, EOPNOTSUPP);
	init.wc_flags = 0;
	init.comp_mask = IBV_CQ_INIT_ATTR_MASK_FLAGS;
	init.flags = 1u << 7;
	assert_null(arnica_cq_create_ex(fixture->ibv, &init));
	assert_int_equal(errno, EOPNOTSUPP);
	assert_int_equal(ibv_resize_cq(cq, 0), EINVAL);
	assert_int_equal(ibv_resize_cq(cq, 2000), 0);
	assert_int_equal(cq->cqe, 2000);
}

static struct ibv_qp_init_attr good_qp(struct fixture *fixture)
{
	struct ibv_cq *cq = ibv_cq_ex_to_cq(&fixture->cq->verbs);

	return (struct ibv_qp_init_attr){
		.send_cq = cq,
		.recv_cq = cq,
		.cap = { 1, 1, 1, 1, 0 },
		.qp_type = IBV_QPT_RC,
	};
}

static int refusal(struct fixture *fixture, struct ibv_qp_init_attr attr)
{
	errno = 0;
	assert_null(ibv_create_qp(fixture->pd, &attr));
	return errno;
}

static void bad_queue_pairs_are_refused(void **state)
{
	struct fixture *fixture = *state;
	struct ibv_qp_init_attr attr = good_qp(fixture);

	attr.qp_type = (enum ibv_qp_type)77;
	assert_int_equal(refusal(fixture, attr), EINVAL);
	attr = good_qp(fixture);
	attr.cap.max_send_wr = 1025;
	assert_int_equal(refusal(fixture, attr), EINVAL);
	attr = good_qp(fixture);
	attr.cap.max_recv_sge = ARNICA_HW_MAX_SGE + 1;
	assert_int_equal(refusal(fixture, attr), EINVAL);
	attr = good_qp(fixture);
	attr.cap.max_inline_data = 257;
	assert_int_equal(refusal(fixture, attr), EINVAL);
	attr = good_qp(fixture);
	attr.recv_cq = NULL;
	assert_int_equal(refusal(fixture, attr), EINVAL);
	fixture->bus->fail_opcode = ARNICA_HW_CMD_CREATE_QP;
	fixture->bus->fail_status = ARNICA_HW_COMMAND_NO_MEMORY;
	assert_int_equal(refusal(fixture, good_qp(fixture)), ENOMEM);
}

static void queue_pair_is_set_up_for_the_library(void **state)
{
	struct fixture *fixture = *state;
	struct ibv_qp_init_attr attr = good_qp(fixture);
	struct ibv_qp *qp = ibv_create_qp(fixture->pd, &attr);

	assert_non_null(qp);
	assert_ptr_equal(qp->context, fixture->ibv);
	assert_ptr_equal(qp->pd, fixture->pd);
	assert_int_equal(qp->state, IBV_QPS_RESET);
	assert_int_equal(qp->qp_type, IBV_QPT_RC);
	assert_int_not_equal(qp->qp_num, 0);
	assert_null(ibv_qp_to_qp_ex(qp)); /* made without send_ops_flags */
	fixture->bus->fail_opcode = ARNICA_HW_CMD_DESTROY_QP;
	fixture->bus->fail_status = ARNICA_HW_COMMAND_BUSY;
	assert_int_equal(ibv_destroy_qp(qp), EBUSY);
	fixture->bus->fail_opcode = 0;
	assert_int_equal(ibv_destroy_qp(qp), 0);
}

static void queue_without_receives_is_legal(void **state)
{
	struct fixture *fixture = *state;
	struct ibv_qp_init_attr attr = good_qp(fixture);
	struct ibv_qp *qp;

	attr.cap = (struct ibv_qp_cap){ .max_send_wr = 4, .max_send_sge = 1 };
	qp = ibv_create_qp(fixture->pd, &attr);
	assert_non_null(qp);
	fixture_set_state(arnica_qp_of(qp), IBV_QPS_INIT);
	assert_int_equal(fixture_post_receive(arnica_qp_of(qp), 1, NULL, 0),
			 EINVAL);
	assert_int_equal(ibv_destroy_qp(qp), 0);
}

static int modify(struct fixture *fixture, struct ibv_qp_attr attr, int mask)
{
	return ibv_modify_qp(&fixture->qp->verbs.base, &attr, mask);
}

static void attributes_out_of_range_are_refused(void **state)
{
	struct fixture *fixture = *state;
	const int to_init = IBV_QP_STATE | IBV_QP_PKEY_INDEX | IBV_QP_PORT |
			    IBV_QP_ACCESS_FLAGS;
	struct ibv_qp_attr attr = { .qp_state = IBV_QPS_INIT, .port_num = 1 };

	attr.port_num = 2;
	assert_int_equal(modify(fixture, attr, to_init), EINVAL);
	attr.port_num = 1;
	attr.pkey_index = 1;
	assert_int_equal(modify(fixture, attr, to_init), EINVAL);
	attr.pkey_index = 0;
	assert_int_equal(modify(fixture, attr, IBV_QP_STATE), EINVAL);
	assert_int_equal(fixture->qp->verbs.base.state, IBV_QPS_RESET);
	assert_int_equal(modify(fixture, attr, to_init), 0);
	assert_int_equal(fixture->qp->verbs.base.state, IBV_QPS_INIT);
	attr.qp_state = IBV_QPS_RTS;
	assert_int_equal(modify(fixture, attr, IBV_QP_STATE), EINVAL);
	attr.qp_state = IBV_QPS_ERR;
	assert_int_equal(modify(fixture, attr, IBV_QP_STATE), 0);
}

static void unread_events_are_counted_until_acknowledged(void **state)
{
	struct fixture *fixture = *state;
	struct ibv_cq *cq = ibv_cq_ex_to_cq(&fixture->cq->verbs);
	struct ibv_async_event event = {
		.element.qp = &fixture->qp->verbs.base,
		.event_type = IBV_EVENT_COMM_EST,
	};

	arnica_async_event(fixture->ibv, &event);
	assert_int_equal(fixture->qp->async_events, 1);
	ibv_ack_async_event(&event);
	event.element.cq = cq;
	event.event_type = IBV_EVENT_CQ_ERR;
	arnica_async_event(fixture->ibv, &event);
	arnica_cq_event(cq);
	ibv_ack_async_event(&event);
	ibv_ack_cq_events(cq, 1);
	/* fixture_close() destroys both and would hang if the counts differed
	 */
}

static void *acknowledge_late(void *cq)
{
	for (int i = 0; i < 100; i++)
		sched_yield();
	atomic_store(&acknowledged, true);
	ibv_ack_cq_events(cq, 1);
	return NULL;
}

/* A thread has read an event and is not yet back in the library when another
 * one destroys the CQ. */
static void destroying_waits_for_events_on_their_way(void **state)
{
	struct fixture *fixture = *state;
	struct ibv_cq *cq = ibv_create_cq(fixture->ibv, 4, NULL, NULL, 0);
	pthread_t thread;

	assert_non_null(cq);
	fixture->bus->events_read.completion_events = arnica_to_le32(1);
	atomic_store(&acknowledged, false);
	assert_int_equal(pthread_create(&thread, NULL, acknowledge_late, cq),
			 0);
	assert_int_equal(ibv_destroy_cq(cq), 0);
	assert_true(atomic_load(&acknowledged));
	assert_int_equal(pthread_join(thread, NULL), 0);
	fixture->bus->events_read.completion_events = arnica_to_le32(0);
}

/* Where the adapter cannot tell, those count that the library handed over. */
static void unknown_numbers_of_events_are_not_waited_for(void **state)
{
	struct fixture *fixture = *state;
	const arnica_le32 unknown = arnica_to_le32(ARNICA_HW_EVENTS_UNKNOWN);
	struct ibv_cq *cq = ibv_create_cq(fixture->ibv, 4, NULL, NULL, 0);

	assert_non_null(cq);
	arnica_cq_event(cq);
	ibv_ack_cq_events(cq, 1);
	fixture->bus->events_read =
		(struct arnica_hw_res_events){ unknown, unknown };
	assert_int_equal(ibv_destroy_cq(cq), 0);
	memset(&fixture->bus->events_read, 0,
	       sizeof(fixture->bus->events_read));
}

static void forked_child_gets_eio_but_may_close(void **state)
{
	struct fixture *fixture = *state;
	int status;
	pid_t child = fork();

	if (child == 0) {
		struct ibv_wc wc;
		bool right;

		fixture->bus->alive = false;
		right = fixture_post_send(fixture->qp, 1) == EIO &&
			fixture_post_receive(fixture->qp, 1, NULL, 0) == EIO &&
			ibv_poll_cq(ibv_cq_ex_to_cq(&fixture->cq->verbs), 1,
				    &wc) < 0 &&
			!ibv_alloc_pd(fixture->ibv) && errno == EIO &&
			ibv_destroy_qp(&fixture->qp->verbs.base) == EIO &&
			ibv_close_device(fixture->ibv) == 0;
		_exit(right ? 0 : 1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

int main(void)
{
#define WITH_DEVICE(test)                                                      \
	cmocka_unit_test_setup_teardown(test, fixture_open, fixture_close)
	const struct CMUnitTest tests[] = {
		WITH_DEVICE(device_reports_what_it_is),
		WITH_DEVICE(port_attributes_fit_the_oldest_structure),
		cmocka_unit_test(access_rights_follow_the_rules),
		WITH_DEVICE(region_errors_reach_errno),
		WITH_DEVICE(rereg_changes_what_it_names),
		WITH_DEVICE(bad_completion_queues_are_refused),
		WITH_DEVICE(bad_queue_pairs_are_refused),
		WITH_DEVICE(queue_pair_is_set_up_for_the_library),
		WITH_DEVICE(queue_without_receives_is_legal),
		WITH_DEVICE(attributes_out_of_range_are_refused),
		WITH_DEVICE(unread_events_are_counted_until_acknowledged),
		WITH_DEVICE(destroying_waits_for_events_on_their_way),
		WITH_DEVICE(unknown_numbers_of_events_are_not_waited_for),
		WITH_DEVICE(forked_child_gets_eio_but_may_close),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
