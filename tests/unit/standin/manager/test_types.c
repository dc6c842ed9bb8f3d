/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * standin/manager: what is said for each type of queue pair that is connected,
 * and who is refused because it has another type.
 */
#include "manager_fixture.h"

static const struct rdma_ucm_conn_param param = {
	.qp_num = 0x11,
	.responder_resources = 3,
	.initiator_depth = 2,
	.retry_count = 5,
	.rnr_retry_count = 4,
	.srq = 1,
	.flow_control = 1,
	.valid = 1,
};
static const struct rdma_ucm_conn_param answer = {
	.qp_num = 0x22,
	.responder_resources = 2,
	.initiator_depth = 1,
	.rnr_retry_count = 6,
	.flow_control = 1,
	.valid = 1,
};

static struct standin_cm_id *listener_of(uint8_t qp_type)
{
	fixture.qp_type = qp_type;
	return fixture_listener(RDMA_PS_IB);
}

static struct standin_cm_id *client_of(uint8_t qp_type)
{
	fixture.qp_type = qp_type;
	return fixture_client(RDMA_PS_IB);
}

struct ends {
	struct standin_cm_id *client, *server;
	struct roce_cm_message req, rep;
	struct rdma_ucm_conn_param asked, answered;
};

/* The last message of a kind that was sent. */
static struct roce_cm_message last_of(uint16_t attribute)
{
	size_t i = fixture.num_sent;

	while (i--)
		if (fixture_message(i).attribute == attribute)
			return fixture_message(i);
	fail_msg("none was sent");
	return fixture_message(0);
}

static void join(struct ends *ends, uint8_t passive, uint8_t active)
{
	struct standin_cm_event event;

	(void)listener_of(passive);
	ends->client = client_of(active);
	assert_int_equal(standin_cm_connect(ends->client, &param), 0);
	ends->req = last_of(ROCE_CM_REQ);
	fixture_deliver();
	event = fixture_event(STANDIN_CM_CONNECT_REQUEST);
	ends->server = event.made;
	ends->server->uid = 78;
	ends->asked = event.answer.param.conn;
	assert_int_equal(ends->server->qp_type, passive);
	assert_int_equal(standin_cm_accept(ends->server, &answer), 0);
	ends->rep = last_of(ROCE_CM_REP);
	fixture_deliver();
	event = fixture_event(STANDIN_CM_CONNECT_RESPONSE);
	ends->answered = event.answer.param.conn;
	assert_int_equal(standin_cm_accept(ends->client, NULL), 0);
	fixture_deliver();
	fixture_event(STANDIN_CM_ESTABLISHED);
}

static struct ib_uverbs_qp_attr attributes(const struct standin_cm_id *id,
					   uint32_t state)
{
	struct ib_uverbs_qp_attr attr;

	assert_int_equal(standin_cm_qp_attr(id, state, &attr), 0);
	return attr;
}

/* An XRC initiator has no responder, and its target no requester. */
static void an_xrc_connection_has_one_direction(void **state)
{
	struct ib_uverbs_qp_attr attr;
	struct ends ends;

	(void)state;
	join(&ends, IBV_QPT_XRC_RECV, IBV_QPT_XRC_SEND);

	assert_int_equal(ends.req.req.transport, ROCE_CM_EXTENDED);
	assert_int_equal(ends.req.req.extended_transport, ROCE_CM_EXTENDED_XRC);
	assert_int_equal(ends.req.req.qpn, 0x11);
	assert_int_equal(ends.req.req.initiator_depth, 2);
	assert_int_equal(ends.req.req.responder_resources, 0);
	assert_int_equal(ends.req.req.retry_count, 0);
	assert_int_equal(ends.req.req.rnr_retry, 0);
	assert_false(ends.req.req.srq);
	assert_int_equal(ends.asked.qp_num, 0x11);
	assert_int_equal(ends.asked.responder_resources, 2);

	assert_int_equal(ends.rep.rep.qpn, 0);
	assert_int_equal(ends.rep.rep.local_eecn, 0x22);
	assert_int_equal(ends.rep.rep.responder_resources, 2);
	assert_int_equal(ends.rep.rep.initiator_depth, 0);
	assert_int_equal(ends.rep.rep.rnr_retry, 6);
	assert_false(ends.rep.rep.flow_control);
	assert_true(ends.rep.rep.srq);
	assert_int_equal(ends.answered.qp_num, 0x22);
	assert_int_equal(ends.answered.initiator_depth, 2);
	assert_int_equal(ends.answered.srq, 1);

	attr = attributes(ends.client, IBV_QPS_RTR);
	assert_int_equal(attr.dest_qp_num, 0x22);
	assert_int_equal(attr.qp_attr_mask,
			 IBV_QP_STATE | IBV_QP_AV | IBV_QP_PATH_MTU |
				 IBV_QP_DEST_QPN | IBV_QP_RQ_PSN);
	attr = attributes(ends.client, IBV_QPS_RTS);
	assert_int_equal(attr.max_rd_atomic, 2);
	assert_int_equal(attr.retry_cnt, 5);
	assert_int_equal(attr.rnr_retry, 6);
	assert_int_equal(attr.qp_attr_mask,
			 IBV_QP_STATE | IBV_QP_SQ_PSN | IBV_QP_TIMEOUT |
				 IBV_QP_RETRY_CNT | IBV_QP_RNR_RETRY |
				 IBV_QP_MAX_QP_RD_ATOMIC);
	attr = attributes(ends.server, IBV_QPS_RTR);
	assert_int_equal(attr.dest_qp_num, 0x11);
	assert_int_equal(attr.max_dest_rd_atomic, 2);
	assert_int_equal(attr.qp_attr_mask,
			 IBV_QP_STATE | IBV_QP_AV | IBV_QP_PATH_MTU |
				 IBV_QP_DEST_QPN | IBV_QP_RQ_PSN |
				 IBV_QP_MAX_DEST_RD_ATOMIC |
				 IBV_QP_MIN_RNR_TIMER);
	attr = attributes(ends.server, IBV_QPS_RTS);
	assert_int_equal(attr.qp_attr_mask,
			 IBV_QP_STATE | IBV_QP_SQ_PSN | IBV_QP_TIMEOUT);
}

