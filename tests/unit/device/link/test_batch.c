/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Batches: which bytes leave, in which runs, with which identifications. */
#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "fake_wire.h"
#include "wire_fixture.h"

#define MAX_SENT 1024u

/* A wire that keeps what is sent. */
static struct {
	struct adev_frame frames[MAX_SENT];
	struct adev_path paths[MAX_SENT];
	uint8_t bytes[MAX_SENT][4200];
	uint32_t count, calls, max_run;
	bool closed;
} sent;

static uint32_t fake_max_run(void *lower)
{
	(void)lower;
	return sent.max_run;
}

static uint16_t fake_source_port(void *lower, const struct adev_path *path)
{
	(void)lower;
	return path->source_port;
}

static void fake_transmit(void *lower, struct adev_frame *frames,
			  uint32_t count)
{
	uint32_t i;

	(void)lower;
	sent.calls++;
	for (i = 0; i < count; i++) {
		assert_true(sent.count < MAX_SENT);
		assert_true(frames[i].length <= sizeof(sent.bytes[0]));
		/* A run lies in one piece. */
		if (frames[i].ip_id)
			assert_ptr_equal(frames[i].bytes,
					 frames[i - 1].bytes +
						 frames[i - 1].length);
		memcpy(sent.bytes[sent.count], frames[i].bytes,
		       frames[i].length);
		sent.paths[sent.count] = *frames[i].path;
		sent.frames[sent.count++] = frames[i];
	}
}

static void fake_close(void *lower)
{
	(void)lower;
	sent.closed = true;
}

static const struct adev_wire_ops fake_ops = {
	.max_run = fake_max_run,
	.source_port = fake_source_port,
	.transmit = fake_transmit,
	.receive = fake_wire_receive,
	.descriptors = fake_wire_descriptors,
	.close = fake_close,
	.forget = fake_close,
};

static int setup(void **state)
{
	struct two *two;

	if (two_setup(state))
		return -1;
	two = *state;
	memset(&sent, 0, sizeof(sent));
	sent.max_run = 64;
	return adev_wire_open_with(two_function_of(&two->a), &fake_ops, NULL);
}

static struct adev_batch *batch_of(void **state)
{
	struct two *two = *state;
	struct adev_batch *batch = adev_wire_batch(two_function_of(&two->a));

	assert_non_null(batch);
	return batch;
}

static const uint8_t write_middle = ROCE_RC | ROCE_WRITE_MIDDLE;

static void expect_icrc(uint32_t index)
{
	const struct adev_frame *frame = &sent.frames[index];
	struct roce_envelope envelope = {
		.source_port = frame->source_port,
		.destination_port = ROCE_UDP_PORT,
		.ip_id = frame->ip_id,
		.dont_fragment = true,
	};
	uint16_t ip_id;

	memcpy(envelope.source, sent.paths[index].source, 16);
	memcpy(envelope.destination, sent.paths[index].destination, 16);
	assert_int_equal(roce_icrc_check(&envelope, sent.bytes[index],
					 frame->length, &ip_id),
			 ROCE_ICRC_EXACT);
}

static void a_packet_has_its_headers_payload_pad_and_icrc(void **state)
{
	struct adev_batch *batch = batch_of(state);
	const struct adev_path path = wire_path("10.1.2.3", "10.1.2.4");
	/* SEND_ONLY, pad 3, P_Key ffff; QP 0x123456; PSN 0x654321. */
	static const uint8_t header[] = { 0x04, 0x30, 0xff, 0xff, 0x00, 0x12,
					  0x34, 0x56, 0x00, 0x65, 0x43, 0x21 };
	const struct roce_packet packet = {
		.opcode = ROCE_RC | ROCE_SEND_ONLY,
		.pkey = ROCE_DEFAULT_PKEY,
		.dest_qpn = 0x123456,
		.psn = 0x654321,
		.payload_bytes = 5,
	};

	memcpy(adev_batch_add(batch, &path, &packet), "hello", 5);
	assert_int_equal(sent.count, 0);
	adev_batch_send(batch);
	assert_int_equal(sent.count, 1);
	assert_int_equal(sent.frames[0].length, 12 + 5 + 3 + 4);
	assert_memory_equal(sent.bytes[0], header, sizeof(header));
	assert_memory_equal(sent.bytes[0] + 12, "hello\0\0\0", 8);
	assert_int_equal(sent.frames[0].ip_id, 0);
	expect_icrc(0);
}

