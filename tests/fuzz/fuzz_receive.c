/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Fuzzing of the packet entry: a function with an RC, a UC and a UD queue pair
 * on a wire of which the input is the other end. The input is a list of steps:
 * packets, raw or put together so that they fit (queue pair, PSN near the one
 * that is expected, right keys, right ICRC), work requests and receives of its
 * own, and time that passes.
 *
 * Besides what the sanitizers see: memory that no key gives away does not
 * change, and what was sent can be parsed.
 */
#include "two_functions.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "core/clock.h"
#include "fake_wire.h"
#include "fixture.h"
#include "transport/remote.h"

#define START_NS 1000000000ull
#define NUM_QPS 3u
#define SECRET_BYTES 8192u
#define SECRET_FILL 0x5a
#define MAX_DATAGRAM 4300u
#define PEER_QPN 0x123456u
#define QKEY 0x11111111u
#define SQ_PSN 0xfffff0u /* so that it wraps soon */
#define RQ_PSN 0xfffff8u
#define MAX_TURNS 64u

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

static const enum arnica_hw_qp_type types[NUM_QPS] = { ARNICA_HW_QP_RC,
						       ARNICA_HW_QP_UC,
						       ARNICA_HW_QP_UD };

static struct two_function function;
static struct two_qp qps[NUM_QPS];
static uint32_t next_psn[NUM_QPS]; /* of the peer's requests */
static uint32_t address_handle;
static uint8_t *secret; /* registered without remote rights */
static uint32_t secret_stag;
static uint8_t own_gid[16];

/* The datagram that the wire has for the function, in memory of its size. */
static uint8_t *arriving;
static struct adev_datagram arriving_datagram;

static void require(bool condition)
{
	if (!condition)
		abort();
}

/* ---- the wire ---- */

static void transmit(void *lower, struct adev_frame *frames, uint32_t count)
{
	struct roce_packet packet;
	uint32_t i;

	(void)lower;
	for (i = 0; i < count; i++)
		require(roce_parse(frames[i].bytes, frames[i].length,
				   &packet) == ROCE_OK);
}

static uint32_t receive(void *lower, struct adev_datagram *datagrams,
			uint32_t max, bool *more)
{
	(void)lower;
	*more = false;
	if (!arriving_datagram.bytes || !max)
		return 0;
	*datagrams = arriving_datagram;
	arriving_datagram.bytes = NULL;
	return 1;
}

static const struct adev_wire_ops wire_ops = {
	.max_run = fake_wire_max_run,
	.source_port = fake_wire_source_port,
	.transmit = transmit,
	.receive = receive,
	.descriptors = fake_wire_descriptors,
	.close = fake_wire_close,
	.forget = fake_wire_close,
};

static void deliver(const uint8_t *bytes, uint32_t length, bool seal,
		    uint8_t source_change)
{
	struct roce_envelope envelope = {
		.source_port = 0xc000,
		.destination_port = ROCE_UDP_PORT,
		.dont_fragment = true,
	};

	free(arriving);
	arriving = malloc(length ? length : 1);
	require(arriving);
	memcpy(arriving, bytes, length);
	memcpy(envelope.source, own_gid, 16);
	memcpy(envelope.destination, own_gid, 16);
	if (seal && length >= ROCE_BTH_BYTES + ROCE_ICRC_BYTES)
		roce_icrc_seal(&envelope, arriving, length);
	arriving_datagram = (struct adev_datagram){
		.bytes = arriving,
		.length = length,
		.path.source_port = envelope.source_port,
		/* Congestion was met now and then. */
		.path.traffic_class = source_change & 3,
	};
	memcpy(arriving_datagram.path.source, own_gid, 16);
	memcpy(arriving_datagram.path.destination, own_gid, 16);
	if (source_change >> 2 == 63)
		arriving_datagram.path.source[15] ^= 1;
	two_work(&function);
}

/* ---- the input ---- */

struct input {
	const uint8_t *at, *end;
};

static uint8_t take8(struct input *input)
{
	return input->at < input->end ? *input->at++ : 0;
}

static uint32_t take16(struct input *input)
{
	uint32_t high = take8(input);

	return high << 8 | take8(input);
}

static uint32_t take32(struct input *input)
{
	uint32_t high = take16(input);

	return high << 16 | take16(input);
}

