/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * fork and exec around an open device. In the child the contexts on which the
 * parent made something are dead: every verb but closing fails, none crashes,
 * and nothing that the child does (closing, exiting, executing another program,
 * opening a device of its own) disturbs the parent's connections.
 */
#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vt.h"

static struct vt_end a, b;

static void check_parent(uint64_t id)
{
	vt_fill(a.buffer, 20000, id);
	vt_recv(&b, id, 65536, 30000);
	vt_send(&a, id, 0, 20000);
	vt_expect(a.send_cq, id, IBV_WC_SUCCESS);
	vt_expect(b.recv_cq, id, IBV_WC_SUCCESS);
	vt_check_fill(b.buffer + 65536, 20000, id, "message of the parent");
	VT_CHECK(!vt_readable(a.context->async_fd, 5));
	VT_CHECK(!vt_readable(b.context->async_fd, 5));
}

static void with_child(void (*child)(void))
{
	struct vt_wish wish = vt_defaults();
	int status;
	pid_t pid;

	vt_pair_open(&a, &b, &wish, false);
	check_parent(1);
	vt_recv(&b, 2, 65536, 30000); /* outstanding across the fork */
	fflush(stdout);
	pid = fork();
	VT_CHECK(pid >= 0);
	if (pid == 0) {
		child();
		fflush(stdout);
		exit(0);
	}
	VT_EQUAL(waitpid(pid, &status, 0), pid);
	if (WIFSIGNALED(status))
		vt_fail(__FILE__, __LINE__, "child killed by signal %d",
			WTERMSIG(status));
	VT_EQUAL(WEXITSTATUS(status), 0);
	vt_send(&a, 3, 0, 100);
	vt_expect(a.send_cq, 3, IBV_WC_SUCCESS);
	vt_expect(b.recv_cq, 2, IBV_WC_SUCCESS);
	check_parent(4);
	usleep(300000); /* longer than the adapter takes to notice a death */
	check_parent(5);
	vt_pair_close(&a, &b);
}

static void child_that_only_exits(void)
{
}

static void exit_of_a_child_disturbs_nobody(void)
{
	with_child(child_that_only_exits);
}

static void child_that_is_killed(void)
{
	raise(SIGTERM);
}

static void killed_child_disturbs_nobody(void)
{
	struct vt_wish wish = vt_defaults();
	pid_t pid;
	int status;

	vt_pair_open(&a, &b, &wish, false);
	pid = fork();
	VT_CHECK(pid >= 0);
	if (pid == 0) {
		child_that_is_killed();
		_exit(0);
	}
	VT_EQUAL(waitpid(pid, &status, 0), pid);
	VT_CHECK(WIFSIGNALED(status));
	check_parent(1);
	usleep(300000);
	check_parent(2);
	vt_pair_close(&a, &b);
}

static void child_that_closes(void)
{
	/* In any order, and whatever they return. */
	ibv_destroy_qp(a.qp);
	ibv_dereg_mr(a.mr);
	ibv_destroy_cq(a.send_cq);
	ibv_destroy_cq(a.recv_cq);
	ibv_dealloc_pd(a.pd);
	VT_EQUAL(ibv_close_device(a.context), 0);
	VT_EQUAL(ibv_close_device(b.context), 0);
}

static void closing_in_the_child_disturbs_nobody(void)
{
	with_child(child_that_closes);
}

static void child_that_uses(void)
{
	struct ibv_sge sge = vt_sge(&a, 0, 64);
	struct ibv_send_wr send = vt_send_wr(9, IBV_WR_SEND, &sge), *bad_send;
	struct ibv_recv_wr recv = { .wr_id = 9, .sg_list = &sge, .num_sge = 1 };
	struct ibv_recv_wr *bad_recv;
	struct ibv_port_attr port;
	struct ibv_wc wc;

	VT_CHECK(ibv_post_send(a.qp, &send, &bad_send) != 0);
	VT_CHECK(ibv_post_recv(b.qp, &recv, &bad_recv) != 0);
	VT_CHECK(ibv_poll_cq(a.send_cq, 1, &wc) <= 0);
	VT_CHECK(ibv_req_notify_cq(a.send_cq, 0) != 0);
	VT_CHECK(!ibv_alloc_pd(a.context));
	VT_CHECK(!ibv_reg_mr(a.pd, a.buffer, 4096, 0));
	VT_CHECK(!ibv_create_cq(a.context, 1, NULL, NULL, 0));
	VT_CHECK(vt_set_state(a.qp, IBV_QPS_ERR) != 0);
	ibv_query_port(a.context, 1, &port);
}

