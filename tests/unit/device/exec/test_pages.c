/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Doorbell pages: each context has its own, in one process and in two; through
 * them nobody reaches another one's queues. And what comes through the priority
 * area does not stand behind what other queues announced before.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "exec/exec.h"
#include "fixture.h"
#include "two_area.h"

#define LENGTH 64u /* of a FETCH_ADD with one segment */
#define HALF (TWO_BUFFER_BYTES / 2)

static struct adev_counters *counters_of(struct two_function *function)
{
	return &two_function_of(function)->counters;
}

static uint64_t value_at(struct two_function *function, uint32_t offset)
{
	return *(uint64_t *)(void *)(function->buffer + offset);
}

/* Adds one to the first word of the peer's buffer. */
static struct two_request add_one(struct two_function *own,
				  struct two_function *peer)
{
	struct two_request request = two_request(ARNICA_HW_OP_FETCH_ADD, own,
						 4096, 8, peer, 0);

	request.swap_or_add = 1;
	return request;
}

/* Through every page of `through`, as a doorbell and as a whole descriptor. */
static void ring_everywhere(struct two_function *through,
			    const struct two_image *image)
{
	uint32_t page;

	for (page = 0; page < ARNICA_HW_DOORBELL_PAGES; page++) {
		two_area_store(two_area(through, page, ARNICA_HW_DB_AREA0),
			       image, 0, image->words);
		arnica_bus_area(through->bus, page, ARNICA_HW_DB_AREA0,
				image->length, image->value);
		arnica_bus_doorbell(through->bus, page, ARNICA_HW_DB_SQ,
				    image->value);
		arnica_bus_doorbell(through->bus, page, ARNICA_HW_DB_RQ,
				    image->value);
	}
}

static void contexts_of_one_process_have_pages_of_their_own(void **state)
{
	struct two *two = *state;
	uint32_t page;

	for (page = 0; page < ARNICA_HW_DOORBELL_PAGES; page++) {
		unsigned char *own = arnica_bus_map(
			two->a.bus,
			ARNICA_HW_BAR_DOORBELLS + page * ARNICA_HW_PAGE_BYTES,
			ARNICA_HW_PAGE_BYTES);
		unsigned char *other = arnica_bus_map(
			two->b.bus,
			ARNICA_HW_BAR_DOORBELLS + page * ARNICA_HW_PAGE_BYTES,
			ARNICA_HW_PAGE_BYTES);
		uint32_t i;

		assert_non_null(own);
		assert_non_null(other);
		memset(own, 0xa5, ARNICA_HW_PAGE_BYTES);
		for (i = 0; i < ARNICA_HW_PAGE_BYTES; i++)
			assert_int_equal(other[i], 0);
	}
}

static void a_page_of_another_context_does_not_reach_a_queue(void **state)
{
	struct two *two = *state;
	struct two_request request = add_one(&two->b, &two->a);
	uint32_t index = two_post(&two->qp_b, &request);
	struct two_image image = two_image(&two->qp_b, index, LENGTH);

	ring_everywhere(&two->a, &image);
	assert_int_equal(counters_of(&two->a)->refused_queue,
			 3 * ARNICA_HW_DOORBELL_PAGES);
	assert_int_equal(counters_of(&two->a)->doorbells, 0);
	assert_int_equal(counters_of(&two->b)->refused_queue, 0);
	assert_int_equal(counters_of(&two->b)->doorbells, 0);
	two_expect_none(&two->qp_b, TWO_SEND);
	assert_int_equal(value_at(&two->a, 0), 0);
	two_ring(&two->qp_b);
	(void)two_expect(&two->qp_b, TWO_SEND, ARNICA_HW_STATUS_SUCCESS);
	assert_int_equal(value_at(&two->a, 0), 1);
}

/* What the two processes tell each other. */
struct told {
	uint32_t qpn, stag;
	uint64_t buffer;
	struct two_image image;
};

static bool tell(int fd, const void *what, size_t bytes)
{
	return send(fd, what, bytes, MSG_NOSIGNAL) == (ssize_t)bytes;
}

static bool hear(int fd, void *what, size_t bytes)
{
	return recv(fd, what, bytes, MSG_WAITALL) == (ssize_t)bytes;
}

static void introduce(struct two_qp *qp, struct told *own)
{
	own->qpn = qp->qpn;
	own->stag = qp->function->stag;
	own->buffer = (uintptr_t)qp->function->buffer;
}

/* Opens a function of this process and connects it to the other's. */
static bool meet(int fd, struct two_function *function, struct two_qp *qp,
		 struct told *peer)
{
	const struct two_wish wish = two_defaults();
	struct told own = { 0 };

	if (two_function_open(function))
		return false;
	two_create(qp, function, &wish);
	introduce(qp, &own);
	if (!tell(fd, &own, sizeof(own)) || !hear(fd, peer, sizeof(*peer)))
		return false;
	two_connect_one(qp, peer->qpn, &wish);
	return tell(fd, "", 1) && hear(fd, &own, 1);
}

/* The other process: it posts, and lets the first one try to ring for it. */
static int other_process(int fd)
{
	struct two_function function;
	struct two_qp qp;
	struct told peer, own = { 0 };
	struct two_request request;
	struct two_completion completion;
	uint64_t before;

	if (!meet(fd, &function, &qp, &peer))
		return 1;
	request = two_request(ARNICA_HW_OP_FETCH_ADD, &function, 4096, 8,
			      &function, 0);
	request.remote_address = peer.buffer;
	request.rkey = peer.stag;
	request.swap_or_add = 1;
	own.image = two_image(&qp, two_post(&qp, &request), LENGTH);
	before = counters_of(&function)->doorbells;
	if (!tell(fd, &own, sizeof(own)) || !hear(fd, &peer, 1))
		return 2;
	if (two_poll(&qp, TWO_SEND, &completion) ||
	    counters_of(&function)->doorbells != before ||
	    counters_of(&function)->refused_queue)
		return 3;
	two_ring(&qp);
	(void)two_expect(&qp, TWO_SEND, ARNICA_HW_STATUS_SUCCESS);
	if (!tell(fd, "", 1) || !hear(fd, &peer, 1))
		return 4;
	two_function_close(&function);
	return 0;
}

