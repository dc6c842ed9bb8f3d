/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * standin/manager: the state machine against loss, repetition and silence,
 * which no test with a clock could wait for.
 */
#include "manager_fixture.h"

static const struct rdma_ucm_conn_param param = {
	.qp_num = 0x11,
	.responder_resources = 3,
	.initiator_depth = 2,
	.retry_count = 9,
	.valid = 1,
};
static const struct rdma_ucm_conn_param answer = {
	.qp_num = 0x22,
	.responder_resources = 1,
	.initiator_depth = 1,
	.valid = 1,
};

struct ends {
	struct standin_cm_id *listener, *client, *server;
	size_t req; /* the place of the REQ among what was sent */
};

static void ask(struct ends *ends)
{
	ends->listener = fixture_listener(RDMA_PS_TCP);
	ends->client = fixture_client(RDMA_PS_TCP);
	ends->req = fixture.num_sent;
	assert_int_equal(standin_cm_connect(ends->client, &param), 0);
	fixture_deliver();
	ends->server = fixture_event(STANDIN_CM_CONNECT_REQUEST).made;
	ends->server->uid = 78;
}

static void join(struct ends *ends)
{
	ask(ends);
	assert_int_equal(standin_cm_accept(ends->server, &answer), 0);
	fixture_deliver();
	fixture_event(STANDIN_CM_CONNECT_RESPONSE);
	assert_int_equal(standin_cm_accept(ends->client, NULL), 0);
	fixture_deliver();
	fixture_event(STANDIN_CM_ESTABLISHED);
}

/* Time goes on until nobody waits for anything. */
static void silence(void)
{
	uint64_t due;

	while ((due = standin_cm_expire(fixture.now)))
		fixture.now = due;
	fixture_lose();
}

static void both_ends_agree(void **state)
{
	struct ib_uverbs_qp_attr here, there;
	struct ends ends;

	(void)state;
	join(&ends);
	assert_int_equal(standin_cm_qp_attr(ends.client, IBV_QPS_RTR, &here),
			 0);
	assert_int_equal(here.dest_qp_num, 0x22);
	assert_int_equal(here.max_dest_rd_atomic, 1);
	assert_int_equal(standin_cm_qp_attr(ends.server, IBV_QPS_RTS, &there),
			 0);
	assert_int_equal(there.sq_psn, here.rq_psn);
	assert_int_equal(there.retry_cnt, 7);
	assert_int_equal(standin_cm_qp_attr(ends.client, IBV_QPS_RTS, &here),
			 0);
	assert_int_equal(standin_cm_qp_attr(ends.server, IBV_QPS_RTR, &there),
			 0);
	assert_int_equal(there.rq_psn, here.sq_psn);
	assert_int_equal(there.dest_qp_num, 0x11);
}

static void silence_makes_a_peer_unreachable(void **state)
{
	struct standin_cm_id *client;
	struct standin_cm_event event;
	size_t first;

	(void)state;
	client = fixture_client(RDMA_PS_TCP);
	first = fixture.num_sent;
	assert_int_equal(standin_cm_connect(client, &param), 0);
	fixture_lose();
	silence();
	event = fixture_event(STANDIN_CM_UNREACHABLE);
	assert_int_equal((int)event.answer.status, -ETIMEDOUT);
	assert_int_equal(fixture_count(first, ROCE_CM_REQ),
			 1 + STANDIN_CM_RETRIES);
	/* Each time the same. */
	assert_memory_equal(&fixture.sent[first], &fixture.sent[first + 5],
			    sizeof(fixture.sent[first]));
	fixture_no_event();
}

static void a_lost_reply_is_repeated(void **state)
{
	struct ends ends;
	size_t first;

	(void)state;
	ask(&ends);
	first = fixture.num_sent;
	assert_int_equal(standin_cm_accept(ends.server, &answer), 0);
	fixture_lose();
	/* By its timer, and as the answer to a REQ that comes again. */
	fixture.now = standin_cm_expire(fixture.now);
	(void)standin_cm_expire(fixture.now);
	assert_int_equal(fixture_count(first, ROCE_CM_REP), 2);
	fixture_lose();
	fixture_deliver_one(ends.req);
	assert_int_equal(fixture_count(first, ROCE_CM_REP), 3);
	fixture_no_event();
	fixture_deliver();
	fixture_event(STANDIN_CM_CONNECT_RESPONSE);
	fixture_no_event();
}

