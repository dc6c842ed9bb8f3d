/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Registrations that are not waited for, as their peers see them. The owner
 * begins one; a peer, another process, uses its key at once, on one of two
 * connections, and goes on with the other.
 */
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>

#include "pending_vt.h"

#define LENGTH 16384u

enum what { POST, WAIT, SEND_THERE, QUIT };

struct order {
	enum what what;
	enum ibv_wr_opcode opcode;
	uint64_t address;
	uint32_t rkey, length;
};

struct report {
	enum ibv_wc_status status;
	uint8_t bytes[LENGTH];
};

/* Of each side: what waits goes by the first, what goes on by the second. */
static struct vt_end end, other;
static struct vt_address ends, others; /* of the other side */

static void open_ends(int fd)
{
	struct vt_wish wish = vt_defaults();

	wish.mr_access = VT_ALL_ACCESS;
	vt_end_open(&end, &wish);
	vt_end_open_in(&other, &end, &wish);
	ends = vt_meet(fd, &end);
	others = vt_meet(fd, &other);
}

static void close_ends(void)
{
	vt_end_close(&other);
	vt_end_close(&end);
}

/* The second connection works, and nothing comes of the first. */
static void others_go_on(void)
{
	for (uint32_t i = 0; i < 20; i++) {
		vt_rdma(&other, i, IBV_WR_RDMA_WRITE, 0, 64, others.buffer,
			others.rkey);
		vt_expect(other.send_cq, i, IBV_WC_SUCCESS);
	}
	vt_poll_nothing(end.send_cq, 5);
}

static void post(const struct order *order)
{
	size_t length = order->opcode == IBV_WR_ATOMIC_FETCH_AND_ADD ?
				8 :
				order->length;

	vt_fill(end.buffer, length, 77);
	vt_rdma(&end, 1, order->opcode, 0, length, order->address,
		order->rkey);
	others_go_on();
}

static void report_outcome(int fd)
{
	struct report report;

	report.status = vt_poll(end.send_cq).status;
	memcpy(report.bytes, end.buffer, LENGTH);
	vt_tell(fd, &report, sizeof(report));
}

static void send_there(const struct order *order)
{
	vt_fill(end.buffer, order->length, 78);
	vt_send(&end, 1, 0, order->length);
}

static void obey(int fd, void *argument)
{
	struct order order;

	(void)argument;
	vt_enter_peer_network();
	open_ends(fd);
	for (;;) {
		vt_hear(fd, &order, sizeof(order));
		if (order.what == QUIT)
			break;
		if (order.what == POST)
			post(&order);
		else if (order.what == WAIT)
			report_outcome(fd);
		else
			send_there(&order);
		if (order.what == POST)
			vt_sync(fd);
	}
	close_ends();
}

static struct vt_peer peer;

static void begin(void)
{
	peer = vt_fork(obey, NULL);
	open_ends(peer.fd);
}

static void finish(void)
{
	const struct order order = { .what = QUIT };

	vt_tell(peer.fd, &order, sizeof(order));
	vt_join(&peer);
	close_ends();
}

static void have_posted(struct ibv_mr *mr, enum ibv_wr_opcode opcode)
{
	const struct order order = {
		.what = POST,
		.opcode = opcode,
		.address = (uintptr_t)mr->addr,
		.rkey = mr->rkey,
		.length = LENGTH,
	};

	vt_tell(peer.fd, &order, sizeof(order));
	vt_sync(peer.fd);
}

static struct report outcome(void)
{
	const struct order order = { .what = WAIT };
	struct report report;

	vt_tell(peer.fd, &order, sizeof(order));
	vt_hear(peer.fd, &report, sizeof(report));
	return report;
}

static const enum ibv_wr_opcode opcodes[] = {
	IBV_WR_RDMA_WRITE,
	IBV_WR_RDMA_READ,
	IBV_WR_ATOMIC_FETCH_AND_ADD,
};

static void a_peer_waits_for_the_region(void)
{
	begin();
	for (size_t i = 0; i < 3; i++) {
		struct slow slow;
		struct ibv_mr *mr = begin_slow(end.pd, &slow);
		struct report report;

		have_posted(mr, opcodes[i]);
		VT_EQUAL(arnicadv_query_mr(mr), EINPROGRESS);
		VT_EQUAL(arnicadv_wait_mr(mr, 1), ETIMEDOUT);
		others_go_on();
		let_come(&slow, 5);
		report = outcome();
		VT_EQUAL(report.status, IBV_WC_SUCCESS);
		VT_EQUAL(arnicadv_wait_mr(mr, -1), 0);
		VT_EQUAL(arnicadv_query_mr(mr), 0);
		if (opcodes[i] == IBV_WR_RDMA_WRITE)
			vt_check_fill(slow.memory, LENGTH, 77, "written");
		if (opcodes[i] == IBV_WR_RDMA_READ)
			vt_check_fill(report.bytes, LENGTH, 5, "read");
		if (opcodes[i] == IBV_WR_ATOMIC_FETCH_AND_ADD)
			vt_check_fill(report.bytes, 8, 5, "fetched");
		VT_EQUAL(ibv_dereg_mr(mr), 0);
		end_slow(&slow);
	}
	finish();
}