static void step_raw(struct input *input)
{
	uint32_t length = take16(input) % MAX_DATAGRAM;
	uint8_t change = take8(input);
	uint32_t left = (uint32_t)(input->end - input->at);

	if (length > left)
		length = left;
	deliver(input->at, length, length & 1, change);
	input->at += length;
}

/* Places that a key may or may not give away. */
static void choose_memory(uint8_t choice, uint32_t offset,
			  struct roce_packet *packet)
{
	switch (choice & 3) {
	case 0:
	case 1:
		packet->rkey = function.stag;
		packet->address = (uintptr_t)function.buffer + offset;
		break;
	case 2:
		packet->rkey = secret_stag;
		packet->address = (uintptr_t)secret + offset % SECRET_BYTES;
		break;
	default: /* its end, or beyond */
		packet->rkey = function.stag;
		packet->address = (uintptr_t)function.buffer +
				  TWO_BUFFER_BYTES - (offset & 0x1fff);
		break;
	}
}

static uint32_t choose_psn(uint8_t which, int8_t distance, uint32_t info)
{
	uint32_t base = info & ROCE_IS_REQUEST ? next_psn[which] : SQ_PSN;

	return roce_psn_add(base, (uint32_t)(int32_t)distance);
}

static void step_packet(struct input *input)
{
	uint8_t which = take8(input) % NUM_QPS, flags, choice, change;
	uint8_t bytes[ROCE_MAX_HEADER_BYTES + MAX_DATAGRAM];
	struct roce_packet packet = { .pkey = ROCE_DEFAULT_PKEY };
	uint32_t headers, length, info, offset;

	memset(bytes, 0xc3, sizeof(bytes));
	packet.opcode = take8(input);
	info = roce_opcode_info(packet.opcode);
	if (!info)
		return;
	flags = take8(input);
	choice = take8(input);
	change = take8(input);
	packet.solicited = flags & 1;
	packet.ack_request = flags & 2;
	packet.migration = flags & 4;
	packet.fecn = flags & 8;
	packet.becn = flags & 16;
	packet.dest_qpn = qps[which].qpn;
	packet.psn = choose_psn(which, (int8_t)take8(input), info);
	offset = take16(input);
	choose_memory(choice, offset, &packet);
	packet.dma_length = choice & 4 ? take32(input) : take16(input);
	packet.swap_or_add = take8(input);
	packet.compare = take8(input);
	packet.syndrome = take8(input);
	packet.msn = take8(input);
	packet.original = 0x0123456789abcdefull;
	packet.immediate = take8(input);
	packet.invalidate = choice & 8 ? function.stag : take32(input);
	packet.qkey = choice & 16 ? take32(input) : QKEY;
	packet.source_qpn = PEER_QPN;
	if (info & ROCE_HAS_PAYLOAD)
		packet.payload_bytes = choice & 32 ? 1024 :
						     take16(input) % 4097;
	headers = roce_emit(&packet, bytes);
	length = roce_packet_bytes(packet.opcode, packet.payload_bytes);
	require(headers < length && length <= sizeof(bytes));
	if (info & ROCE_IS_REQUEST && flags & 32)
		next_psn[which] = roce_psn_add(packet.psn, 1);
	deliver(bytes, length, !(flags & 64), change);
}

/* Applications keep to the depth of a queue. All requests are signaled. */
static bool has_room(const struct two_queue *queue)
{
	return queue->posted - queue->polled < queue->depth;
}

static void step_send(struct input *input)
{
	static const enum arnica_hw_opcode opcodes[] = {
		ARNICA_HW_OP_SEND,     ARNICA_HW_OP_WRITE,
		ARNICA_HW_OP_READ,     ARNICA_HW_OP_FETCH_ADD,
		ARNICA_HW_OP_SEND_IMM, ARNICA_HW_OP_WRITE_IMM,
		ARNICA_HW_OP_CAS,
	};
	struct two_qp *qp = &qps[take8(input) % NUM_QPS];
	enum arnica_hw_opcode opcode =
		opcodes[take8(input) % (sizeof(opcodes) / sizeof(opcodes[0]))];
	uint32_t length = take16(input);
	struct two_request request;

	if (qp->type == ARNICA_HW_QP_UD)
		request = two_datagram(&function, 0, length % 2048,
				       address_handle, qp, QKEY);
	else
		request = two_request(
			opcode, &function, 65536,
			arnica_hw_opcode_is_atomic(opcode) ? 8 : length,
			&function, 0);
	if (has_room(&qp->queue[TWO_SEND]))
		two_send(qp, &request);
}