static void verbs_on_a_dead_context_fail(void)
{
	with_child(child_that_uses);
}

static void child_that_opens_its_own(void)
{
	struct vt_end c, d;
	struct vt_wish wish = vt_defaults();

	vt_pair_open(&c, &d, &wish, false);
	vt_fill(c.buffer, 9000, 33);
	vt_recv(&d, 1, 0, 9000);
	vt_send(&c, 2, 0, 9000);
	vt_expect(c.send_cq, 2, IBV_WC_SUCCESS);
	vt_expect(d.recv_cq, 1, IBV_WC_SUCCESS);
	vt_check_fill(d.buffer, 9000, 33, "message of the child");
	vt_pair_close(&c, &d);
}

static void child_opens_its_own_device(void)
{
	with_child(child_that_opens_its_own);
}

/* A context on which nothing was made has nothing of the parent's to lose. */
static struct ibv_context *untouched;

static void child_that_makes_use_of_it(void)
{
	struct ibv_alloc_dm_attr wish = { .length = 4096 };
	uint64_t word = 0x1234567890abcdef, back = 0;
	int cmd_fd = untouched->cmd_fd, async_fd = untouched->async_fd;
	struct ibv_device_attr device;
	struct ibv_port_attr port;
	struct ibv_pd *pd;
	struct ibv_dm *dm;
	struct ibv_mr *mr;
	struct ibv_cq *cq;

	VT_EQUAL(ibv_query_device(untouched, &device), 0);
	VT_EQUAL(ibv_query_port(untouched, 1, &port), 0);
	dm = ibv_alloc_dm(untouched, &wish);
	pd = ibv_alloc_pd(untouched);
	cq = ibv_create_cq(untouched, 4, NULL, NULL, 0);
	VT_CHECK(dm && pd && cq);
	VT_EQUAL(ibv_memcpy_to_dm(dm, 8, &word, sizeof(word)), 0);
	VT_EQUAL(ibv_memcpy_from_dm(&back, dm, 8, sizeof(back)), 0);
	VT_CHECK(back == word);
	mr = ibv_reg_dm_mr(pd, dm, 0, 4096,
			   IBV_ACCESS_ZERO_BASED | IBV_ACCESS_LOCAL_WRITE);
	VT_CHECK(mr);
	VT_EQUAL(untouched->cmd_fd, cmd_fd);
	VT_EQUAL(untouched->async_fd, async_fd);
	VT_CHECK(!vt_readable(async_fd, 5));
	VT_EQUAL(ibv_dereg_mr(mr), 0);
	VT_EQUAL(ibv_destroy_cq(cq), 0);
	VT_EQUAL(ibv_dealloc_pd(pd), 0);
	VT_EQUAL(ibv_free_dm(dm), 0);
	VT_EQUAL(ibv_close_device(untouched), 0);
	child_that_uses(); /* those with objects stay dead */
}

static void child_that_finds_it_used(void)
{
	VT_CHECK(!ibv_alloc_pd(untouched));
	VT_EQUAL(errno, EIO);
	VT_EQUAL(ibv_close_device(untouched), 0);
}

static void untouched_context_works_in_parent_and_child(void)
{
	struct ibv_device **list = ibv_get_device_list(NULL);
	struct ibv_pd *pd;

	VT_CHECK(list && list[0]);
	untouched = ibv_open_device(list[0]);
	VT_CHECK(untouched);
	with_child(child_that_makes_use_of_it);
	pd = ibv_alloc_pd(untouched);
	VT_CHECK(pd);
	VT_EQUAL(ibv_dealloc_pd(pd), 0);
	with_child(child_that_finds_it_used);
	VT_EQUAL(ibv_close_device(untouched), 0);
	ibv_free_device_list(list);
}