static void nobody_confirms(void **state)
{
	struct standin_cm_event event;
	struct ends ends;

	(void)state;
	ask(&ends);
	standin_cm_destroy(ends.client, fixture.fd);
	fixture_lose();
	assert_int_equal(standin_cm_accept(ends.server, &answer), 0);
	fixture_lose();
	silence();
	event = fixture_event(STANDIN_CM_UNREACHABLE);
	assert_ptr_equal(event.id, ends.server);
	assert_int_equal((int)event.answer.status, -ETIMEDOUT);
}

static void a_request_that_comes_again_is_one(void **state)
{
	struct ends ends;
	size_t first;

	(void)state;
	ask(&ends);
	first = fixture.num_sent;
	fixture_deliver_one(ends.req);
	fixture_deliver_one(ends.req);
	fixture_no_event();
	assert_int_equal(fixture_count(first, ROCE_CM_MRA), 2);
}

static void a_reply_that_comes_again_is_confirmed_again(void **state)
{
	struct ends ends;
	size_t rep, first, i;

	(void)state;
	join(&ends);
	for (rep = 0; fixture_message(rep).attribute != ROCE_CM_REP; rep++)
		;
	first = fixture.num_sent;
	for (i = 0; i < 3; i++)
		fixture_deliver_one(rep);
	assert_int_equal(fixture_count(first, ROCE_CM_RTU), 3);
	fixture_deliver();
	fixture_no_event();
}

static void an_end_is_told_once(void **state)
{
	struct ends ends;
	size_t dreq;

	(void)state;
	join(&ends);
	dreq = fixture.num_sent;
	assert_int_equal(standin_cm_disconnect(ends.client), 0);
	assert_int_equal(fixture_message(dreq).attribute, ROCE_CM_DREQ);
	fixture_deliver();
	fixture_deliver_one(dreq);
	assert_ptr_equal(fixture_event(STANDIN_CM_DISCONNECTED).id,
			 ends.server);
	fixture_no_event();
	assert_int_equal(standin_cm_disconnect(ends.server), 0);
	fixture_deliver();
	assert_ptr_equal(fixture_event(STANDIN_CM_DISCONNECTED).id,
			 ends.client);
	/* The DREP may have been lost. */
	fixture_deliver_one(dreq);
	assert_int_equal(fixture_count(dreq, ROCE_CM_DREP), 2);
	fixture_deliver();
	fixture_no_event();
	silence();
	fixture_event(STANDIN_CM_TIMEWAIT_EXIT);
	fixture_event(STANDIN_CM_TIMEWAIT_EXIT);
	fixture_no_event();
}

static void both_may_end_at_once(void **state)
{
	struct ends ends;

	(void)state;
	join(&ends);
	assert_int_equal(standin_cm_disconnect(ends.client), 0);
	assert_int_equal(standin_cm_disconnect(ends.server), 0);
	fixture_deliver();
	fixture_event(STANDIN_CM_DISCONNECTED);
	fixture_event(STANDIN_CM_DISCONNECTED);
	fixture_no_event();
	assert_int_equal(standin_cm_disconnect(ends.client), 0);
	assert_int_equal(standin_cm_disconnect(ends.server), 0);
	fixture_deliver();
	silence();
	fixture_event(STANDIN_CM_TIMEWAIT_EXIT);
	fixture_event(STANDIN_CM_TIMEWAIT_EXIT);
	fixture_no_event();
}

static void a_peer_that_is_gone_does_not_confirm_the_end(void **state)
{
	struct standin_cm_event event;
	struct ends ends;
	size_t first;

	(void)state;
	join(&ends);
	first = fixture.num_sent;
	assert_int_equal(standin_cm_disconnect(ends.client), 0);
	fixture_lose();
	silence();
	event = fixture_event(STANDIN_CM_DISCONNECTED);
	assert_int_equal((int)event.answer.status, -ETIMEDOUT);
	assert_int_equal(fixture_count(first, ROCE_CM_DREQ),
			 1 + STANDIN_CM_RETRIES);
	fixture_event(STANDIN_CM_TIMEWAIT_EXIT);
	fixture_no_event();
}

/* Its kernel would have said so for it. */
static void a_peer_that_ends_without_a_word_has_ended(void **state)
{
	struct ends ends;
	size_t first;

	(void)state;
	join(&ends);
	first = fixture.num_sent;
	standin_cm_peers_ended(); /* it was another one */
	fixture_no_event();
	fixture.function = 8;
	standin_cm_peers_ended();
	fixture_event(STANDIN_CM_DISCONNECTED);
	fixture_event(STANDIN_CM_DISCONNECTED);
	standin_cm_peers_ended();
	fixture_no_event();
	assert_int_equal(fixture.num_sent, first);
	assert_int_equal(standin_cm_disconnect(ends.client), 0);
	silence();
	fixture_event(STANDIN_CM_TIMEWAIT_EXIT);
	fixture_no_event();
}

