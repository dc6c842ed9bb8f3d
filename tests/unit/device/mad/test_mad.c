/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* MADs within a host: whom they reach, what comes back when they reach nobody,
 * and what a queue does that is full, or in which somebody died. */
#include "mad_test.h"

#include <fcntl.h>
#include <poll.h>

#include "domain/table.h"

struct fixture {
	struct two *two;
	struct end a, b;
};

static struct fixture it;

static int setup(void **state)
{
	if (two_setup(state))
		return -1;
	it.two = *state;
	end_open(&it.a, &it.two->a);
	end_open(&it.b, &it.two->b);
	return 0;
}

static int teardown(void **state)
{
	close(it.a.event_fd);
	close(it.b.event_fd);
	return two_teardown(state);
}

static bool is_told(const struct end *end)
{
	struct pollfd fd = { .fd = end->event_fd, .events = POLLIN };
	uint64_t count;

	if (poll(&fd, 1, 10000) != 1)
		return false;
	return read(end->event_fd, &count, sizeof(count)) == sizeof(count);
}

static void requests_reach_who_listens(void **state)
{
	struct arnica_bus_mad mad = request_to(&it.a, 1, PORT), got;
	struct roce_cm_message message;
	uint32_t handle;

	(void)state;
	assert_ok(end_listen(&it.b, PORT, &handle));
	mad.flow_label = 0x12345;
	mad.traffic_class = 7;
	assert_ok(end_send(&it.a, &mad));
	assert_true(is_told(&it.b));
	assert_ok(end_take(&it.b, &got));
	assert_memory_equal(got.bytes, mad.bytes, sizeof(got.bytes));
	assert_memory_equal(got.remote_gid, mad.remote_gid, 16);
	assert_memory_equal(got.local_gid, mad.remote_gid, 16);
	assert_int_equal(got.gid_index, 0);
	assert_int_equal(got.flow_label, 0x12345);
	assert_int_equal(got.traffic_class, 7);
	assert_int_equal(end_take(&it.b, &got), EAGAIN);
	/* The answer goes to the function whose bits are in the id. */
	mad = message_to(ROCE_CM_REP, it.b.ids.base | 9, it.a.ids.base | 1);
	assert_ok(end_send(&it.b, &mad));
	assert_true(is_told(&it.a));
	end_take_message(&it.a, ROCE_CM_REP, &message);
	assert_int_equal(message.local_comm_id, it.b.ids.base | 9);
	/* Itself, too. */
	mad = message_to(ROCE_CM_RTU, it.b.ids.base | 9, it.b.ids.base | 8);
	assert_ok(end_send(&it.b, &mad));
	assert_true(is_told(&it.b));
	end_take_message(&it.b, ROCE_CM_RTU, &message);
}

static void nobody_s_are_answered(void **state)
{
	struct arnica_bus_mad mad = request_to(&it.a, 1, PORT);
	struct roce_cm_message message = {
		.attribute = ROCE_CM_SIDR_REQ,
		.transaction = TRANSACTION,
		.sidr_req = { .request_id = it.a.ids.base | 2,
			      .service_id = 77 },
	};

	(void)state;
	assert_ok(end_send(&it.a, &mad));
	assert_true(is_told(&it.a));
	end_take_message(&it.a, ROCE_CM_REJ, &message);
	assert_int_equal(message.remote_comm_id, it.a.ids.base | 1);
	assert_int_equal(message.local_comm_id, 0);
	assert_int_equal(message.rej.answered, ROCE_CM_OF_REQ);
	assert_int_equal(message.rej.reason, ROCE_CM_INVALID_SERVICE_ID);

	memset(&message, 0, sizeof(message));
	message.attribute = ROCE_CM_SIDR_REQ;
	message.transaction = TRANSACTION;
	message.sidr_req.request_id = it.a.ids.base | 2;
	message.sidr_req.service_id = 77;
	mad = mad_of(&message);
	assert_ok(end_send(&it.a, &mad));
	end_take_message(&it.a, ROCE_CM_SIDR_REP, &message);
	assert_int_equal(message.sidr_rep.request_id, it.a.ids.base | 2);
	assert_int_equal(message.sidr_rep.status, ROCE_CM_SIDR_NO_SERVICE);
	assert_int_equal(message.sidr_rep.service_id, 77);

	/* A connection of a function that is gone. */
	mad = message_to(ROCE_CM_DREQ, it.a.ids.base | 3, 0xfff00001);
	assert_ok(end_send(&it.a, &mad));
	end_take_message(&it.a, ROCE_CM_DREP, &message);
	assert_int_equal(message.local_comm_id, 0xfff00001);
	assert_int_equal(message.remote_comm_id, it.a.ids.base | 3);

	/* Nothing else is; an answer to nobody least of all. */
	mad = message_to(ROCE_CM_RTU, it.a.ids.base | 3, 0xfff00001);
	assert_ok(end_send(&it.a, &mad));
	mad = message_to(ROCE_CM_DREQ, 0xfff00002, 0xfff00001);
	assert_ok(end_send(&it.a, &mad));
	assert_int_equal(end_take(&it.a, &mad), EAGAIN);
	assert_int_equal(end_counters(&it.a)->mads_to_nobody, 6);
}

