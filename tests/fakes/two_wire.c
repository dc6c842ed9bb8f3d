/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "two_wire.h"

#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "domain/port.h"
#include "fake_wire.h"
#include "fixture.h"
#include "transport/remote.h"

#define START_NS 1000000000ull
#define LATENCY_NS 5000u
#define REORDER_NS 20000u
#define LATE_NS 1000u

struct two_wire_datagram {
	struct two_wire_datagram *next;
	uint64_t at_ns;
	uint32_t length;
	struct adev_path path;
	uint8_t bytes[TWO_WIRE_MAX_BYTES];
};

static uint64_t now(void)
{
	return atomic_load(&adev_clock_simulated_ns);
}

uint32_t two_wire_random(struct two_wire *wire, uint32_t below)
{
	/* xorshift64* */
	wire->random ^= wire->random >> 12;
	wire->random ^= wire->random << 25;
	wire->random ^= wire->random >> 27;
	return (uint32_t)((wire->random * 0x2545f4914f6cdd1dull >> 32) % below);
}

static bool happens(struct two_wire *wire, uint32_t thousandths)
{
	return thousandths && two_wire_random(wire, 1000) < thousandths;
}

/* Behind those that arrive at the same time. */
static void enqueue(struct two_end *to, const struct two_wire_datagram *from,
		    uint64_t delay_ns)
{
	struct two_wire_datagram *copy = malloc(sizeof(*copy)), **link;

	memcpy(copy, from, sizeof(*copy));
	copy->at_ns = now() + delay_ns;
	for (link = &to->queue; *link && (*link)->at_ns <= copy->at_ns;
	     link = &(*link)->next)
		;
	copy->next = *link;
	*link = copy;
}

static void append(struct two_wire_datagram **list,
		   struct two_wire_datagram *datagram)
{
	while (*list)
		list = &(*list)->next;
	datagram->next = NULL;
	*list = datagram;
}

static void keep(struct two_end *to, const struct two_wire_datagram *from)
{
	struct two_wire_datagram *copy = malloc(sizeof(*copy));

	memcpy(copy, from, sizeof(*copy));
	append(&to->kept, copy);
}

static bool filtered(struct two_wire *wire, struct two_end *to,
		     const struct two_wire_datagram *datagram)
{
	struct roce_packet packet;

	if (!wire->filter)
		return false;
	assert_int_equal(roce_parse(datagram->bytes, datagram->length, &packet),
			 ROCE_OK);
	return wire->filter(wire, to, &packet);
}

/* What becomes of a packet on its way. */
static void carry(struct two_wire *wire, struct two_end *to,
		  struct two_wire_datagram *datagram)
{
	const struct two_faults *faults = &wire->faults;
	uint64_t delay = wire->latency_ns;