static void a_peer_that_ends_while_it_connects_has_rejected(void **state)
{
	struct standin_cm_event event;
	struct ends ends;

	(void)state;
	ask(&ends);
	assert_int_equal(standin_cm_accept(ends.server, &answer), 0);
	ends.server->uid = 78;
	fixture_lose();
	fixture.function = 0;
	standin_cm_peers_ended();
	event = fixture_event(STANDIN_CM_REJECTED);
	assert_ptr_equal(event.id, ends.client);
	event = fixture_event(STANDIN_CM_REJECTED);
	assert_ptr_equal(event.id, ends.server);
	assert_int_equal(event.answer.status, ROCE_CM_CONSUMER);
	fixture_no_event();
}

/* It has the request, and said so (MRA). */
static void a_peer_that_ends_before_it_answers_has_rejected(void **state)
{
	struct standin_cm_event event;
	struct ends ends;

	(void)state;
	ask(&ends);
	standin_cm_destroy(ends.server, fixture.fd);
	fixture_lose();
	standin_cm_peers_ended(); /* it was another one */
	fixture_no_event();
	fixture.function = 0;
	standin_cm_peers_ended();
	event = fixture_event(STANDIN_CM_REJECTED);
	assert_ptr_equal(event.id, ends.client);
	assert_int_equal(event.answer.status, ROCE_CM_CONSUMER);
	assert_int_equal(standin_cm_expire(fixture.now), 0);
	standin_cm_peers_ended();
	fixture_no_event();
}

/* Its last words are taken after its end, and count. */
static void a_peer_that_has_ended_already_is_heard(void **state)
{
	struct standin_cm_event event;
	struct ends ends;

	(void)state;
	ask(&ends);
	assert_int_equal(standin_cm_accept(ends.server, &answer), 0);
	assert_false(standin_cm.peer_lost);
	fixture.function = 0;
	fixture_deliver();
	assert_true(standin_cm.peer_lost);
	fixture_event(STANDIN_CM_CONNECT_RESPONSE);
	fixture_no_event();
	ends.server->link.state = STANDIN_CM_NONE; /* is the one that ended */
	standin_cm_peers_ended();
	assert_false(standin_cm.peer_lost);
	event = fixture_event(STANDIN_CM_REJECTED);
	assert_ptr_equal(event.id, ends.client);
	fixture_no_event();
}

/* Nothing has come from it, so nobody knows whose end would matter. */
static void a_request_that_nobody_took_goes_on(void **state)
{
	struct standin_cm_id *client;
	size_t first;

	(void)state;
	client = fixture_client(RDMA_PS_TCP);
	first = fixture.num_sent;
	assert_int_equal(standin_cm_connect(client, &param), 0);
	fixture_lose();
	fixture.function = 0;
	standin_cm_peers_ended();
	fixture_no_event();
	fixture.now = standin_cm_expire(fixture.now);
	(void)standin_cm_expire(fixture.now);
	assert_int_equal(fixture_count(first, ROCE_CM_REQ), 2);
	fixture_lose();
}

static void whoever_forgot_says_that_it_has_ended(void **state)
{
	struct ends ends;

	(void)state;
	join(&ends);
	standin_cm_destroy(ends.server, fixture.fd);
	fixture_lose();
	assert_int_equal(standin_cm_disconnect(ends.client), 0);
	fixture_deliver();
	fixture_event(STANDIN_CM_DISCONNECTED);
}

static void other_connections_are_left_alone(void **state)
{
	struct arnica_bus_mad mad = { 0 };
	struct roce_cm_message lie = { .attribute = ROCE_CM_DREQ };
	struct ends ends;

	(void)state;
	join(&ends);
	lie.remote_comm_id = ends.client->link.local_id;
	lie.local_comm_id = ends.client->link.remote_id;
	lie.dreq.remote_qpn = 0x12; /* of another queue pair */
	roce_cm_emit(&lie, mad.bytes);
	standin_cm_receive(&mad);
	lie.dreq.remote_qpn = 0x11;
	lie.local_comm_id ^= 1; /* of another peer */
	roce_cm_emit(&lie, mad.bytes);
	standin_cm_receive(&mad);
	lie.attribute = ROCE_CM_REJ;
	memset(&lie.rej, 0, sizeof(lie.rej));
	roce_cm_emit(&lie, mad.bytes);
	standin_cm_receive(&mad);
	memset(mad.bytes, 0xff, sizeof(mad.bytes));
	standin_cm_receive(&mad);
	fixture_no_event();
	assert_int_equal(ends.client->link.state, STANDIN_CM_LINKED);
}

