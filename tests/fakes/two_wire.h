/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Two functions in one process whose QPs talk over a wire, in simulated time.
 * The wire loses, doubles, delays and damages packets as its seed says: the same
 * seed, the same run. Nothing happens between the calls of a test, and time
 * passes only when nothing else can happen.
 *
 * A test may also hold one end of the wire itself: what that function would
 * receive is then for the test to read, and the test writes packets of its own.
 */
#ifndef TESTS_TWO_WIRE_H
#define TESTS_TWO_WIRE_H

#include <roce/packet.h>

#include "link/wire_ops.h"
#include "two_functions.h"

#define TWO_WIRE_MAX_BYTES 4200u

/* In thousandths of the packets. */
struct two_faults {
	uint32_t drop, duplicate, reorder, corrupt;
};

struct two_wire_datagram;

/* One function's end. */
struct two_end {
	struct two_wire *wire;
	struct two_function *function;
	struct two_end *other;
	bool held; /* what would arrive here is kept for the test */
	bool corked; /* what the test writes here waits for two_wire_step() */
	uint8_t traffic_class; /* of what the test writes here */
	struct two_wire_datagram *queue;     /* by time of arrival */
	struct two_wire_datagram *delivered; /* freed at the next receive */
	struct two_wire_datagram *kept;      /* for the test, oldest first */
	uint32_t num_sent;
};

struct two_wire {
	struct two two; /* first: the state of two_functions.h */
	struct two_end a, b;
	struct two_faults faults;
	uint64_t latency_ns;
	uint64_t random; /* the seed, moving on */
	uint64_t num_datagrams;
	/* Looks at each packet first; true: it is lost. May be NULL. */
	bool (*filter)(struct two_wire *wire, struct two_end *to,
		       const struct roce_packet *packet);
	void *filter_data;
};

struct two_packet {
	struct roce_packet packet; /* payload points to the array */
	uint8_t payload[TWO_WIRE_MAX_BYTES];
};

/* cmocka fixtures; *state is the struct two_wire. The second connects qp_a and
 * qp_b with two_defaults(). */
int two_wire_setup(void **state);
int two_wire_connected_setup(void **state);
int two_wire_teardown(void **state);

/* Makes and connects qp_a and qp_b over the wire. */
void two_wire_connect(struct two_wire *wire, const struct two_wish *wish);

void two_wire_seed(struct two_wire *wire, uint64_t seed,
		   const struct two_faults *faults);
uint32_t two_wire_random(struct two_wire *wire, uint32_t below);

/* One step: both functions work; when nothing comes of it, time goes on to the
 * next thing that is due. False: nothing will happen any more. */
bool two_wire_step(struct two_wire *wire);

/* Until nothing happens any more, or `ns` have passed; how long it took. */
uint64_t two_wire_settle(struct two_wire *wire, uint64_t ns);

/* Lets the time pass, with everything that happens meanwhile. */
void two_wire_pass(struct two_wire *wire, uint64_t ns);

/* The next completion, which must come and have this status. */
struct two_completion two_wire_expect(struct two_wire *wire, struct two_qp *qp,
				      enum two_which which,
				      enum arnica_hw_status status);
void two_wire_expect_state(struct two_wire *wire, struct two_qp *qp,
			   enum arnica_hw_qp_state state);

/* Sends a packet from the held end to the other one, which takes it in now. */
void two_wire_write(struct two_end *held, const struct roce_packet *packet,
		    const void *payload);
/* The same from another address than the peer's. */
void two_wire_write_foreign(struct two_end *held,
			    const struct roce_packet *packet);

/* What came to the held end; false when there is nothing. */
bool two_wire_read(struct two_end *held, struct two_packet *packet);

#define two_wire_test(function)                                                \
	cmocka_unit_test_setup_teardown(function, two_wire_setup,              \
					two_wire_teardown)
#define two_wire_connected_test(function)                                      \
	cmocka_unit_test_setup_teardown(function, two_wire_connected_setup,    \
					two_wire_teardown)

#endif
