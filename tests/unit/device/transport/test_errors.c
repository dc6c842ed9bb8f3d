/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What is refused, with the statuses and events of both sides. */
#include <infiniband/verbs.h>
#include <string.h>
#include <sys/mman.h>

#include "two_functions.h"

#define NO_EVENT 0

/* The request fails with `status`, both QPs go to ERR, and the responder is
 * told of `event`. */
static void expect_end(struct two *two, enum arnica_hw_status status, int event)
{
	struct two_completion completion = two_expect(&two->qp_a, TWO_SEND,
						      status);

	assert_int_equal(completion.wqe_index,
			 two->qp_a.queue[TWO_SEND].posted - 1);
	two_expect_none(&two->qp_a, TWO_SEND);
	two_expect_state(&two->qp_a, ARNICA_HW_QPS_ERR);
	two_expect_state(&two->qp_b, ARNICA_HW_QPS_ERR);
	if (event != NO_EVENT)
		assert_int_equal(two_async(&two->b, true), event);
	assert_int_equal(two_async(&two->b, false), -1);
	assert_int_equal(two_async(&two->a, false), -1);
}

static void expect_access_error(struct two *two,
				const struct two_request *request)
{
	memset(two->b.buffer, 0x11, 256);
	(void)two_send(&two->qp_a, request);
	expect_end(two, ARNICA_HW_STATUS_REM_ACCESS_ERR,
		   IBV_EVENT_QP_ACCESS_ERR);
	assert_int_equal(two_function_of(&two->a)->counters.remote_access, 1);
	assert_int_equal(two->b.buffer[0], 0x11);
}

static void a_write_with_a_wrong_key_is_refused(void **state)
{
	struct two *two = *state;
	struct two_request request = two_request(ARNICA_HW_OP_WRITE, &two->a, 0,
						 8, &two->b, 0);

	request.rkey ^= 1;
	expect_access_error(two, &request);
}

static void a_read_with_a_wrong_key_is_refused(void **state)
{
	struct two *two = *state;
	struct two_request request = two_request(ARNICA_HW_OP_READ, &two->a, 0,
						 8, &two->b, 0);

	request.rkey = 0;
	expect_access_error(two, &request);
}

static void an_atomic_with_a_wrong_key_is_refused(void **state)
{
	struct two *two = *state;
	struct two_request request = two_request(ARNICA_HW_OP_FETCH_ADD,
						 &two->a, 0, 8, &two->b, 0);

	request.rkey = UINT32_MAX;
	expect_access_error(two, &request);
}

static void a_write_beyond_the_region_is_refused_whole(void **state)
{
	struct two *two = *state;
	struct two_request request = two_request(ARNICA_HW_OP_WRITE, &two->a, 0,
						 64, &two->b,
						 TWO_BUFFER_BYTES - 63);

	expect_access_error(two, &request);
	assert_int_equal(two->b.buffer[TWO_BUFFER_BYTES - 63], 0);
}

static void a_region_must_allow_it_as_the_queue_pair_does(void **state)
{
	struct two *two = *state;
	struct two_request request = two_request(ARNICA_HW_OP_WRITE, &two->a, 0,
						 8, &two->b, 0);
	uint32_t handle;

	assert_ok(two_register(&two->b, two->b.buffer, 4096,
			       ARNICA_HW_ACCESS_LOCAL_WRITE |
				       ARNICA_HW_ACCESS_REMOTE_READ,
			       &handle, &request.rkey));
	expect_access_error(two, &request);
}

static void a_region_of_another_domain_is_refused(void **state)
{
	const struct arnica_hw_command alloc_pd = {
		.opcode = arnica_to_le32(ARNICA_HW_CMD_ALLOC_PD),
	};
	struct two *two = *state;
	struct two_request request = two_request(ARNICA_HW_OP_WRITE, &two->a, 0,
						 8, &two->b, 0);
	struct arnica_hw_completion completion;
	uint32_t handle, own = two->b.pd;

	assert_ok(two_command(&two->b, &alloc_pd, &completion));
	two->b.pd = arnica_from_le32(completion.object.handle);
	assert_ok(two_register(&two->b, two->b.buffer, 4096, TWO_ALL_RIGHTS,
			       &handle, &request.rkey));
	two->b.pd = own;
	expect_access_error(two, &request);
}

static void a_deregistered_region_is_refused(void **state)
{
	struct two *two = *state;
	struct two_request request = two_request(ARNICA_HW_OP_WRITE, &two->a, 0,
						 8, &two->b, 0);

	(void)two_send(&two->qp_a, &request);
	(void)two_expect(&two->qp_a, TWO_SEND, ARNICA_HW_STATUS_SUCCESS);
	assert_ok(two_object(&two->b, ARNICA_HW_CMD_DEREG_MR, two->b.mr));
	expect_access_error(two, &request);
}

