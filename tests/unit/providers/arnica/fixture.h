/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * An open device on the fake bus, with the machine's own libibverbs: what the
 * tests of the provider start from. It is cmocka's state in each test.
 */
#ifndef FIXTURE_H
#define FIXTURE_H

#include <infiniband/verbs.h>

#include "abi.h"
#include "context.h"
#include "cq.h"
#include "fake_bus.h"
#include "qp.h"

#define FIXTURE_DEPTH 8u /* of the send queue and of the receive queue */
#define FIXTURE_SGE 4u
#define FIXTURE_INLINE 64u

struct fixture {
	struct arnica_abi_device *device;
	struct arnica_bus *bus;
	struct ibv_context *ibv;
	struct arnica_context *context;
	struct ibv_pd *pd;
	struct arnica_cq *cq;
	struct arnica_qp *qp;
};

/* cmocka setup and teardown. */
int fixture_open(void **state);
int fixture_close(void **state);

/* One more QP on the fixture's CQ, with all ibv_wr_* functions. */
struct arnica_qp *fixture_add_qp(struct fixture *fixture);
struct arnica_qp *fixture_add_qp_of(struct fixture *fixture,
				    struct arnica_cq *cq,
				    enum ibv_qp_type type);

/* Sets the state on the host's side, as a successful modify does. */
void fixture_set_state(struct arnica_qp *qp, enum ibv_qp_state state);

/* The adapter completes: publishes the entry in a ring and pushes the ring. */
void fixture_complete(struct fixture *fixture, struct arnica_ring *ring,
		      uint32_t index, struct arnica_hw_cqe entry);

/* An entry with a word `info` made of its parts. */
struct arnica_hw_cqe fixture_entry(uint32_t status, uint32_t opcode,
				   uint32_t flags, uint32_t wqe_index);

int fixture_post_send(struct arnica_qp *qp, uint64_t wr_id);
int fixture_post_receive(struct arnica_qp *qp, uint64_t wr_id, void *buffer,
			 uint32_t length);

#endif