static void a_datagram_request_is_answered_again(void **state)
{
	struct standin_cm_id *client, *server;
	struct standin_cm_event event;
	size_t req;

	(void)state;
	fixture_listener(RDMA_PS_UDP);
	client = fixture_client(RDMA_PS_UDP);
	req = fixture.num_sent;
	assert_int_equal(standin_cm_connect(client, &param), 0);
	fixture_deliver();
	fixture_deliver_one(req);
	server = fixture_event(STANDIN_CM_CONNECT_REQUEST).made;
	fixture_no_event();
	assert_int_equal(standin_cm_accept(server, &answer), 0);
	fixture_lose();
	fixture_deliver_one(req);
	fixture_deliver();
	event = fixture_event(STANDIN_CM_ESTABLISHED);
	assert_ptr_equal(event.id, client);
	assert_int_equal(event.answer.param.ud.qp_num, 0x22);
	assert_int_equal(event.answer.param.ud.qkey, STANDIN_CM_UD_QKEY);
	fixture_deliver_one(req);
	fixture_deliver();
	fixture_no_event();
}

static void what_cannot_be_sent_was_not_done(void **state)
{
	struct standin_cm_id *client;

	(void)state;
	fixture_listener(RDMA_PS_TCP);
	client = fixture_client(RDMA_PS_TCP);
	fixture.send_error = ENETUNREACH;
	assert_int_equal(standin_cm_connect(client, &param), ENETUNREACH);
	fixture.send_error = 0;
	assert_int_equal(standin_cm_connect(client, &param), 0);
	assert_int_equal(standin_cm_connect(client, &param), EINVAL);
}

/* A source that names a port has it for itself, as if it were bound to it. */
static void the_port_of_a_source_is_taken(void **state)
{
	struct standin_cm_id *id = fixture_id(RDMA_PS_TCP);
	struct rdma_ucm_resolve_ip resolve = {
		.id = id->number,
		.src_addr = fixture_address(FIXTURE_PORT + 1),
		.dst_addr = fixture_address(FIXTURE_PORT),
	};

	(void)state;
	fixture.take_error = EADDRINUSE;
	assert_int_equal(fixture_command(RDMA_USER_CM_CMD_RESOLVE_IP, &resolve,
					 sizeof(resolve), 0),
			 EADDRINUSE);
	fixture.take_error = 0;
	assert_int_equal(fixture_command(RDMA_USER_CM_CMD_RESOLVE_IP, &resolve,
					 sizeof(resolve), 0),
			 0);
	fixture_event(STANDIN_CM_ADDR_RESOLVED);
	assert_int_equal(fixture.num_taken, 1);
	standin_cm_destroy(id, fixture.fd);
	assert_int_equal(fixture.num_taken, 0);
	/* One that was not found has not taken it, and one that names none
	 * takes none. */
	fixture_client(RDMA_PS_TCP);
	resolve.id = fixture_id(RDMA_PS_TCP)->number;
	((struct sockaddr_in *)&resolve.src_addr)->sin_addr.s_addr = htonl(
		0xcb007101);
	assert_int_equal(fixture_command(RDMA_USER_CM_CMD_RESOLVE_IP, &resolve,
					 sizeof(resolve), 0),
			 EADDRNOTAVAIL);
	assert_int_equal(fixture.num_taken, 0);
}

/* Who binds to any port rarely listens: it does not need a place among the
 * ports that the domain keeps, and who does listen is told that there is none. */