	wire->num_datagrams++;
	if (filtered(wire, to, datagram))
		return;
	if (to->held) {
		keep(to, datagram);
		return;
	}
	if (happens(wire, faults->drop))
		return;
	if (happens(wire, faults->duplicate))
		enqueue(to, datagram,
			delay + two_wire_random(wire, REORDER_NS));
	if (happens(wire, faults->reorder))
		delay += two_wire_random(wire, REORDER_NS);
	if (happens(wire, faults->corrupt)) {
		uint32_t bit = two_wire_random(wire, 8 * datagram->length);

		datagram->bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	enqueue(to, datagram, delay);
}


static void transmit(void *lower, struct adev_frame *frames, uint32_t count)
{
	struct two_end *end = lower;
	struct two_wire_datagram datagram;
	uint32_t i;

	for (i = 0; i < count; i++) {
		assert_true(frames[i].length <= TWO_WIRE_MAX_BYTES);
		memset(&datagram, 0, sizeof(datagram));
		datagram.length = frames[i].length;
		datagram.path = *frames[i].path;
		datagram.path.source_port = frames[i].source_port;
		memcpy(datagram.bytes, frames[i].bytes, frames[i].length);
		end->num_sent++;
		carry(end->wire, end->other, &datagram);
	}
}

static void free_list(struct two_wire_datagram **list)
{
	while (*list) {
		struct two_wire_datagram *next = (*list)->next;

		free(*list);
		*list = next;
	}
}

static uint32_t receive(void *lower, struct adev_datagram *datagrams,
			uint32_t max, bool *more)
{
	struct two_end *end = lower;
	uint32_t count = 0;

	free_list(&end->delivered);
	while (count < max && end->queue && end->queue->at_ns <= now()) {
		struct two_wire_datagram *datagram = end->queue;

		end->queue = datagram->next;
		append(&end->delivered, datagram);
		datagrams[count++] = (struct adev_datagram){
			.bytes = datagram->bytes,
			.length = datagram->length,
			.path = datagram->path,
		};
	}
	*more = end->queue && end->queue->at_ns <= now();
	return count;
}

static void close_end(void *lower)
{
	struct two_end *end = lower;

	free_list(&end->queue);
	free_list(&end->delivered);
	free_list(&end->kept);
}

static const struct adev_wire_ops wire_ops = {
	.max_run = fake_wire_max_run,
	.source_port = fake_wire_source_port,
	.transmit = transmit,
	.receive = receive,
	.descriptors = fake_wire_descriptors,
	.close = close_end,
	.forget = close_end,
};

static int open_end(struct two_wire *wire, struct two_end *end,
		    struct two_function *function, struct two_end *other)
{
	end->wire = wire;
	end->function = function;
	end->other = other;
	return adev_wire_open_with(two_function_of(function), &wire_ops, end);
}

int two_wire_setup(void **state)
{
	struct two_wire *wire = calloc(1, sizeof(*wire));
	struct two *two = &wire->two;

	wire->latency_ns = LATENCY_NS;
	wire->random = 1;
	atomic_store(&adev_clock_simulated_ns, START_NS);
	if (fixture_setup(state) || setenv("ARNICA_LOOPBACK", "off", 1) ||
	    setenv("ARNICA_SEGMENT_MAX", "268435456", 1) ||
	    two_function_open(&two->a) || two_function_open(&two->b) ||
	    open_end(wire, &wire->a, &two->a, &wire->b) ||
	    open_end(wire, &wire->b, &two->b, &wire->a))
		return -1;
	*state = wire;
	return 0;
}

int two_wire_connected_setup(void **state)
{
	const struct two_wish wish = two_defaults();

	if (two_wire_setup(state))
		return -1;
	two_wire_connect(*state, &wish);
	return 0;
}

int two_wire_teardown(void **state)
{
	struct two_wire *wire = *state;

	two_function_close(&wire->two.a);
	two_function_close(&wire->two.b);
	/* What b had to say to a in the end. */
	close_end(&wire->a);
	free(wire);
	unsetenv("ARNICA_LOOPBACK");
	atomic_store(&adev_clock_simulated_ns, 0);
	return fixture_teardown(state);
}

void two_wire_connect(struct two_wire *wire, const struct two_wish *wish)
{
	struct two *two = &wire->two;

	two_create(&two->qp_a, &two->a, wish);
	two_create(&two->qp_b, &two->b, wish);
	two_connect(&two->qp_a, &two->qp_b, wish);
	assert_non_null(two_qp_of(&two->qp_a)->remote);
	assert_non_null(two_qp_of(&two->qp_b)->remote);
}

void two_wire_seed(struct two_wire *wire, uint64_t seed,
		   const struct two_faults *faults)
{
	wire->random = seed * 0x9e3779b97f4a7c15ull | 1;
	wire->faults = *faults;
}

/* True when one of them did something that can be seen here. */
static bool work(struct two_wire *wire)
{
	uint64_t before = wire->num_datagrams;
	bool arrived = (wire->a.queue && wire->a.queue->at_ns <= now()) ||
		       (wire->b.queue && wire->b.queue->at_ns <= now());

	two_work(&wire->two.a);
	two_work(&wire->two.b);
	return arrived || wire->num_datagrams != before;
}

static void take_earlier(uint64_t *next, uint64_t other)
{
	if (other < *next)
		*next = other;
}

static uint64_t next_event(struct two_wire *wire)
{
	uint64_t next = ADEV_NEVER_NS;

	if (wire->a.queue)
		take_earlier(&next, wire->a.queue->at_ns);
	if (wire->b.queue)
		take_earlier(&next, wire->b.queue->at_ns);
	take_earlier(&next,
		     adev_function_deadline(two_function_of(&wire->two.a)));
	take_earlier(&next,
		     adev_function_deadline(two_function_of(&wire->two.b)));
	return next;
}

/* A timer that is due by now, and does nothing, is looked at a little later. */
static bool step_until(struct two_wire *wire, uint64_t limit)
{
	uint64_t next;

	if (work(wire))
		return true;
	next = next_event(wire);
	if (next == ADEV_NEVER_NS || next > limit)
		return false;
	atomic_store(&adev_clock_simulated_ns, next > now() ? next : now() + LATE_NS);
	return true;
}

bool two_wire_step(struct two_wire *wire)
{
	return step_until(wire, ADEV_NEVER_NS);
}

uint64_t two_wire_settle(struct two_wire *wire, uint64_t ns)
{
	uint64_t start = now();

	while (step_until(wire, start + ns))
		;
	return now() - start;
}

void two_wire_pass(struct two_wire *wire, uint64_t ns)
{
	uint64_t end = now() + ns;

	while (step_until(wire, end))
		;
	if (now() < end)
		atomic_store(&adev_clock_simulated_ns, end);
	(void)work(wire);
}

struct two_completion two_wire_expect(struct two_wire *wire, struct two_qp *qp,
				      enum two_which which,
				      enum arnica_hw_status status)
{
	struct two_completion completion;