/* The QP's own rights, whatever the region allows. */
static void expect_invalid(void **state, enum arnica_hw_opcode opcode,
			   uint32_t access, uint32_t rd_atomic, uint32_t remote)
{
	struct two *two = *state;
	struct two_wish wish = two_defaults();
	struct two_request request = two_request(opcode, &two->a, 0, 8, &two->b,
						 remote);

	two_create(&two->qp_a, &two->a, &wish);
	two_create(&two->qp_b, &two->b, &wish);
	two_connect_one(&two->qp_a, two->qp_b.qpn, &wish);
	wish.access = access;
	wish.rd_atomic = rd_atomic;
	two_connect_one(&two->qp_b, two->qp_a.qpn, &wish);
	(void)two_send(&two->qp_a, &request);
	expect_end(two, ARNICA_HW_STATUS_REM_INV_REQ_ERR, IBV_EVENT_QP_REQ_ERR);
	assert_int_equal(two_function_of(&two->a)->counters.remote_invalid, 1);
}

#define WITHOUT(right) (TWO_ALL_RIGHTS & ~(uint32_t)ARNICA_HW_ACCESS_##right)

static void a_queue_pair_without_write_refuses_writes(void **state)
{
	expect_invalid(state, ARNICA_HW_OP_WRITE, WITHOUT(REMOTE_WRITE), 1, 0);
}

static void a_queue_pair_without_read_refuses_reads(void **state)
{
	expect_invalid(state, ARNICA_HW_OP_READ, WITHOUT(REMOTE_READ), 1, 0);
}

static void a_queue_pair_without_atomics_refuses_them(void **state)
{
	expect_invalid(state, ARNICA_HW_OP_CAS, WITHOUT(REMOTE_ATOMIC), 1, 0);
}

static void a_responder_without_resources_refuses_reads(void **state)
{
	expect_invalid(state, ARNICA_HW_OP_READ, TWO_ALL_RIGHTS, 0, 0);
}

static void a_responder_without_resources_refuses_atomics(void **state)
{
	expect_invalid(state, ARNICA_HW_OP_FETCH_ADD, TWO_ALL_RIGHTS, 0, 0);
}

/* IBTA 9.4.5 */
static void an_atomic_that_is_not_aligned_is_an_invalid_request(void **state)
{
	expect_invalid(state, ARNICA_HW_OP_FETCH_ADD, TWO_ALL_RIGHTS, 1, 4);
}

/* IBTA C9-88: nothing is accessed, so nothing is checked. */
static void rdma_of_no_length_needs_no_key(void **state)
{
	struct two *two = *state;
	struct two_request request = two_request(ARNICA_HW_OP_WRITE, &two->a, 0,
						 0, &two->b, 0);

	request.rkey = 0xdead;
	request.remote_address = UINT64_MAX;
	(void)two_send(&two->qp_a, &request);
	request.opcode = ARNICA_HW_OP_READ;
	(void)two_send(&two->qp_a, &request);
	(void)two_expect(&two->qp_a, TWO_SEND, ARNICA_HW_STATUS_SUCCESS);
	(void)two_expect(&two->qp_a, TWO_SEND, ARNICA_HW_STATUS_SUCCESS);
}

static void a_send_longer_than_its_receive_fails_at_both_sides(void **state)
{
	struct two *two = *state;
	struct two_request request = two_request(ARNICA_HW_OP_SEND, &two->a, 0,
						 9, &two->b, 0);

	(void)two_receive(&two->qp_b, 0, 8);
	(void)two_send(&two->qp_a, &request);
	(void)two_expect(&two->qp_b, TWO_RECEIVE, ARNICA_HW_STATUS_LOC_LEN_ERR);
	expect_end(two, ARNICA_HW_STATUS_REM_INV_REQ_ERR, NO_EVENT);
}

static void a_receive_that_may_not_be_written_fails_at_both_sides(void **state)
{
	struct two *two = *state;
	struct two_request request = two_request(ARNICA_HW_OP_SEND, &two->a, 0,
						 9, &two->b, 0);
	struct arnica_hw_data_segment into = two_segment(&two->b, 0, 64);

	into.lkey = arnica_to_le32(two->b.stag ^ 1);
	(void)two_receive_list(&two->qp_b, &into, 1);
	(void)two_send(&two->qp_a, &request);
	(void)two_expect(&two->qp_b, TWO_RECEIVE,
			 ARNICA_HW_STATUS_LOC_PROT_ERR);
	expect_end(two, ARNICA_HW_STATUS_REM_OP_ERR, NO_EVENT);
}

