/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Two functions in one process and the host side of both, driven through the
 * bus alone: commands, doorbells, rings. Each function has a domain folder in
 * common with the other, a protection domain, two CQs, a registered buffer and
 * an asynchronous event descriptor; each QP is made and connected by the test.
 *
 * two_function_of() leads behind the bus, to counters and shared tables.
 */
#ifndef TESTS_TWO_FUNCTIONS_H
#define TESTS_TWO_FUNCTIONS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arnica/hw/bus.h>
#include <arnica/hw/cqe.h>
#include <arnica/hw/doorbell.h>
#include <arnica/hw/records.h>
#include <arnica/hw/wqe.h>

#include "core/function.h"
#include "transport/qp.h"

#define TWO_BUFFER_BYTES (4u << 20)
#define TWO_ALL_RIGHTS                                                         \
	((uint32_t)ARNICA_HW_ACCESS_LOCAL_WRITE |                              \
	 ARNICA_HW_ACCESS_REMOTE_WRITE | ARNICA_HW_ACCESS_REMOTE_READ |        \
	 ARNICA_HW_ACCESS_REMOTE_ATOMIC)

#define assert_ok(expression) assert_int_equal((expression), 0)

enum two_which { TWO_SEND = 0, TWO_RECEIVE = 1 };

struct two_function {
	int device_fd;
	int async_fd;
	struct arnica_bus *bus;
	uint32_t cqp_index;
	uint32_t pd;
	uint32_t cq[2]; /* by enum two_which */
	struct arnica_hw_cq_record *cq_record[2];
	char *buffer; /* TWO_BUFFER_BYTES, registered with all rights */
	uint32_t mr;
	uint32_t stag;
};

struct two_queue {
	char *entries;
	struct arnica_hw_cqe *ring;
	struct arnica_hw_queue_record *record;
	char *eager;
	uint32_t stride, slots, depth;
	uint32_t posted; /* next entry to write */
	uint32_t polled; /* next completion to read */
};

struct two_srq {
	struct two_function *function;
	uint32_t handle, number;
	char *entries;
	uint32_t stride, slots;
	arnica_atomic_le64 *words;
	arnica_atomic_le32 *ring;
	struct arnica_hw_srq_record *record;
	uint32_t posted;
};

struct two_qp {
	struct two_function *function;
	uint32_t handle, qpn;
	uint32_t type; /* enum arnica_hw_qp_type */
	struct two_queue queue[2]; /* by enum two_which */
};

struct two {
	struct two_function a, b;
	struct two_qp qp_a, qp_b; /* made by two_connected_setup() */
};

/* How a QP is created and connected. */
struct two_wish {
	enum arnica_hw_qp_type type; /* zero: RC */
	uint32_t qkey;               /* UD */
	uint32_t send_depth, recv_depth, sge, inline_bytes;
	uint32_t access;
	uint32_t mtu; /* 1 (256) to 5 (4096) */
	uint32_t sq_psn, rq_psn;
	uint32_t timeout, retry_cnt, rnr_retry, min_rnr_timer;
	uint32_t rd_atomic;
	uint32_t sl;
	const struct two_srq *srq; /* of the same function; or NULL */
};

struct two_completion {
	uint32_t status, opcode, flags;
	uint32_t byte_len, immediate, wqe_index;
	uint32_t source; /* datagrams: masks of cqe.h */
};

/* A work request of the send queue. */
struct two_request {
	enum arnica_hw_opcode opcode;
	uint32_t flags; /* enum arnica_hw_wqe_flags */
	uint32_t immediate;
	uint64_t remote_address;
	uint32_t rkey;
	uint64_t swap_or_add, compare;
	uint32_t ah, dest_qpn, qkey; /* UD, in place of address and key */
	uint32_t num_sge;
	struct arnica_hw_data_segment sge[4];
	const void *data; /* with INLINE */
	uint32_t inline_bytes;
};

/* cmocka fixtures: *state is the struct two. The second also makes qp_a and
 * qp_b and connects them with two_defaults(). */
int two_setup(void **state);
int two_connected_setup(void **state);
int two_teardown(void **state);

/* One function by itself, in the folder of the domain that is set. */
int two_function_open(struct two_function *function);
/* The same, which imports from another one. */
int two_function_open_from(struct two_function *function,
			   const struct two_function *from);
void two_function_close(struct two_function *function);

static inline struct adev_function *two_function_of(struct two_function *of)
{
	return (struct adev_function *)of->bus;
}

/* A slot of the directory that nobody has: functions get theirs at random. */
uint32_t two_nobody(struct two_function *function);

static inline struct adev_qp *two_qp_of(struct two_qp *qp)
{
	return two_function_of(qp->function)->qps[qp->handle];
}

static inline struct adev_qp_shared *two_shared_of(struct two_qp *qp)
{
	return &two_function_of(qp->function)->view.qps[qp->handle];
}