static void any_port_is_to_be_had_when_no_more_are_kept(void **state)
{
	struct standin_cm_id *id = fixture_id(RDMA_PS_TCP);
	struct rdma_ucm_bind_ip bind = { .id = id->number,
					 .addr = fixture_address(0) };
	struct rdma_ucm_listen listen = { .id = id->number };

	(void)state;
	fixture.take_error = ENOMEM;
	assert_int_equal(fixture_command(RDMA_USER_CM_CMD_BIND_IP, &bind,
					 sizeof(bind), 0),
			 0);
	assert_int_not_equal(standin_cm_address_port(&id->source), 0);
	assert_int_equal(fixture_command(RDMA_USER_CM_CMD_LISTEN, &listen,
					 sizeof(listen), 0),
			 ENOMEM);
	fixture.take_error = 0;
	assert_int_equal(fixture_command(RDMA_USER_CM_CMD_LISTEN, &listen,
					 sizeof(listen), 0),
			 0);
	assert_int_equal(fixture.num_taken, 1);
	standin_cm_destroy(id, fixture.fd);
	assert_int_equal(fixture.num_taken, 0);
	/* A port that is asked for is kept, or refused. */
	fixture.take_error = ENOMEM;
	bind.id = fixture_id(RDMA_PS_TCP)->number;
	bind.addr = fixture_address(FIXTURE_PORT);
	assert_int_equal(fixture_command(RDMA_USER_CM_CMD_BIND_IP, &bind,
					 sizeof(bind), 0),
			 ENOMEM);
}

/* Routers may pass it on. */
static void a_group_is_reached_as_any_host(void **state)
{
	struct standin_cm_id *id = fixture_client(RDMA_PS_UDP);
	struct rdma_ucm_create_id_resp made;
	struct rdma_ucm_join_ip_mcast join = {
		.id = id->number,
		.uid = 79,
		.response = (uintptr_t)&made,
		.addr = fixture_address(0),
	};
	struct standin_cm_event event;

	(void)state;
	((struct sockaddr_in *)&join.addr)->sin_addr.s_addr = htonl(0xef010203);
	assert_int_equal(fixture_command(RDMA_USER_CM_CMD_JOIN_IP_MCAST, &join,
					 sizeof(join), sizeof(made)),
			 0);
	event = fixture_event(STANDIN_CM_MULTICAST_JOIN);
	assert_int_equal(event.answer.param.ud.ah_attr.grh.hop_limit, 64);
	assert_memory_equal(event.answer.param.ud.ah_attr.grh.dgid,
			    "\0\0\0\0\0\0\0\0\0\0\xff\xff\xef\1\2\3", 16);
}

/* It is kept for the next call, which gets it, once. */
static void an_event_that_cannot_be_written_is_kept(void **state)
{
	struct rdma_ucm_event_resp event;
	struct rdma_ucm_get_event get = { .response = 0 };
	struct standin_cm_id *client, *listener;

	(void)state;
	listener = fixture_listener(RDMA_PS_TCP);
	client = fixture_client(RDMA_PS_TCP);
	assert_int_equal(standin_cm_connect(client, &param), 0);
	fixture_deliver();
	assert_int_equal(fixture_command(RDMA_USER_CM_CMD_GET_EVENT, &get,
					 sizeof(get), sizeof(event)),
			 EFAULT);
	assert_int_equal(listener->events_reported, 0);
	get.response = (uintptr_t)&event;
	assert_int_equal(fixture_command(RDMA_USER_CM_CMD_GET_EVENT, &get,
					 sizeof(get), sizeof(event)),
			 0);
	assert_int_equal(event.event, STANDIN_CM_CONNECT_REQUEST);
	assert_int_equal(listener->events_reported, 1);
	fixture_no_event();
}

#define TEST(name)                                                             \
	cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(both_ends_agree),
		TEST(silence_makes_a_peer_unreachable),
		TEST(a_lost_reply_is_repeated),
		TEST(nobody_confirms),
		TEST(a_request_that_comes_again_is_one),
		TEST(a_reply_that_comes_again_is_confirmed_again),
		TEST(an_end_is_told_once),
		TEST(both_may_end_at_once),
		TEST(a_peer_that_is_gone_does_not_confirm_the_end),
		TEST(a_peer_that_ends_without_a_word_has_ended),
		TEST(a_peer_that_ends_while_it_connects_has_rejected),
		TEST(a_peer_that_ends_before_it_answers_has_rejected),
		TEST(a_peer_that_has_ended_already_is_heard),
		TEST(a_request_that_nobody_took_goes_on),
		TEST(whoever_forgot_says_that_it_has_ended),
		TEST(other_connections_are_left_alone),
		TEST(a_datagram_request_is_answered_again),
		TEST(what_cannot_be_sent_was_not_done),
		TEST(the_port_of_a_source_is_taken),
		TEST(any_port_is_to_be_had_when_no_more_are_kept),
		TEST(a_group_is_reached_as_any_host),
		TEST(an_event_that_cannot_be_written_is_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