	while (!two_poll(qp, which, &completion))
		if (!two_wire_step(wire))
			fail_msg("a completion did not come");
	assert_int_equal(completion.status, status);
	return completion;
}

void two_wire_expect_state(struct two_wire *wire, struct two_qp *qp,
			   enum arnica_hw_qp_state state)
{
	while (two_state(qp) != state)
		if (!two_wire_step(wire))
			fail_msg("the state is %u", two_state(qp));
}

/* The way that the other end's packets take: of its connection, or of its first
 * GID to itself. */
static struct adev_path path_of(const struct two_end *end)
{
	struct two_qp *qp = end == &end->wire->a ? &end->wire->two.qp_a :
						   &end->wire->two.qp_b;
	struct adev_path path = { 0 };
	struct arnica_bus_gid own;

	if (qp->function && two_qp_of(qp)->remote_kept)
		return two_qp_of(qp)->remote_kept->path;
	assert_int_equal(adev_port_gid(0, &own), 0);
	memcpy(path.source, own.raw, 16);
	memcpy(path.destination, own.raw, 16);
	return path;
}

static void write_from(struct two_end *held, const struct roce_packet *packet,
		       const void *payload, uint8_t source_change)
{
	const struct adev_path path = path_of(held->other);
	struct two_wire_datagram datagram;
	struct roce_envelope envelope = {
		.source_port = 0xc000,
		.destination_port = ROCE_UDP_PORT,
		.dont_fragment = true,
	};
	uint32_t header;

	memset(&datagram, 0, sizeof(datagram));
	datagram.length = roce_packet_bytes(packet->opcode,
					    packet->payload_bytes);
	assert_true(datagram.length <= TWO_WIRE_MAX_BYTES);
	header = roce_emit(packet, datagram.bytes);
	if (packet->payload_bytes)
		memcpy(datagram.bytes + header, payload,
		       packet->payload_bytes);
	memcpy(datagram.path.source, path.destination, 16);
	memcpy(datagram.path.destination, path.source, 16);
	datagram.path.source[15] ^= source_change;
	datagram.path.traffic_class = held->traffic_class;
	datagram.path.source_port = envelope.source_port;
	memcpy(envelope.source, datagram.path.source, 16);
	memcpy(envelope.destination, datagram.path.destination, 16);
	roce_icrc_seal(&envelope, datagram.bytes, datagram.length);
	enqueue(held->other, &datagram, 0);
	if (!held->corked)
		two_work(held->other->function);
}

void two_wire_write(struct two_end *held, const struct roce_packet *packet,
		    const void *payload)
{
	write_from(held, packet, payload, 0);
}

void two_wire_write_foreign(struct two_end *held,
			    const struct roce_packet *packet)
{
	write_from(held, packet, NULL, 1);
}

bool two_wire_read(struct two_end *held, struct two_packet *packet)
{
	struct two_wire_datagram *datagram = held->kept;

	if (!datagram)
		return false;
	held->kept = datagram->next;
	assert_int_equal(roce_parse(datagram->bytes, datagram->length,
				    &packet->packet),
			 ROCE_OK);
	if (packet->packet.payload_bytes)
		memcpy(packet->payload, packet->packet.payload,
		       packet->packet.payload_bytes);
	packet->packet.payload = packet->payload;
	free(datagram);
	return true;
}