static void an_empty_batch_sends_nothing(void **state)
{
	adev_batch_send(batch_of(state));
	assert_int_equal(sent.calls, 0);
}

static void equal_sizes_make_a_run_that_a_shorter_one_ends(void **state)
{
	static const uint32_t sizes[] = { 1024, 1024, 1024, 100, 1024, 1024 };
	static const uint16_t ids[] = { 0, 1, 2, 3, 0, 1 };
	struct adev_batch *batch = batch_of(state);
	const struct adev_path path = wire_path("10.1.2.3", "10.1.2.4");
	uint32_t i;

	for (i = 0; i < 6; i++)
		wire_add(batch, &path, write_middle, 7, i, sizes[i]);
	adev_batch_send(batch);
	assert_int_equal(sent.count, 6);
	for (i = 0; i < 6; i++) {
		assert_int_equal(sent.frames[i].ip_id, ids[i]);
		two_check(sent.bytes[i] + 12, sizes[i], i);
		expect_icrc(i);
	}
}

static void a_longer_packet_begins_a_run(void **state)
{
	struct adev_batch *batch = batch_of(state);
	const struct adev_path path = wire_path("fe80::1", "fe80::2");

	wire_add(batch, &path, write_middle, 7, 0, 512);
	wire_add(batch, &path, write_middle, 7, 1, 1024);
	wire_add(batch, &path, write_middle, 7, 2, 1024);
	adev_batch_send(batch);
	assert_int_equal(sent.frames[1].ip_id, 0);
	assert_int_equal(sent.frames[2].ip_id, 1);
	expect_icrc(2);
}

static void another_path_begins_a_run(void **state)
{
	struct adev_batch *batch = batch_of(state);
	struct adev_path path = wire_path("10.1.2.3", "10.1.2.4");

	wire_add(batch, &path, write_middle, 7, 0, 512);
	path.traffic_class = 2;
	wire_add(batch, &path, write_middle, 7, 1, 512);
	wire_add(batch, &path, write_middle, 7, 2, 512);
	adev_batch_send(batch);
	assert_int_equal(sent.frames[1].ip_id, 0);
	assert_int_equal(sent.paths[0].traffic_class, 0);
	assert_int_equal(sent.paths[1].traffic_class, 2);
	assert_int_equal(sent.frames[2].ip_id, 1);
}

static void runs_are_bounded_by_the_wire_and_by_a_datagram(void **state)
{
	struct adev_batch *batch = batch_of(state);
	const struct adev_path path = wire_path("10.1.2.3", "10.1.2.4");
	uint32_t bytes = 0;
	uint32_t i;

	for (i = 0; i < 200; i++)
		wire_add(batch, &path, write_middle, 7, i, 16);
	for (i = 0; i < 40; i++)
		wire_add(batch, &path, write_middle, 7, i, 4096);
	adev_batch_send(batch);
	assert_int_equal(sent.count, 240);
	for (i = 0; i < sent.count; i++) {
		bytes = sent.frames[i].ip_id ? bytes + sent.frames[i].length :
					       sent.frames[i].length;
		assert_true(sent.frames[i].ip_id < 64);
		assert_true(bytes <= 65507);
		expect_icrc(i);
	}
}