static void step_receive(struct input *input)
{
	struct two_qp *qp = &qps[take8(input) % NUM_QPS];

	uint32_t offset = take16(input), length = take16(input);

	if (has_room(&qp->queue[TWO_RECEIVE]))
		two_receive(qp, 131072 + offset, length);
}

static void step_time(struct input *input)
{
	uint32_t i, shift = take8(input) % 32;

	adev_clock_simulated_ns += 1ull << shift;
	for (i = 0; i < MAX_TURNS && adev_function_deadline(two_function_of(
					     &function)) <= adev_now_ns();
	     i++)
		two_work(&function);
}

static void step_state(struct input *input)
{
	struct two_qp *qp = &qps[take8(input) % NUM_QPS];

	(void)two_to_state(qp, take8(input) & 1 ? ARNICA_HW_QPS_ERR :
						  ARNICA_HW_QPS_SQD);
}

static void poll_all(void)
{
	struct two_completion completion;
	uint32_t i;

	for (i = 0; i < NUM_QPS; i++) {
		while (two_poll(&qps[i], TWO_SEND, &completion))
			;
		while (two_poll(&qps[i], TWO_RECEIVE, &completion))
			;
	}
}

static void step(struct input *input)
{
	switch (take8(input) & 15) {
	case 0:
		step_raw(input);
		break;
	case 1:
	case 2:
		step_send(input);
		break;
	case 3:
	case 4:
		step_receive(input);
		break;
	case 5:
		step_time(input);
		break;
	case 6:
		step_state(input);
		break;
	case 7:
		poll_all();
		break;
	default:
		step_packet(input);
		break;
	}
}

/* ---- before and after each input ---- */

static void create(uint32_t which)
{
	struct two_wish wish = two_defaults();

	wish.type = types[which];
	wish.qkey = QKEY;
	wish.sq_psn = SQ_PSN;
	wish.rq_psn = RQ_PSN;
	two_create(&qps[which], &function, &wish);
	two_connect_one(&qps[which], PEER_QPN, &wish);
	next_psn[which] = RQ_PSN;
}

static void destroy(uint32_t which)
{
	poll_all();
	(void)two_to_state(&qps[which], ARNICA_HW_QPS_ERR);
	two_work(&function);
	poll_all();
	require(two_destroy(&qps[which]) == 0);
}

static void check_secret(void)
{
	uint32_t i;

	for (i = 0; i < SECRET_BYTES; i++)
		require(secret[i] == SECRET_FILL);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	struct arnica_bus_gid gid;
	uint32_t handle;
	void *state;

	(void)argc;
	(void)argv;
	adev_clock_simulated_ns = START_NS;
	require(!fixture_setup(&state) &&
		!setenv("ARNICA_LOOPBACK", "off", 1) &&
		!setenv("ARNICA_SEGMENT_MAX", "268435456", 1) &&
		!two_function_open(&function) &&
		!adev_wire_open_with(two_function_of(&function), &wire_ops,
				     NULL));
	secret = mmap(NULL, SECRET_BYTES, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	require(secret != MAP_FAILED);
	memset(secret, SECRET_FILL, SECRET_BYTES);
	require(!two_register(&function, secret, SECRET_BYTES,
			      ARNICA_HW_ACCESS_LOCAL_WRITE, &handle,
			      &secret_stag));
	require(!two_address(&function, function.pd, 0, &address_handle));
	require(!adev_port_gid(0, &gid));
	memcpy(own_gid, gid.raw, 16);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct input input = { .at = bytes, .end = bytes + size };
	uint32_t i;

	adev_clock_simulated_ns += START_NS; /* it never goes back */
	for (i = 0; i < NUM_QPS; i++)
		create(i);
	while (input.at < input.end)
		step(&input);
	for (i = 0; i < NUM_QPS; i++)
		destroy(i);
	check_secret();
	return 0;
}