/* Commands: the status, and the answer where `completion` is not NULL. */
uint32_t two_command(struct two_function *function,
		     const struct arnica_hw_command *command,
		     struct arnica_hw_completion *completion);
uint32_t two_register(struct two_function *function, void *address,
		      uint64_t length, uint32_t access, uint32_t *handle,
		      uint32_t *stag);
uint32_t two_object(struct two_function *function,
		    enum arnica_hw_command_opcode opcode, uint32_t handle);

/* An address handle of a PD, to GID `index` of the own table. */
uint32_t two_address(struct two_function *function, uint32_t pd,
		     uint32_t gid_index, uint32_t *handle);

struct two_wish two_defaults(void);
void two_create(struct two_qp *qp, struct two_function *function,
		const struct two_wish *wish);
uint32_t two_destroy(struct two_qp *qp);
void two_srq_create(struct two_srq *srq, struct two_function *function,
		    uint32_t depth);
uint32_t two_to_init(struct two_qp *qp, const struct two_wish *wish);
uint32_t two_to_rtr(struct two_qp *qp, const struct two_wish *wish,
		    uint32_t dest_qpn);
uint32_t two_to_rts(struct two_qp *qp, const struct two_wish *wish);
uint32_t two_to_state(struct two_qp *qp, enum arnica_hw_qp_state state);
/* To SQD, with an event when it has drained. */
uint32_t two_drain(struct two_qp *qp);
uint32_t two_state(struct two_qp *qp);
void two_connect_one(struct two_qp *qp, uint32_t dest_qpn,
		     const struct two_wish *wish);
void two_connect(struct two_qp *a, struct two_qp *b,
		 const struct two_wish *wish);

/* A segment of the function's own buffer. */
struct arnica_hw_data_segment two_segment(const struct two_function *function,
					  uint32_t offset, uint32_t length);
/* One segment of the own buffer, signaled; RDMA and atomics name offset
 * `remote` of the peer's buffer. */
struct two_request two_request(enum arnica_hw_opcode opcode,
			       const struct two_function *own, uint32_t offset,
			       uint32_t length, const struct two_function *peer,
			       uint32_t remote);

/* A datagram from `offset` of the own buffer to a QP, signaled. */
struct two_request two_datagram(const struct two_function *own, uint32_t offset,
				uint32_t length, uint32_t ah,
				const struct two_qp *to, uint32_t qkey);

/* Writes an entry; returns its index. two_ring() announces what was written. */
uint32_t two_post(struct two_qp *qp, const struct two_request *request);
void two_ring(struct two_qp *qp);
uint32_t two_send(struct two_qp *qp, const struct two_request *request);
uint64_t two_doorbell_value(const struct two_qp *qp);
void *two_entry(struct two_qp *qp, enum two_which which, uint32_t index);

/* Posts a receive, and rings where the adapter asked for it. */
uint32_t two_receive_list(struct two_qp *qp,
			  const struct arnica_hw_data_segment *segments,
			  uint32_t count);
uint32_t two_receive(struct two_qp *qp, uint32_t offset, uint32_t length);
/* The same in entry `slot` of an SRQ, which the test knows to be free. */
void two_srq_receive(struct two_srq *srq, uint32_t slot, uint32_t offset,
		     uint32_t length);

/* Lets the adapter go on, as a poll does that saw the attention word. */
void two_work(struct two_function *function);

/* Polls; true with a completion, whose payload was scattered. */
bool two_poll(struct two_qp *qp, enum two_which which,
	      struct two_completion *completion);

/* Waits for the next completion, which must have this status. */
struct two_completion two_expect(struct two_qp *qp, enum two_which which,
				 enum arnica_hw_status status);
void two_expect_none(struct two_qp *qp, enum two_which which);

/* Waits until the QP is in that state. */
void two_expect_state(struct two_qp *qp, enum arnica_hw_qp_state state);

/* Waits for the next asynchronous event of a QP or CQ; its type. -1: none is there, with
 * `wait` false. */
int two_async(struct two_function *function, bool wait);

/* True as long as a test may wait for what must come; fails the test after. */
bool two_patience(uint64_t *until_ns);

/*
 * For tests that take memory away. The test program has fault handlers of its
 * own, before which the adapter's stand back: the first, called before the
 * tests run, lets the adapter install its handlers, and the second puts them in
 * place for one test, or skips it where a sanitizer has them.
 */
void two_faults_prepare(void);
void two_faults_expected(void);

/* Recognisable bytes. */
void two_fill(void *memory, size_t bytes, uint32_t seed);
void two_check(const void *memory, size_t bytes, uint32_t seed);

#define two_test(function)                                                     \
	cmocka_unit_test_setup_teardown(function, two_setup, two_teardown)
#define two_connected_test(function)                                           \
	cmocka_unit_test_setup_teardown(function, two_connected_setup,         \
					two_teardown)

#endif