/* A packet of a row, and where it goes. */
static struct roce_packet write_of_row(uint32_t number)
{
	return (struct roce_packet){
		.opcode = ROCE_RC | ROCE_WRITE_ONLY,
		.migration = true,
		.pkey = ROCE_DEFAULT_PKEY,
		.dest_qpn = 0x123456,
		.psn = number,
		.ack_request = number % 5 == 4,
		.address = 0x7fff00000000 + 1023 * number,
		.rkey = 0x89abcdef,
		.dma_length = 1023,
		.payload_bytes = 1023,
	};
}

/* Packets that are added as like ones are those that are added one by one, in
 * the same runs. */
static void like_packets_are_what_they_would_be(void **state)
{
	struct adev_batch *batch = batch_of(state);
	const struct adev_path path = wire_path("10.1.2.3", "10.1.2.4");
	const uint32_t runs[] = { 1, 64 };
	uint32_t i, k, pass;

	for (pass = 0; pass < 4; pass++) {
		sent.max_run = runs[pass / 2];
		for (i = 0; i < 100; i++) {
			const struct roce_packet packet = write_of_row(i);
			uint8_t *at =
				pass % 2 && i ?
					adev_batch_add_like(batch, &packet) :
					adev_batch_add(batch, &path, &packet);

			assert_non_null(at);
			memset(at, (int)i, packet.payload_bytes);
		}
		adev_batch_send(batch);
	}
	assert_int_equal(sent.count, 400);
	for (i = 0; i < 400; i++) {
		k = i / 200 * 200 + i % 100;
		assert_int_equal(sent.frames[i].length, sent.frames[k].length);
		assert_int_equal(sent.frames[i].ip_id, sent.frames[k].ip_id);
		assert_memory_equal(sent.bytes[i], sent.bytes[k],
				    sent.frames[k].length);
		assert_memory_equal(&sent.paths[i], &path, sizeof(path));
		expect_icrc(i);
	}
}

static void no_like_packet_without_a_first_one_or_room(void **state)
{
	struct adev_batch *batch = batch_of(state);
	const struct adev_path path = wire_path("10.1.2.3", "10.1.2.4");
	const struct roce_packet packet = write_of_row(0);
	uint32_t count = 1;
	uint8_t *at;

	assert_null(adev_batch_add_like(batch, &packet));
	memset(adev_batch_add(batch, &path, &packet), 0, 1023);
	for (; (at = adev_batch_add_like(batch, &packet)); count++)
		memset(at, 0, 1023);
	assert_int_equal(sent.calls, 0);
	adev_batch_send(batch);
	assert_int_equal(sent.count, count);
	assert_null(adev_batch_add_like(batch, &packet));
	/* Many small ones fill it as well. */
	wire_add(batch, &path, write_middle, 7, 0, 0);
	for (count = 1; count < MAX_SENT; count++) {
		struct roce_packet small = packet;

		small.opcode = write_middle;
		small.payload_bytes = 0;
		if (!adev_batch_add_like(batch, &small))
			break;
	}
	assert_in_range(count, 100, MAX_SENT - 1);
	adev_batch_send(batch);
}

/* One of them is taken back as any other. */
static void a_like_packet_is_cancelled(void **state)
{
	struct adev_batch *batch = batch_of(state);
	const struct adev_path path = wire_path("10.1.2.3", "10.1.2.4");
	uint32_t i;

	for (i = 0; i < 6; i++) {
		const struct roce_packet packet = write_of_row(i);
		uint8_t *at = adev_batch_add_like(batch, &packet);

		if (!at)
			at = adev_batch_add(batch, &path, &packet);
		if (i == 3)
			adev_batch_cancel(batch);
		else
			memset(at, (int)i, 1023);
	}
	adev_batch_send(batch);
	assert_int_equal(sent.count, 5);
	for (i = 0; i < 5; i++) {
		assert_int_equal(sent.bytes[i][11], i < 3 ? i : i + 1);
		assert_int_equal(sent.frames[i].ip_id, i);
		expect_icrc(i);
	}
}