static void the_address_is_the_one_that_they_name(void **state)
{
	struct arnica_bus_service service = {
		.id = roce_cm_service_id(ROCE_CM_PS_TCP, PORT),
		.mask = UINT64_MAX,
		.address = { [10] = 0xff, 0xff, 192, 0, 2, 1 },
		.flags = ARNICA_BUS_SERVICE_LISTENS,
	};
	struct arnica_bus_mad mad = request_to(&it.a, 1, PORT);
	struct roce_cm_message message;
	struct roce_cm_ip ip = { .version = 4 };
	uint32_t handle;

	(void)state;
	assert_ok(
		arnica_bus_service_take(it.b.function->bus, &service, &handle));
	assert_ok(end_send(&it.a, &mad));
	end_take_message(&it.a, ROCE_CM_REJ, &message);
	assert_int_equal(roce_cm_parse(mad.bytes, &message), ROCE_CM_OK);
	memcpy(ip.destination, service.address, 16);
	roce_cm_ip_emit(&ip, message.req.private_data);
	mad = mad_of(&message);
	assert_ok(end_send(&it.a, &mad));
	end_take_message(&it.b, ROCE_CM_REQ, &message);
}

static void what_is_no_mad_is_refused(void **state)
{
	struct arnica_bus_mad mad = request_to(&it.a, 1, PORT), other = mad;

	(void)state;
	other.bytes[1] = 3;
	assert_int_equal(end_send(&it.a, &other), EINVAL);
	other = mad;
	other.gid_index = ARNICA_HW_GID_TABLE_LEN;
	assert_int_equal(end_send(&it.a, &other), EINVAL);
	other = mad;
	other.flow_label = 1u << 20;
	assert_int_equal(end_send(&it.a, &other), EINVAL);
	other = mad;
	other.reserved1 = 1;
	assert_int_equal(end_send(&it.a, &other), EINVAL);
	other = mad;
	other.remote_gid[0] = 0xff;
	assert_int_equal(end_send(&it.a, &other), EINVAL);
	assert_int_equal(end_take(&it.a, &other), EAGAIN);
}

static void opening_wants_an_event_that_nobody_waits_at(void **state)
{
	struct two_function third;
	struct arnica_bus_comm_ids ids;
	struct arnica_bus_mad mad;
	uint32_t handle;
	int waits = eventfd(0, EFD_CLOEXEC);

	(void)state;
	assert_ok(two_function_open(&third));
	assert_int_equal(arnica_bus_mads_open(third.bus, waits, &ids), EINVAL);
	close(waits);
	assert_int_equal(arnica_bus_mads_open(third.bus, waits, &ids), EBADF);
	/* Not open yet. */
	mad = request_to(&it.a, 1, PORT);
	assert_int_equal(arnica_bus_mad_send(third.bus, &mad), EIO);
	assert_int_equal(arnica_bus_mad_take(third.bus, &mad), EIO);
	assert_int_equal(arnica_bus_service_give(third.bus, 0), EIO);
	assert_int_equal(
		end_listen(&(struct end){ .function = &third }, PORT, &handle),
		EIO);
	/* Alive, but nothing can be handed to it. */
	mad = message_to(ROCE_CM_RTU, it.a.ids.base,
			 two_function_of(&third)->view.function << 20);
	assert_ok(end_send(&it.a, &mad));
	assert_int_equal(end_counters(&it.a)->mads_to_nobody, 1);
	two_function_close(&third);
}

