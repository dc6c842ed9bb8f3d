/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * A server and eight clients whose connections share one CQ in the server. One
 * client, the victim, is killed or stopped at a fault point inside the adapter;
 * the other seven must go on.
 *
 *   shared_cq FAULT ROUNDS poll|sleep|srq
 *
 * FAULT is as in ARNICA_FAULT_POINT, or "none". The server polls its CQ all the
 * time, or sleeps on its completion channel whenever the CQ is empty: an event
 * that is lost with the victim then stops all. Or it polls, and the connections
 * share a receive queue as well, of which no entry may be lost.
 *
 * Every client sends messages of several lengths, which the server checks and
 * sends back, and reads, writes and adds to a slice of the server's memory. The
 * first process starts server and clients, waits until the victim is down, and
 * then tells the others how much more they have to do: ROUNDS rounds. Status 0:
 * they all did; 2: the victim never reached the point (it did ROUNDS rounds);
 * 1: anything else. A stopped victim is killed at the end, and the server must
 * get rid of it.
 */
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vt.h"

#define CLIENTS 8
#define VICTIM 0
#define SLICE_BYTES (256u << 10)
#define LONGEST 70000u
#define RECEIVES 2u
#define NOT_REACHED 2

static const uint32_t lengths[] = { 8, 32, 33, 200, 1000, 5000, LONGEST };
#define NUM_LENGTHS (sizeof(lengths) / sizeof(lengths[0]))

/* Shared by all processes of the test; not by way of the adapter. */
struct board {
	atomic_int victim_down;
	atomic_uint rounds_done[CLIENTS];
	unsigned int rounds;
};

static struct board *board;
static bool sleeps, shares, stopped;

/* Server: one end for each client, all with the first end's CQ. */
static struct vt_end ends[CLIENTS];
static bool gone[CLIENTS];

/* With an SRQ: its entries have their buffers in `pool`. */
#define ENTRIES (CLIENTS * RECEIVES)
#define ECHO (1ull << 32) /* in the wr_id of what is sent back */

static struct ibv_srq *srq;
static uint8_t *pool;
static struct ibv_mr *pool_mr;

static int client_of(uint32_t qpn)
{
	for (int i = 0; i < CLIENTS; i++)
		if (ends[i].qp && ends[i].qp->qp_num == qpn)
			return i;
	return -1;
}

/* Where the messages of client i arrive, and from where they go back. */
static size_t slot_offset(unsigned int slot)
{
	return 4096 + (size_t)slot * (LONGEST + 4096) / 8 * 8;
}

static struct ibv_sge entry_sge(uint64_t entry, uint32_t length)
{
	return (struct ibv_sge){
		.addr = (uintptr_t)pool + (entry % ENTRIES) * LONGEST,
		.length = length,
		.lkey = pool_mr->lkey,
	};
}

static int post_entry(uint64_t entry)
{
	struct ibv_sge sge = entry_sge(entry, LONGEST);
	struct ibv_recv_wr wr = { .wr_id = entry % ENTRIES, .sg_list = &sge,
				  .num_sge = 1 }, *bad;

	return ibv_post_srq_recv(srq, &wr, &bad);
}

#define LIMIT (ENTRIES - 4) /* often too few are left */

static void arm_limit(void)
{
	struct ibv_srq_attr attr = { .srq_limit = LIMIT };

	VT_EQUAL(ibv_modify_srq(srq, &attr, IBV_SRQ_LIMIT), 0);
}

/* Reads events to their end; those of queue pairs are the victim's. */
static int limit_events(void)
{
	struct ibv_async_event event;
	int count = 0;

	while (vt_readable(ends[0].context->async_fd, 0)) {
		VT_EQUAL(ibv_get_async_event(ends[0].context, &event), 0);
		count += event.event_type == IBV_EVENT_SRQ_LIMIT_REACHED;
		ibv_ack_async_event(&event);
	}
	return count;
}

/* What is not armed any more has had its one event. */
static void check_limit(void)
{
	struct ibv_srq_attr attr;

	VT_EQUAL(ibv_query_srq(srq, &attr), 0);
	if (attr.srq_limit)
		return;
	VT_EQUAL(limit_events(), 1);
	arm_limit();
}