/* The key that never was: as any bad key. */
static void a_region_that_fails(enum ibv_wr_opcode opcode)
{
	struct slow slow;
	struct ibv_mr *mr;

	begin();
	mr = begin_slow(end.pd, &slow);
	have_posted(mr, opcode);
	let_fail(&slow);
	VT_EQUAL(outcome().status, IBV_WC_REM_ACCESS_ERR);
	VT_EQUAL(arnicadv_wait_mr(mr, -1), EFAULT);
	VT_EQUAL(arnicadv_query_mr(mr), EFAULT);
	vt_event(end.context, IBV_EVENT_QP_ACCESS_ERR);
	VT_EQUAL(ibv_dereg_mr(mr), 0);
	end_slow(&slow);
	finish();
}

static void a_write_to_a_region_that_fails_is_refused(void)
{
	a_region_that_fails(IBV_WR_RDMA_WRITE);
}

static void a_read_of_a_region_that_fails_is_refused(void)
{
	a_region_that_fails(IBV_WR_RDMA_READ);
}

/* Of the owner's own queues one waits, and the other goes on. */
static void post_own(struct ibv_mr *mr, enum ibv_wr_opcode opcode)
{
	struct ibv_sge sge = { (uintptr_t)mr->addr, LENGTH, mr->lkey };
	struct ibv_send_wr wr = vt_send_wr(3, opcode, &sge);

	wr.wr.rdma.remote_addr = ends.buffer;
	wr.wr.rdma.rkey = ends.rkey;
	VT_EQUAL(vt_post_send(&end, &wr), 0);
	others_go_on();
}

static void own_requests_wait_for_the_region(void)
{
	static const enum ibv_wr_opcode own[] = { IBV_WR_RDMA_WRITE,
						  IBV_WR_RDMA_READ };

	begin();
	for (size_t i = 0; i < 2; i++) {
		struct slow slow;
		struct ibv_mr *mr = begin_slow(end.pd, &slow);

		post_own(mr, own[i]);
		VT_EQUAL(arnicadv_query_mr(mr), EINPROGRESS);
		let_come(&slow, 6);
		vt_expect(end.send_cq, 3, IBV_WC_SUCCESS);
		/* What was written first was read back then. */
		vt_check_fill(slow.memory, LENGTH, 6, "of the region");
		VT_EQUAL(ibv_dereg_mr(mr), 0);
		end_slow(&slow);
	}
	finish();
}

static void own_requests_fail_with_the_region(void)
{
	struct slow slow;
	struct ibv_mr *mr;

	begin();
	mr = begin_slow(end.pd, &slow);
	post_own(mr, IBV_WR_RDMA_WRITE);
	let_fail(&slow);
	vt_expect(end.send_cq, 3, IBV_WC_LOC_PROT_ERR);
	VT_EQUAL(arnicadv_wait_mr(mr, -1), EFAULT);
	VT_EQUAL(ibv_dereg_mr(mr), 0);
	end_slow(&slow);
	finish();
}

static void a_receive_waits_for_its_region(void)
{
	const struct order order = { .what = SEND_THERE, .length = LENGTH };
	struct ibv_recv_wr *bad, wr = { .wr_id = 9, .num_sge = 1 };
	struct ibv_sge sge;
	struct slow slow;
	struct ibv_mr *mr;

	begin();
	mr = begin_slow(end.pd, &slow);
	sge = (struct ibv_sge){ (uintptr_t)mr->addr, LENGTH, mr->lkey };
	wr.sg_list = &sge;
	VT_EQUAL(ibv_post_recv(end.qp, &wr, &bad), 0);
	vt_tell(peer.fd, &order, sizeof(order));
	vt_poll_nothing(end.recv_cq, 10);
	others_go_on();
	let_come(&slow, 7);
	vt_expect(end.recv_cq, 9, IBV_WC_SUCCESS);
	VT_EQUAL(outcome().status, IBV_WC_SUCCESS);
	vt_check_fill(slow.memory, LENGTH, 78, "received");
	VT_EQUAL(ibv_dereg_mr(mr), 0);
	end_slow(&slow);
	finish();
}