static void a_page_of_another_process_does_not_reach_a_queue(void **state)
{
	struct two_function function;
	struct two_qp qp;
	struct told peer;
	int fds[2], status;
	pid_t pid;

	(void)state;
#ifdef __SANITIZE_THREAD__
	skip(); /* it knows nothing of an order that another process makes */
#endif
	assert_ok(setenv("ARNICA_SEGMENT_MAX", "268435456", 1));
	assert_ok(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds));
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		close(fds[0]);
		_exit(other_process(fds[1]));
	}
	close(fds[1]);
	assert_true(meet(fds[0], &function, &qp, &peer));
	assert_true(hear(fds[0], &peer, sizeof(peer)));
	ring_everywhere(&function, &peer.image);
	assert_int_equal(counters_of(&function)->refused_queue,
			 3 * ARNICA_HW_DOORBELL_PAGES);
	assert_int_equal(value_at(&function, 0), 0);
	assert_true(tell(fds[0], "", 1));
	assert_true(hear(fds[0], &peer, 1));
	assert_int_equal(value_at(&function, 0), 1);
	assert_true(tell(fds[0], "", 1));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	two_function_close(&function);
	close(fds[0]);
}

/* An engine is busy with the queue: what is announced stands there until
 * expect_bulk(). */
static void pile_up(struct two *two, uint32_t count)
{
	struct two_request bulk = two_request(ARNICA_HW_OP_WRITE, &two->a, HALF,
					      HALF, &two->b, HALF);
	uint32_t i;

	adev_qp_lock_send(two_qp_of(&two->qp_a));
	for (i = 0; i < count; i++)
		(void)two_post(&two->qp_a, &bulk);
	two_ring(&two->qp_a);
	(void)adev_sched_enqueue(&two_function_of(&two->a)->scheduler,
				 two_qp_of(&two->qp_a));
	adev_function_left_work(two_function_of(&two->a), 0);
}

static void expect_bulk(struct two *two)
{
	uint32_t i, count = two->qp_a.queue[TWO_SEND].posted;

	two_expect_none(&two->qp_a, TWO_SEND);
	adev_exec_release(two_qp_of(&two->qp_a));
	for (i = 0; i < count; i++)
		assert_int_equal(two_expect(&two->qp_a, TWO_SEND,
					    ARNICA_HW_STATUS_SUCCESS)
					 .wqe_index,
				 i);
	two_expect_none(&two->qp_a, TWO_SEND);
}

static void what_comes_through_the_area_overtakes_a_backlog(void **state)
{
	struct two *two = *state;
	const struct two_wish wish = two_defaults();
	struct two_request request = add_one(&two->a, &two->b);
	struct two_image image;
	struct two_qp small, peer;
	uint32_t i, offset = ARNICA_HW_DB_AREA0;
	uint64_t fetched;

	two_create(&small, &two->a, &wish);
	two_create(&peer, &two->b, &wish);
	two_connect(&small, &peer, &wish);
	pile_up(two, 16);
	fetched = counters_of(&two->a)->wqe_fetched;
	for (i = 0; i < 8; i++) {
		struct two_completion completion;

		image = two_image(&small, two_post(&small, &request), LENGTH);
		two_area_store(two_area(&two->a, 1, offset), &image, 0,
			       image.words);
		two_area_ring(&small, 1, offset, &image);
		assert_true(two_poll(&small, TWO_SEND, &completion));
		assert_int_equal(completion.status, ARNICA_HW_STATUS_SUCCESS);
		assert_int_equal(completion.wqe_index, i);
		offset ^= ARNICA_HW_DB_AREA0 ^ ARNICA_HW_DB_AREA1;
	}
	/* All of them; the backlog still stands, see expect_bulk(). */
	assert_int_equal(counters_of(&two->a)->bf_hit, 8);
	assert_int_equal(counters_of(&two->a)->bf_fallback, 0);
	assert_int_equal(counters_of(&two->a)->wqe_fetched, fetched);
	expect_bulk(two);
	assert_int_equal(value_at(&two->b, 0), 8);
}

/* A queue's own order comes first. */
static void a_descriptor_does_not_overtake_its_own_queue(void **state)
{
	struct two *two = *state;
	struct two_request request = add_one(&two->a, &two->b);
	struct two_image image;

	pile_up(two, 15);
	image = two_image(&two->qp_a, two_post(&two->qp_a, &request), LENGTH);
	two_area_store(two_area(&two->a, 0, ARNICA_HW_DB_AREA0), &image, 0,
		       image.words);
	two_area_ring(&two->qp_a, 0, ARNICA_HW_DB_AREA0, &image);
	assert_int_equal(value_at(&two->b, 0), 0);
	expect_bulk(two);
	assert_int_equal(value_at(&two->b, 0), 1);
	assert_int_equal(counters_of(&two->a)->bf_hit, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			a_page_of_another_process_does_not_reach_a_queue,
			fixture_setup, fixture_teardown),
		two_connected_test(
			contexts_of_one_process_have_pages_of_their_own),
		two_connected_test(
			a_page_of_another_context_does_not_reach_a_queue),
		two_connected_test(
			what_comes_through_the_area_overtakes_a_backlog),
		two_connected_test(
			a_descriptor_does_not_overtake_its_own_queue),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
