/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Tests of the wire without a transport: what arrives is recorded. The program
 * is linked with --wrap for the two calls that lead up (WIRE_OPTIONS).
 *
 * wire_isolate() moves the program into a network namespace of its own, with
 * the loopback interface alone, so that port 4791 is free. Where that is not
 * permitted the tests run where they are, or are skipped when the port is
 * taken.
 */
#ifndef TEST_WIRE_FIXTURE_H
#define TEST_WIRE_FIXTURE_H

#include <stdatomic.h>
#include <stdbool.h>

#include "link/wire_ops.h"
#include "two_functions.h"

#define WIRE_MAX_ARRIVALS 4096u

struct wire_arrival {
	struct adev_function *fn;
	struct adev_arrival arrival; /* its payload points to `payload` */
	uint8_t payload[4096];
};

extern struct wire_arrival wire_arrivals[WIRE_MAX_ARRIVALS];
extern _Atomic uint32_t wire_num_arrivals;
extern _Atomic uint32_t wire_num_settles;

/* Before anything else in main(). True: the namespace is the program's own. */
bool wire_isolate(void);

/* Skips the test when port 4791 is somebody else's. */
void wire_open_or_skip(struct adev_function *fn);

/* A path between two addresses as text, IPv4 or IPv6. */
struct adev_path wire_path(const char *source, const char *destination);

/* Adds one packet with `bytes` of payload, whose bytes are two_fill(psn). */
void wire_add(struct adev_batch *batch, const struct adev_path *path,
	      uint8_t opcode, uint32_t dest_qpn, uint32_t psn, uint32_t bytes);

/* Drains both functions (either may be NULL) until so many have arrived. */
void wire_wait(struct adev_function *a, struct adev_function *b,
	       uint32_t count);

/* A QP number of a block of the function's own. */
uint32_t wire_qpn(struct adev_function *fn);

void wire_forget_arrivals(void);

#endif
