/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Support for tests that are written as applications: public verbs only.
 *
 * A test program is a table of cases. vt_main() runs each in a forked child of
 * its own (forked before any device is opened), so that a crash or a hang is
 * the failure of one case. A check that fails ends its case with a line that
 * names the place. A case may fork peers with vt_fork() before it opens a
 * device; a failing peer fails the case.
 *
 * An "end" is what one side of a connection owns: context, PD, two CQs, a
 * registered buffer, and one QP, of type RC unless another one is wished.
 */
#ifndef VT_H
#define VT_H

#include <errno.h>
#include <infiniband/verbs.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

struct vt_case {
	const char *name; /* a sentence in snake_case: what must be so */
	void (*run)(void);
	unsigned int limit_s; /* zero: the default */
};

int vt_main(int argc, char **argv, const struct vt_case *cases);

_Noreturn void vt_fail(const char *file, int line, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
_Noreturn void vt_skip(const char *format, ...)
	__attribute__((format(printf, 1, 2)));

#define VT_CHECK(condition)                                                    \
	do {                                                                   \
		if (!(condition))                                              \
			vt_fail(__FILE__, __LINE__, "%s", #condition);         \
	} while (0)

#define VT_EQUAL(value, expected)                                              \
	do {                                                                   \
		long long vt_value = (long long)(value);                       \
		long long vt_expected = (long long)(expected);                 \
		if (vt_value != vt_expected)                                   \
			vt_fail(__FILE__, __LINE__,                            \
				"%s is %lld, expected %s (%lld)", #value,      \
				vt_value, #expected, vt_expected);             \
	} while (0)

#define VT_ONE_OF(value, first, second)                                        \
	do {                                                                   \
		long long vt_value = (long long)(value);                       \
		if (vt_value != (long long)(first) &&                          \
		    vt_value != (long long)(second))                           \
			vt_fail(__FILE__, __LINE__,                            \
				"%s is %lld, expected %s or %s", #value,       \
				vt_value, #first, #second);                    \
	} while (0)

#define VT_STATUS(wc, expected)                                                \
	do {                                                                   \
		if ((wc)->status != (expected))                                \
			vt_fail(__FILE__, __LINE__,                            \
				"status of wr %llu is \"%s\", expected %s",    \
				(unsigned long long)(wc)->wr_id,               \
				ibv_wc_status_str((wc)->status), #expected);   \
	} while (0)

/* Sanitizers keep the handlers of memory faults to themselves, and report what
 * an application of RDMA does on purpose: looking at memory that is written. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define VT_SANITIZED 1
#else
#define VT_SANITIZED 0
#endif

#define VT_CASE(name) { #name, name, 0 }

#define VT_ALL_ACCESS                                                          \
	(IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_WRITE |                    \
	 IBV_ACCESS_REMOTE_READ | IBV_ACCESS_REMOTE_ATOMIC)

/* What a test wants of an end; vt_defaults() is a good start. */
struct vt_wish {
	enum ibv_qp_type type;
	uint32_t qkey; /* UD */
	uint32_t send_depth, recv_depth, send_sge, recv_sge, inline_bytes;
	uint32_t cqe;
	size_t buffer_bytes;
	int mr_access, qp_access;
	uint8_t timeout, retry_cnt, rnr_retry, min_rnr_timer;
	uint8_t rd_atomic; /* both directions */
	uint8_t sl; /* class of service */
	enum ibv_mtu mtu;
	bool all_signaled;
	bool channel;    /* both CQs report to one completion channel */
	bool common_cq;  /* send and receive share one CQ */
	bool extended;   /* create the QP with the ibv_wr_* calls */
	uint64_t send_ops; /* calls besides the usual ones of its type */
	struct ibv_srq *srq; /* of the same context; or NULL */
};

struct vt_end {
	struct vt_wish wish;
	struct ibv_context *context;
	bool context_shared; /* belongs to another end */
	struct ibv_comp_channel *channel;
	struct ibv_pd *pd;
	struct ibv_cq *send_cq, *recv_cq;
	struct ibv_mr *mr;
	struct ibv_qp *qp;
	struct ibv_qp_cap cap; /* granted */
	uint8_t *buffer;
	uint32_t psn;
};

/* What the two sides tell each other. */
struct vt_address {
	uint32_t qpn, psn, rkey;
	uint64_t buffer;
	union ibv_gid gid;
};

struct vt_wish vt_defaults(void);

/* Opens the device under test ($VT_DEVICE, else the first). */
struct ibv_context *vt_open(void);
void vt_end_open(struct vt_end *end, const struct vt_wish *wish);
/* A second end in the context of another. */
void vt_end_open_in(struct vt_end *end, const struct vt_end *other,
		    const struct vt_wish *wish);
/* Destroys all of it; each destruction must succeed. */
void vt_end_close(struct vt_end *end);

struct vt_address vt_address_of(const struct vt_end *end);
int vt_to_init(struct vt_end *end);
int vt_to_rtr(struct vt_end *end, const struct vt_address *peer);
int vt_to_rts(struct vt_end *end);
void vt_connect(struct vt_end *end, const struct vt_address *peer);
/* Opens both, as two functions or in one, and connects them. */
void vt_pair_open(struct vt_end *a, struct vt_end *b,
		  const struct vt_wish *wish, bool one_context);
/* Opens both, b in the context of `owner` with its SRQ, and connects them. */
void vt_pair_open_srq(struct vt_end *a, struct vt_end *b,
		      const struct vt_end *owner, struct ibv_srq *srq,
		      const struct vt_wish *wish);
void vt_pair_close(struct vt_end *a, struct vt_end *b);
int vt_set_state(struct ibv_qp *qp, enum ibv_qp_state state);
enum ibv_qp_state vt_state(struct ibv_qp *qp);
void vt_wait_state(struct ibv_qp *qp, enum ibv_qp_state state);

/* Work requests on one buffer, the common case. */
struct ibv_send_wr vt_send_wr(uint64_t id, enum ibv_wr_opcode opcode,
			      struct ibv_sge *sge);
struct ibv_sge vt_sge(const struct vt_end *end, size_t offset, size_t length);
int vt_post_send(struct vt_end *end, struct ibv_send_wr *wr);
void vt_send(struct vt_end *end, uint64_t id, size_t offset, size_t length);
void vt_rdma(struct vt_end *end, uint64_t id, enum ibv_wr_opcode opcode,
	     size_t offset, size_t length, uint64_t remote, uint32_t rkey);
void vt_recv(struct vt_end *end, uint64_t id, size_t offset, size_t length);

/* Waits for one completion; the case fails when none comes. */
struct ibv_wc vt_poll(struct ibv_cq *cq);
struct ibv_wc vt_poll_of(struct ibv_cq *cq, struct ibv_cq *other);
/* Nothing completes for a while. */
void vt_poll_nothing(struct ibv_cq *cq, unsigned int ms);
void vt_expect(struct ibv_cq *cq, uint64_t id, enum ibv_wc_status status);

/* Waits for an async event, checks its type, acknowledges it. */
struct ibv_async_event vt_event(struct ibv_context *context,
				enum ibv_event_type type);
bool vt_readable(int fd, unsigned int ms);

/*
 * Peers: vt_fork() gives each side one end of a socket pair. A peer may also be
 * on another machine: there the program runs the same case with $VT_PEER_PORT
 * set, and is the peer of the one that has $VT_PEER_HOST set, too.
 */
struct vt_peer {
	pid_t pid;
	int fd;
};
struct vt_peer vt_fork(void (*run)(int fd, void *argument), void *argument);
void vt_join(struct vt_peer *peer);
/* Moves a peer that has not opened a device yet to the network namespace that
 * $VT_PEER_NETWORK names (a file), if it is set: to another host. */
void vt_enter_peer_network(void);
void vt_tell(int fd, const void *data, size_t bytes);
void vt_hear(int fd, void *data, size_t bytes);
/* Both sides call it: exchange addresses and connect. */
struct vt_address vt_meet(int fd, struct vt_end *end);
void vt_sync(int fd);

/* Bytes that depend on seed and position, and their check. */
uint8_t vt_byte(uint64_t seed, size_t position);
void vt_fill(void *data, size_t bytes, uint64_t seed);
void vt_check_fill(const void *data, size_t bytes, uint64_t seed,
		   const char *what);

uint64_t vt_now_ms(void);

/* A limit of time for something that is tried again and again, at least once a
 * second. That the whole machine stands still for a while (a virtual machine
 * that is paused) counts as a second at most. */
struct vt_patience {
	uint64_t last_ms, left_ms;
};
struct vt_patience vt_patience(uint64_t ms);
bool vt_patience_ends(struct vt_patience *patience);
uint64_t vt_random(uint64_t *state);
/* $name as a number, or the given one. */
uint64_t vt_setting(const char *name, uint64_t otherwise);

#endif