/* The number by which the target goes is that which a DREQ names. */
static void an_xrc_connection_ends(void **state)
{
	struct ends ends;

	(void)state;
	join(&ends, IBV_QPT_XRC_RECV, IBV_QPT_XRC_SEND);
	assert_int_equal(standin_cm_disconnect(ends.client), 0);
	assert_int_equal(last_of(ROCE_CM_DREQ).dreq.remote_qpn, 0x22);
	fixture_deliver();
	assert_ptr_equal(fixture_event(STANDIN_CM_DISCONNECTED).id,
			 ends.server);
	assert_int_equal(standin_cm_disconnect(ends.server), 0);
	fixture_deliver();
	assert_ptr_equal(fixture_event(STANDIN_CM_DISCONNECTED).id,
			 ends.client);
}

/* The target's queue pair goes on without its id, and so does the connection.
 */
static void an_xrc_target_leaves_without_a_word(void **state)
{
	struct ends ends;
	size_t before;

	(void)state;
	join(&ends, IBV_QPT_XRC_RECV, IBV_QPT_XRC_SEND);
	before = fixture.num_sent;
	standin_cm_destroy(ends.server, fixture.fd);
	assert_int_equal(fixture.num_sent, before);
	fixture_no_event();
	/* The initiator's does not. */
	standin_cm_destroy(ends.client, fixture.fd);
	assert_int_equal(last_of(ROCE_CM_DREQ).dreq.remote_qpn, 0x22);
	fixture_deliver();
}

static void only_an_initiator_asks(void **state)
{
	static const uint8_t types[] = { IBV_QPT_XRC_RECV, IBV_QPT_RAW_PACKET,
					 0 };
	size_t before = fixture.num_sent;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(types); i++)
		assert_int_equal(
			standin_cm_connect(client_of(types[i]), &param),
			EINVAL);
	assert_int_equal(fixture.num_sent, before);
}

static void an_unreliable_connection_has_neither(void **state)
{
	struct ends ends;

	(void)state;
	join(&ends, IBV_QPT_UC, IBV_QPT_UC);
	assert_int_equal(ends.req.req.transport, ROCE_CM_UC);
	assert_int_equal(ends.rep.rep.qpn, 0x22);
	assert_int_equal(attributes(ends.server, IBV_QPS_RTR).qp_attr_mask,
			 IBV_QP_STATE | IBV_QP_AV | IBV_QP_PATH_MTU |
				 IBV_QP_DEST_QPN | IBV_QP_RQ_PSN);
	assert_int_equal(attributes(ends.client, IBV_QPS_RTS).qp_attr_mask,
			 IBV_QP_STATE | IBV_QP_SQ_PSN);
}

static void another_type_is_refused(void **state)
{
	static const uint8_t pairs[][2] = {
		/* who listens, who asks */
		{ IBV_QPT_RC, IBV_QPT_UC },
		{ IBV_QPT_RC, IBV_QPT_XRC_SEND },
		{ IBV_QPT_UC, IBV_QPT_RC },
		{ IBV_QPT_XRC_RECV, IBV_QPT_RC },
		{ IBV_QPT_XRC_RECV, IBV_QPT_UC },
		{ IBV_QPT_XRC_SEND, IBV_QPT_XRC_SEND },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		struct standin_cm_id *listener = listener_of(pairs[i][0]);
		struct standin_cm_id *client = client_of(pairs[i][1]);
		struct standin_cm_event event;

		assert_int_equal(standin_cm_connect(client, &param), 0);
		fixture_deliver();
		event = fixture_event(STANDIN_CM_REJECTED);
		assert_ptr_equal(event.id, client);
		assert_int_equal(event.answer.status,
				 ROCE_CM_INVALID_TRANSPORT);
		fixture_no_event();
		standin_cm_destroy(client, fixture.fd);
		standin_cm_destroy(listener, fixture.fd);
	}
}

#define types_test(function)                                                   \
	cmocka_unit_test_setup_teardown(function, fixture_setup,               \
					fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		types_test(an_xrc_connection_has_one_direction),
		types_test(an_xrc_connection_ends),
		types_test(an_xrc_target_leaves_without_a_word),
		types_test(only_an_initiator_asks),
		types_test(an_unreliable_connection_has_neither),
		types_test(another_type_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