/* As where a program closes all descriptors, and opens others. */
static void a_descriptor_of_the_program_is_left_alone(void **state)
{
	int lost = atomic_load(&two_function_of(it.a.function)->mad_event_fd);
	struct roce_cm_message message;
	struct arnica_bus_mad mad;
	uint64_t word;
	int ends[2];
	int i;

	(void)state;
	assert_int_equal(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
	assert_int_equal(dup2(ends[1], lost), lost);
	for (i = 0; i < 2; i++) {
		mad = message_to(ROCE_CM_RTU, it.b.ids.base | 1,
				 it.a.ids.base | 1);
		assert_ok(end_send(&it.b, &mad));
		/* Now another one tells, of what came before, too. */
		if (i == 0)
			assert_ok(arnica_bus_mads_open(
				it.a.function->bus, it.a.event_fd, &it.a.ids));
		assert_true(is_told(&it.a));
		end_take_message(&it.a, ROCE_CM_RTU, &message);
	}
	assert_int_equal(read(ends[0], &word, sizeof(word)), -1);
	assert_int_equal(close(lost), 0);
	close(ends[0]);
	close(ends[1]);
}

static void who_does_not_take_loses_what_is_too_much(void **state)
{
	struct roce_cm_message message;
	struct arnica_bus_mad mad;
	uint32_t i;

	(void)state;
	for (i = 0; i < ARNICA_HW_MAD_QUEUE + 3; i++) {
		mad = message_to(ROCE_CM_RTU, it.a.ids.base | i,
				 it.b.ids.base | 1);
		assert_ok(end_send(&it.a, &mad));
	}
	assert_int_equal(end_counters(&it.a)->mads_lost_full, 3);
	/* In their order, the oldest first; also those that come later into
	 * slots before. */
	for (i = 0; i < 10; i++) {
		end_take_message(&it.b, ROCE_CM_RTU, &message);
		assert_int_equal(message.local_comm_id, it.a.ids.base | i);
	}
	mad = message_to(ROCE_CM_RTU, it.a.ids.base | 1000, it.b.ids.base | 1);
	assert_ok(end_send(&it.a, &mad));
	for (; i < ARNICA_HW_MAD_QUEUE; i++) {
		end_take_message(&it.b, ROCE_CM_RTU, &message);
		assert_int_equal(message.local_comm_id, it.a.ids.base | i);
	}
	end_take_message(&it.b, ROCE_CM_RTU, &message);
	assert_int_equal(message.local_comm_id, it.a.ids.base | 1000);
	assert_int_equal(end_take(&it.b, &mad), EAGAIN);
}

/* Takes one MAD out of the queue of b when a has begun to send another one. */
struct taker {
	uint64_t sent; /* by a, before that */
	int error;
};

static void *take_one(void *argument)
{
	struct taker *taker = argument;
	struct arnica_bus_mad mad;

	while (atomic_load(&end_counters(&it.a)->mads_sent) == taker->sent)
		;
	taker->error = end_take(&it.b, &mad);
	return NULL;
}

/* On a busy machine the taker may come too late now and then. */
#define MOST_ROUNDS 300u

static void who_sends_waits_a_little_for_room(void **state)
{
	const struct adev_counters *counters = end_counters(&it.a);
	struct arnica_bus_mad mad = message_to(
		ROCE_CM_RTU, it.a.ids.base | 1, it.b.ids.base | 1);
	uint64_t lost;
	uint32_t i;

	(void)state;
	for (i = 0; i < ARNICA_HW_MAD_QUEUE; i++)
		assert_ok(end_send(&it.a, &mad));
	assert_int_equal(counters->mads_lost_full, 0);
	i = 0;
	do {
		struct taker taker = { .sent = counters->mads_sent };
		pthread_t thread;

		lost = counters->mads_lost_full;
		assert_int_equal(pthread_create(&thread, NULL, take_one,
						&taker),
				 0);
		assert_ok(end_send(&it.a, &mad));
		assert_int_equal(pthread_join(thread, NULL), 0);
		assert_ok(taker.error);
		/* It came too late: the queue is to be full again. */
		if (counters->mads_lost_full != lost)
			assert_ok(end_send(&it.a, &mad));
	} while (counters->mads_lost_full != lost && ++i < MOST_ROUNDS);
	assert_in_range(i, 0, MOST_ROUNDS - 1);
	while (end_take(&it.b, &mad) == 0)
		;
}

static struct adev_mad_slot *slots_of(struct end *end)
{
	const struct adev_view *view = &two_function_of(end->function)->view;

	return adev_view_at(view, atomic_load(&view->shared->mads_offset),
			    sizeof(struct adev_mad_slot) * ADEV_MAD_SLOTS);
}

static void slots_that_the_dead_claimed_are_free(void **state)
{
	const struct adev_view *of = &two_function_of(&it.two->a)->view;
	struct adev_mad_slot *slots = slots_of(&it.b);
	struct roce_cm_message message;
	struct arnica_bus_mad mad;
	uint32_t i;

	(void)state;
	/* All but the first of one that lives, the first of a dead one. */
	for (i = 0; i < ADEV_MAD_SLOTS; i++)
		atomic_store(&slots[i].word,
			     adev_block_encode(of->generation + !i,
					       of->function, ADEV_MAD_CLAIMED));
	mad = message_to(ROCE_CM_RTU, 1, it.b.ids.base | 1);
	assert_ok(end_send(&it.a, &mad));
	assert_ok(end_send(&it.a, &mad));
	assert_int_equal(end_counters(&it.a)->mads_lost_full, 1);
	end_take_message(&it.b, ROCE_CM_RTU, &message);
	assert_int_equal(end_take(&it.b, &mad), EAGAIN);
	for (i = 0; i < ADEV_MAD_SLOTS; i++)
		atomic_store(&slots[i].word, 0);
}

static void queues_that_make_no_sense_are_none(void **state)
{
	struct adev_shared *shared =
		two_function_of(it.b.function)->view.shared;
	uint64_t offset = atomic_load(&shared->mads_offset);
	const uint64_t wrong[] = { 1, offset + 64, 1ull << 62,
				   UINT64_MAX << 12 };
	struct arnica_bus_mad mad = message_to(ROCE_CM_RTU, 1,
					       it.b.ids.base | 1);
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		atomic_store(&shared->mads_offset, wrong[i]);
		assert_ok(end_send(&it.a, &mad));
		assert_int_equal(end_counters(&it.a)->mads_to_nobody, i + 1);
	}
	atomic_store(&shared->mads_offset, offset);
}