static void open_srq(void)
{
	struct ibv_srq_init_attr attr = { .attr = { .max_wr = ENTRIES,
						    .max_sge = 1 } };

	srq = ibv_create_srq(ends[0].pd, &attr);
	VT_CHECK(srq);
	pool = mmap(NULL, ENTRIES * LONGEST, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	VT_CHECK(pool != MAP_FAILED);
	pool_mr = ibv_reg_mr(ends[0].pd, pool, ENTRIES * LONGEST,
			     IBV_ACCESS_LOCAL_WRITE);
	VT_CHECK(pool_mr);
	for (uint64_t k = 0; k < ENTRIES; k++)
		VT_EQUAL(post_entry(k), 0);
	arm_limit();
}

/* One PD for all: what came for one is sent back from where it stands. */
static void join_pd(struct vt_end *end)
{
	VT_EQUAL(ibv_dereg_mr(end->mr), 0);
	VT_EQUAL(ibv_dealloc_pd(end->pd), 0);
	end->pd = ends[0].pd;
	end->mr = ibv_reg_mr(end->pd, end->buffer, SLICE_BYTES, VT_ALL_ACCESS);
	VT_CHECK(end->mr);
}

/* Is the whole of the queue still there? A victim that is stopped may keep the
 * entry that it was about to fill. */
static void check_srq(void)
{
	struct vt_wish wish = vt_defaults();
	struct vt_address to_sender, to_receiver;
	struct vt_end sender, receiver;
	struct ibv_wc wc;
	int got = 0;

	while (post_entry(0) == 0)
		;
	wish.rnr_retry = 0;
	vt_end_open_in(&sender, &ends[0], &wish);
	wish.srq = srq;
	vt_end_open_in(&receiver, &ends[0], &wish);
	to_sender = vt_address_of(&sender);
	to_receiver = vt_address_of(&receiver);
	vt_connect(&sender, &to_receiver);
	vt_connect(&receiver, &to_sender);
	for (;;) {
		vt_send(&sender, 0, 0, 8);
		wc = vt_poll(sender.send_cq);
		if (wc.status != IBV_WC_SUCCESS)
			break;
		got++;
	}
	VT_STATUS(&wc, IBV_WC_RNR_RETRY_EXC_ERR);
	VT_ONE_OF(got, ENTRIES, stopped ? ENTRIES - 1 : ENTRIES);
	vt_end_close(&receiver);
	vt_end_close(&sender);
}

static void close_srq(void)
{
	check_srq();
	VT_EQUAL(ibv_dereg_mr(pool_mr), 0);
	VT_EQUAL(ibv_destroy_srq(srq), 0);
}

static void server_open(int *fds)
{
	struct vt_wish wish = vt_defaults();

	wish.common_cq = true;
	wish.channel = true;
	wish.cqe = 1024;
	wish.buffer_bytes = SLICE_BYTES;
	vt_end_open(&ends[0], &wish);
	if (shares)
		open_srq();
	for (int i = shares ? 0 : 1; i < CLIENTS; i++) {
		if (i)
			vt_end_open_in(&ends[i], &ends[0], &wish);
		VT_EQUAL(ibv_destroy_qp(ends[i].qp), 0);
		if (i) {
			VT_EQUAL(ibv_destroy_cq(ends[i].send_cq), 0);
			VT_EQUAL(ibv_destroy_comp_channel(ends[i].channel), 0);
			ends[i].send_cq = ends[i].recv_cq = ends[0].send_cq;
		}
		if (i && shares)
			join_pd(&ends[i]);
		{
			struct ibv_qp_init_attr attr = {
				.send_cq = ends[0].send_cq,
				.recv_cq = ends[0].send_cq,
				.srq = srq,
				.cap = ends[i].cap,
				.qp_type = IBV_QPT_RC };

			ends[i].qp = ibv_create_qp(ends[i].pd, &attr);
			VT_CHECK(ends[i].qp);
		}
	}
	for (int i = 0; i < CLIENTS; i++) {
		struct vt_address mine = vt_address_of(&ends[i]), peer;

		VT_EQUAL(vt_to_init(&ends[i]), 0);
		for (unsigned int k = 0; k < RECEIVES && !shares; k++)
			vt_recv(&ends[i], k, slot_offset(k), LONGEST);
		if (recv(fds[i], &peer, sizeof(peer), MSG_WAITALL) !=
			    sizeof(peer) ||
		    send(fds[i], &mine, sizeof(mine), MSG_NOSIGNAL) !=
			    sizeof(mine)) {
			VT_EQUAL(i, VICTIM); /* it may die before it connects */
			gone[i] = true;
			continue;
		}
		VT_EQUAL(vt_to_rtr(&ends[i], &peer), 0);
		VT_EQUAL(vt_to_rts(&ends[i]), 0);
		(void)!send(fds[i], "", 1, MSG_NOSIGNAL);
	}
}

/* With an SRQ: an entry that came back, in whatever way, is posted again unless
 * it is sent back first. */
static void shared_completion(const struct ibv_wc *wc, uint32_t *echoed)
{
	int i = client_of(wc->qp_num);
	uint64_t entry = wc->wr_id % ENTRIES;
	struct ibv_sge sge = entry_sge(entry, wc->byte_len);
	struct ibv_send_wr wr = vt_send_wr(wc->wr_id | ECHO, IBV_WR_SEND, &sge);
	struct ibv_send_wr *bad;

	VT_CHECK(i >= 0);
	if (wc->status != IBV_WC_SUCCESS) {
		VT_EQUAL(i, VICTIM);
		gone[i] = true;
	} else if (!(wc->wr_id & ECHO) && !gone[i]) {
		vt_check_fill(pool + entry * LONGEST, wc->byte_len,
			      (uint64_t)i << 32 | echoed[i]++, "request");
		if (!ibv_post_send(ends[i].qp, &wr, &bad))
			return;
		VT_EQUAL(i, VICTIM);
	}
	VT_EQUAL(post_entry(entry), 0);
}

/* Sends back what arrived; the receive is posted again when that is done, for
 * until then the buffer is needed. */
static void server_completion(const struct ibv_wc *wc, uint32_t *echoed)
{
	int i = client_of(wc->qp_num);

	VT_CHECK(i >= 0);
	if (wc->status != IBV_WC_SUCCESS) {
		if (i != VICTIM)
			vt_fail(__FILE__, __LINE__, "client %d: %s", i,
				ibv_wc_status_str(wc->status));
		gone[i] = true;
		return;
	}
	if (gone[i])
		return;
	if (wc->opcode == IBV_WC_RECV) {
		struct ibv_sge sge = vt_sge(&ends[i], slot_offset(
					    (unsigned int)wc->wr_id),
					    wc->byte_len);
		struct ibv_send_wr wr = vt_send_wr(wc->wr_id, IBV_WR_SEND,
						   &sge), *bad;

		vt_check_fill(ends[i].buffer + slot_offset((unsigned int)
			      wc->wr_id), wc->byte_len,
			      (uint64_t)i << 32 | echoed[i]++, "request");
		if (ibv_post_send(ends[i].qp, &wr, &bad))
			VT_EQUAL(i, VICTIM);
	} else {
		struct ibv_sge sge = vt_sge(&ends[i], slot_offset(
					    (unsigned int)wc->wr_id), LONGEST);
		struct ibv_recv_wr wr = { .wr_id = wc->wr_id, .sg_list = &sge,
					  .num_sge = 1 }, *bad;

		VT_EQUAL(ibv_post_recv(ends[i].qp, &wr, &bad), 0);
	}
}

static bool others_finished(int *fds, bool *left)
{
	bool all = true;

	for (int i = 0; i < CLIENTS; i++) {
		char token;

		if (!left[i] && recv(fds[i], &token, 1, MSG_DONTWAIT) >= 0)
			left[i] = true;
		if (i != VICTIM)
			all = all && left[i];
	}
	return all && (left[VICTIM] || atomic_load(&board->victim_down));
}

static int take_all(uint32_t *echoed)
{
	struct ibv_wc wc[16];
	int got = ibv_poll_cq(ends[0].send_cq, 16, wc);

	VT_CHECK(got >= 0);
	for (int k = 0; k < got; k++)
		(shares ? shared_completion : server_completion)(&wc[k],
								 echoed);
	return got;
}

/* The CQ is armed and empty: only an event leads back to it. True when all is
 * over. */
static bool sleep_for_event(int *fds, bool *left)
{
	struct ibv_cq *cq;
	void *cookie;

	while (!vt_readable(ends[0].channel->fd, 20))
		if (others_finished(fds, left))
			return true;
	VT_EQUAL(ibv_get_cq_event(ends[0].channel, &cq, &cookie), 0);
	VT_CHECK(cq == ends[0].send_cq);
	ibv_ack_cq_events(cq, 1);
	return false;
}

/* A region that no client knows: a stopped client does not keep it. */
static void come_and_go(void)
{
	static char scratch[64];
	struct ibv_mr *mr = ibv_reg_mr(ends[0].pd, scratch, sizeof(scratch),
				       IBV_ACCESS_LOCAL_WRITE);

	VT_CHECK(mr);
	VT_EQUAL(ibv_dereg_mr(mr), 0);
}

static void serve(int *fds)
{
	uint32_t echoed[CLIENTS] = { 0 };
	bool left[CLIENTS] = { false };
	uint64_t turn = 0, batches = 0;

	for (;;) {
		if (take_all(echoed)) {
			if (++batches % 16 == 0)
				come_and_go();
			if (shares)
				check_limit();
			continue;
		}
		if (sleeps) {
			VT_EQUAL(ibv_req_notify_cq(ends[0].send_cq, 0), 0);
			if (!take_all(echoed) && sleep_for_event(fds, left))
				return;
		} else if (++turn % 256 == 0) {
			if (others_finished(fds, left))
				return;
			sched_yield();
		}
	}
}

static void server(int *fds)
{
	server_open(fds);
	serve(fds);
	/* All is destroyed in order, whatever the victim left undone. */
	for (int i = 0; i < CLIENTS; i++) {
		VT_EQUAL(ibv_destroy_qp(ends[i].qp), 0);
		ends[i].qp = NULL;
	}
	if (shares)
		close_srq();
	VT_EQUAL(ibv_destroy_cq(ends[0].send_cq), 0);
	VT_EQUAL(ibv_destroy_comp_channel(ends[0].channel), 0);
	for (int i = CLIENTS - 1; i >= 0; i--) {
		VT_EQUAL(ibv_dereg_mr(ends[i].mr), 0);
		if (!shares || i == 0)
			VT_EQUAL(ibv_dealloc_pd(ends[i].pd), 0);
	}
	VT_EQUAL(ibv_close_device(ends[0].context), 0);
}

/* One message there and back. */
static void exchange(struct vt_end *end, int me, uint32_t number)
{
	uint32_t length = lengths[number % NUM_LENGTHS];
	struct ibv_wc wc;

	vt_recv(end, number, LONGEST + 4096, LONGEST);
	vt_fill(end->buffer, length, (uint64_t)me << 32 | number);
	vt_send(end, number, 0, length);
	for (int i = 0; i < 2; i++) {
		wc = vt_poll(end->send_cq);
		VT_STATUS(&wc, IBV_WC_SUCCESS);
		VT_EQUAL(wc.wr_id, number);
		if (wc.opcode == IBV_WC_RECV)
			VT_EQUAL(wc.byte_len, length);
	}
	vt_check_fill(end->buffer + LONGEST + 4096, length,
		      (uint64_t)me << 32 | number, "echo");
}

/* The first 64 bytes of the slice: a word that is added to, and a pattern. */
static void touch_memory(struct vt_end *end, const struct vt_address *peer,
			 uint32_t round)
{
	uint64_t *word = (uint64_t *)(void *)(end->buffer + 200 * 1024);

	vt_rdma(end, 1, IBV_WR_ATOMIC_FETCH_AND_ADD, 200 * 1024, 8,
		peer->buffer, peer->rkey); /* adds one */
	vt_expect(end->send_cq, 1, IBV_WC_SUCCESS);
	VT_EQUAL(*word, round);
	vt_fill(end->buffer, 900, round);
	vt_rdma(end, 2, IBV_WR_RDMA_WRITE, 0, 900, peer->buffer + 64,
		peer->rkey);
	vt_rdma(end, 3, IBV_WR_RDMA_READ, 210 * 1024, 900, peer->buffer + 64,
		peer->rkey);
	vt_expect(end->send_cq, 2, IBV_WC_SUCCESS);
	vt_expect(end->send_cq, 3, IBV_WC_SUCCESS);
	vt_check_fill(end->buffer + 210 * 1024, 900, round, "read back");
}

/* Goes round until the victim is down, and then the agreed number of rounds. */
static int client(int me, int fd)
{
	struct vt_wish wish = vt_defaults();
	struct vt_address mine, peer;
	struct vt_end end;
	uint32_t round = 0, last = UINT32_MAX;
	char token;

	wish.common_cq = true;
	wish.buffer_bytes = SLICE_BYTES;
	vt_end_open(&end, &wish);
	mine = vt_address_of(&end);
	VT_EQUAL(vt_to_init(&end), 0);
	vt_tell(fd, &mine, sizeof(mine));
	vt_hear(fd, &peer, sizeof(peer));
	VT_EQUAL(vt_to_rtr(&end, &peer), 0);
	VT_EQUAL(vt_to_rts(&end), 0);
	vt_hear(fd, &token, 1);
	while (round < last) {
		for (uint32_t k = 0; k < NUM_LENGTHS; k++)
			exchange(&end, me, round * NUM_LENGTHS + k);
		touch_memory(&end, &peer, round);
		atomic_store(&board->rounds_done[me], ++round);
		if (me == VICTIM) {
			if (round == board->rounds)
				break;
		} else if (last == UINT32_MAX &&
			   atomic_load(&board->victim_down)) {
			last = round + board->rounds;
		}
	}
	vt_tell(fd, "", 1);
	vt_end_close(&end);
	return me == VICTIM ? NOT_REACHED : 0;
}

/* Descriptor i is the connection of client i; each process keeps its own. */
static int server_fds[CLIENTS], client_fds[CLIENTS];
static const char *fault;

static void run_client(int me)
{
	int status;

	for (int i = 0; i < CLIENTS; i++) {
		close(server_fds[i]);
		if (i != me)
			close(client_fds[i]);
	}
	if (me == VICTIM && strcmp(fault, "none"))
		setenv("ARNICA_FAULT_POINT", fault, 1);
	if (me != VICTIM)
		unsetenv("ARNICA_FAULT_LIST");
	status = client(me, client_fds[me]);
	fflush(stdout);
	_exit(status);
}

static void run_server(int me)
{
	(void)me;
	for (int i = 0; i < CLIENTS; i++)
		close(client_fds[i]);
	unsetenv("ARNICA_FAULT_LIST");
	server(server_fds);
	fflush(stdout);
	_exit(0);
}

static pid_t start(void (*run)(int me), int me)
{
	pid_t pid;

	fflush(stdout);
	pid = fork();
	VT_CHECK(pid >= 0);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		run(me);
	}
	return pid;
}