/* A fault of the requester's own: the peer hears nothing of it. */
static void expect_local(struct two *two, const struct two_request *request,
			 enum arnica_hw_status status)
{
	(void)two_send(&two->qp_a, request);
	(void)two_expect(&two->qp_a, TWO_SEND, status);
	two_expect_none(&two->qp_a, TWO_SEND);
	two_expect_none(&two->qp_b, TWO_RECEIVE);
	assert_int_equal(two_state(&two->qp_a), ARNICA_HW_QPS_ERR);
	assert_int_equal(two_state(&two->qp_b), ARNICA_HW_QPS_RTS);
}

static void a_local_key_that_is_wrong_fails_at_home(void **state)
{
	struct two *two = *state;
	struct two_request request = two_request(ARNICA_HW_OP_SEND, &two->a, 0,
						 8, &two->b, 0);

	request.sge[0].lkey = arnica_to_le32(two->a.stag ^ 1);
	(void)two_receive(&two->qp_b, 0, 64);
	expect_local(two, &request, ARNICA_HW_STATUS_LOC_PROT_ERR);
}

static void an_atomic_of_four_bytes_fails_at_home(void **state)
{
	struct two *two = *state;
	struct two_request request = two_request(ARNICA_HW_OP_CAS, &two->a, 0,
						 4, &two->b, 0);

	expect_local(two, &request, ARNICA_HW_STATUS_LOC_LEN_ERR);
}

static void an_unknown_operation_fails_at_home(void **state)
{
	struct two *two = *state;
	struct two_request request = two_request(ARNICA_HW_OP_COUNT, &two->a, 0,
						 4, &two->b, 0);

	expect_local(two, &request, ARNICA_HW_STATUS_LOC_QP_OP_ERR);
}

static void failures_complete_though_they_are_not_signaled(void **state)
{
	struct two *two = *state;
	struct two_request request = two_request(ARNICA_HW_OP_SEND, &two->a, 0,
						 4, &two->b, 0);

	request.flags = 0;
	request.num_sge = 200;
	expect_local(two, &request, ARNICA_HW_STATUS_LOC_QP_OP_ERR);
}

static void memory_unmapped_at_the_responder_is_its_operational_error(
	void **state)
{
	struct two *two = *state;
	struct two_request request = two_request(ARNICA_HW_OP_WRITE, &two->a, 0,
						 65536, &two->b, 65536);

	two_faults_expected();
	assert_ok(munmap(two->b.buffer + 65536, 4096));
	(void)two_send(&two->qp_a, &request);
	expect_end(two, ARNICA_HW_STATUS_REM_OP_ERR, IBV_EVENT_QP_FATAL);
}

static void memory_unmapped_at_the_requester_is_its_protection_error(
	void **state)
{
	struct two *two = *state;
	struct two_request request = two_request(ARNICA_HW_OP_SEND, &two->a,
						 65536, 16, &two->b, 0);

	two_faults_expected();
	assert_ok(munmap(two->a.buffer + 65536, 4096));
	(void)two_receive(&two->qp_b, 0, 64);
	expect_local(two, &request, ARNICA_HW_STATUS_LOC_PROT_ERR);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		two_connected_test(a_write_with_a_wrong_key_is_refused),
		two_connected_test(a_read_with_a_wrong_key_is_refused),
		two_connected_test(an_atomic_with_a_wrong_key_is_refused),
		two_connected_test(a_write_beyond_the_region_is_refused_whole),
		two_connected_test(
			a_region_must_allow_it_as_the_queue_pair_does),
		two_connected_test(a_region_of_another_domain_is_refused),
		two_connected_test(a_deregistered_region_is_refused),
		two_test(a_queue_pair_without_write_refuses_writes),
		two_test(a_queue_pair_without_read_refuses_reads),
		two_test(a_queue_pair_without_atomics_refuses_them),
		two_test(a_responder_without_resources_refuses_reads),
		two_test(a_responder_without_resources_refuses_atomics),
		two_test(an_atomic_that_is_not_aligned_is_an_invalid_request),
		two_connected_test(rdma_of_no_length_needs_no_key),
		two_connected_test(
			a_send_longer_than_its_receive_fails_at_both_sides),
		two_connected_test(
			a_receive_that_may_not_be_written_fails_at_both_sides),
		two_connected_test(a_local_key_that_is_wrong_fails_at_home),
		two_connected_test(an_atomic_of_four_bytes_fails_at_home),
		two_connected_test(an_unknown_operation_fails_at_home),
		two_connected_test(
			failures_complete_though_they_are_not_signaled),
		two_connected_test(
			memory_unmapped_at_the_responder_is_its_operational_error),
		two_connected_test(
			memory_unmapped_at_the_requester_is_its_protection_error),
	};

	two_faults_prepare();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