static void child_that_executes(void)
{
	execl("/bin/true", "true", (char *)NULL);
	_exit(1);
}

static void exec_in_the_child_disturbs_nobody(void)
{
	with_child(child_that_executes);
}

/* No descriptor of the device reaches a program that the child executes. */
static void child_that_looks_at_descriptors(void)
{
	execl("/bin/sh", "sh", "-c",
	      "ls -l /proc/self/fd | grep -E "
	      "'memfd:arnica|/arnica-[0-9]+-[0-9a-f]+-[0-9]+/' && exit 1; "
	      "exit 0",
	      (char *)NULL);
	_exit(1);
}

static void descriptors_are_closed_on_exec(void)
{
	with_child(child_that_looks_at_descriptors);
}

static void talking_child(int fd, void *unused)
{
	struct vt_wish wish = vt_defaults();
	struct vt_end end;

	(void)unused;
	vt_end_open(&end, &wish);
	vt_meet(fd, &end);
	vt_recv(&end, 1, 0, 5000);
	vt_sync(fd);
	vt_expect(end.recv_cq, 1, IBV_WC_SUCCESS);
	vt_check_fill(end.buffer, 5000, 6, "message from the parent");
	vt_sync(fd);
	vt_end_close(&end);
}

static void connection_to_a_child_that_was_forked_later(void)
{
	struct vt_wish wish = vt_defaults();
	struct vt_peer peer;
	struct vt_end end;

	vt_pair_open(&a, &b, &wish, false);
	peer = vt_fork(talking_child, NULL);
	vt_end_open(&end, &wish);
	vt_meet(peer.fd, &end);
	vt_sync(peer.fd);
	vt_fill(end.buffer, 5000, 6);
	vt_send(&end, 2, 0, 5000);
	vt_expect(end.send_cq, 2, IBV_WC_SUCCESS);
	vt_sync(peer.fd);
	vt_join(&peer);
	check_parent(7);
	vt_end_close(&end);
	vt_pair_close(&a, &b);
}

/* The parent's exec ends its functions without an orderly close: the peer's
 * connection breaks, as with a dead process. */
static void executing_peer(int fd, void *unused)
{
	struct vt_wish wish = vt_defaults();
	struct vt_end end;

	(void)unused;
	vt_end_open(&end, &wish);
	vt_meet(fd, &end);
	execl("/bin/sleep", "sleep", "30", (char *)NULL);
	_exit(1);
}

static void exec_of_a_peer_breaks_its_connections(void)
{
	struct vt_wish wish = vt_defaults();
	struct vt_peer peer = vt_fork(executing_peer, NULL);
	struct vt_end end;

	vt_end_open(&end, &wish);
	vt_meet(peer.fd, &end);
	vt_recv(&end, 1, 0, 64);
	vt_expect(end.recv_cq, 1, IBV_WC_WR_FLUSH_ERR);
	vt_end_close(&end);
	kill(peer.pid, SIGKILL);
	waitpid(peer.pid, NULL, 0);
}

static const struct vt_case cases[] = {
	VT_CASE(exit_of_a_child_disturbs_nobody),
	VT_CASE(killed_child_disturbs_nobody),
	VT_CASE(closing_in_the_child_disturbs_nobody),
	VT_CASE(verbs_on_a_dead_context_fail),
	VT_CASE(child_opens_its_own_device),
	VT_CASE(untouched_context_works_in_parent_and_child),
	VT_CASE(exec_in_the_child_disturbs_nobody),
	VT_CASE(descriptors_are_closed_on_exec),
	VT_CASE(connection_to_a_child_that_was_forked_later),
	VT_CASE(exec_of_a_peer_breaks_its_connections),
	{ NULL, NULL, 0 },
};

int main(int argc, char **argv)
{
	return vt_main(argc, argv, cases);
}