/* Waits for one process to end or, the victim, to stop; its wait status. */
static int wait_for(pid_t pid, const char *who, bool may_stop)
{
	uint64_t deadline = vt_now_ms() + 40000;
	int status;

	while (waitpid(pid, &status, WNOHANG | (may_stop ? WUNTRACED : 0)) ==
	       0) {
		if (vt_now_ms() > deadline) {
			for (int i = 0; i < CLIENTS; i++)
				printf("      client %d: %u rounds\n", i,
				       atomic_load(&board->rounds_done[i]));
			vt_fail(__FILE__, __LINE__, "%s hangs", who);
		}
		usleep(500);
	}
	return status;
}

static void check_ended_well(pid_t pid, const char *who)
{
	int status = wait_for(pid, who, false);

	if (!WIFEXITED(status) || WEXITSTATUS(status))
		vt_fail(__FILE__, __LINE__, "%s ended with wait status 0x%x",
			who, (unsigned int)status);
}

int main(int argc, char **argv)
{
	pid_t server_pid, pids[CLIENTS];
	int victim;

	if (argc != 4) {
		fprintf(stderr, "usage: shared_cq FAULT ROUNDS poll|sleep|srq\n");
		return 1;
	}
	fault = argv[1];
	sleeps = !strcmp(argv[3], "sleep");
	shares = !strcmp(argv[3], "srq");
	stopped = strstr(fault, ":stop") != NULL;
	board = mmap(NULL, sizeof(*board), PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	VT_CHECK(board != MAP_FAILED);
	board->rounds = (unsigned int)atoi(argv[2]);
	for (int i = 0; i < CLIENTS; i++) {
		int pair[2];

		VT_EQUAL(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
		server_fds[i] = pair[0];
		client_fds[i] = pair[1];
	}
	server_pid = start(run_server, -1);
	for (int i = 0; i < CLIENTS; i++)
		pids[i] = start(run_client, i);
	for (int i = 0; i < CLIENTS; i++) {
		close(server_fds[i]);
		close(client_fds[i]);
	}
	victim = wait_for(pids[VICTIM], "the victim", true);
	if (WIFEXITED(victim) && WEXITSTATUS(victim) == 1)
		vt_fail(__FILE__, __LINE__, "the victim failed by itself");
	atomic_store(&board->victim_down, 1);
	for (int i = 0; i < CLIENTS; i++)
		if (i != VICTIM)
			check_ended_well(pids[i], "a client");
	if (WIFSTOPPED(victim)) {
		kill(pids[VICTIM], SIGKILL);
		waitpid(pids[VICTIM], NULL, 0);
	}
	check_ended_well(server_pid, "the server");
	return WIFEXITED(victim) && WEXITSTATUS(victim) == NOT_REACHED ?
		       NOT_REACHED : 0;
}