static void without_segmentation_each_has_identification_zero(void **state)
{
	struct adev_batch *batch = batch_of(state);
	const struct adev_path path = wire_path("10.1.2.3", "10.1.2.4");
	uint32_t i;

	sent.max_run = 1;
	for (i = 0; i < 4; i++)
		wire_add(batch, &path, write_middle, 7, i, 256);
	adev_batch_send(batch);
	for (i = 0; i < 4; i++) {
		assert_int_equal(sent.frames[i].ip_id, 0);
		expect_icrc(i);
	}
}

static void a_full_batch_leaves_by_itself(void **state)
{
	struct adev_batch *batch = batch_of(state);
	const struct adev_path path = wire_path("10.1.2.3", "10.1.2.4");
	uint32_t i;

	for (i = 0; i < 900; i++)
		wire_add(batch, &path, write_middle, 7, i, i % 2 ? 64 : 4096);
	adev_batch_send(batch);
	assert_int_equal(sent.count, 900);
	assert_true(sent.calls > 1);
	for (i = 0; i < 900; i++) {
		two_check(sent.bytes[i] + 12, i % 2 ? 64 : 4096, i);
		expect_icrc(i);
	}
}

/* Runs of 16 packets of 4 KiB that made room are never cut by the end of the
 * batch: each call of the wire has whole ones. */
static void what_made_room_is_not_cut(void **state)
{
	struct adev_batch *batch = batch_of(state);
	const struct adev_path path = wire_path("10.1.2.3", "10.1.2.4");
	uint32_t calls = 0;
	uint32_t i, k;

	adev_batch_make_room(batch, 16, 16 * (4096 + 64));
	assert_int_equal(sent.calls, 0);
	for (i = 0; i < 10; i++) {
		adev_batch_make_room(batch, 16, 16 * (4096 + 64));
		calls = sent.calls;
		assert_int_equal(sent.count % 16, 0);
		for (k = 0; k < 16; k++)
			wire_add(batch, &path, write_middle, 7, i * 16 + k,
				 4096);
		assert_int_equal(sent.calls, calls);
	}
	assert_true(calls > 1 && calls < 10);
	/* Many small ones fill it as well. */
	adev_batch_send(batch);
	calls = sent.calls;
	for (i = 0; i < 200; i++)
		wire_add(batch, &path, write_middle, 7, 160 + i, 16);
	assert_int_equal(sent.calls, calls);
	adev_batch_make_room(batch, 100, 100 * 64);
	assert_int_equal(sent.calls, calls + 1);
}

static void a_cancelled_packet_is_not_sent(void **state)
{
	static const uint16_t ids[] = { 0, 1, 2, 0, 1 };
	struct adev_batch *batch = batch_of(state);
	const struct adev_path path = wire_path("10.1.2.3", "10.1.2.4");
	uint32_t i;

	wire_add(batch, &path, write_middle, 7, 0, 512);
	wire_add(batch, &path, write_middle, 7, 1, 512);
	wire_add(batch, &path, write_middle, 7, 99, 512); /* of the run */
	adev_batch_cancel(batch);
	wire_add(batch, &path, write_middle, 7, 2, 512);
	wire_add(batch, &path, write_middle, 7, 99, 1024); /* begins one */
	adev_batch_cancel(batch);
	wire_add(batch, &path, write_middle, 7, 3, 512);
	wire_add(batch, &path, write_middle, 7, 4, 512);
	wire_add(batch, &path, write_middle, 7, 99, 8); /* would end one */
	adev_batch_cancel(batch);
	adev_batch_send(batch);
	assert_int_equal(sent.count, 5);
	for (i = 0; i < 5; i++) {
		assert_int_equal(sent.frames[i].ip_id, ids[i]);
		two_check(sent.bytes[i] + 12, 512, i);
		expect_icrc(i);
	}
}