static void services_end_with_their_function(void **state)
{
	struct two_function third;
	struct end end;
	struct arnica_bus_mad mad = request_to(&it.a, 1, PORT);
	struct roce_cm_message message;
	uint32_t handle;

	(void)state;
	assert_ok(two_function_open(&third));
	end_open(&end, &third);
	assert_ok(end_listen(&end, PORT, &handle));
	assert_int_equal(end_listen(&it.b, PORT, &handle), EADDRNOTAVAIL);
	/* So that it stays mapped. */
	assert_ok(end_send(&it.a, &mad));
	end_take_message(&end, ROCE_CM_REQ, &message);
	two_function_close(&third);
	close(end.event_fd);
	assert_ok(end_send(&it.a, &mad));
	end_take_message(&it.a, ROCE_CM_REJ, &message);
	assert_ok(end_listen(&it.b, PORT, &handle));
	assert_ok(end_send(&it.a, &mad));
	end_take_message(&it.b, ROCE_CM_REQ, &message);
}

static void a_peer_is_known_by_its_communication_id(void **state)
{
	const struct arnica_bus_mad here = request_to(&it.a, 1, PORT);
	const uint8_t elsewhere[16] = { 0x20, 1, [15] = 1 };
	struct arnica_bus *bus = it.a.function->bus;
	struct two_function third;
	uint64_t first, second;
	struct end end;

	(void)state;
	assert_ok(two_function_open(&third));
	end_open(&end, &third);
	assert_ok(arnica_bus_mad_peer(bus, here.remote_gid, end.ids.base | 5,
				      &first));
	assert_ok(arnica_bus_mad_peer(bus, here.remote_gid, end.ids.base | 6,
				      &second));
	assert_true(first == second);
	assert_true(arnica_bus_mad_peer_lives(bus, end.ids.base | 5, first));
	assert_ok(arnica_bus_mad_peer(bus, here.remote_gid, it.b.ids.base,
				      &second));
	assert_true(first != second);
	/* Other hosts have numbers of their own. */
	assert_int_equal(
		arnica_bus_mad_peer(bus, elsewhere, end.ids.base, &first),
		ENOENT);
	two_function_close(&third);
	close(end.event_fd);
	assert_false(arnica_bus_mad_peer_lives(bus, end.ids.base | 5, first));
	assert_int_equal(
		arnica_bus_mad_peer(bus, here.remote_gid, end.ids.base, &first),
		ESRCH);
}

#define mad_test(function)                                                     \
	cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		mad_test(requests_reach_who_listens),
		mad_test(nobody_s_are_answered),
		mad_test(the_address_is_the_one_that_they_name),
		mad_test(what_is_no_mad_is_refused),
		mad_test(opening_wants_an_event_that_nobody_waits_at),
		mad_test(a_descriptor_of_the_program_is_left_alone),
		mad_test(a_peer_is_known_by_its_communication_id),
		mad_test(who_does_not_take_loses_what_is_too_much),
		mad_test(who_sends_waits_a_little_for_room),
		mad_test(slots_that_the_dead_claimed_are_free),
		mad_test(queues_that_make_no_sense_are_none),
		mad_test(services_end_with_their_function),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
