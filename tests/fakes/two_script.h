/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Scripts of single packets: the test is the peer of qp_b, packet by packet.
 * qp_b is a responder whose requester is the script.
 */
#ifndef TESTS_TWO_SCRIPT_H
#define TESTS_TWO_SCRIPT_H

#include "two_wire.h"

/* Where the PSNs of a script begin, and the path MTU. */
#define SCRIPT_PSN 100u
#define SCRIPT_MTU 256u

/* cmocka fixture: qp_b connected, the end of its peer held; receives are
 * posted by the test. SCRIPT_PSN is what qp_b expects. */
int script_setup(void **state);

/* A request for qp_b; RDMA and atomics name the begin of b's buffer. */
struct roce_packet script_request(struct two_wire *wire, uint8_t opcode,
				  uint32_t psn, uint32_t payload_bytes);
/* Sends it, with recognisable bytes from `seed` on. */
void script_send(struct two_wire *wire, const struct roce_packet *packet,
		 uint32_t seed);
/* Both in one, with AckReq. */
void script_put(struct two_wire *wire, uint8_t opcode, uint32_t psn,
		uint32_t payload_bytes, uint32_t seed);

/* The next packet that qp_b sent. */
void script_expect_ack(struct two_wire *wire, uint32_t psn, uint32_t msn);
void script_expect_syndrome(struct two_wire *wire, uint32_t psn,
			    uint8_t syndrome);
struct two_packet *script_expect(struct two_wire *wire, uint8_t opcode,
				 uint32_t psn);
void script_expect_silence(struct two_wire *wire);

#define script_test(function)                                                  \
	cmocka_unit_test_setup_teardown(function, script_setup,                \
					two_wire_teardown)

#endif