/* More of them than there is room for paths. */
static void cancelled_packets_use_nothing_up(void **state)
{
	struct adev_batch *batch = batch_of(state);
	const struct adev_path paths[] = {
		wire_path("10.1.2.3", "10.1.2.4"),
		wire_path("10.1.2.3", "10.1.2.5"),
	};
	uint32_t i;

	wire_add(batch, &paths[0], write_middle, 7, 0, 512);
	for (i = 0; i < 5000; i++) {
		wire_add(batch, &paths[i & 1], write_middle, 7, 99, 512);
		adev_batch_cancel(batch);
	}
	adev_batch_send(batch);
	for (i = 0; i < 5000; i++) {
		wire_add(batch, &paths[i & 1], write_middle, 7, 99, 512);
		adev_batch_cancel(batch);
	}
	wire_add(batch, &paths[1], write_middle, 7, 1, 512);
	adev_batch_send(batch);
	assert_int_equal(sent.count, 2);
	assert_memory_equal(&sent.paths[0], &paths[0], sizeof(paths[0]));
	assert_memory_equal(&sent.paths[1], &paths[1], sizeof(paths[1]));
	expect_icrc(0);
	expect_icrc(1);
}

static void asking_for_another_functions_batch_sends_the_first(void **state)
{
	struct two *two = *state;
	const struct adev_path path = wire_path("10.1.2.3", "10.1.2.4");

	assert_ok(
		adev_wire_open_with(two_function_of(&two->b), &fake_ops, NULL));
	wire_add(batch_of(state), &path, write_middle, 7, 0, 512);
	assert_non_null(adev_wire_batch(two_function_of(&two->b)));
	assert_int_equal(sent.count, 1);
}

static void a_function_off_the_wire_has_no_batch(void **state)
{
	struct two *two = *state;

	assert_null(adev_wire_batch(two_function_of(&two->b)));
	assert_false(adev_wire_is_open(two_function_of(&two->b)));
	assert_int_equal(
		adev_wire_open_with(two_function_of(&two->a), &fake_ops, NULL),
		EBUSY);
}

static void *send_in_thread(void *state)
{
	const struct adev_path path = wire_path("10.1.2.3", "10.1.2.4");
	struct adev_batch *batch = batch_of(state);

	wire_add(batch, &path, write_middle, 7, 0, 512);
	adev_batch_send(batch);
	return batch;
}

/* AddressSanitizer sees whether the thread's batch was freed. */
static void each_thread_has_its_own_batch(void **state)
{
	pthread_t thread;
	void *other;

	assert_ok(pthread_create(&thread, NULL, send_in_thread, state));
	assert_ok(pthread_join(thread, &other));
	assert_int_equal(sent.count, 1);
	(void)send_in_thread(state);
	assert_int_equal(sent.count, 2);
}

static void closing_the_function_closes_the_wire(void **state)
{
	struct two *two = *state;

	two_function_close(&two->a);
	assert_true(sent.closed);
	assert_ok(two_function_open(&two->a));
}

#define batch_test(function)                                                   \
	cmocka_unit_test_setup_teardown(function, setup, two_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		batch_test(a_packet_has_its_headers_payload_pad_and_icrc),
		batch_test(an_empty_batch_sends_nothing),
		batch_test(equal_sizes_make_a_run_that_a_shorter_one_ends),
		batch_test(a_longer_packet_begins_a_run),
		batch_test(another_path_begins_a_run),
		batch_test(runs_are_bounded_by_the_wire_and_by_a_datagram),
		batch_test(like_packets_are_what_they_would_be),
		batch_test(no_like_packet_without_a_first_one_or_room),
		batch_test(a_like_packet_is_cancelled),
		batch_test(without_segmentation_each_has_identification_zero),
		batch_test(a_full_batch_leaves_by_itself),
		batch_test(what_made_room_is_not_cut),
		batch_test(a_cancelled_packet_is_not_sent),
		batch_test(cancelled_packets_use_nothing_up),
		batch_test(asking_for_another_functions_batch_sends_the_first),
		batch_test(a_function_off_the_wire_has_no_batch),
		batch_test(each_thread_has_its_own_batch),
		batch_test(closing_the_function_closes_the_wire),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