/* It stands behind another one: its turn need not be waited for. */
static void deregistration_gives_it_up(void)
{
	struct slow slow;
	struct ibv_mr *first, *second;

	begin();
	first = begin_slow(end.pd, &slow);
	second = begin_mr(end.pd, end.buffer, LENGTH);
	VT_EQUAL(arnicadv_query_mr(second), EINPROGRESS);
	have_posted(second, IBV_WR_RDMA_WRITE);
	VT_EQUAL(ibv_dereg_mr(second), 0);
	VT_EQUAL(outcome().status, IBV_WC_REM_ACCESS_ERR);
	vt_event(end.context, IBV_EVENT_QP_ACCESS_ERR);
	VT_EQUAL(arnicadv_query_mr(first), EINPROGRESS);
	let_come(&slow, 1);
	VT_EQUAL(arnicadv_wait_mr(first, -1), 0);
	VT_EQUAL(ibv_dereg_mr(first), 0);
	end_slow(&slow);
	finish();
}

static void *end_region(void *mr)
{
	VT_EQUAL(ibv_dereg_mr(mr), 0);
	return NULL;
}

static void deregistration_waits_for_what_is_under_way(void)
{
	struct slow slow;
	struct ibv_mr *mr;
	pthread_t thread;

	begin();
	mr = begin_slow(end.pd, &slow);
	have_posted(mr, IBV_WR_RDMA_READ);
	VT_EQUAL(pthread_create(&thread, NULL, end_region, mr), 0);
	others_go_on();
	let_come(&slow, 1);
	VT_EQUAL(pthread_join(thread, NULL), 0);
	/* It was done in time, or not. */
	VT_ONE_OF(outcome().status, IBV_WC_SUCCESS, IBV_WC_REM_ACCESS_ERR);
	end_slow(&slow);
	finish();
}

/* The owner ends with a registration under way; its keys are told. */
static void own_until_killed(int fd, void *orderly)
{
	struct order order = { .what = POST };
	struct slow slow;
	struct ibv_mr *mr;

	open_ends(fd);
	mr = begin_slow(end.pd, &slow);
	order.address = (uintptr_t)mr->addr;
	order.rkey = mr->rkey;
	vt_tell(fd, &order, sizeof(order));
	vt_sync(fd);
	/* A sanitizer would look for leaks, and wait for the thread that waits
	 * for the memory. */
	if (orderly && VT_SANITIZED)
		_exit(0);
	if (orderly)
		exit(0);
	pause();
}

static void the_owner_ends(void *orderly, int expected)
{
	struct vt_peer owner;
	struct order order;
	int status;

	close(open_trap());
	owner = vt_fork(own_until_killed, orderly);
	open_ends(owner.fd);
	vt_hear(owner.fd, &order, sizeof(order));
	order.opcode = IBV_WR_RDMA_WRITE;
	order.length = LENGTH;
	post(&order);
	vt_sync(owner.fd);
	if (!orderly)
		VT_EQUAL(kill(owner.pid, SIGKILL), 0);
	VT_EQUAL(waitpid(owner.pid, &status, 0), owner.pid);
	VT_EQUAL(status, expected);
	vt_expect(end.send_cq, 1, IBV_WC_RETRY_EXC_ERR);
	close(owner.fd);
	close_ends();
}

static void an_owner_is_killed_meanwhile(void)
{
	the_owner_ends(NULL, SIGKILL);
}

static void an_owner_exits_meanwhile(void)
{
	static int yes;

	the_owner_ends(&yes, 0);
}

static void a_fork_does_no_harm(void)
{
	struct slow slow;
	struct ibv_mr *mr;
	int status;
	pid_t child;

	begin();
	mr = begin_slow(end.pd, &slow);
	have_posted(mr, IBV_WR_RDMA_READ);
	child = fork();
	VT_CHECK(child >= 0);
	if (!child) {
		(void)!ibv_dereg_mr(mr);
		(void)!ibv_close_device(end.context);
		_exit(0);
	}
	VT_EQUAL(waitpid(child, &status, 0), child);
	VT_EQUAL(status, 0);
	let_come(&slow, 3);
	VT_EQUAL(outcome().status, IBV_WC_SUCCESS);
	VT_EQUAL(ibv_dereg_mr(mr), 0);
	end_slow(&slow);
	finish();
}

int main(int argc, char **argv)
{
	static const struct vt_case cases[] = {
		VT_CASE(a_peer_waits_for_the_region),
		VT_CASE(a_write_to_a_region_that_fails_is_refused),
		VT_CASE(a_read_of_a_region_that_fails_is_refused),
		VT_CASE(own_requests_wait_for_the_region),
		VT_CASE(own_requests_fail_with_the_region),
		VT_CASE(a_receive_waits_for_its_region),
		VT_CASE(deregistration_gives_it_up),
		VT_CASE(deregistration_waits_for_what_is_under_way),
		VT_CASE(an_owner_is_killed_meanwhile),
		VT_CASE(an_owner_exits_meanwhile),
		VT_CASE(a_fork_does_no_harm),
		{ NULL, NULL, 0 },
	};

	return vt_main(argc, argv, cases);
}
